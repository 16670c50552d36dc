"""The keys of a witness: made with its folder, and unlocked to serve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.proofs.checkpoint import valid_origin
from minivess.compliance.proofs.cosignature import WITNESS, verifier_key
from minivess.foundation.errors import UsageError
from minivess.records.device.witnesses import WitnessState
from minivess.records.people.roles import IdentityKind, Role
from minivess.serving.witness.app import Witness, write_state

_IDENTITY = "witness"


def make_witness(folder: Path, name: str, passphrase: Callable[[], str]) -> str:
    """Make a witness; returns its C2SP verifier key.

    Args:
        folder: of its state and its keystore.
        name: its name in signatures.
        passphrase: asks for the passphrase of its key.

    Raises:
        UsageError: the name cannot name a witness, or the folder has one.
    """
    if not valid_origin(name):
        raise UsageError(f"{name!r} cannot name a witness: no spaces, no plus sign, no control characters")
    keystore = Keystore(folder / "keystore")
    made = keystore.create(_IDENTITY, name, IdentityKind.SERVICE, (Role.SERVICE,), passphrase())
    key = verifier_key(name, made.signing_key, WITNESS)
    write_state(folder, WitnessState(name=name))
    return key.text()


def open_witness(folder: Path, passphrase: str) -> Witness:
    """A witness with its key.

    Raises:
        RefusedError: the passphrase is wrong.
        InputError: the folder has no witness.
    """
    return Witness(folder, Keystore(folder / "keystore").unlock(_IDENTITY, passphrase))
