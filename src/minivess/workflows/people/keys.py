"""Keys of people and services on this machine: made, imported, found and unlocked before there is a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.identity.keystores.key_import import import_keys
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.signer import Signer
from minivess.foundation.paths import Workspace
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind, Role

__all__ = ["Signer", "able_people", "identity_of", "import_own_keys", "make_keys", "unlock_without_log"]


@dataclass(frozen=True)
class MadeKeys:
    """New keys of an identity."""

    identity: Identity
    folder: Path | None
    """Of the profile that holds them; None: the workspace does, as for a service."""


@dataclass(frozen=True)
class ImportedKeys:
    """Keys that were moved into the profile of this account."""

    identities: tuple[Identity, ...]
    profile: Path


def make_keys(
    workspace: Workspace, identifier: str, name: str, roles: tuple[Role, ...], passphrase: str, *, token: str | None
) -> MadeKeys:
    """Make keys, wrapped with a passphrase; an identity whose only role is `service` is a service.

    Args:
        workspace: the project folder.
        identifier: the id.
        name: the printed name.
        roles: the roles.
        passphrase: wraps the keys; with a token, its PIN.
        token: the PKCS #11 URI of a signing key in a token.

    Raises:
        UsageError, InputError, RefusedError, CouldNotCheckError: as `Keyring.create`.
    """
    kind = IdentityKind.SERVICE if roles == (Role.SERVICE,) else IdentityKind.PERSON
    ring = Keyring.of(workspace)
    made = ring.create(identifier, name, kind, roles, passphrase, token=token)
    return MadeKeys(made, ring.profile.keys if kind is IdentityKind.PERSON else None)


def import_own_keys(folder: Path) -> ImportedKeys:
    """Move the keys of people out of a workspace of 0.1.0 into the profile of this account."""
    profile = Profile.of_user()
    return ImportedKeys(tuple(import_keys(folder, profile)), profile.root)


def identity_of(workspace: Workspace | Path, identifier: str) -> Identity:
    """An identity that a project knows.

    Raises:
        UsageError: it does not know it.
    """
    return Keyring.of(workspace).identity(identifier)


def able_people(workspace: Path, roles: tuple[Role, ...]) -> list[str]:
    """Ids of the people with keys here who hold one of the roles (no roles: any)."""
    return [
        person.id
        for person in Keyring.of(workspace).held()
        if person.kind is IdentityKind.PERSON and (not roles or set(roles) & set(person.roles))
    ]


def unlock_without_log(workspace: Workspace, identifier: str, passphrase: str) -> Signer:
    """Unwrap keys before there is a log that could count wrong passphrases.

    Raises:
        RefusedError: the passphrase is wrong.
    """
    return Keyring.of(workspace).unlock(identifier, passphrase)
