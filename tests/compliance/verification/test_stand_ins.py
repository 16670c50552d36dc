"""Copies of a log under throw-away keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.verification.drill_cases.stand_ins import with_stand_ins
from minivess.compliance.verification.log import verify_log
from minivess.records.log.entry import Draft, Entry, Outcome
from minivess.workflows.log.inspection import drill
from minivess.workflows.people.accounts import trusted_keys
from tests.support.builders import audit_logs

pytestmark = pytest.mark.verifies("SU-15")


def enrol(desk: audit_logs.Desk, who: str) -> None:
    payload = {"identity": audit_logs.service(who).identity.model_dump(mode="json"), "actions": ["serving.enrolled"]}
    desk.log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=payload), desk.max)


@pytest.mark.verifies("REQ-065", "REQ-190")
def test_the_copy_verifies_under_keys_that_are_not_those_of_the_log(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path)
    enrol(desk, "inference")
    for signer in (desk.ada, desk.max):
        desk.log.append(audit_logs.draft(), signer)
    pairs = list(desk.log.pairs())
    copied, key = with_stand_ins(pairs)
    note = sign_note(Checkpoint(desk.log.origin, len(copied), root([leaf_hash(line) for line, _ in copied])), key)
    checks, register = verify_log(copied, note, trust=key.public)
    assert all(check.passed for check in checks), checks
    assert len(copied) == len(pairs)
    real = {one.signing_key.key_id for one in (desk.ada.identity, desk.max.identity, desk.log_signer.identity)}
    assert not real & {register.log_key.key_id, *register.tenures}
    for (line, details), (other, same) in zip(pairs, copied, strict=True):
        before, after = (Entry.model_validate_json(one).body for one in (line, other))
        assert details == same
        assert (before.action, before.actor, before.time, before.details) == (
            after.action, after.actor, after.time, after.details,
        )  # fmt: skip


@pytest.mark.verifies("REQ-065")
def test_the_copy_ends_before_a_signature_that_a_throw_away_key_cannot_repeat(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path)
    for _ in range(3):
        desk.log.append(audit_logs.draft(), desk.ada)
    pairs = list(desk.log.pairs())
    body = Entry.model_validate_json(pairs[2][0]).body
    signed = body.model_copy(update={"payload": {"signed": [{"envelope": {"payload": "eA=="}}]}})
    entry = Entry(body=signed, signature="AA==").model_dump_json().encode("utf-8")
    assert len(with_stand_ins([*pairs[:2], (entry, None), *pairs[3:]])[0]) == 2


@pytest.mark.verifies("REQ-065", "REQ-190")
def test_a_drill_needs_no_key_of_the_log(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path)
    enrol(desk, "inference")
    for _ in range(3):
        desk.log.append(audit_logs.draft(), desk.ada)
    desk.log.close()
    reader = desk.services(desk.log.open(desk.url, log_signer=None))
    cases = drill(reader)
    assert len(cases) > 300
    assert all(case.caught for case in cases)
    assert desk.log_signer.key_id in trusted_keys(reader)
