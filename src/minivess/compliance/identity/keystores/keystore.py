"""Keys at rest: a folder with one file for each identity (`keyfile`), mode 0600, in which keys are made, opened and changed.

Files of the identity `ada`: `ada.json` are the keys in use; `ada.next` the keys of a rotation that was prepared and not
yet finished; `.ada.lock` and `.ada.rotation` are empty and serve as locks between processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from pydantic import ValidationError

from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.keystores.keyfile import (
    KEY_FILE_LIMIT,
    MIN_PASSPHRASE,
    check_passphrase,
    new_signing_key,
    open_key_file,
    read_key_file,
    seal,
)
from minivess.compliance.identity.keystores.rotation import next_keys
from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import CannotWriteError, RefusedError, UsageError
from minivess.foundation.files import exclusive, read_limited, write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_new
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role

__all__ = ["DEMO_NOTICE", "MIN_PASSPHRASE", "Keystore"]

DEMO_NOTICE = "DEMO-KEYS-DO-NOT-TRUST.txt"
_NOTICE_TEXT = """DEMO KEYS - DO NOT TRUST

The keys in this folder were made by a demonstration. Their passphrases are public. Whatever they sign proves nothing
about any real device, person or release. Never enrol them in a real audit log; `minivess` refuses them there.
"""


@implements("REQ-006", "RC-07")
class Keystore:
    """A folder of wrapped private keys, `<id>.json` each.

    Args:
        folder: where they lie; made with mode 0700 when the first identity is created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @implements("REQ-006", "REQ-053")
    def create(  # noqa: PLR0917
        self,
        id: str,  # noqa: A002  the word of the record
        name: str,
        kind: IdentityKind,
        roles: tuple[Role, ...],
        passphrase: str,
        demo: bool = False,
        token: str | None = None,
    ) -> Identity:
        """Make an identity with fresh keys: P-256 and X25519 for a person, Ed25519 for a service.

        Args:
            id: how files and entries call it.
            name: the printed name beside each signature.
            kind: person or service.
            roles: what they may sign for.
            passphrase: wraps the keys; with `token`, it is the PIN of the token.
            demo: keys of a demonstration.
            token: the PKCS #11 URI of a signing key that a token holds already; it is used in place of a fresh one.

        Returns:
            The public identity, to be enrolled in the log.

        Raises:
            UsageError: id, name or roles are not allowed, the id is the name of another one's file, the passphrase is
                shorter than 8 characters, or the key in the token is not fit.
            InputError: the URI is malformed.
            RefusedError: an identity of that id is there already, or the token refuses the PIN.
            CouldNotCheckError: the token is not there or does not answer.
            CannotWriteError: the folder cannot be written.
        """
        check_passphrase(id, passphrase)
        if (kind is IdentityKind.SERVICE) != (tuple(roles) == (Role.SERVICE,)):
            raise UsageError("a service has the role `service` and no other; a person has any other roles")
        path = self.file(id)
        self._check_free(path, id)
        person = kind is IdentityKind.PERSON
        encryption = generate(KeyAlgorithm.X25519) if person else None
        with closing(
            new_signing_key(KeyAlgorithm.P256 if person else KeyAlgorithm.ED25519, token, passphrase)
        ) as signing:
            try:
                identity = Identity(
                    id=id,
                    name=name,
                    kind=kind,
                    roles=tuple(roles),
                    signing_key=signing.public,
                    encryption_key=encryption.public if encryption else None,
                    demo=demo,
                )
            except ValidationError:
                raise UsageError(
                    f"{id!r} cannot be an identity",
                    hint="id: letters, digits, . _ - (64 at most); name: 200 characters at most",
                ) from None
            self._make_folder(demo=demo)
            content = seal(identity, signing, encryption, passphrase)
            with exclusive(self.folder, "the keystore"):
                self._check_free(path, id)  # another process may have been first, and its keys must stay
                write_atomic(path, content, mode=0o600)
        return identity

    def _check_free(self, path: Path, id: str) -> None:  # noqa: A002
        check_new(id, (one.stem for one in self.folder.glob("*.json")), "identity")
        if path.exists():
            raise RefusedError(
                f"{id} has keys in this keystore already", hint="choose another id, or revoke the old keys"
            )

    def file(self, id: str) -> Path:  # noqa: A002
        """Where the keys of an identity are, or would be.

        Raises:
            UsageError: the id cannot be one.
        """
        if not id or any(char in id for char in "/\\:\x00") or id.startswith("."):
            raise UsageError(f"{id!r} cannot be an identity")
        return self.folder / f"{id}.json"

    def holds(self, id: str) -> bool:  # noqa: A002
        """Whether there are keys of that id."""
        return self.file(id).is_file()

    @implements("REQ-162")
    def copy_to(self, folder: Path, id: str) -> None:  # noqa: A002
        """Copy the keys of an identity into another folder, flushed to the disk and compared; still wrapped.

        Raises:
            UsageError: there is none of that id.
            InputError: the key file is damaged.
            RefusedError: the folder has other keys of that id; they stay.
            CannotWriteError: the folder cannot be written.
        """
        source, target = self._existing(id), Keystore(folder).file(id)
        read_key_file(source)
        data = read_limited(source, limit=KEY_FILE_LIMIT)
        if not target.exists():
            write_atomic(target, data, mode=0o600)
        if read_limited(target, limit=KEY_FILE_LIMIT) != data:
            raise RefusedError(
                f"{folder} has other keys of {id} already", hint="move one of the two files away, after looking at both"
            )

    @implements("REQ-162")
    def remove(self, id: str) -> None:  # noqa: A002
        """Remove the keys of an identity, which have been copied elsewhere, and the empty files that served as locks.

        Raises:
            CannotWriteError: the folder cannot be written.
        """
        path = self.file(id)
        with self._changes():
            for one in (path, path.with_name(f".{id}.lock"), path.with_name(f".{id}.rotation")):
                one.unlink(missing_ok=True)

    def identities(self) -> list[Identity]:
        """Everybody in the keystore, by id.

        Raises:
            InputError: a key file is damaged.
        """
        return [read_key_file(path).header.identity for path in sorted(self.folder.glob("*.json"))]

    def identity(self, id: str) -> Identity:  # noqa: A002
        """One identity.

        Raises:
            UsageError: there is none of that id.
            InputError: the key file is damaged.
        """
        return read_key_file(self._existing(id)).header.identity

    def unlock(self, id: str, passphrase: str) -> Signer:  # noqa: A002
        """Open the keys of an identity; a signing key in a token stays there, and `Signer.close` ends the session with it.

        Raises:
            UsageError: there is none of that id; or, for a key in a token, the token's library is not set.
            InputError: the key file is damaged, or asks for parameters beyond the bounds.
            RefusedError: the passphrase or PIN is wrong; for no other reason.
            CouldNotCheckError: the token is not there, has locked its PIN, or does not answer.
        """
        path = self._existing(id)
        return open_key_file(read_key_file(path), passphrase, path).signer()

    @contextmanager
    def attempts_lock(self, id: str) -> Iterator[None]:  # noqa: A002
        """Let one thread of one process at a time try passphrases of an identity, so that wrong ones can be counted.

        Held with `flock` on a file of its own; taking it twice in one thread waits for ever.

        Raises:
            UsageError: there is none of that id.
            CannotWriteError: the lock cannot be made.
        """
        self._existing(id)
        with self._exclusive(f".{id}.lock"):
            yield

    @implements("REQ-052", "REQ-053")
    def prepare_rotation(
        self,
        id: str,  # noqa: A002
        passphrase: str,
        *,
        new_passphrase: str | None = None,
        token: str | None = None,
    ) -> tuple[Signer, Signer]:
        """Make the next signing key of an identity and put it beside the one in use, which stays in use.

        The encryption key stays the same, for data keys are wrapped to it. When a rotation was prepared before, that one
        is given again, so a caller that was interrupted goes on with the same key. A key in a token is followed by a key in
        a token.

        Args:
            id: whose key.
            passphrase: the one of the key in use.
            new_passphrase: the one of the new key, or the PIN of its token; without it, it stays the same.
            token: the PKCS #11 URI of the new key.

        Returns:
            The signers of the key in use and of the new one; close both.

        Raises:
            RefusedError: `passphrase` is wrong; for no other reason.
            UsageError: there is none of that id; the new passphrase is too short or wrong for its token; the key in the
                token is not fit, or is the one in use; or another rotation was prepared than is asked for.
            InputError: a key file is damaged, or the URI is malformed.
            CouldNotCheckError: a token is not there or does not answer.
            CannotWriteError: the folder cannot be written; nothing is prepared.
        """
        path = self._existing(id)
        with self._exclusive(f".{id}.rotation"):
            old = open_key_file(read_key_file(path), passphrase, path)
            try:
                new = next_keys(old, self._next(id), passphrase if new_passphrase is None else new_passphrase, token)
            except BaseException:
                old.signing.close()
                raise
            return old.signer(), new.signer()

    def pending_rotation(self, id: str) -> Identity | None:  # noqa: A002
        """The identity with the new key, when a rotation was prepared and neither finished nor abandoned.

        Raises:
            InputError: its file is damaged.
        """
        path = self._next(id)
        return read_key_file(path).header.identity if path.is_file() else None

    @implements("REQ-052")
    def finish_rotation(self, id: str) -> Identity:  # noqa: A002
        """Put the prepared key in the place of the one in use; the old private key is gone.

        To be called once the log holds the entry that enrols the new key.

        Raises:
            UsageError: no rotation was prepared.
            InputError: the prepared file is damaged; the key in use is untouched.
            CannotWriteError: the folder cannot be written; the key in use is untouched.
        """
        path = self._next(id)
        with self._exclusive(f".{id}.rotation"):
            if not path.is_file():
                raise UsageError(f"no rotation of {id} was prepared")
            identity = read_key_file(path).header.identity
            with self._changes():
                path.replace(self.file(id))
        return identity

    @implements("REQ-052")
    def abandon_rotation(self, id: str) -> None:  # noqa: A002
        """Throw a prepared key away, if there is one; the key in use stays.

        Only when the log does not hold the new key: it would have nobody who can sign with it.

        Raises:
            CannotWriteError: the folder cannot be written.
        """
        path = self._next(id)
        with self._exclusive(f".{id}.rotation"), self._changes():
            path.unlink(missing_ok=True)

    def _next(self, id: str) -> Path:  # noqa: A002
        return self.file(id).with_name(f"{id}.next")

    def _existing(self, id: str) -> Path:  # noqa: A002
        path = self.file(id)
        if not path.is_file():
            known = ", ".join(sorted(item.stem for item in self.folder.glob("*.json"))) or "no identity yet"
            raise UsageError(f"{id!r} has no keys in this keystore", hint=f"known here: {known}")
        return path

    def _make_folder(self, *, demo: bool) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(f"cannot make the keystore folder: {error.strerror or error}") from error
        if demo:
            write_text_atomic(self.folder / DEMO_NOTICE, _NOTICE_TEXT)

    def _exclusive(self, name: str) -> AbstractContextManager[None]:
        return exclusive(self.folder / name, "the keystore")

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Names in the folder change here; they are on the disk when this ends."""
        try:
            yield
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotWriteError(f"cannot change the keystore: {error.strerror or error}") from error
