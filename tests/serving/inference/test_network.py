"""What listens, listens on this machine alone unless told otherwise (features/operation.feature has the rest)."""

from __future__ import annotations

import pytest

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
