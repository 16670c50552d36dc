"""What the client does on a real socket: certificates, proxies of the environment, redirects, and answers that never end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minivess.foundation.errors import InputError
from tests.support.lazy_modules import lazily
from tests.support.servers import loopback

with lazily("minivess.client"):
    import minivess.client as clients

pytestmark = pytest.mark.verifies("SU-178", "REQ-485")


class Server:
    """Answers `/readyz`, redirects `/v1/model`, and sends without end at `/v1/decisions/1`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, headers, parts = {
            "/readyz": (200, [], [b"{}"]),
            "/v1/model": (307, [(b"location", b"/readyz")], [b""]),
            "/v1/decisions/1": (200, [], [bytes(1000)] * 100),
            "/v1/decisions/2": (200, [(b"content-encoding", b"gzip")], [b"packed"]),
        }.get(scope["path"], (404, [], [b""]))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with loopback.listening(server) as address:
        yield address


def test_a_key_is_sent_and_the_environment_is_not_used(
    server: Server, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        passwords = tmp_path / "netrc"
        passwords.write_text("machine 127.0.0.1 login someone password secret\n", encoding="utf-8")
        monkeypatch.setenv("NETRC", str(passwords))
        with clients.Client(url) as client:
            assert client.ready()
        assert "authorization" not in server.headers
        with clients.Client(url, key="the-key") as client:
            assert client.ready()
    assert server.headers["authorization"] == "Bearer the-key"
    assert server.headers["accept-encoding"] == "identity"


def test_a_redirect_is_not_followed(server: Server, url: str) -> None:
    with clients.Client(url, key="the-key") as client, pytest.raises(clients.ServiceUnavailableError, match="307"):
        client.model()
    assert server.asked == ["/v1/model"]


@pytest.mark.parametrize(("index", "words"), [(1, "more than 5000 bytes"), (2, "packed")])
def test_an_answer_beyond_the_limit_or_packed_is_refused(url: str, index: int, words: str) -> None:
    with clients.Client(url, maximum_answer=5000) as client, pytest.raises(InputError, match=words):
        client.decision(index)

    async def ask() -> None:
        async with clients.AsyncClient(url, maximum_answer=5000) as client:
            await client.decision(index)

    with pytest.raises(InputError, match=words):
        asyncio.run(ask())


def test_a_service_that_is_not_there_is_not_ready() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with clients.Client(f"http://127.0.0.1:{nobody.getsockname()[1]}") as client:
            assert not client.ready()


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that it signed itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


def test_the_certificate_of_the_service_is_verified(server: Server, tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    with loopback.listening(server, certificate=certificate, key=key) as url:
        with clients.Client(url, key="the-key") as client:
            assert not client.ready()
        assert server.asked == []
        with clients.Client(url, key="the-key", certificates=certificate) as client:
            assert client.ready()
        assert server.asked == ["/readyz"]


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_of_certificates_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "certificates.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="certificates"):
        clients.Client("https://127.0.0.1:1", certificates=file)
