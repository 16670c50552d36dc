"""The keystore: wrapped, private, honest about damage."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minivess.compliance.identity.keys import verify, wrap_for
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import DEMO_NOTICE, Keystore
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.paths import Workspace
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role

pytestmark = pytest.mark.verifies("REQ-006", "RC-07", "SU-08")

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keystore, Identity, Identity]:
    keystore = Keystore(tmp_path_factory.mktemp("store") / "keystore")
    ada = keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
    service = keystore.create("pipeline", "Pipeline", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
    return keystore, ada, service


@pytest.fixture
def copy(shared: tuple[Keystore, Identity, Identity], tmp_path: Path) -> Path:
    path = tmp_path / "ada.json"
    path.write_bytes((shared[0].folder / "ada.json").read_bytes())
    return path


def rewrite(path: Path, change: str, value: object) -> None:
    """Change one header field and make the file's own digest fit again, as an attacker would."""
    file = json.loads(path.read_bytes())
    place = file["header"]
    *folders, last = change.split(".")
    for name in folders:
        place = place[name]
    place[last] = value
    file.pop("digest")
    file["digest"] = digest_of(file)
    path.write_bytes(canonical(file))


def test_people_and_services_get_the_keys_of_their_kind(shared: tuple[Keystore, Identity, Identity]) -> None:
    keystore, ada, service = shared
    assert ada.signing_key.algorithm is KeyAlgorithm.P256
    assert ada.encryption_key is not None
    assert service.signing_key.algorithm is KeyAlgorithm.ED25519
    assert service.encryption_key is None
    assert keystore.identities() == [ada, service]
    assert keystore.identity("ada") == ada


def test_unlocking_gives_a_signer_that_signs_unwraps_and_hides(shared: tuple[Keystore, Identity, Identity]) -> None:
    keystore, ada, _ = shared
    signer = keystore.unlock("ada", PASSPHRASE)
    verify(ada.signing_key, b"data", signer.sign(b"data"))
    assert ada.encryption_key is not None
    assert signer.unwrap(wrap_for(ada.encryption_key, b"key", context=b"c"), b"c") == b"key"
    assert repr(signer) == f"<Signer ada {ada.signing_key.key_id[:12]}>"


def test_a_wrong_passphrase_is_refused_in_one_line(shared: tuple[Keystore, Identity, Identity]) -> None:
    with pytest.raises(RefusedError, match="the passphrase for ada is wrong") as caught:
        shared[0].unlock("ada", PASSPHRASE + "!")
    assert caught.value.hint
    assert PASSPHRASE not in str(caught.value)
    with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
        shared[0].unlock("ada", "no text \udce9\udce9")


def test_the_file_is_private_and_holds_no_plain_secret(shared: tuple[Keystore, Identity, Identity]) -> None:
    path = shared[0].folder / "ada.json"
    assert path.stat().st_mode & 0o777 == 0o600
    derivation = json.loads(path.read_bytes())["header"]["derivation"]
    assert derivation["name"] == "argon2id"
    assert derivation["memory_kib"] == 64 * 1024
    assert derivation["iterations"] == 3


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("derivation.memory_kib", 1 << 30),
        ("derivation.memory_kib", 8),
        ("derivation.iterations", 1),
        ("derivation.iterations", 10**6),
        ("derivation.name", "pbkdf2"),
        ("derivation.salt", "!"),
        ("identity.id", "ben"),
        ("identity.roles", ["nobody"]),
    ],
)
def test_parameters_out_of_bounds_and_malformed_headers_are_damage(copy: Path, change: str, value: object) -> None:
    rewrite(copy, change, value)
    with pytest.raises(InputError):
        Keystore(copy.parent).unlock("ada", PASSPHRASE)


def test_roles_cannot_be_added_to_a_wrapped_identity(copy: Path) -> None:
    rewrite(copy, "identity.roles", ["developer", "release-manager"])
    with pytest.raises(RefusedError):
        Keystore(copy.parent).unlock("ada", PASSPHRASE)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b"[]", b"x" * 100_000])
