"""Where the keys of an identity are: a person's in their profile, those of services and demonstrations in the workspace.

The workspace holds the *public* record of each person, `people/<id>.json`; it names the keys, and so decides which keys of the
profile are meant. The keys are in the first of these places that has them:

1. the profile: `keys/`, or `other-keys/` for a second key of the same id (see `Profile.other_keys`);
2. the keystore of the workspace: demonstrations, and workspaces of version 0.1.0 until `minivess identity import`.

Without a public record the keystore of the workspace comes first, so that a demonstration never reaches for real keys.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, parse_json
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_distinct, check_new
from minivess.foundation.paths import Workspace
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind, Role

_log = logging.getLogger(__name__)
_LIMIT = 64 * 1024
_warned = set[Path]()


@implements("REQ-161")
@dataclass(frozen=True)
class Keyring:
    """Everybody a workspace knows, and the way to their keys.

    Attributes:
        workspace: the project folder.
        profile: of the person at this machine.
    """

    workspace: Workspace
    profile: Profile

    @classmethod
    def of(cls, workspace: Workspace | Path) -> Keyring:
        """The keyring of a workspace for whoever runs this process."""
        found = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
        return cls(found, Profile.of_user())

    @property
    def shared(self) -> Keystore:
        """The keystore in the workspace: the log's key, services, demonstrations."""
        return Keystore(self.workspace.keystore)

    def identities(self) -> list[Identity]:
        """Everybody the workspace knows, by id: its people and its keystore.

        Raises:
            InputError: a record or a key file is damaged.
            UsageError: two ids are the name of one file.
        """
        known = {one.id: one for one in self.shared.identities()}
        for path in sorted(self.workspace.people.glob("*.json")):
            known[path.stem] = self.identity(path.stem)
        check_distinct(known, "identity")
        return [known[one] for one in sorted(known)]

    def held(self) -> list[Identity]:
        """Those whose keys can be reached from here."""
        return [one for one in self.identities() if self._found(one.id) is not None]

    def identity(self, id: str) -> Identity:  # noqa: A002  the word of the record
        """One identity, with the signing key in use.

        Raises:
            UsageError: the workspace does not know it, and there are no keys of that id.
            InputError: the record or the key file is damaged.
        """
        record, store = self._record(id), self._found(id)
        if record is None:
            return (store or self.shared).identity(id)
        if store is None:
            return record
        return record.model_copy(update={"signing_key": store.identity(id).signing_key})

    def create(  # noqa: PLR0917
        self,
        id: str,  # noqa: A002
        name: str,
        kind: IdentityKind,
        roles: tuple[Role, ...],
        passphrase: str,
        demo: bool = False,
        token: str | None = None,
    ) -> Identity:
        """Make an identity, as `Keystore.create`; a person's keys go to the profile, the public record to the workspace.

        When the profile has keys of a person with this id, they are used in this workspace too, under the name and roles
        given here: `passphrase` must open them.

        Raises:
            RefusedError: the workspace knows somebody of that id already, or the passphrase is wrong.
            UsageError, InputError, CouldNotCheckError, CannotWriteError: as `Keystore.create`.
        """
        if kind is IdentityKind.SERVICE or demo:
            return self.shared.create(id, name, kind, roles, passphrase, demo=demo, token=token)
        store = Keystore(self.profile.keys)
        if store.holds(id):
            made = self._used_again(store, id, name, roles, passphrase, token)
        else:
            self._check_free(id)
            self.profile.make(store.folder)
            made = store.create(id, name, kind, roles, passphrase, token=token)
        self.publish(made)
        return made

    def place(self, id: str) -> Path:  # noqa: A002
        """Where the public record of a person is.

        Raises:
            UsageError: the id cannot be one.
        """
        return Keystore(self.workspace.people).file(id)

    def publish(self, identity: Identity) -> None:
        """Write the public record of a person into the workspace.

        Raises:
            CannotWriteError: it cannot be written.
        """
        write_atomic(self.place(identity.id), canonical(identity) + b"\n")

    def unlock(self, id: str, passphrase: str) -> Signer:  # noqa: A002
        """Open the keys of an identity; see `Keystore.unlock`, which says what is raised."""
        store, record = self._store(id), self._record(id)
        signer = store.unlock(id, passphrase)
        return signer if record is None else signer.as_known_here(self.identity(id))

    def attempts_lock(self, id: str) -> AbstractContextManager[None]:  # noqa: A002
        """As `Keystore.attempts_lock`."""
        return self._store(id).attempts_lock(id)

    def prepare_rotation(
        self,
        id: str,  # noqa: A002
        passphrase: str,
        *,
        new_passphrase: str | None = None,
        token: str | None = None,
    ) -> tuple[Signer, Signer]:
        """As `Keystore.prepare_rotation`."""
        record = self._record(id)
        old, new = self._store(id).prepare_rotation(id, passphrase, new_passphrase=new_passphrase, token=token)
        if record is None:
            return old, new
        here = (record.model_copy(update={"signing_key": one.public}) for one in (old, new))
        return old.as_known_here(next(here)), new.as_known_here(next(here))

    def pending_rotation(self, id: str) -> Identity | None:  # noqa: A002
        """As `Keystore.pending_rotation`."""
        record, store = self._record(id), self._found(id)
        pending = None if store is None else store.pending_rotation(id)
        if pending is None or record is None:
            return pending
        return record.model_copy(update={"signing_key": pending.signing_key})

    def finish_rotation(self, id: str, *, keep_former: bool = False) -> Identity:  # noqa: A002
        """As `Keystore.finish_rotation`; the public record follows.

        Args:
            id: whose.
            keep_former: other logs still know the former key: it stays in `other-keys/` of the profile.
        """
        store, record = self._store(id), self._record(id)
        if keep_former and store.folder == self.profile.keys:
            store.copy_to(self.profile.make(self.profile.place_of(store.identity(id).signing_key.key_id)), id)
        made = store.finish_rotation(id)
        if record is None:
            return made
        made = record.model_copy(update={"signing_key": made.signing_key})
        self.publish(made)
        return made

    @implements("REQ-161")
    def left_in_workspace(self) -> list[str]:
        """Ids of real people whose keys are in the workspace."""
        return [one.id for one in self.shared.identities() if one.kind is IdentityKind.PERSON and not one.demo]

    def _used_again(  # noqa: PLR0917
        self,
        store: Keystore,
        id: str,  # noqa: A002
        name: str,
        roles: tuple[Role, ...],
        passphrase: str,
        token: str | None,
    ) -> Identity:
        self._check_free(id)
        if token is not None or Role.SERVICE in roles or not roles:
            raise RefusedError(
                f"your profile has keys of {id} already", hint="choose another id, or leave --token out to use them"
            )
        store.unlock(id, passphrase).close()
        try:
            values = {**store.identity(id).model_dump(mode="json"), "name": name, "roles": roles}
            return Identity.model_validate(values)
        except ValidationError:
            raise UsageError(f"{name!r} cannot be a printed name", hint="200 characters at most") from None

    def _check_free(self, id: str) -> None:  # noqa: A002
        check_new(id, (one.id for one in self.identities()), "identity")
        if self.place(id).exists() or self.shared.holds(id):
            raise RefusedError(f"this workspace knows {id} already", hint="choose another id, or revoke the old keys")

    def _store(self, id: str) -> Keystore:  # noqa: A002
        found = self._found(id)
        if found is None:
            if self._record(id) is not None:
                raise UsageError(
                    f"the keys of {id} are not here: neither your profile nor this workspace has them",
                    hint=f"{id} acts on the machine where {id}'s profile is",
                )
            known = ", ".join(one.id for one in self.identities()) or "none yet"
            raise UsageError(f"{id!r} has no keys here", hint=f"this workspace knows: {known}")
        if found.folder == self.workspace.keystore:
            self._warn(found.identity(id))
        return found

    def _found(self, id: str) -> Keystore | None:  # noqa: A002
        """The keystore that has the keys of an identity."""
        record, mine = self._record(id), Keystore(self.profile.keys)
        if record is None:
            return next((store for store in (self.shared, mine) if store.holds(id)), None)
        fitting = [
            (store, store.identity(id).signing_key)
            for store in (mine, *self._others(), self.shared)
            if store.holds(id) and store.identity(id).encryption_key == record.encryption_key
        ]
        exact = [store for store, key in fitting if key == record.signing_key]
        return next(iter((*exact, *(store for store, _ in fitting))), None)

    def _others(self) -> Iterator[Keystore]:
        for folder in sorted(self.profile.other_keys.glob("*/")):
            yield Keystore(folder)

    def _record(self, id: str) -> Identity | None:  # noqa: A002
        path = self.place(id)
        if not path.is_file():
            return None
        try:
            record = Identity.model_validate(parse_json(read_limited(path, limit=_LIMIT), limit=_LIMIT))
        except (ValidationError, InputError):
            record = None
        if record is None or record.id != id or record.kind is not IdentityKind.PERSON or record.encryption_key is None:
            raise InputError("the public record is damaged", path=path, hint="restore it, or create the person again")
        return record

    def _warn(self, identity: Identity) -> None:
        folder = self.workspace.keystore
        if identity.demo or identity.kind is not IdentityKind.PERSON or folder in _warned:
            return
        _warned.add(folder)
        _log.warning(
            "the keys of %s are in the workspace and are copied with it; `%s` moves them to your profile",
            identity.id,
            shlex.join(("minivess", "identity", "import", str(self.workspace.root))),
        )
