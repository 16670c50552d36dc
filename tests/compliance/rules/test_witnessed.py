"""Witness keys and restores in a log: each rule kept and broken once, judged by the product and by `verify.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, verifier_key
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.log import verify_entries
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.pack_builder import ada, ben, cleo, log_key

pytestmark = pytest.mark.verifies("REQ-165", "REQ-166", "SU-70")

STRANGER = generate(KeyAlgorithm.ED25519)


def announce(log: GuardedLog, who: Any, key: str | None = None) -> None:
    log.append(who, "identity.witness", {"key": who.witness_key(log.origin).text() if key is None else key})


def seen(log: GuardedLog, *, size: int = 40, by: Any = None, origin: str | None = None) -> str:
    """A checkpoint that somebody saw of a log that went back."""
    return sign_note(Checkpoint(origin or log.origin, size, bytes(32)), by or log_key())


def restore(log: GuardedLog, who: Any = None, **changes: Any) -> None:
    payload = {
        "size": len(log.entries),
        "root": to_base64(log.head.root),
        "abandoned": [seen(log)],
        "reason": "the disk broke",
    }
    log.append(who or cleo(), "log.restored", payload | changes)


def _with(*steps: Callable[[GuardedLog], None]) -> Callable[[], GuardedLog]:
    def told() -> GuardedLog:
        log = logs.begun()
        for step in steps:
            step(log)
        return log

    return told


GOOD = {
    "a person announces a witness key": _with(lambda log: announce(log, ada())),
    "a person announces it again": _with(lambda log: announce(log, ada()), lambda log: announce(log, ada())),
    "two people announce theirs": _with(lambda log: announce(log, ada()), lambda log: announce(log, ben())),
    "the log goes on from a backup": _with(restore, lambda log: announce(log, ada())),
    "two checkpoints are given up": _with(lambda log: restore(log, abandoned=[seen(log), seen(log, size=41)])),
}
BAD = {
    "a witness key under another name": _with(lambda log: announce(log, ada(), ben().witness_key(log.origin).text())),
    "a witness key for another log": _with(lambda log: announce(log, ada(), ada().witness_key("another").text())),
    "a key of another type": _with(
        lambda log: announce(log, ada(), verifier_key(f"{log.origin}/ada", STRANGER.public, LOG).text())
    ),
    "a witness key that another has": _with(
        lambda log: announce(log, ben(), verifier_key(f"{log.origin}/ben", STRANGER.public, WITNESS).text()),
        lambda log: announce(log, ada(), verifier_key(f"{log.origin}/ada", STRANGER.public, WITNESS).text()),
    ),
    "a witness key that another had": _with(
        lambda log: announce(log, ben(), verifier_key(f"{log.origin}/ben", STRANGER.public, WITNESS).text()),
        lambda log: log.append(cleo(), "identity.revoked", {"identity": "ben", "reason": "left"}),
        lambda log: announce(log, ada(), verifier_key(f"{log.origin}/ada", STRANGER.public, WITNESS).text()),
    ),
    "no witness key": _with(lambda log: announce(log, ada(), "none")),
    "a restore by a developer": _with(lambda log: restore(log, ada())),
    "a restore by a reviewer": _with(lambda log: restore(log, ben())),
    "a restore of another size": _with(lambda log: restore(log, size=2)),
    "a restore of another root": _with(lambda log: restore(log, root=to_base64(bytes(32)))),
    "a restore that gives nothing up": _with(lambda log: restore(log, abandoned=[])),
    "a restore without a reason": _with(lambda log: restore(log, reason="")),
    "a restore that gives up a checkpoint of a stranger": _with(
        lambda log: restore(log, abandoned=[seen(log), seen(log, by=STRANGER)])
    ),
    "a restore that gives up a checkpoint of another log": _with(
        lambda log: restore(log, abandoned=[seen(log, origin="another")])
    ),
    "a restore that gives up what is no checkpoint": _with(lambda log: restore(log, abandoned=["a note"])),
    "a restore with a field of its own": _with(lambda log: restore(log, approved=True)),
}


@pytest.mark.parametrize("story", GOOD)
def test_what_the_rules_allow_is_taken(story: str) -> None:
    assert logs.both(GOOD[story]()) == ("", "")


@pytest.mark.parametrize("story", BAD)
def test_what_the_rules_do_not_allow_is_refused_and_named(story: str) -> None:
    log = BAD[story]()
    product, script = logs.both(log)
    assert f"entry {len(log.entries) - 1}" in product
    assert f"entry {len(log.entries) - 1}" in script


def test_a_verdict_names_the_restore() -> None:
    log = GOOD["the log goes on from a backup"]()
    checks, _, _ = verify_entries(log.pairs, log.checkpoint)
    (found,) = [check for check in checks if check.name == "log restored"]
    size = len(log.entries) - 2
    assert found.detail == (
        f"entry {size}: cleo restored the log from a backup of {size} entries; 40 had been seen (the disk broke)"
    )
