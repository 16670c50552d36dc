"""What may be registered next, and what looks were judged by: folds over made-up entries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.registrations import SEALED, SPLIT, Registrations
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.device.registration import PolicyRegistered, SealTerms
from minivess.records.device.release_policy import MetricGate, ReleasePolicy
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions, Criterion, Looks, level_of_all
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.looks import CriteriaRegistered, LookApproved, LookRequested
from minivess.records.people.approval import Envelope, EnvelopeSignature, Policy, PolicyRule, UnsealGrant, UnsealRequest
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role

pytestmark = pytest.mark.verifies("SU-70")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATA, OTHER = digest_bytes(b"data"), digest_bytes(b"other data")


def plan(at_least: float = 0.8, *, total: int = 3, **conventions: Any) -> AnalysisPlan:
    return AnalysisPlan(
        mask_threshold=0.5,
        conventions=Conventions.model_validate({"tolerance": 2.0, "unit": "um", **conventions}),
        seed=0,
        looks=Looks(per_release=1, total=total),
        criteria=(Criterion(measure="dice", at_least=at_least),),
    )


def policy(at_least: float = 0.8) -> ReleasePolicy:
    rules = tuple(PolicyRule(role=role, meaning=Meaning.APPROVAL) for role in (Role.REVIEWER, Role.RELEASE_MANAGER))
    gate = MetricGate(kind="metric", id="dice", measure="dice", at_least=at_least)
    return ReleasePolicy(signatures=Policy(name="release", rules=rules), gates=(gate,))


def terms(looks: int = 3, **changes: Any) -> SealTerms:
    fields = {"split": DATA, "looks": looks, "level": level_of_all(looks), "groups": DATA, "unit": "subject"}
    return SealTerms.model_validate(fields | changes)


def registered(made: AnalysisPlan) -> tuple[str, Record]:
    return "criteria.register", CriteriaRegistered(criteria=made.criteria, plan=made)


def policed(made: ReleasePolicy) -> tuple[str, Record]:
    return "policy.register", PolicyRegistered(policy=made)


def sealed(
    name: str = "manifest",
    split: str = "split",
    root: str | None = DATA,
    said: SealTerms | None = None,
    old: bool = False,
) -> tuple[str, Record, dict[str, Any]]:
    payload = DataSealed(
        files=2, approvers=("rosa",), root=None if old else root, terms=None if old else said or terms()
    )
    return (
        "data.seal",
        payload,
        {
            "inputs": (Artifact(name=SPLIT, digest=digest_bytes(split.encode())),),
            "outputs": (Artifact(name=SEALED, digest=digest_bytes(name.encode())),),
        },
    )


def asked(
    name: str = "r1", under: AnalysisPlan | None = None, by: ReleasePolicy | None = None, **changes: Any
) -> tuple[str, Record]:
    request = UnsealRequest.model_validate(
        {
            "id": name,
            "requester": "ada",
            "purpose": "a look",
            "release": "0.1",
            "expires": NOW + timedelta(days=1),
            "ephemeral_key": "AA==",
            **dict.fromkeys(("model", "calibration", "configuration", "criteria", "inputs"), DATA),
            "plan": digest_of(under or plan()),
            "data": DATA,
            "policy": digest_of(by or policy()),
            **changes,
        }
    )
    return "test-set.request", LookRequested(request=request)


def approved(name: str = "r1") -> tuple[str, Record]:
    envelope = Envelope(
        payloadType="application/vnd.in-toto+json", payload="", signatures=(EnvelopeSignature(keyid="", sig=""),)
    )
    grant = UnsealGrant(request=name, approver="rosa", wrapped_key="AA==", envelope=envelope)
    return "test-set.approve", LookApproved(grant=grant)


def bodies(*steps: tuple[Any, ...], outcome: Outcome = Outcome.COMPLETED) -> Iterator[EntryBody]:
    for index, (action, payload, *more) in enumerate(steps):
        yield EntryBody(
            action=action,
            outcome=outcome,
            payload=payload.model_dump(mode="json"),
            log="t",
            index=index,
            time=NOW,
            actor="ada",
            key="0" * 64,
            **(more[0] if more else {}),
        )


def after(*steps: tuple[Any, ...]) -> Registrations:
    """The state after steps, each of which had to be allowed."""
    state = Registrations()
    for body in bodies(*steps):
        state.check(body)
        state = state.extend(body)
    return state


def check(state: Registrations, step: tuple[Any, ...], outcome: Outcome = Outcome.COMPLETED) -> None:
    state.check(next(bodies(step, outcome=outcome)))


START = (sealed(), policed(policy()), registered(plan()))
LOOKED = (*START, asked(), approved())


@pytest.mark.verifies("REQ-182", "REQ-184", "REQ-185", "RC-66")
@pytest.mark.parametrize(
    ("before", "step", "reason"),
    [
        ((), sealed(old=True), "names its manifest, the root of that, and its terms"),
        ((), (*sealed()[:1], DataSealed(files=2, approvers=("rosa",), root=DATA), sealed()[2]), "its terms"),
        (START, sealed(said=terms(4)), "sealed at entry 0, and its terms remain"),
        (START, sealed(root=OTHER), "sealed at entry 0, and its terms remain"),
        (START, sealed(name="another"), "of this split was sealed at entry 0 already"),
        (START, registered(plan(total=4)), "allows 4 looks in all, and the seal 3"),
        (START, registered(plan(bootstrap_unit="voxel")), "resamples by voxel, and the seal by subject"),
        (START, asked(inputs=None), "does not name the input files"),
        (START, asked(policy=None), "names no release policy that is in the log"),
        (START, asked(policy=OTHER), "names no release policy that is in the log"),
        ((policed(policy()), registered(plan(total=4)), sealed()), asked(under=plan(total=4)), "allows 4 looks in all"),
        (LOOKED, registered(plan(0.7)), "dice, mean: at least 0.7 instead of 0.8"),
        (LOOKED, policed(policy(0.7)), "dice, mean: at least 0.7 instead of 0.8"),
        ((registered(plan(0.7)), *LOOKED), asked("r2", under=plan(0.7)), "analysis plan is laxer"),
        ((policed(policy(0.7)), *LOOKED), asked("r2", by=policy(0.7)), "release policy is laxer"),
    ],
)
def test_what_is_refused(before: tuple[Any, ...], step: tuple[Any, ...], reason: str) -> None:
    state = after(*before)
    with pytest.raises(RefusedError, match=reason):
        check(state, step)
    check(state, step, Outcome.REFUSED)
    check(state, step, Outcome.STARTED)


@pytest.mark.verifies("REQ-182", "REQ-184", "REQ-185")
@pytest.mark.parametrize(
    ("before", "step"),
    [
        (START, sealed()),
        (START, asked()),
        (START, registered(plan(0.7))),
        (START, policed(policy(0.7))),
        ((*START, asked()), registered(plan(0.7))),
        (LOOKED, registered(plan(0.9))),
        (LOOKED, policed(policy(0.9))),
        (LOOKED, asked("r2")),
        ((*LOOKED, sealed(name="fresh", split="fresh", root=OTHER)), registered(plan(0.7))),
        ((*LOOKED, sealed(name="fresh", split="fresh", root=OTHER)), policed(policy(0.7))),
        (LOOKED, approved("r2")),
    ],
)
def test_what_is_allowed(before: tuple[Any, ...], step: tuple[Any, ...]) -> None:
    check(after(*before), step)


@pytest.mark.verifies("REQ-185")
def test_every_look_counts_not_the_newest_alone() -> None:
    stricter = (registered(plan(0.9)), asked("r2", under=plan(0.9)), approved("r2"))
    state = after(*LOOKED, *stricter)
    assert [one.id for one in state.judged_by()] == ["r1", "r2"]
    with pytest.raises(RefusedError, match=r"at least 0.85 instead of 0.9"):
        check(state, registered(plan(0.85)))


@pytest.mark.verifies("REQ-183")
def test_the_level_follows_from_the_seal_of_the_data_looked_at() -> None:
    state = after(sealed(), sealed(name="fresh", split="fresh", root=OTHER, said=terms(5)))
    assert [state.level(DATA, look) for look in (1, 2, 3)] == [1 - 0.05 / 3] * 3
    assert state.level(OTHER, 1) == 0.99
    assert [state.level(digest_bytes(b"of 0.1.0"), look) for look in (1, 2)] == [0.95, 0.975]
    assert state.terms == terms(5)


@pytest.mark.verifies("REQ-185")
def test_looks_under_a_seal_of_version_0_1_0_count_from_its_entry_on() -> None:
    state = Registrations()
    for body in bodies(registered(plan()), policed(policy()), sealed(old=True), asked(), approved(), sealed(old=True)):
        state = state.extend(body)
    assert state.terms is None
    assert [one.id for one in state.judged_by()] == ["r1"]
    with pytest.raises(RefusedError, match="laxer"):
        check(state, registered(plan(0.7)))


def test_entries_that_say_something_else_are_named() -> None:
    (body,) = bodies(policed(policy()))
    strange = body.model_copy(update={"payload": {"policy": {"gates": []}}})
    with pytest.raises(VerificationError, match="entry 0"):
        Registrations().extend(strange)
    with pytest.raises(VerificationError, match="entry 0"):
        Registrations().check(strange)
    assert Registrations.fold([Entry(body=body, signature="")]).policies == {digest_of(policy()): policy()}


def test_terms_name_the_level_that_follows_from_the_looks() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        terms(3, level=0.95)
