"""What the log says about the sealed test set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from minivess.compliance.audit.test_set import TestSetHistory, criteria_digest
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.records.approval import Envelope, EnvelopeSignature, UnsealGrant, UnsealRequest
from minivess.records.base import Record
from minivess.records.entry import Entry, EntryBody, Outcome
from minivess.records.evaluation import Criterion
from minivess.records.payloads import CriteriaRegistered, TestSetApproved, TestSetOpened, TestSetRequested

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CRITERIA = (Criterion(measure="dice", at_least=0.85), Criterion(measure="cldice", at_least=0.8))
FACTS: dict[str, str] = {
    "model": digest_bytes(b"model"),
    "configuration": digest_bytes(b"configuration"),
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


REGISTERED = step("ada", "criteria.register", CriteriaRegistered(criteria=CRITERIA))
OPENED = step("ada", "test-set.open", TestSetOpened(request="r1"))


def asked(by: str = "ada", named: str = "ada", **changes: Any) -> Any:
    request = UnsealRequest(
        id="r1",
        requester=named,
        purpose="release 0.1",
        expires=NOW + timedelta(days=1),
        ephemeral_key="AA==",
        **{**FACTS, **changes},
    )
    return step(by, "test-set.request", TestSetRequested(request=request))


def granted(by: str = "rosa", named: str = "rosa", outcome: Outcome = Outcome.COMPLETED) -> Any:
    envelope = Envelope(payloadType="t", payload="", signatures=(EnvelopeSignature(keyid="", sig=""),))
    grant = UnsealGrant(request="r1", approver=named, wrapped_key="AA==", envelope=envelope)
    return step(by, "test-set.approve", TestSetApproved(grant=grant), outcome)


def check(*steps: Any, now: datetime = NOW, **changes: str) -> UnsealGrant:
    return TestSetHistory.fold(entries(*steps)).check_open("r1", now=now, **{**FACTS, **changes})


@pytest.mark.verifies("REQ-022")
def test_a_granted_request_opens_once() -> None:
    assert check(REGISTERED, asked(), granted()).approver == "rosa"
    with pytest.raises(RefusedError, match="used already, at entry 3"):
        check(REGISTERED, asked(), granted(), OPENED)


@pytest.mark.verifies("REQ-021", "REQ-022", "RC-03")
@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((REGISTERED,), "no request"),
        ((REGISTERED, asked()), "not approved"),
        ((REGISTERED, asked(), granted(outcome=Outcome.REFUSED)), "not approved"),
        ((REGISTERED, asked(), granted(by="ada", named="ada")), "own requester"),
        ((REGISTERED, asked(), granted(by="ada")), "signed by ada"),
        ((REGISTERED, asked(by="eve"), granted()), "signed by eve"),
        ((REGISTERED, granted(), asked()), "before its request"),
        ((asked(), granted()), "not registered before"),
        ((asked(), REGISTERED, granted()), "not registered before"),
    ],
)
def test_it_does_not_open_without_everything_in_its_order(steps: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        check(*steps)


@pytest.mark.verifies("REQ-022")
@pytest.mark.parametrize("fact", list(FACTS))
def test_it_opens_for_what_was_approved_alone(fact: str) -> None:
    with pytest.raises(RefusedError, match="another"):
        check(REGISTERED, asked(), granted(), **{fact: digest_bytes(b"other")})


@pytest.mark.verifies("REQ-022")
def test_it_expires() -> None:
    with pytest.raises(RefusedError, match="expired"):
        check(REGISTERED, asked(), granted(), now=NOW + timedelta(days=1))


@pytest.mark.verifies("REQ-022")
def test_a_second_request_of_the_same_name_changes_nothing() -> None:
    other = digest_bytes(b"other")
    with pytest.raises(RefusedError, match="another model"):
        check(REGISTERED, asked(), granted(), asked(model=other), model=other)


@pytest.mark.verifies("REQ-023")
def test_openings_are_counted() -> None:
    refused = step("ada", "test-set.open", TestSetOpened(request="r1"), Outcome.REFUSED)
    history = TestSetHistory.fold(entries(REGISTERED, asked(), granted(), refused, OPENED, OPENED))

    assert history.openings == 2
    assert [opening.index for opening in history.opened] == [4, 5]
    assert history.grant_for("r1") is not None
    assert history.grant_for("r2") is None


@pytest.mark.verifies("REQ-022")
def test_who_may_answer_a_request() -> None:
    history = TestSetHistory.fold(entries(REGISTERED, asked()))

    assert history.check_approve("r1", approver="rosa", now=NOW).id == "r1"
    with pytest.raises(RefusedError, match="cannot approve it"):
        history.check_approve("r1", approver="ada", now=NOW)
    with pytest.raises(RefusedError, match="expired"):
        history.check_approve("r1", approver="rosa", now=NOW + timedelta(days=2))
    with pytest.raises(RefusedError, match="no request"):
        history.check_approve("r2", approver="rosa", now=NOW)
    answered = TestSetHistory.fold(entries(REGISTERED, asked(), granted()))
    with pytest.raises(RefusedError, match="approved already"):
        answered.check_approve("r1", approver="max", now=NOW)


def test_a_malformed_entry_is_named() -> None:
    with pytest.raises(VerificationError, match="entry 1"):
        TestSetHistory.fold(entries(REGISTERED, ("ada", "test-set.open", {"ask": "r1"}, Outcome.COMPLETED)))
