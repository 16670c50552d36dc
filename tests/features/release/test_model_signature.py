"""Steps of features/model_signature.feature."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.pack.model_signature import KEY, SIGNATURE
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import MinivessError
from minivess.foundation.paths import Workspace
from tests.support.builders.release_builder import Release, make_release
from tests.support.lazy_modules import lazily
from tests.support.verify_script import verify

with lazily("model_signing.verifying"):
    from model_signing import verifying
with lazily("minivess.workflows.models.signature"):
    from minivess.workflows.models import signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

scenarios("model_signature.feature")

CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
PASSPHRASE = "correct horse"


def _pem(key: PrivateKeyTypes, passphrase: str | None = None) -> bytes:
    closed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        closed = serialization.BestAvailableEncryption(passphrase.encode("utf-8"))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed)


@dataclass
class Story:
    folder: Path
    workspace: Workspace
    key: Path
    passphrase: str = PASSPHRASE
    release: Release | None = None
    error: MinivessError | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    def sign(self) -> None:
        signature.sign_model(self.workspace, self.key, lambda: self.passphrase)

    def verify(self, folder: Path) -> None:
        config = verifying.Config().use_elliptic_key_verifier(public_key=self.workspace.model_signing_key)
        config.set_ignore_unsigned_files(True).verify(folder, self.workspace.model_signature)


def _exported(folder: Path) -> Workspace:
    workspace = Workspace(folder / "workspace")
    export = workspace.models / "export"
    (export / "graphs").mkdir(parents=True)
    (export / "export.json").write_text("{}", encoding="utf-8")
    (export / "model.onnx").write_bytes(b"first graph")
    (export / "graphs" / "second.onnx").write_bytes(b"second graph")
    return workspace


@pytest.fixture
def story(tmp_path: Path) -> Story:
    key = tmp_path / "key.pem"
    key.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), PASSPHRASE))
    return Story(tmp_path, _exported(tmp_path), key)


@given(parsers.parse("an exported model and a key on the curve {curve}, {encrypted}"))
def _(story: Story, curve: str, encrypted: str) -> None:
    made = ec.generate_private_key(CURVES[curve])
    story.key.write_bytes(_pem(made, PASSPHRASE if encrypted == "encrypted" else None))


@given("an exported model and a key of Ed25519")
def _(story: Story) -> None:
    story.key.write_bytes(_pem(Ed25519PrivateKey.generate()))


@given("an exported model and a file that is no key")
def _(story: Story) -> None:
    story.key.write_bytes(b"no key")


@given("an exported model and a wrong passphrase")
def _(story: Story) -> None:
    story.passphrase = "another"


@given("an exported model and a link in its folder")
def _(story: Story) -> None:
    (story.workspace.export / "link.onnx").symlink_to(story.key)


@given("a release whose exported model is signed")
def _(story: Story) -> None:
    story.release = make_release(story.folder / "release")
    story.workspace = story.release.workspace
    folder = story.workspace.models / "export"
    folder.mkdir()
    for name in ("model.onnx", "export.json"):
        shutil.move(story.workspace.models / name, folder / name)
    story.sign()


def _another_key(story: Story) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    story.workspace.model_signing_key.write_bytes(pem)


def _other_model(story: Story) -> None:
    onnx = story.workspace.onnx
    held = onnx.read_bytes()
    onnx.write_bytes(b"another")
    story.sign()
    onnx.write_bytes(held)


def _graph_removed(story: Story) -> None:
    graph = story.workspace.export / "graphs" / "second.onnx"
    graph.parent.mkdir(exist_ok=True)
    graph.write_bytes(b"second graph")
    story.sign()
    graph.unlink()


CHANGES: dict[str, Callable[[Story], None]] = {
    "the public key is another one": _another_key,
    "the public key is missing": lambda story: story.workspace.model_signing_key.unlink(),
    "the signature is over another model": _other_model,
    "a signed graph is removed": _graph_removed,
    "the signature is cut": lambda story: story.workspace.model_signature.write_bytes(
        story.workspace.model_signature.read_bytes()[:-5]
    ),
}


@given(parsers.parse("then {change}"))
def _(story: Story, change: str) -> None:
    CHANGES[change](story)


@when("the exported model is signed")
def _(story: Story) -> None:
    try:
        story.sign()
    except MinivessError as error:
        story.error = error


@when("its pack is built")
def _(story: Story) -> None:
    assert story.release is not None
    try:
        story.files = read_archive(story.release.build(story.folder / "pack.zip").path.read_bytes())
    except MinivessError as error:
        story.error = error


@then("the library accepts the signature over the folder, and beside other files of a pack")
def _(story: Story) -> None:
    assert story.error is None
    story.verify(story.workspace.export)
    packed = story.folder / "models"
    shutil.copytree(story.workspace.export, packed)
    (packed / "calibration.json").write_text("{}", encoding="utf-8")
    story.verify(packed)


@then("it refuses the signature after a byte of the model was changed")
def _(story: Story) -> None:
    story.workspace.onnx.write_bytes(b"First graph")
    with pytest.raises(ValueError, match=r"Hash mismatch for 'model\.onnx'"):
        story.verify(story.workspace.export)


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert reason in str(story.error)
    if story.release is None:
        assert not story.workspace.model_signature.exists()


@then("the pack has the signature and the public key, and both verifiers accept its files")
def _(story: Story) -> None:
    assert story.error is None
    assert story.files[f"data/{SIGNATURE}"] == story.workspace.model_signature.read_bytes()
    assert story.files[f"data/{KEY}"] == story.workspace.model_signing_key.read_bytes()
    verdict = judge_files(story.files, subject="pack", container="", trusted=None)
    assert {check.name: check.passed for check in verdict.checks}["files"]
    assert {name: held for name, held, _ in verify.Judgement(None).judge(story.files).checks}["files"]
