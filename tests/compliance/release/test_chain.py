"""The chain of a release: each link, each account and each reference is compared, and each fault is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.release.chain import check_chain, judge_chain, propose_chain
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.records.device.preparation import ReleaseChain
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.references import ROLES
from tests.support.builders.continued_logs import again
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import VERSION

pytestmark = pytest.mark.verifies("REQ-226", "REQ-227", "RC-96", "SU-91")

OTHER = digest_bytes(b"something else")


def entries() -> list[Entry]:
    return list(small_pack().log.entries[:-1])


def proposed(log: list[Entry]) -> ReleaseChain:
    return propose_chain(log, VERSION)


def index_of(log: list[Entry], role: str) -> int:
    body = EarlierEntries.of(log).newest(role)
    assert body is not None
    return body.index


def change(log: list[Entry], role: str, bend: Callable[[dict[str, Any]], object]) -> None:
    """Change the newest entry in a role; no signature is looked at here."""
    index = index_of(log, role)
    plain = log[index].body.model_dump(mode="json")
    bend(plain)
    log[index] = Entry.model_construct(body=EntryBody.model_validate(plain), signature="")


def artifact(where: str, name: str) -> Callable[[dict[str, Any]], object]:
    """Another digest for an input or output."""

    def bend(body: dict[str, Any]) -> None:
        next(one for one in body[where] if one["name"] == name)["digest"] = OTHER

    return bend


def asks(**fields: str) -> Callable[[dict[str, Any]], object]:
    """Other facts in a request."""
    return lambda body: body["payload"]["request"].update(fields)


def without(name: str) -> Callable[[dict[str, Any]], object]:
    """An entry that names no input of this name."""
    return lambda body: body.update(inputs=[one for one in body["inputs"] if one["name"] != name])


def test_the_chain_of_a_true_release_holds() -> None:
    log = entries()
    judged = check_chain(log, proposed(log), VERSION, None)
    assert set(judged.bodies) == set(ROLES) - {"run", "disposition", "qualification"}
    assert [body.action for body in judged.bodies.values()] == [ROLES[role] for role in judged.bodies]
    assert judged.member_records == ("models/members/seed-0/run.json", "models/members/seed-1/run.json")
    assert [run.outcome for run in judged.runs] == [
        Outcome.COMPLETED,
        Outcome.COMPLETED,
        Outcome.FAILED,
        Outcome.COMPLETED,
    ]
    assert judged.unaccounted == ()
    assert judged.request.release == VERSION
    assert judge_chain(small_pack().log.entries)[1] == judged


@pytest.mark.parametrize(
    ("role", "bend", "words"),
    [
        (
            "evaluation",
            lambda body: body["context"].update(model=OTHER),
            f"the evaluation of entry 25 is of model {OTHER}",
        ),
        ("evaluation", artifact("inputs", "models/export.json"), "read models/model.onnx"),
        (
            "export",
            artifact("inputs", "models/calibration.json"),
            "the export of entry .* read models/calibration.json",
        ),
        ("export", artifact("inputs", "models/ensemble.json"), "the export of entry .* read models/ensemble.json"),
        (
            "calibration",
            artifact("inputs", "models/ensemble.json"),
            "the calibration of entry .* read models/ensemble.json",
        ),
        ("calibration", artifact("inputs", "data/split.json"), "the calibration of entry .* read data/split.json"),
        ("seal", artifact("inputs", "data/split.json"), "the seal of entry .* read data/split.json"),
        ("split", artifact("inputs", "data/manifest.json"), "the split of entry .* read data/manifest.json"),
        ("validation", artifact("inputs", "data/manifest.json"), "the validation of entry .* read data/manifest.json"),
        (
            "ensemble",
            artifact("inputs", "models/members/seed-0/run.json"),
            "read the run .*, which no completed training",
        ),
        ("request", asks(model=OTHER), f"is for the model {OTHER}, the export of entry"),
        ("request", asks(calibration=OTHER), f"is for the calibration {OTHER}, the calibration of entry"),
        ("request", asks(data=OTHER), f"is for the test data {OTHER}, the seal of entry"),
        ("request", asks(plan=OTHER), f"is for the analysis plan {OTHER}, the criteria of entry"),
        ("request", asks(criteria=OTHER), f"is for the acceptance criteria {OTHER}, the criteria of entry"),
        ("request", asks(policy=OTHER), f"is for the release policy {OTHER}, the policy of entry"),
        ("request", asks(release="0.9"), "is for release 0.9, the release is 1.0.0"),
        ("request", without("log/20"), "the request of entry .* names log/.*, and not the criteria of entry 20"),
        (
            "approval",
            lambda body: body.update(inputs=[{"name": "log/20", "digest": OTHER}]),
            "and not the request of entry",
        ),
    ],
)
def test_an_entry_that_is_about_something_else_is_named(
    role: str, bend: Callable[[dict[str, Any]], object], words: str
) -> None:
    log = entries()
    change(log, role, bend)
    with pytest.raises(VerificationError, match=words):
        check_chain(log, proposed(log), VERSION, None)


def named_otherwise(role: str, **fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda chain: chain[role].update(fields)


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (named_otherwise("export", index=99), "entry 99, which the release names as its export, is not before"),
        (named_otherwise("export", digest=OTHER), f"has the digest sha256:.* and not {OTHER}"),
        (lambda chain: chain.update(export=chain["calibration"]), "is calibration and not model.export"),
        (lambda chain: chain["runs"].reverse(), "does not list every training run once, in order"),
        (lambda chain: chain["runs"].append(chain["runs"][0]), "does not list every training run once, in order"),
        (lambda chain: chain["runs"][3].update(disposition=None), "neither in the ensemble nor has a disposition"),
        (
            lambda chain: chain["runs"][3].update(disposition=chain["runs"][2]["disposition"]),
            "and not of the training of entry",
        ),
        (
            lambda chain: chain["runs"][2].update(disposition=None),
            "with no disposition, and the log requires it with the disposition of entry",
        ),
        (lambda chain: chain["looks"][0].update(evaluation=None), "does not list every look at the test set"),
        (lambda chain: chain["looks"].append(chain["looks"][0]), "does not list every look at the test set"),
        (lambda chain: chain.update(drill=None), "the release names no drill, and entry .* is the newest drill"),
    ],
)
def test_a_chain_that_is_not_that_of_the_log_is_refused(bend: Callable[[dict[str, Any]], object], words: str) -> None:
    log = entries()
    plain = json.loads(proposed(log).model_dump_json())
    bend(plain)
    with pytest.raises(VerificationError, match=words):
        check_chain(log, ReleaseChain.model_validate(plain), VERSION, None)


def test_a_member_that_is_listed_with_a_disposition_is_refused() -> None:
    log = entries()
    plain = json.loads(proposed(log).model_dump_json())
    member, other = plain["runs"][0], plain["runs"][3]
    change(log, "disposition", lambda body: body["payload"].update(run=member["run"]["index"]))
    index = other["disposition"]["index"]
    member["disposition"] = other["disposition"] = {"index": index, "digest": digest_of(log[index].body)}
    with pytest.raises(
        VerificationError, match=r"with the disposition of entry .*, and the log requires it without one"
    ):
        check_chain(log, ReleaseChain.model_validate(plain), VERSION, None)


def test_a_model_that_the_export_did_not_make_is_refused() -> None:
    log = entries()
    with pytest.raises(
        VerificationError, match=f"the export of entry .* is of model sha256:.*, the release is of model {OTHER}"
    ):
        check_chain(log, proposed(log), VERSION, OTHER)


def test_an_entry_that_was_not_completed_is_refused() -> None:
    log = entries()
    chain = json.loads(proposed(log).model_dump_json())
    change(log, "scenarios", lambda body: body.update(outcome="failed"))
    chain["scenarios"]["digest"] = digest_of(log[chain["scenarios"]["index"]].body)
    with pytest.raises(VerificationError, match="which the release names as its scenarios, was not completed"):
        check_chain(log, ReleaseChain.model_validate(chain), VERSION, None)


@pytest.mark.parametrize(
    "role",
    [
        "ingest",
        "validation",
        "split",
        "seal",
        "ensemble",
        "calibration",
        "export",
        "criteria",
        "policy",
        "evaluation",
        "scenarios",
    ],
)
def test_a_missing_step_is_named_with_its_command(role: str) -> None:
    log = [one for one in entries() if (one.body.action, one.body.outcome) != (ROLES[role], Outcome.COMPLETED)]
    renumbered = [
        Entry.model_construct(body=one.body.model_copy(update={"index": number}), signature="")
        for number, one in enumerate(log)
    ]
    with pytest.raises(RefusedError, match="the log has no completed ") as caught:
        propose_chain(renumbered, VERSION)
    assert caught.value.hint.startswith("minivess ")


def test_a_repeated_evaluation_with_other_figures_is_a_discrepancy_and_the_first_counts() -> None:
    log = small_pack().before()
    first = log.reference("evaluation")["index"]
    again(log, "evaluation")
    other = again(log, "evaluation", outputs=())
    log.entries[-1] = Entry.model_construct(
        body=other.model_copy(update={"payload": other.payload | {"baseline_dice": 0.1}}), signature=""
    )
    chain = propose_chain(log.entries, VERSION)
    judged = check_chain(log.entries, chain, VERSION, None)
    assert chain.evaluation.index == first
    assert judged.looks[0].discrepancies == (len(log.entries) - 1,)


def test_a_log_that_does_not_end_with_a_preparation_is_no_release() -> None:
    with pytest.raises(
        VerificationError, match=r"must be a completed release.prepare: entry 27 is scenarios \(completed\)"
    ):
        judge_chain(entries())
    with pytest.raises(VerificationError, match="the log is empty"):
        judge_chain([])
