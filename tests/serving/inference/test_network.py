"""What listens, listens on this machine alone unless told otherwise (features/operation.feature has the rest)."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serving.inference.test_access import certificate
from tests.support.lazy_modules import lazily

with lazily("fastapi", "uvicorn", "minivess.serving.inference.server"):
    import fastapi
    import uvicorn

    from minivess.serving.inference import server


pytestmark = pytest.mark.verifies("SU-43")


@pytest.mark.verifies("REQ-114", "REQ-451")
def test_the_service_listens_on_loopback_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self: told.append(self.config))
    server.serve(fastapi.FastAPI())
    server.serve(fastapi.FastAPI(), host="192.0.2.1", port=9000)
    assert [(one.host, one.port) for one in told] == [("127.0.0.1", 8000), ("192.0.2.1", 9000)]
    assert not any(one.proxy_headers or one.server_header or one.access_log for one in told)


PROGRAM = """
import sys
from pathlib import Path
import fastapi
from minivess.serving.inference import server
from minivess.serving.inference.access.exposure import Tls
server.serve(fastapi.FastAPI(), port=int(sys.argv[1]), tls=Tls(Path(sys.argv[2]), Path(sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.verifies("REQ-451")
def test_the_service_answers_over_tls_alone(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port), str(tls.certificate), str(tls.key)])
    try:
        give_up = time.monotonic() + 120
        while True:
            try:
                plain = socket.create_connection(("127.0.0.1", port), timeout=5)
                break
            except OSError:
                assert time.monotonic() < give_up
                time.sleep(0.1)
        with plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP/1.1" not in plain.recv(100)
        client = ssl.create_default_context(cafile=tls.certificate)
        with client.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert secure.recv(100).startswith(b"HTTP/1.1 404")
    finally:
        process.terminate()
        process.wait(timeout=60)
