"""Moving the keys of people out of a workspace of version 0.1.0 into their profile.

Each key file is copied, flushed to the disk and compared before the one in the workspace is removed, so that an interruption
leaves at least one whole file and the command can be given again.
"""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind


@implements("REQ-162")
def import_keys(folder: Path, profile: Profile) -> list[Identity]:
    """Move the keys of the real people of a workspace into a profile, and write their public records.

    Demonstrations, services and the log's key stay. Nothing is moved unless everything can be. Where the profile has other keys
    of the same id, these go to `other-keys/`, beside them.

    Args:
        folder: a workspace, or its keystore folder.
        profile: where the keys go.

    Returns:
        Those whose keys were moved.

    Raises:
        UsageError: the folder is no workspace.
        RefusedError: one of them is in the middle of a rotation, or the workspace has a public record of other keys under that
            id.
        InputError: a key file or a record is damaged.
        CannotWriteError: profile or workspace cannot be written.
    """
    root = folder if (folder / "keystore").is_dir() else folder.parent
    workspace = Workspace(root.absolute())
    ring, source, target = Keyring(workspace, profile), Keystore(workspace.keystore), Keystore(profile.keys)
    if workspace.keystore.resolve() != (folder / "keystore").resolve() and folder.resolve().name != "keystore":
        raise UsageError(f"{folder} has no keystore", hint="name a project folder, or its keystore folder")
    people = [one for one in source.identities() if one.kind is IdentityKind.PERSON and not one.demo]
    for person in people:
        _check(ring, source, person)
    with profile.lock(profile.keys):
        for person in people:
            source.copy_to(profile.make(_target(source, target, profile, person)), person.id)
            if not ring.place(person.id).exists():
                ring.publish(person)
        for person in people:
            source.remove(person.id)
    return people


def _check(ring: Keyring, source: Keystore, person: Identity) -> None:
    id = person.id  # noqa: A001
    if source.pending_rotation(id) is not None:
        raise RefusedError(
            f"a rotation of {id} was prepared and not finished",
            hint=f"finish it with `minivess identity rotate {id}`, then import",
        )
    if ring.place(id).exists():
        try:
            known = ring.identity(id)
        except InputError as error:
            raise RefusedError(f"{error.message}; nothing was moved", hint=error.hint) from None
        if known.encryption_key != person.encryption_key:
            raise RefusedError(
                f"people/{id}.json is the record of other keys; nothing was moved", hint="find out which is right"
            )


def _target(source: Keystore, target: Keystore, profile: Profile, person: Identity) -> Path:
    if target.holds(person.id) and target.file(person.id).read_bytes() != source.file(person.id).read_bytes():
        return profile.place_of(person.signing_key.key_id)
    return target.folder
