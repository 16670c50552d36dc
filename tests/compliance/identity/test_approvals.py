"""Signatures of people and policies: what is stated, who may, and by how many."""

from __future__ import annotations

import pytest

from minivess.compliance.identity.approvals import approve, check_policy, open_approval
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.envelope import make_statement, payload_of, seal_envelope, signed_bytes
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Envelope, EnvelopeSignature, Policy
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.support.builders.pack_builder import BEGIN, RELEASE_POLICY, ada, begin, ben, cleo, person, service

pytestmark = pytest.mark.verifies("SU-10")

PACK = Artifact(name="tagmanifest-sha512.txt", digest="sha256:" + "1" * 64)
OTHER = Artifact(name="tagmanifest-sha512.txt", digest="sha256:" + "2" * 64)
SHOWN = "sha256:" + "3" * 64


def signed(
    who: Signer, role: Role, meaning: Meaning, *, about: Artifact = PACK, policy: Policy = RELEASE_POLICY
) -> Envelope:
    return approve(who, role=role, meaning=meaning, policy=policy, subjects=[about], shown=SHOWN, head=4, now=BEGIN)


def review(who: Signer | None = None) -> Envelope:
    return signed(who or ben(), Role.REVIEWER, Meaning.REVIEW)


def approval(who: Signer | None = None) -> Envelope:
    return signed(who or cleo(), Role.RELEASE_MANAGER, Meaning.APPROVAL)


@pytest.mark.verifies("REQ-007")
def test_a_signature_states_everything_part_11_asks_for() -> None:
    said = open_approval(review(), Register.fold(begin().entries))
    assert said.printed_name == "Benoît Müller"
    assert said.time == BEGIN
    assert (said.meaning, said.role, said.policy) == (Meaning.REVIEW, Role.REVIEWER, "release")
    assert (said.subjects, said.shown, said.head, said.demo) == ((PACK,), SHOWN, 4, False)


@pytest.mark.verifies("REQ-007")
def test_nobody_signs_without_the_role_and_no_service_signs() -> None:
    with pytest.raises(RefusedError, match="does not hold"):
        signed(ada(), Role.REVIEWER, Meaning.REVIEW)
    with pytest.raises(RefusedError, match="service"):
        signed(service("pipeline"), Role.SERVICE, Meaning.REVIEW)
    with pytest.raises(RefusedError, match="does not ask"):
        signed(ben(), Role.REVIEWER, Meaning.APPROVAL)
    with pytest.raises(UsageError):
        approve(
            ben(),
            role=Role.REVIEWER,
            meaning=Meaning.REVIEW,
            policy=RELEASE_POLICY,
            subjects=[],
            shown=SHOWN,
            head=4,
            now=BEGIN,
        )


@pytest.mark.verifies("REQ-007")
def test_a_statement_that_is_not_the_signers_is_not_believed() -> None:
    register = Register.fold(begin().entries)
    genuine = review()
    said = open_approval(genuine, register).model_dump(mode="json")
    forgeries = [
        {"signer": "cleo"},
        {"printed_name": "Somebody Else"},
        {"role": "release-manager"},
        {"demo": True},
        {"time": "2026-11-20T08:00:00Z"},
        {"head": 4.5},
        {"subjects": [OTHER.model_dump(mode="json")]},
        {"extra": 1},
    ]
    for change in forgeries:
        envelope = seal_envelope(make_statement([PACK], "urn:minivess:approval:1", {**said, **change}), ben())
        with pytest.raises(VerificationError):
            open_approval(envelope, register)
    with pytest.raises(VerificationError):
        open_approval(seal_envelope(make_statement([PACK], "urn:other:1", said), ben()), register)
    with pytest.raises(VerificationError):
        open_approval(seal_envelope(b"hello", ben()), register)


