"""The time since when a quorum of witnesses vouches, and what a file proves of earlier sizes of the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.proofs.merkle import Frontier, leaf_hash, root
from minivess.compliance.proofs.tlog_policy import parse_policy, policy_text
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy
from minivess.records.log.admission import Admission
from minivess.records.log.receipt import Receipt
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.serving.access.admission import Admitted, vouched_since
from tests.support.builders import audit_logs
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-170", "REQ-448")

LOG_SIGNER = audit_logs.service("log")
KEYS = {name: generate(KeyAlgorithm.ED25519) for name in ("a.example", "b.example", "c.example")}
NOTE = sign_note(Checkpoint("log.example/x", 3, root([leaf_hash(b"x")] * 3)), LOG_SIGNER)


def trust(quorum: int) -> Trust:
    addresses = [
        WitnessAddress(url="http://127.0.0.1:1", key=verifier_key(name, key.public, WITNESS).text())
        for name, key in KEYS.items()
    ]
    policy = WitnessPolicy(quorum=quorum, witnesses=tuple(addresses))
    log = verifier_key("log.example/x", LOG_SIGNER.public, LOG)
    return Trust(policy=parse_policy(policy_text([log], policy)))


@given(
    times=st.lists(st.integers(1_700_000_000, 1_700_000_100) | st.none(), min_size=3, max_size=3),
    quorum=st.integers(1, 3),
)
def test_a_checkpoint_is_as_young_as_a_quorum_says(times: list[int | None], quorum: int) -> None:
    lines = [cosign(NOTE, name, KEYS[name], time) for name, time in zip(KEYS, times, strict=True) if time is not None]
    note = add_signatures(NOTE, "".join(lines)) if lines else NOTE
    given_ = sorted((time for time in times if time is not None), reverse=True)
    if len(given_) < quorum:
        with pytest.raises(VerificationError, match="do not vouch"):
            vouched_since(note, trust(quorum))
    else:
        assert vouched_since(note, trust(quorum)) == datetime.fromtimestamp(given_[quorum - 1], tz=UTC)


@given(size=st.integers(1, 40), begins=st.integers(0, 39), asked=st.integers(0, 45))
def test_a_file_knows_the_roots_from_its_beginning_on(size: int, begins: int, asked: int) -> None:
    begins = min(begins, size - 1)
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    before = Frontier()
    before.extend(leaves[:begins])
    receipt = Receipt(index=0, entry="{}", proof=(), checkpoint="x")
    file = Admission(
        model=f"sha256:{'1' * 64}", site="main", checkpoint="x", begins=begins, peaks=(), entries=("{}",) * (size - begins),
        through=(receipt, receipt),
    )  # fmt: skip
    held = Admitted(file, (), before, tuple(leaves[begins:]), datetime.now(UTC))
    assert held.size == size
    assert held.root_at(asked) == (root(leaves[:asked]) if begins <= asked <= size else None)
    assert replace(held, hashes=held.hashes[:-1]).size == size - 1
