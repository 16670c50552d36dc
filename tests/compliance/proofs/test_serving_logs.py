"""What the log of a device knows of its serving logs, and which anchors it cannot take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.serving_logs import ServingLogs, serving_origin
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.errors import UsageError, VerificationError
from minivess.records.log.entry import Entry, Outcome
from minivess.records.people.roles import IdentityKind
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft

SITE = "main"


def serving_log(desk: Desk, site: str = SITE, *, name: str = "serving.db", **changes: Any) -> AuditLog:
    service = audit_logs.service("inference")
    return AuditLog.create(
        f"sqlite:///{desk.folder / name}",
        **{
            "origin": serving_origin(audit_logs.ORIGIN, site),
            "device": "toy",
            "log_signer": audit_logs.service("serving-main"),
            "roots": (service.identity,),
            "threshold": 1,
            "root_signer": service,
            "serves": audit_logs.ORIGIN,
            **changes,
        },
    )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return audit_logs.start(tmp_path)


def entry(index: int, action: str, actor: str = "inference", **payload: Any) -> Entry:
    body = {
        "action": action,
        "outcome": "completed",
        "log": audit_logs.ORIGIN,
        "index": index,
        "time": "2026-11-29T00:00:00.000000Z",
        "actor": actor,
        "key": "0" * 64,
        "payload": payload,
    }
    return Entry.model_validate({"body": body, "signature": ""})


class Story:
    """A serving log that grows, and the entries by which a device's log knows it."""

    def __init__(self, desk: Desk) -> None:
        self.service = audit_logs.service("inference")
        self.key = audit_logs.service("serving-main")
        self.log = serving_log(desk, log_signer=self.key, roots=(self.service.identity,), root_signer=self.service)

    def grow(self, entries: int = 3) -> None:
        for _ in range(entries):
            self.log.append(draft(action="inference", outcome=Outcome.FAILED), self.service)

    def enrolled(self, index: int = 1, **changes: Any) -> Entry:
        fields = {
            "origin": self.log.origin,
            "site": SITE,
            "log_key": self.key.public.model_dump(mode="json"),
            "service": "inference",
            "note": self.log.checkpoint(),
            **changes,
        }
        return entry(index, "serving.enrolled", **fields)

    def anchored(self, index: int, since: int, **changes: Any) -> Entry:
        proof = [to_base64(one) for one in self.log.consistency(since)]
        fields = {"origin": self.log.origin, "note": self.log.checkpoint(), "proof": proof, **changes}
        return entry(index, "serving.anchored", **fields)


@pytest.fixture
def story(desk: Desk) -> Story:
    return Story(desk)


def test_a_serving_log_is_rooted_in_its_service_alone_and_verifies(story: Story, desk: Desk) -> None:
    story.grow(2)
    checks, standing, entries = verify_entries(story.log.pairs(), story.log.checkpoint())
    assert all(check.passed for check in checks)
    assert [root.kind for root in standing.register.roots] == [IdentityKind.SERVICE]
    assert entries[0].body.payload["serves"] == audit_logs.ORIGIN
    assert "serves" not in desk.log.entry(0).body.payload


def test_a_service_is_the_root_of_no_other_log(desk: Desk) -> None:
    service, person = audit_logs.service("inference"), audit_logs.person("ada")
    with pytest.raises(UsageError, match="root"):
        serving_log(desk, serves=None, roots=(service.identity,), root_signer=service)
    with pytest.raises(UsageError, match="root"):
        serving_log(desk, roots=(person.identity,), root_signer=person)
    with pytest.raises(UsageError, match="root"):
        serving_log(desk, roots=(service.identity, person.identity), root_signer=service)


def test_anchors_follow_each_other(story: Story) -> None:
    logs = ServingLogs.fold([story.enrolled(1)])
    story.grow()
    logs = logs.extend(story.anchored(2, since=1))
    story.grow()
    head = logs.extend(story.anchored(5, since=4)).heads[story.log.origin]
    assert (head.head.size, head.enrolled, head.anchored) == (7, 1, 5)
    assert (head.log_key, head.service) == (story.key.public, "inference")


def test_entries_of_other_actions_and_unfinished_ones_are_passed_over(story: Story) -> None:
    failed = story.enrolled(1).model_copy(
        update={"body": story.enrolled(1).body.model_copy(update={"outcome": Outcome.FAILED})}
    )
    assert ServingLogs.fold([failed, entry(2, "inference", decision="answered")]).heads == {}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"site": "other"}, "name"),
        ({"origin": "elsewhere/serving/main"}, "name"),
        ({"service": "somebody"}, "enrols the log of somebody"),
        ({"note": "no note"}, "signed note"),
        ({"log_key": audit_logs.service("x").public.model_dump(mode="json")}, "no signature"),
        ({"more": 1}, "malformed"),
    ],
)
def test_an_enrolment_that_does_not_fit_is_named(story: Story, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(VerificationError, match=rf"entry 1 .*{why}"):
        ServingLogs.fold([story.enrolled(1, **changes)])


def test_a_serving_log_is_enrolled_once(story: Story) -> None:
    with pytest.raises(VerificationError, match=r"entry 2 .*before"):
        ServingLogs.fold([story.enrolled(1), story.enrolled(2)])


def test_a_key_signs_one_serving_log(story: Story, desk: Desk) -> None:
    other = serving_log(desk, "other", name="other.db", log_signer=story.key)
    second = story.enrolled(2, origin=other.origin, site="other", note=other.checkpoint())
    with pytest.raises(VerificationError, match=r"entry 2 .*has this key"):
        ServingLogs.fold([story.enrolled(1), second])


def test_an_anchor_that_does_not_continue_is_named(story: Story, desk: Desk) -> None:
    first = ServingLogs.fold([story.enrolled(1)])
    story.grow()
    known = first.extend(story.anchored(2, since=1))
    with pytest.raises(VerificationError, match=r"entry 3 .*not more"):
        known.extend(story.anchored(3, since=4))
    rewritten = Story.__new__(Story)
    rewritten.service, rewritten.key = story.service, story.key
    rewritten.log = serving_log(
        desk, name="again.db", log_signer=story.key, roots=(story.service.identity,), root_signer=story.service
    )
    rewritten.grow(6)
    with pytest.raises(VerificationError, match=r"entry 3 .*does not continue"):
        known.extend(rewritten.anchored(3, since=4))
    with pytest.raises(VerificationError, match=r"entry 3 .*not enrolled"):
        known.extend(story.anchored(3, since=4, origin="other/serving/main"))
    story.grow()
    with pytest.raises(VerificationError, match=r"entry 3 .*does not continue"):
        known.extend(story.anchored(3, since=4, proof=[]))
    with pytest.raises(VerificationError, match=r"entry 3 .*malformed"):
        known.extend(story.anchored(3, since=4, proof=["short"]))


def test_only_the_service_anchors_its_log(story: Story) -> None:
    known = ServingLogs.fold([story.enrolled(1)])
    story.grow()
    body = story.anchored(2, since=1).body.model_copy(update={"actor": "ada"})
    with pytest.raises(VerificationError, match=r"entry 2 .*anchors the log of inference"):
        known.extend(Entry(body=body, signature=""))
