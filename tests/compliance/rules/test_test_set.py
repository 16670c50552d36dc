"""What the log says about the sealed test set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.tenure import Tenure
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.look_facts import criteria_digest
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.records.base import Record
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions, Criterion, CriterionOutcome, Looks
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookOpened, LookRequested
from minivess.records.people.approval import Envelope, EnvelopeSignature, Facts, RunMode, UnsealGrant, UnsealRequest
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role

pytestmark = pytest.mark.verifies("SU-13")

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CRITERIA = (Criterion(measure="dice", at_least=0.85), Criterion(measure="cldice", at_least=0.8))
PLAN = AnalysisPlan(
    mask_threshold=0.5,
    conventions=Conventions(tolerance=2.0, unit="um"),
    seed=0,
    looks=Looks(per_release=2, total=3),
    criteria=CRITERIA,
)
FACTS: dict[str, str] = {
    "model": digest_bytes(b"model"),
    "calibration": digest_bytes(b"calibration"),
    "configuration": digest_bytes(b"configuration"),
    "plan": digest_of(PLAN),
    "criteria": criteria_digest(CRITERIA),
    "data": digest_bytes(b"data"),
}


def entries(*steps: tuple[str, str, Record | dict[str, Any], Outcome]) -> Iterator[Entry]:
    for index, (actor, action, payload, outcome) in enumerate(steps):
        plain = payload.model_dump(mode="json") if isinstance(payload, Record) else payload
        body = EntryBody(
            action=action, outcome=outcome, payload=plain, log="t", index=index, time=NOW, actor=actor, key="0" * 64
        )
        yield Entry(body=body, signature="")


def step(actor: str, action: str, payload: Record, outcome: Outcome = Outcome.COMPLETED) -> Any:
    return actor, action, payload, outcome


def known(**people: str) -> Register:
    """A register of people, valid ones, each with keys of their own: id and printed name."""
    tenures = {}
    for who, name in people.items():
        signing, wrapping = generate(KeyAlgorithm.P256), generate(KeyAlgorithm.X25519)
        identity = Identity(
            id=who,
            name=name,
            kind=IdentityKind.PERSON,
            roles=(Role.REVIEWER,),
            signing_key=signing.public,
            encryption_key=wrapping.public,
        )
        tenures[signing.key_id] = Tenure(identity, 0)
    return Register(size=9, tenures=tenures)


PEOPLE = known(ada="Ada", rosa="Rosa", eve="Eve", max="Max")


def result(baseline: float = 0.5, name: str = "r1") -> Any:
    interval = Interval(mean=0.9, lower=0.8, upper=0.95, n=4)
    done = Evaluated(request=name, cases=4, aggregates={"dice": interval}, baseline_dice=baseline)
    return step("ada", "evaluation", done)


REGISTERED = step("ada", "criteria.register", CriteriaRegistered(criteria=CRITERIA, plan=PLAN))
OPENED = step("ada", "test-set.open", LookOpened(request="r1"))


def asked(by: str = "ada", named: str = "ada", name: str = "r1", release: str = "0.1", **changes: Any) -> Any:
    request = UnsealRequest(
        id=name,
        requester=named,
        purpose="release 0.1",
        release=release,
        expires=NOW + timedelta(days=1),
        ephemeral_key="AA==",
        **{**FACTS, **changes},
    )
    return step(by, "test-set.request", LookRequested(request=request))


def granted(
    by: str = "rosa", outcome: Outcome = Outcome.COMPLETED, name: str = "r1", mode: RunMode | None = "released"
) -> Any:
    envelope = Envelope(
        payloadType="application/vnd.in-toto+json", payload="", signatures=(EnvelopeSignature(keyid="", sig=""),)
    )
    key: dict[str, Any] = {None: {"wrapped_key": "AA=="}, "released": {"key_digest": FACTS["model"]}, "custodian": {}}[
        mode
    ]
    grant = UnsealGrant(request=name, approver=by, mode=mode, envelope=envelope, **key)
    return step(by, "test-set.approve", LookApproved(grant=grant), outcome)


def check(*steps: Any, actor: str = "ada", **changes: str) -> UnsealGrant:
    facts = Facts.model_validate({**FACTS, **changes})
    history = LookHistory.fold(entries(*steps))
    granted = history.check_evaluate("r1", actor=actor, model=facts.model)
    history.check_facts("r1", facts)
    return granted.grant


@pytest.mark.verifies("REQ-022", "REQ-133")
def test_a_granted_request_may_be_evaluated_again_and_stays_one_look() -> None:
    assert check(REGISTERED, asked(), granted()).approver == "rosa"
    assert check(REGISTERED, asked(), granted(), result(), result()).approver == "rosa"
    [look] = LookHistory.fold(entries(REGISTERED, asked(), granted(), result(), result())).looks()
    assert (look.number, look.opening.index, look.runs, look.discrepancies) == (1, 2, 2, ())


@pytest.mark.verifies("REQ-133")
def test_other_figures_under_one_approval_are_a_discrepancy_and_the_first_ones_count() -> None:
    history = LookHistory.fold(entries(REGISTERED, asked(), granted(), result(0.9), result(0.8), result(0.9)))
    [look] = history.looks()
    assert look.discrepancies == (4,)
    assert look.result == history.first_result("r1")
    assert look.result is not None
    assert look.result.baseline_dice == 0.9


@pytest.mark.verifies("REQ-021", "REQ-022", "RC-03")
@pytest.mark.parametrize(
    ("steps", "actor", "reason"),
    [
        ((REGISTERED,), "ada", "no request"),
        ((REGISTERED, asked()), "ada", "not approved"),
        ((REGISTERED, asked(), granted(outcome=Outcome.REFUSED)), "ada", "not approved"),
        ((REGISTERED, asked(), granted(mode=None)), "ada", "rules of version 0.1.0"),
        ((REGISTERED, asked(), granted()), "rosa", "granted to ada, not to rosa"),
        ((REGISTERED, asked(), granted()), "max", "granted to ada, not to max"),
        ((REGISTERED, asked(), granted(mode="custodian")), "ada", "granted to rosa, not to ada"),
    ],
)
def test_nothing_is_evaluated_without_an_approval_for_the_actor(
    steps: tuple[Any, ...], actor: str, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        check(*steps, actor=actor)


@pytest.mark.verifies("REQ-022")
@pytest.mark.parametrize("fact", list(FACTS))
def test_it_opens_for_what_was_approved_alone(fact: str) -> None:
    with pytest.raises(RefusedError, match="another"):
        check(REGISTERED, asked(), granted(), **{fact: digest_bytes(b"other")})


@pytest.mark.verifies("REQ-022")
def test_a_second_request_of_the_same_name_changes_nothing() -> None:
    other = digest_bytes(b"other")
    with pytest.raises(RefusedError, match="another model"):
        check(REGISTERED, asked(), granted(), asked(model=other), model=other)


@pytest.mark.verifies("REQ-023")
def test_openings_are_counted() -> None:
    refused = step("ada", "test-set.open", LookOpened(request="r1"), Outcome.REFUSED)
    history = LookHistory.fold(entries(REGISTERED, asked(), granted(mode=None), refused, OPENED, OPENED))

    assert history.openings == 2
    assert [opening.index for opening in history.opened] == [4, 5]
    assert "r1" in history.grants
    assert "r2" not in history.grants


@pytest.mark.verifies("REQ-022")
def test_who_may_answer_a_request() -> None:
    history = LookHistory.fold(entries(REGISTERED, asked()))

    assert history.check_approve("r1", approver="rosa", register=PEOPLE, now=NOW).id == "r1"
    with pytest.raises(RefusedError, match="cannot approve it"):
        history.check_approve("r1", approver="ada", register=PEOPLE, now=NOW)
    with pytest.raises(RefusedError, match="expired"):
        history.check_approve("r1", approver="rosa", register=PEOPLE, now=NOW + timedelta(days=2))
    with pytest.raises(RefusedError, match="no request"):
        history.check_approve("r2", approver="rosa", register=PEOPLE, now=NOW)
    answered = LookHistory.fold(entries(REGISTERED, asked(), granted()))
    with pytest.raises(RefusedError, match="approved already"):
        answered.check_approve("r1", approver="max", register=PEOPLE, now=NOW)


@pytest.mark.verifies("REQ-022", "REQ-092", "RC-03")
@pytest.mark.parametrize("other", [known(ada="Ada", rosa=" ADA "), "key"])
def test_a_second_identity_of_the_requester_is_no_second_person(other: Register | str) -> None:
    register = known(ada="Ada", rosa="Rosa") if isinstance(other, str) else other
    if other == "key":
        one, two = register.tenures.values()
        shared = two.identity.model_copy(update={"encryption_key": one.identity.encryption_key})
        register = Register(size=9, tenures={"a": one, "b": Tenure(shared, 0)})
    history = LookHistory.fold(entries(REGISTERED, asked()))
    with pytest.raises(RefusedError, match="as ada and cannot approve it"):
        history.check_approve("r1", approver="rosa", register=register, now=NOW)


@pytest.mark.verifies("REQ-092")
def test_a_revoked_requester_gets_no_approval() -> None:
    gone = Register(size=9, tenures={name: Tenure(one.identity, 0, 5) for name, one in PEOPLE.tenures.items()})
    with pytest.raises(VerificationError, match="ada"):
        LookHistory.fold(entries(REGISTERED, asked())).check_approve("r1", approver="rosa", register=gone, now=NOW)


def look(name: str, release: str = "0.1", data: str = FACTS["data"]) -> tuple[Any, ...]:
    return asked(name=name, release=release, data=data), granted(name=name)


@pytest.mark.verifies("REQ-095", "RC-03")
def test_the_policy_counts_looks_of_the_release_and_in_all() -> None:
    policy = Looks(per_release=2, total=3)

    def number(*looks: tuple[Any, ...], release: str = "0.1") -> int:
        history = LookHistory.fold(entries(REGISTERED, *(one for several in looks for one in several)))
        return history.check_looks(policy, release=release, data=FACTS["data"])

    assert number() == 1
    assert number(look("a"), look("b", data=digest_bytes(b"another test part"))) == 2
    with pytest.raises(RefusedError, match=r"2 of 2 times for release 0\.1, at entry 2 and 4"):
        number(look("a"), look("b"))
    assert number(look("a"), look("b"), release="0.2") == 3
    with pytest.raises(RefusedError, match="3 of 3 times in all"):
        number(look("a"), look("b"), look("c", release="0.2"), release="0.2")


@pytest.mark.verifies("REQ-095", "RC-03")
def test_of_two_requests_for_the_last_look_one_is_approved() -> None:
    tight = PLAN.model_copy(update={"looks": Looks(per_release=1, total=1)})
    registered = step("ada", "criteria.register", CriteriaRegistered(criteria=CRITERIA, plan=tight))
    both = [asked(name=name, plan=digest_of(tight)) for name in ("r1", "r2")]
    history = LookHistory.fold(entries(registered, *both, granted(name="r1")))
    assert history.number_of("r1") == 1
    with pytest.raises(RefusedError, match="1 of 1 times"):
        history.check_approve("r2", approver="max", register=PEOPLE, now=NOW)


@pytest.mark.verifies("REQ-094")
def test_each_look_has_its_result_and_its_number() -> None:
    dice = Interval(mean=0.9, lower=0.8, upper=0.95, n=4)
    outcome = CriterionOutcome(criterion=CRITERIA[0], value=0.9, met=True)
    done = Evaluated(request="a", cases=4, aggregates={"dice": dice}, baseline_dice=0.5, criteria=(outcome,))
    steps = [*look("a"), step("ada", "evaluation", done), *look("b"), *look("c", data=digest_bytes(b"fresh"))]
    first, second, fresh = LookHistory.fold(entries(REGISTERED, *steps)).looks()

    assert (first.number, first.outcome, first.met) == (1, "evaluated", True)
    assert (second.number, second.outcome, second.met) == (2, "no result", None)
    assert fresh.number == 1


@pytest.mark.verifies("REQ-092")
def test_a_plan_that_came_after_the_request_counts_for_nothing() -> None:
    alone = step("ada", "criteria.register", CriteriaRegistered(criteria=CRITERIA))
    history = LookHistory.fold(entries(alone, asked(), REGISTERED))
    with pytest.raises(RefusedError, match=r"analysis plan .* not registered before it"):
        history.check_approve("r1", approver="rosa", register=PEOPLE, now=NOW)


def test_a_grant_whose_envelope_holds_something_else_is_refused() -> None:
    stated = granted()[2].grant.model_dump(mode="json")
    assert UnsealGrant.model_validate(stated)
    stated["envelope"]["payloadType"] = "text/plain"
    with pytest.raises(ValidationError, match="the envelope of a grant has the type"):
        UnsealGrant.model_validate(stated)


def test_a_malformed_entry_is_named() -> None:
    with pytest.raises(VerificationError, match="entry 1"):
        LookHistory.fold(entries(REGISTERED, ("ada", "test-set.open", {"ask": "r1"}, Outcome.COMPLETED)))