@pytest.mark.verifies("REQ-007")
def test_a_changed_envelope_does_not_hold() -> None:
    register = Register.fold(begin().entries)
    genuine = review()
    stranger = person("ben", "Benoît Müller", Role.REVIEWER, Role.DEVELOPER)
    changed = [
        genuine.model_copy(update={"payload": approval().payload}),
        genuine.model_copy(update={"payloadType": "text/plain"}),
        genuine.model_copy(update={"signatures": genuine.signatures * 2}),
        genuine.model_copy(update={"signatures": approval().signatures}),
        genuine.model_copy(update={"payload": genuine.payload + "\n"}),
        seal_envelope(payload_of(genuine), stranger),
        genuine.model_copy(
            update={
                "signatures": (
                    EnvelopeSignature(keyid=ben().key_id, sig=to_base64(stranger.sign(signed_bytes(genuine)))),
                )
            }
        ),
    ]
    for envelope in changed:
        with pytest.raises(VerificationError):
            open_approval(envelope, register)


@pytest.mark.verifies("REQ-008", "RC-08")
def test_two_people_satisfy_a_policy_of_two() -> None:
    register = Register.fold(begin().entries)
    accepted = check_policy(RELEASE_POLICY, [review(), approval()], [PACK], register)
    assert [item.signer for item in accepted] == ["ben", "cleo"]


@pytest.mark.verifies("REQ-008", "RC-08")
def test_one_person_never_satisfies_two_rules() -> None:
    both = person("bo", "Bo", Role.REVIEWER, Role.RELEASE_MANAGER)
    log = begin()
    log.enrol(cleo(), both)
    register = Register.fold(log.entries)
    with pytest.raises(RefusedError, match="bo signed twice"):
        check_policy(RELEASE_POLICY, [review(both), approval(both)], [PACK], register)
    with pytest.raises(RefusedError, match="approval by release-manager"):
        check_policy(RELEASE_POLICY, [review(both)], [PACK], register)
    with pytest.raises(RefusedError, match="a signature is missing: approval by release-manager"):
        check_policy(RELEASE_POLICY, [review(), review(both)], [PACK], register)


@pytest.mark.verifies("REQ-008", "RC-08")
def test_an_empty_policy_is_refused_by_signer_and_judge() -> None:
    empty = Policy(name="release", rules=())
    with pytest.raises(RefusedError, match="empty"):
        signed(ben(), Role.REVIEWER, Meaning.REVIEW, policy=empty)
    with pytest.raises(RefusedError, match="empty"):
        check_policy(empty, [review(), approval()], [PACK], Register.fold(begin().entries))


@pytest.mark.verifies("REQ-008", "RC-08")
def test_missing_foreign_and_misdirected_signatures_are_refused() -> None:
    register = Register.fold(begin().entries)
    with pytest.raises(RefusedError, match="review by independent-reviewer"):
        check_policy(RELEASE_POLICY, [], [PACK], register)
    with pytest.raises(RefusedError, match="something else"):
        check_policy(RELEASE_POLICY, [review(), approval()], [OTHER], register)
    other = RELEASE_POLICY.model_copy(update={"name": "other"})
    with pytest.raises(RefusedError, match="under"):
        check_policy(other, [review(), approval()], [PACK], register)
    with pytest.raises(VerificationError, match="not enrolled"):
        check_policy(RELEASE_POLICY, [review(person("eve", "Eve", Role.REVIEWER))], [PACK], register)


@pytest.mark.verifies("REQ-009")
def test_a_revoked_persons_signature_counts_no_more_but_did_at_its_index() -> None:
    log = begin()
    log.append(cleo(), "identity.revoked", {"identity": "ben", "reason": "left"})
    register = Register.fold(log.entries)
    with pytest.raises(VerificationError, match="revoked at entry 4"):
        check_policy(RELEASE_POLICY, [review(), approval()], [PACK], register)
    assert check_policy(RELEASE_POLICY, [review(), approval()], [PACK], register, index=3)