def test_a_damaged_file_is_an_input_error(copy: Path, content: bytes) -> None:
    copy.write_bytes(content)
    for call in (lambda: Keystore(copy.parent).unlock("ada", PASSPHRASE), Keystore(copy.parent).identities):
        with pytest.raises(InputError, match=r"ada\.json"):
            call()


def test_a_flipped_byte_is_damage_and_not_a_wrong_passphrase(copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    position = data.index(b'"sealed":"') + 20
    data[position] = ord("A") if data[position] != ord("A") else ord("B")
    copy.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        Keystore(copy.parent).unlock("ada", PASSPHRASE)


def test_nothing_is_overwritten_and_bad_requests_are_refused(shared: tuple[Keystore, Identity, Identity]) -> None:
    keystore = shared[0]
    with pytest.raises(RefusedError, match="already"):
        keystore.create("ada", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
    for arguments in (
        ("eve", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), "short"),
        ("eve", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), "no text \udce9\udce9"),
        ("eve", "Eve", IdentityKind.PERSON, (Role.SERVICE,), PASSPHRASE),
        ("eve", "Eve", IdentityKind.SERVICE, (Role.DEVELOPER,), PASSPHRASE),
        ("../eve", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE),
        ("e ve", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE),
    ):
        with pytest.raises(UsageError):
            keystore.create(*arguments)
    with pytest.raises(UsageError, match="nobody"):
        keystore.identity("nobody")


def test_demo_keys_are_loud(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path)
    identity = keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE, demo=True)
    assert identity.demo
    assert "DO NOT TRUST" in (tmp_path / DEMO_NOTICE).read_text(encoding="utf-8")


@pytest.mark.verifies("REQ-006")
def test_keys_are_unlocked_in_several_threads_at_once(tmp_path: Path) -> None:
    """OpenSSL's Argon2 can deadlock with itself when two threads derive at once; ours must not let it."""
    keystore = Keystore(tmp_path)
    keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), "correct horse battery")
    unlocked: list[str] = []

    def unlock() -> None:
        for _ in range(8):
            unlocked.append(keystore.unlock("ada", "correct horse battery").key_id)

    threads = [threading.Thread(target=unlock, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(unlocked) == 16


ATTEMPTS = """
import os, sys, threading, time
from pathlib import Path
from minivess.compliance.identity.keystores.keystore import Keystore

folder, go, alone = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
keystore, overlaps = Keystore(folder), []
go.with_name(f"ready-{os.getpid()}").touch()
while not go.exists():
    time.sleep(0.005)

def attempt():
    for _ in range(40):
        with keystore.attempts_lock("ada"):
            try:
                os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                overlaps.append(1)
                return
            time.sleep(0.001)
            alone.unlink()

threads = [threading.Thread(target=attempt) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(len(overlaps))
"""


@pytest.mark.verifies("REQ-058", "RC-17")
def test_attempts_go_one_after_the_other_in_all_threads_and_processes(copy: Path, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    command = [sys.executable, "-c", ATTEMPTS, str(copy.parent), str(room / "go"), str(room / "alone")]
    processes = [subprocess.Popen(command) for _ in range(2)]
    while len(list(room.glob("ready-*"))) < 2:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    (room / "go").touch()
    assert [process.wait(timeout=120) for process in processes] == [0, 0]


def test_attempts_on_nobody_leave_no_lock_behind(copy: Path) -> None:
    with pytest.raises(UsageError, match="nobody"), Keystore(copy.parent).attempts_lock("nobody"):
        pass
    assert [path.name for path in copy.parent.iterdir()] == ["ada.json"]


@pytest.mark.verifies("REQ-248")
def test_a_command_in_a_warning_can_be_pasted_whatever_the_name_of_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "a b's $HOME #1"
    ring = Keyring(Workspace(root), Profile(tmp_path / "profile"))
    ring.shared.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)

    ring.unlock("ada", PASSPHRASE).close()

    command = caplog.records[-1].getMessage().split("`")[1]
    assert shlex.split(command) == ["minivess", "identity", "import", str(root)]
