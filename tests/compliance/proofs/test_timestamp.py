"""Trusted time from an authority without a network: openssl plays it, request and response are files."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.timestamp import imprint_of, stamped_imprint, timestamp_request, verify_timestamp
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.log.inspection import accept_timestamp
from tests.support.builders import audit_logs

pytestmark = [
    pytest.mark.verifies("REQ-056"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the test authority is openssl's"),
]

CONFIGURATION = """\
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""
NOTE = sign_note(Checkpoint("log.example/x", 7, bytes(32)), generate(KeyAlgorithm.ED25519))


class Authority:
    """A root and a timestamp authority under it, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = self._certificate("Root", root_key, "Root", root_key, authority=True)
        tsa = self._certificate("Authority", key, "Root", root_key, authority=False)
        self.root = root.public_bytes(serialization.Encoding.PEM)
        (folder / "root.pem").write_bytes(self.root)
        (folder / "tsa.pem").write_bytes(tsa.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        (folder / "tsa.key").write_bytes(pem)
        (folder / "serial").write_text("01\n", encoding="ascii")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")

    @staticmethod
    def _certificate(
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
    ) -> x509.Certificate:
        now = datetime.now(UTC)

        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if not authority:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(issuer_key, hashes.SHA256())

    def stamp(self, request: bytes) -> bytes:
        (self.folder / "request.tsq").write_bytes(request)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "response.tsr"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "response.tsr").read_bytes()


def test_a_stamp_holds_for_its_checkpoint_and_its_authority_alone(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "one"), Authority(tmp_path / "two")
    response = authority.stamp(timestamp_request(NOTE))
    assert stamped_imprint(response) == imprint_of(NOTE)
    stamped = verify_timestamp(NOTE, response, other.root + authority.root)
    assert abs(datetime.now(UTC) - stamped.time) < timedelta(hours=1)
    with pytest.raises(VerificationError, match="does not hold"):
        verify_timestamp(NOTE, response, other.root)
    older = sign_note(Checkpoint("log.example/x", 6, bytes(32)), generate(KeyAlgorithm.ED25519))
    with pytest.raises(VerificationError, match="does not hold"):
        verify_timestamp(older, response, authority.root)
    for position in range(len(response) // 2, len(response), 29):
        bent = bytearray(response)
        bent[position] ^= 1
        with pytest.raises((VerificationError, InputError)):
            verify_timestamp(NOTE, bytes(bent), authority.root)


def test_what_is_no_stamp_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "one")
    for data in (b"", b"nonsense", bytes(70_000), b"0\x03\x02\x01\x00"):
        with pytest.raises(InputError):
            verify_timestamp(NOTE, data, authority.root)
    with pytest.raises(InputError, match="certificates"):
        verify_timestamp(NOTE, authority.stamp(timestamp_request(NOTE)), b"nonsense")


def test_a_stamp_is_kept_with_the_checkpoint_it_is_for(tmp_path: Path) -> None:
    desk, authority = audit_logs.start(tmp_path / "desk"), Authority(tmp_path / "one")
    request = timestamp_request(desk.log.checkpoint())
    desk.log.append(audit_logs.draft(), desk.ada)  # the log goes on while the request travels
    response = authority.stamp(request)
    size, stamped = accept_timestamp(desk.services(), response, authority.root)
    assert size == 1
    assert desk.log.timestamp(1) == response
    assert verify_timestamp(desk.log.checkpoint(1), response, authority.root) == stamped
    with pytest.raises(VerificationError, match="no checkpoint of this log"):
        accept_timestamp(desk.services(), authority.stamp(timestamp_request(NOTE)), authority.root)
