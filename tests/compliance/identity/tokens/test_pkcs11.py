"""Keys in a token, against SoftHSM: the key stays inside, the PIN is looked at every time, and sessions end."""

from __future__ import annotations

import gc
import json
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from minivess.compliance.identity.keys import verify, wrap_for
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.tokens.pkcs11 import _calls, adopt_token_key, parse_pkcs11_uri
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role

pytestmark = pytest.mark.verifies("REQ-053", "SU-09")

PIN = "letters-4711"
MODULE = "MINIVESS_PKCS11_MODULE"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CURVES = {"p256": "06082a8648ce3d030107", "p384": "06052b81040022", "ed25519": "06032b6570"}


def softhsm() -> str | None:
    names = ("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so", "libsofthsm2.so")
    folders = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))
    return next((str(path) for folder in folders for name in names for path in sorted(folder.glob(name))), None)


@dataclass
class Tokens:
    """Three tokens: `people`, and two that are both called `twin`."""

    library: Any
    module: str

    def open(self, label: str = "people", pin: str = PIN) -> Any:
        return self.library.get_token(token_label=label).open(rw=True, user_pin=pin)

    def make(
        self, curve: str = "p256", name: str | None = None, identifier: bytes | None = None, **private: Any
    ) -> str:
        """A key pair in `people`; gives the URI."""
        from pkcs11 import Attribute, KeyType, Mechanism

        name = name or secrets.token_hex(8)
        edwards = curve == "ed25519"
        session = self.open()
        try:
            session.create_domain_parameters(
                KeyType.EC_EDWARDS if edwards else KeyType.EC,
                {Attribute.EC_PARAMS: bytes.fromhex(CURVES[curve])},
                local=True,
            ).generate_keypair(
                store=True,
                label=name,
                id=secrets.token_bytes(8) if identifier is None else identifier,
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else Mechanism.EC_KEY_PAIR_GEN,
                private_template={Attribute[key]: value for key, value in private.items()},
            )
        finally:
            session.close()
        return f"pkcs11:token=people;object={name};type=private"

    def destroy(self, uri: str, *classes: str) -> None:
        from pkcs11 import Attribute, ObjectClass

        session = self.open()
        try:
            for name in classes or ("PRIVATE_KEY", "PUBLIC_KEY"):
                wanted = {Attribute.CLASS: ObjectClass[name], Attribute.LABEL: parse_pkcs11_uri(uri).object}
                for item in list(session.get_objects(wanted)):
                    item.destroy()
        finally:
            session.close()


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    pkcs11 = pytest.importorskip("pkcs11")
    module, tool = softhsm(), shutil.which("softhsm2-util")
    if module is None or tool is None:
        pytest.skip("softhsm2 is not installed")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "conf"))
        patch.setenv(MODULE, module)
        for label in ("people", "twin", "twin"):
            command = [tool, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-" + PIN]
            subprocess.run(command, check=True, capture_output=True)
        library = pkcs11.lib(module)
        library.reinitialize()
        yield Tokens(library, module)
        library.finalize()


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keystore")


def person(keystore: Keystore, uri: str, id: str = "ada", pin: str = PIN) -> None:  # noqa: A002
    keystore.create(id, id.title(), IdentityKind.PERSON, (Role.DEVELOPER,), pin, token=uri)


def service(keystore: Keystore, uri: str, id: str = "pipeline") -> None:  # noqa: A002
    keystore.create(id, id.title(), IdentityKind.SERVICE, (Role.SERVICE,), PIN, token=uri)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a file and make its own digest fit again, as an attacker would."""
    file = json.loads(path.read_bytes())
    file.pop("digest")
    change(file)
    path.write_bytes(canonical({**file, "digest": digest_of(file)}))


def logged_in(tokens: Tokens) -> bool:
    from pkcs11 import UserAlreadyLoggedIn

    try:
        tokens.open().close()
    except UserAlreadyLoggedIn:
        return True
    return False


def test_a_person_signs_in_the_token_and_unwraps_from_the_file(tokens: Tokens, keystore: Keystore) -> None:
    person(keystore, tokens.make())
    assert not logged_in(tokens)
    ada = keystore.identity("ada")
    assert ada.signing_key.algorithm is KeyAlgorithm.P256
    assert ada.encryption_key is not None
    signer = keystore.unlock("ada", PIN)
    verify(ada.signing_key, b"data", signer.sign(b"data"))
    assert signer.unwrap(wrap_for(ada.encryption_key, b"key", context=b"c"), b"c") == b"key"
    assert repr(signer) == f"<Signer ada {ada.signing_key.key_id[:12]}>"
    assert (keystore.folder / "ada.json").stat().st_mode & 0o777 == 0o600
    signer.close()


def test_a_service_signs_with_ed25519_and_its_file_tells_no_pin(tokens: Tokens, keystore: Keystore) -> None:
    service(keystore, tokens.make("ed25519"))
    identity = keystore.identity("pipeline")
    assert identity.signing_key.algorithm is KeyAlgorithm.ED25519
    signer = keystore.unlock("pipeline", PIN)
    for size in (0, 1, 100_000):
        verify(identity.signing_key, b"x" * size, signer.sign(b"x" * size))
    signer.close()
    file = json.loads((keystore.folder / "pipeline.json").read_bytes())
    assert (file["header"]["derivation"], file["nonce"], file["sealed"]) == (None, "", "")


def test_every_signature_has_the_low_s(tokens: Tokens) -> None:
    key = adopt_token_key(parse_pkcs11_uri(tokens.make()), PIN)
    for number in range(200):
        data = number.to_bytes(2, "big")
        signature = key.sign(data)
        assert decode_dss_signature(signature)[1] <= ORDER // 2
        verify(key.public, data, signature)
    key.close()


def test_a_wrong_pin_is_refused_as_a_wrong_passphrase_is(tokens: Tokens, keystore: Keystore) -> None:
    person(keystore, tokens.make())
    for wrong in ("", "x", PIN.upper(), PIN + "x", "x" * 300, "no text \udce9"):
        with pytest.raises(RefusedError, match="the passphrase for ada is wrong") as caught:
            keystore.unlock("ada", wrong)
        assert PIN not in str(caught.value) + caught.value.hint
    keystore.unlock("ada", PIN).close()


def test_a_wrong_pin_is_refused_while_somebody_else_is_logged_in(tokens: Tokens, keystore: Keystore) -> None:
    """A token looks at no PIN while the program is logged in to it, whoever did that."""
    person(keystore, tokens.make())
    service(keystore, tokens.make("ed25519"))
    signer = keystore.unlock("pipeline", PIN)
    for wrong in ("", PIN.upper(), "no text \udce9"):
        with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
            keystore.unlock("ada", wrong)
    ada = keystore.unlock("ada", PIN)
    signer.close()
    verify(ada.public, b"data", ada.sign(b"data"))
    ada.close()


def test_a_log_in_from_elsewhere_is_not_borrowed(tokens: Tokens, keystore: Keystore) -> None:
    person(keystore, tokens.make())
    elsewhere = tokens.open()
    with pytest.raises(CouldNotCheckError, match="logged in"):
        keystore.unlock("ada", "another PIN")
    elsewhere.close()
    keystore.unlock("ada", PIN).close()


def test_threads_sign_at_once(tokens: Tokens) -> None:
    uris = [tokens.make("p256"), tokens.make("ed25519")]
    keys = [adopt_token_key(parse_pkcs11_uri(uri), PIN) for uri in uris]
    start = threading.Barrier(8)

    def work(number: int) -> None:
        key = keys[number % 2]
        start.wait(timeout=60)
        for turn in range(20):
            data = bytes([number, turn])
            verify(key.public, data, key.sign(data))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    for key in keys:
        key.close()


def test_closing_ends_the_session_and_takes_nobody_elses(tokens: Tokens) -> None:
    where = parse_pkcs11_uri(tokens.make())
    first, second = adopt_token_key(where, PIN), adopt_token_key(where, PIN)
    first.close()
    first.close()
    with pytest.raises(CouldNotCheckError, match="closed"):
        first.sign(b"data")
    verify(second.public, b"data", second.sign(b"data"))
    assert logged_in(tokens)
    second.close()
    assert not logged_in(tokens)


def test_a_signer_that_is_forgotten_ends_its_session(tokens: Tokens, keystore: Keystore) -> None:
    service(keystore, tokens.make("ed25519"))
    signer = keystore.unlock("pipeline", PIN)
    assert logged_in(tokens)
    del signer
    gc.collect()
    assert not logged_in(tokens)


@pytest.mark.parametrize(
    ("uri", "error", "what"),
    [
        ("pkcs11:token=elsewhere;object=a", CouldNotCheckError, "token of the key is not there"),
        ("pkcs11:token=people;model=YubiKey;object=a", CouldNotCheckError, "token of the key is not there"),
        ("pkcs11:token=people;serial=0;object=a", CouldNotCheckError, "token of the key is not there"),
        ("pkcs11:slot-id=1;object=a", CouldNotCheckError, "token of the key is not there"),
        ("pkcs11:token=people;object=nothing", CouldNotCheckError, "no private key of that name"),
        ("pkcs11:token=people;id=%00%01%02", CouldNotCheckError, "no private key of that name"),
        ("pkcs11:token=twin;object=a", UsageError, "more than one token"),
    ],
)
def test_what_is_not_there_or_not_clear_is_said(
    tokens: Tokens, keystore: Keystore, uri: str, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what) as caught:
        person(keystore, uri)
    assert getattr(caught.value, "hint", "")
    assert keystore.identities() == []
    assert not logged_in(tokens)


def test_a_token_and_a_key_can_be_named_in_each_way(tokens: Tokens) -> None:
    name, identifier = secrets.token_hex(8), secrets.token_bytes(8)
    tokens.make(name=name, identifier=identifier)
    token = tokens.library.get_token(token_label="people")
    percent = "".join(f"%{byte:02x}" for byte in identifier)
    found = set()
    for uri in (
        f"pkcs11:serial={token.serial.decode()};object={name}",
        f"pkcs11:slot-id={token.slot.slot_id};id={percent}",
        f"pkcs11:token=people;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;id={percent};object={name}",
    ):
        key = adopt_token_key(parse_pkcs11_uri(uri), PIN)
        found.add(key.key_id)
        key.close()
    assert len(found) == 1


@pytest.mark.parametrize(
    ("curve", "private", "what"),
    [
        ("p256", {"EXTRACTABLE": True}, "copied out"),
        ("p256", {"SENSITIVE": False}, "copied out"),
        ("p256", {"ALWAYS_AUTHENTICATE": True}, "at every signature"),
        ("p384", {}, "neither P-256 nor Ed25519"),
        ("ed25519", {}, "ecdsa-p256-sha256 is needed"),
    ],
)
def test_a_key_that_is_not_fit_is_refused(
    tokens: Tokens, keystore: Keystore, curve: str, private: dict[str, Any], what: str
) -> None:
    uri = tokens.make(curve, **private)
    with pytest.raises(UsageError, match=what):
        person(keystore, uri)
    assert keystore.identities() == []
    assert not logged_in(tokens)


def test_two_keys_of_one_name_are_not_chosen_between(tokens: Tokens, keystore: Keystore) -> None:
    uri = tokens.make(identifier=b"\x01")
    name = parse_pkcs11_uri(uri).object
    tokens.make(name=name, identifier=b"\x02")
    with pytest.raises(UsageError, match="more than one private key"):
        person(keystore, uri)
    person(keystore, uri + ";id=%02")
    keystore.unlock("ada", PIN).close()


def test_the_public_half_must_be_in_the_token_once(tokens: Tokens, keystore: Keystore) -> None:
    uri = tokens.make()
    tokens.destroy(uri, "PUBLIC_KEY")
    with pytest.raises(CouldNotCheckError, match="public half"):
        person(keystore, uri)


def test_another_key_in_its_place_is_noticed(tokens: Tokens, keystore: Keystore) -> None:
    uri = tokens.make()
    person(keystore, uri)
    signer = keystore.unlock("ada", PIN)
    signer.close()
    tokens.destroy(uri)
    with pytest.raises(CouldNotCheckError, match="no private key"):
        keystore.unlock("ada", PIN)
    tokens.make(name=parse_pkcs11_uri(uri).object)
    with pytest.raises(CouldNotCheckError, match="another key"):
        keystore.unlock("ada", PIN)
    tokens.destroy(uri)
    tokens.make("ed25519", name=parse_pkcs11_uri(uri).object)
    with pytest.raises(CouldNotCheckError):
        keystore.unlock("ada", PIN)
    assert not logged_in(tokens)


def test_a_key_that_vanishes_while_it_is_open_is_not_a_refusal(tokens: Tokens) -> None:
    from pkcs11 import Attribute, ObjectClass

    key = adopt_token_key(parse_pkcs11_uri(tokens.make()), PIN)
    session = tokens.library.get_token(token_label="people").open(rw=True)
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: key.where.object}
    for item in list(session.get_objects(wanted)):
        item.destroy()
    session.close()
    with pytest.raises(CouldNotCheckError, match="does not answer"):
        key.sign(b"data")
    key.close()
    assert not logged_in(tokens)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["header"]["identity"].update(roles=["developer", "release-manager"]),
        lambda file: file["header"].update(token="pkcs11:token=people;object=other;type=private"),
        lambda file: file["header"].update(token="pkcs11:token=people;object=ada?module-path=/tmp/x.so"),
        lambda file: file["header"].update(token=7),
        lambda file: file["header"].update(derivation=None),
        lambda file: file["header"]["derivation"].update(memory_kib=1 << 30),
        lambda file: file.update(proof=""),
        lambda file: file.update(proof=file["proof"][:-8] + "AAAAAAA="),
        lambda file: file.pop("proof"),
    ],
)
def test_a_changed_file_is_damage(tokens: Tokens, keystore: Keystore, change: Callable[[dict[str, Any]], None]) -> None:
    person(keystore, tokens.make())
    rewrite(keystore.folder / "ada.json", change)
    for call in (keystore.identities, lambda: keystore.unlock("ada", PIN)):
        with pytest.raises(InputError, match="damaged"):
            call()


def test_an_exchanged_encryption_key_does_not_open(tokens: Tokens, keystore: Keystore, tmp_path: Path) -> None:
    person(keystore, tokens.make())
    other = Keystore(tmp_path / "other")
    person(other, tokens.make())
    stolen = json.loads((other.folder / "ada.json").read_bytes())
    rewrite(keystore.folder / "ada.json", lambda file: file.update(nonce=stolen["nonce"], sealed=stolen["sealed"]))
    with pytest.raises(InputError, match="wrapped under another"):
        keystore.unlock("ada", PIN)
    assert not logged_in(tokens)


def test_a_pin_that_was_changed_in_the_token_is_told_from_a_wrong_one(tokens: Tokens, keystore: Keystore) -> None:
    person(keystore, tokens.make())
    changed = "another-" + PIN
    session = tokens.open()
    session.set_pin(PIN, changed)
    session.close()
    try:
        with pytest.raises(InputError, match="the token took the PIN") as caught:
            keystore.unlock("ada", changed)
        assert "back" in caught.value.hint
        with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
            keystore.unlock("ada", PIN)
    finally:
        session = tokens.open(pin=changed)
        session.set_pin(changed, PIN)
        session.close()
    keystore.unlock("ada", PIN).close()


@pytest.mark.verifies("REQ-052")
def test_a_key_in_a_file_rotates_into_a_token_and_on_to_the_next(tokens: Tokens, keystore: Keystore) -> None:
    passphrase = "correct horse battery"
    ada = keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), passphrase)
    assert ada.encryption_key is not None
    wrapped = wrap_for(ada.encryption_key, b"data key", context=b"c")
    first, second = tokens.make(), tokens.make()
    for uri, held in ((first, passphrase), (second, PIN)):
        old, new = keystore.prepare_rotation("ada", held, new_passphrase=PIN, token=uri)
        for signer in (old, new):
            verify(signer.public, b"data", signer.sign(b"data"))
            assert signer.unwrap(wrapped, b"c") == b"data key"
        assert keystore.pending_rotation("ada") == new.identity
        again = keystore.prepare_rotation("ada", held, new_passphrase=PIN, token=uri)
        assert again[1].identity == new.identity
        keystore.finish_rotation("ada")
        for signer in (old, new, *again):
            signer.close()
        assert keystore.identity("ada") == new.identity
    signer = keystore.unlock("ada", PIN)
    assert signer.unwrap(wrapped, b"c") == b"data key"
    signer.close()
    assert not logged_in(tokens)


@pytest.mark.verifies("REQ-052")
def test_a_rotation_that_would_go_wrong_prepares_nothing(tokens: Tokens, keystore: Keystore) -> None:
    uri = tokens.make()
    person(keystore, uri)
    for token, new_passphrase, what in (
        (None, None, "in a token, and so must the next one be"),
        (uri, None, "signs with this key already"),
        (tokens.make("ed25519"), None, "ecdsa-p256-sha256 is needed"),
        (tokens.make(), "wrong-" + PIN, "refused the PIN"),
    ):
        with pytest.raises(UsageError, match=what):
            keystore.prepare_rotation("ada", PIN, new_passphrase=new_passphrase, token=token)
        assert keystore.pending_rotation("ada") is None
    with pytest.raises(RefusedError, match="the passphrase for ada is wrong"):
        keystore.prepare_rotation("ada", "wrong-" + PIN, token=tokens.make())
    first, second = tokens.make(), tokens.make()
    prepared = keystore.prepare_rotation("ada", PIN, token=first)
    with pytest.raises(UsageError, match="another rotation"):
        keystore.prepare_rotation("ada", PIN, token=second)
    for signer in prepared:
        signer.close()
    assert not logged_in(tokens)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("PinIncorrect", RefusedError),
        ("PinLenRange", RefusedError),
        ("PinLocked", CouldNotCheckError),
        ("PinExpired", CouldNotCheckError),
        ("DeviceRemoved", CouldNotCheckError),
        ("UserPinNotInitialized", CouldNotCheckError),
    ],
)
def test_only_a_wrong_pin_is_a_refusal(answer: str, error: type[Exception]) -> None:
    """A locked or absent token must not count as a wrong passphrase (SoftHSM has no such answers to give)."""
    pkcs11 = pytest.importorskip("pkcs11")
    with pytest.raises(error) as caught, _calls():
        raise getattr(pkcs11, answer)("/secret/path")
    assert "secret" not in str(caught.value)
    assert getattr(caught.value, "hint", "")


def test_a_short_pin_is_refused_before_the_token_is_asked(keystore: Keystore) -> None:
    with pytest.raises(UsageError, match="too short"):
        person(keystore, "pkcs11:token=people;object=ada", pin="123456")


@pytest.mark.parametrize("value", [None, "", "libsofthsm2.so", "/nonexistent/library.so"])
def test_the_library_is_set_by_whoever_runs_the_program(
    keystore: Keystore, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    pytest.importorskip("pkcs11")
    monkeypatch.delenv(MODULE, raising=False)
    if value is not None:
        monkeypatch.setenv(MODULE, value)
    with pytest.raises(UsageError, match="library of the token is not set") as caught:
        person(keystore, "pkcs11:token=people;object=ada")
    assert MODULE in caught.value.hint


def test_a_library_that_is_none_cannot_be_loaded(
    keystore: Keystore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pkcs11")
    (tmp_path / "library.so").write_bytes(b"no library")
    monkeypatch.setenv(MODULE, str(tmp_path / "library.so"))
    with pytest.raises(CouldNotCheckError, match="cannot be loaded") as caught:
        person(keystore, "pkcs11:token=people;object=ada")
    assert str(tmp_path) not in str(caught.value) + caught.value.hint


def test_without_the_optional_library_the_way_to_it_is_named(
    keystore: Keystore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(UsageError, match="optional library") as caught:
        person(keystore, "pkcs11:token=people;object=ada")
    assert "minivess[hsm]" in caught.value.hint
