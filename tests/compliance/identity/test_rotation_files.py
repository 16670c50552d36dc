"""Rotation on disk: the new key waits beside the old one, survives a crash, and takes its place whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minivess.compliance.identity.keys import verify, wrap_for
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind, Role

pytestmark = pytest.mark.verifies("REQ-052", "REQ-006", "SU-08")

OLD, NEW = "correct horse battery", "another horse entirely"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Identity]:
    keystore = Keystore(tmp_path_factory.mktemp("original"))
    return keystore.folder, keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), OLD)


@pytest.fixture
def keystore(original: tuple[Path, Identity], tmp_path: Path) -> Keystore:
    (tmp_path / "ada.json").write_bytes((original[0] / "ada.json").read_bytes())
    return Keystore(tmp_path)


@pytest.fixture
def ada(original: tuple[Path, Identity]) -> Identity:
    return original[1]


def visible(keystore: Keystore) -> list[str]:
    return sorted(path.name for path in keystore.folder.iterdir() if not path.name.startswith("."))


def test_both_keys_sign_and_the_old_one_stays_in_use_until_the_end(keystore: Keystore, ada: Identity) -> None:
    old, new = keystore.prepare_rotation("ada", OLD)
    verify(ada.signing_key, b"data", old.sign(b"data"))
    verify(new.public, b"data", new.sign(b"data"))
    assert new.key_id != old.key_id
    assert new.identity == ada.model_copy(update={"signing_key": new.public})
    assert keystore.pending_rotation("ada") == new.identity
    assert keystore.identities() == [ada]
    assert keystore.unlock("ada", OLD).key_id == old.key_id
    assert (keystore.folder / "ada.next").stat().st_mode & 0o777 == 0o600

    assert keystore.finish_rotation("ada") == new.identity
    assert keystore.pending_rotation("ada") is None
    assert keystore.identities() == [new.identity]
    assert visible(keystore) == ["ada.json"]
    assert (keystore.folder / "ada.json").stat().st_mode & 0o777 == 0o600
    assert keystore.unlock("ada", OLD).key_id == new.key_id


def test_the_encryption_key_is_kept(keystore: Keystore, ada: Identity) -> None:
    assert ada.encryption_key is not None
    wrapped = wrap_for(ada.encryption_key, b"data key", context=b"c")
    keystore.prepare_rotation("ada", OLD, new_passphrase=NEW)
    keystore.finish_rotation("ada")
    assert keystore.unlock("ada", NEW).unwrap(wrapped, b"c") == b"data key"


def test_a_service_keeps_its_kind_of_key(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path)
    service = keystore.create("pipeline", "Pipeline", IdentityKind.SERVICE, (Role.SERVICE,), OLD)
    _, new = keystore.prepare_rotation("pipeline", OLD)
    assert new.public.algorithm is service.signing_key.algorithm
    assert new.identity.encryption_key is None


def test_a_new_passphrase_replaces_the_old_one(keystore: Keystore) -> None:
    keystore.prepare_rotation("ada", OLD, new_passphrase=NEW)
    keystore.finish_rotation("ada")
    keystore.unlock("ada", NEW)
    with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
        keystore.unlock("ada", OLD)


def test_a_prepared_rotation_is_given_again(keystore: Keystore) -> None:
    _, first = keystore.prepare_rotation("ada", OLD, new_passphrase=NEW)
    content = (keystore.folder / "ada.next").read_bytes()
    old, again = Keystore(keystore.folder).prepare_rotation("ada", OLD, new_passphrase=NEW)
    assert again.identity == first.identity
    assert old.key_id != again.key_id
    assert (keystore.folder / "ada.next").read_bytes() == content


def test_a_prepared_key_is_never_overwritten(keystore: Keystore) -> None:
    """The log may hold it already: whoever lost it could not act any more."""
    _, first = keystore.prepare_rotation("ada", OLD, new_passphrase=NEW)
    with pytest.raises(UsageError, match="under another passphrase"):
        keystore.prepare_rotation("ada", OLD)
    assert keystore.pending_rotation("ada") == first.identity


def test_whoever_prepares_at_the_same_time_gets_the_same_key(keystore: Keystore) -> None:
    start = threading.Barrier(3)

    def prepare(_: int) -> str:
        start.wait(timeout=60)
        return Keystore(keystore.folder).prepare_rotation("ada", OLD)[1].key_id

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(prepare, range(3)))) == 1


def test_an_abandoned_rotation_leaves_no_trace(keystore: Keystore, ada: Identity) -> None:
    _, first = keystore.prepare_rotation("ada", OLD)
    keystore.abandon_rotation("ada")
    keystore.abandon_rotation("ada")
    assert visible(keystore) == ["ada.json"]
    assert keystore.pending_rotation("ada") is None
    assert keystore.identity("ada") == ada
    assert keystore.prepare_rotation("ada", OLD)[1].key_id != first.key_id


def test_what_cannot_be_asked_prepares_nothing(keystore: Keystore) -> None:
    with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
        keystore.prepare_rotation("ada", NEW)
    for new_passphrase in ("short", ""):
        with pytest.raises(UsageError, match="too short"):
            keystore.prepare_rotation("ada", OLD, new_passphrase=new_passphrase)
    with pytest.raises(UsageError, match="nobody"):
        keystore.prepare_rotation("nobody", OLD)
    with pytest.raises(UsageError, match="no rotation of ada"):
        keystore.finish_rotation("ada")
    with pytest.raises(InputError):
        keystore.prepare_rotation("ada", OLD, token="pkcs11:token=t;object=ada?pin-value=1234")
    assert visible(keystore) == ["ada.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"x" * 100_000])
def test_a_damaged_prepared_file_touches_nothing_and_can_be_abandoned(
    keystore: Keystore, ada: Identity, content: bytes
) -> None:
    (keystore.folder / "ada.next").write_bytes(content)
    for call in (
        lambda: keystore.pending_rotation("ada"),
        lambda: keystore.finish_rotation("ada"),
        lambda: keystore.prepare_rotation("ada", OLD),
    ):
        with pytest.raises(InputError, match=r"ada\.next"):
            call()
    assert keystore.identity("ada") == ada
    keystore.abandon_rotation("ada")
    keystore.prepare_rotation("ada", OLD)


def test_the_keys_of_somebody_else_are_no_rotation(keystore: Keystore, tmp_path: Path) -> None:
    other = Keystore(tmp_path / "other")
    other.create("ada", "Another Ada", IdentityKind.PERSON, (Role.RELEASE_MANAGER,), OLD)
    (keystore.folder / "ada.next").write_bytes((other.folder / "ada.json").read_bytes())
    with pytest.raises(UsageError, match="another rotation"):
        keystore.prepare_rotation("ada", OLD)


def test_a_prepared_file_under_another_name_is_damage(keystore: Keystore) -> None:
    keystore.prepare_rotation("ada", OLD)
    (keystore.folder / "ada.next").rename(keystore.folder / "ben.next")
    with pytest.raises(InputError):
        keystore.finish_rotation("ben")


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_when_the_disk_fails_either_key_is_there_whole(
    keystore: Keystore, ada: Identity, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    _, new = keystore.prepare_rotation("ada", OLD)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace") if failing == "replace" else (os, "fsync")), fail)
        with pytest.raises(CannotWriteError):
            keystore.finish_rotation("ada")
    assert keystore.unlock("ada", OLD).identity in (ada, new.identity)
    assert (keystore.pending_rotation("ada") is None) == (keystore.identity("ada") == new.identity)


def test_no_file_shows_a_private_key(keystore: Keystore) -> None:
    _, new = keystore.prepare_rotation("ada", OLD)
    file = json.loads((keystore.folder / "ada.next").read_bytes())
    assert set(file) == {"header", "nonce", "sealed", "digest"}
    assert repr(new) == f"<Signer ada {new.key_id[:12]}>"
