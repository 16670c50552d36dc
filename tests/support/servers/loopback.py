"""An application on a real socket of this machine, and what can go wrong between it and its client."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.lazy_modules import lazily

with lazily("uvicorn"):
    import uvicorn

HANG_UP = 0
"""In place of a status: the connection ends in the middle of the answer."""


@contextmanager
def listening(app: Any, *, certificate: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """Serve an application on loopback, over TLS with a certificate and its key; gives its address."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        tls = {} if certificate is None else {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
        config = uvicorn.Config(app, log_level="critical", access_log=False, server_header=False, lifespan="off", **tls)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Between:
    """Passes requests on to an application, or answers them itself, and can change the answers.

    Attributes:
        app: the application.
        answers: status and headers with which the next requests are answered, in place of the application.
        lost: how many answers of the application are lost on their way.
        change: makes another JSON of an answer's.
        requests: headers of each request.
        bodies: the JSON of each answer of the application, before it is changed.
    """

    app: Any
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    lost: int = 0
    change: Callable[[Any], Any] | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.requests.append({name.decode(): value.decode() for name, value in scope["headers"]})
        if self.answers:
            status, headers = self.answers.pop(0)
            while (await receive()).get("more_body"):
                pass
            await self._answer(send, status, headers)
            return
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(one.get("body", b"") for one in sent)
        if self.lost:
            self.lost -= 1
            await self._answer(send, HANG_UP, {})
            return
        if b"json" in dict(sent[0]["headers"]).get(b"content-type", b""):
            self.bodies.append(json.loads(body))
            if self.change is not None:
                body = json.dumps(self.change(json.loads(body))).encode()
        kept = [(name, value) for name, value in sent[0]["headers"] if name != b"content-length"]
        await send({**sent[0], "headers": kept})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, send: Any, status: int, headers: dict[str, str]) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status == HANG_UP:
            pairs.append((b"content-length", b"100"))
        await send({"type": "http.response.start", "status": status or 200, "headers": pairs})
        if status != HANG_UP:
            await send({"type": "http.response.body", "body": b""})
