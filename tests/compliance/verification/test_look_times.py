"""Which phases of a look were attested by others before the next one."""

from __future__ import annotations

import pytest

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.verification.look_times import LookTimes, attestations, look_times, look_times_in_words
from minivess.compliance.verification.trust import Trust, TrustedKeys, parse_trust
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GuardedLog, grant, request
from tests.support.builders.pack_builder import BEGIN, ada, ben, log_files, log_key

pytestmark = pytest.mark.verifies("REQ-168", "SU-14")

ONE, TWO, STRANGER = (generate(KeyAlgorithm.ED25519) for _ in range(3))
SECOND = int(BEGIN.timestamp())


def log_itself() -> Signer:
    key = log_key()
    return Signer(
        Identity(id="log", name="Log", kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=key.public), key
    )


def trust(quorum: int = 1) -> Trust:
    return parse_trust(trust_text(quorum))


def trust_text(quorum: int) -> str:
    addresses = tuple(
        WitnessAddress(url="http://w", key=verifier_key(f"w{number}", key.public, WITNESS).text())
        for number, key in enumerate((ONE, TWO), 1)
    )
    policy = WitnessPolicy(quorum=quorum, witnesses=addresses)
    return TrustedKeys(log_key=log_key().public, people=(), witnesses=policy).model_dump_json()


def attest(log: GuardedLog, *keys: PrivateKey, at: int = 60, note: str | None = None) -> None:
    text = log.checkpoint if note is None else note
    for number, key in enumerate(keys, 1):
        text = add_signatures(text, cosign(text, f"w{number}", key, SECOND + at + number))
    size = int(text.split("\n")[1])
    log.append(log_itself(), "time.attested", {"kind": "cosignature", "size": size, "note": text})


def story(
    *,
    early: tuple[PrivateKey, ...] = (),
    late: tuple[PrivateKey, ...] = (),
    after: tuple[PrivateKey, ...] = (),
) -> GuardedLog:
    """A look, with attestations between criteria and request, approval and result, and after the result."""
    log = logs.exported()
    if early:
        attest(log, *early)
    wish = request()
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    if late:
        attest(log, *late, at=600)
    log.evaluate(ada())
    if after:
        attest(log, *after, at=6000)
    return log


def only(log: GuardedLog, trusted: Trust | None) -> LookTimes:
    (found,) = look_times(log.entries, trusted)
    return found


def attested(log: GuardedLog, trusted: Trust | None) -> dict[str, bool]:
    return {phase.name: phase.attested is not None for phase in only(log, trusted).phases}


def test_phases_that_a_witness_saw_in_time_are_attested() -> None:
    found = only(story(early=(ONE,), late=(ONE,)), trust())
    assert found.attested
    assert found.words() == (
        "look 1 (open-1): criteria: attested by w1, 2026-01-15T09:01:01.000000Z at the latest; "
        "approval: attested by w1, 2026-01-15T09:10:01.000000Z at the latest"
    ).replace("2026-01-15T09", BEGIN.strftime("%Y-%m-%dT%H"))


def test_without_attestation_the_time_is_the_machines_own() -> None:
    found = only(story(), trust())
    assert not found.attested
    assert [phase.words().partition(":")[2][:22] for phase in found.phases] == [" the machine's own tim"] * 2
    assert attested(story(early=(ONE,), late=(ONE,)), None) == {"criteria": False, "approval": False}


def test_what_was_attested_after_the_next_step_does_not_count() -> None:
    assert attested(story(late=(ONE,)), trust()) == {"criteria": False, "approval": True}
    assert attested(story(after=(ONE,)), trust()) == {"criteria": False, "approval": False}
    assert attested(story(early=(ONE,)), trust()) == {"criteria": True, "approval": False}


def test_it_takes_the_quorum_and_the_last_of_them_gives_the_time() -> None:
    assert not only(story(early=(ONE,), late=(ONE,)), trust(2)).attested
    found = only(story(early=(ONE, TWO), late=(ONE, TWO)), trust(2))
    assert found.attested
    seen = found.phases[0].attested
    assert seen is not None
    assert (seen.by, seen.time.timestamp()) == ("w1, w2", SECOND + 62)


def test_the_word_of_a_stranger_or_about_another_log_does_not_count() -> None:
    assert not only(story(early=(STRANGER,), late=(STRANGER,)), trust()).attested
    log = logs.exported()
    head = log.head
    attest(log, ONE, note=sign_note(Checkpoint(head.origin, head.size, bytes(32)), log_key()))
    attest(log, ONE, note=sign_note(Checkpoint("another", head.size, head.root), log_key()))
    assert attestations(log.entries, trust()) == ()
    attest(log, ONE)
    assert [one.size for one in attestations(log.entries, trust())] == [head.size + 2]


def test_both_verifiers_take_a_log_with_attestations() -> None:
    assert logs.both(story(early=(ONE,), late=(TWO,))) == ("", "")


@pytest.mark.parametrize("quorum", [1, 2])
@pytest.mark.parametrize(
    "seen", [{}, {"early": (ONE,)}, {"early": (ONE, TWO), "late": (TWO,)}, {"late": (STRANGER,)}, {"after": (ONE, TWO)}]
)
def test_verify_py_says_the_same_of_each_look(seen: dict[str, tuple[PrivateKey, ...]], quorum: int) -> None:
    log, verify = story(**seen), logs.VERIFY
    pack = verify.Pack(log_files(log.pairs, log.checkpoint), None)
    pack.check_log()
    assert pack.look_times() == look_times_in_words(log.entries, None)
    pack.trust = verify.read_trust(trust_text(quorum).encode("utf-8"))
    assert pack.look_times() == look_times_in_words(log.entries, trust(quorum))
