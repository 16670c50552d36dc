"""A server with short times of waiting, and clients that hold its connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.lazy_modules import lazily

with lazily("uvicorn", "minivess.serving.inference.connections"):
    import uvicorn

    from minivess.serving.inference import connections

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n"
GIVE_UP = 60
"""Seconds after which a test fails in place of hanging."""


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers what was sent, or at once, or with more than the buffers of a connection hold."""
    if scope["type"] != "http":
        return
    body = b""
    while scope["path"] == "/" and (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    answer = bytes(64 << 20) if scope["path"] == "/large" else b"answered " + body
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]}
    )
    await send({"type": "http.response.body", "body": answer})


@contextmanager
def listening(*, head: float = 0.3, read: float = 0.3) -> Iterator[int]:
    """A server with these times; gives its port."""

    class Quick(connections.BoundedProtocol):
        head_seconds = head
        read_seconds = read

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            application, http=Quick, log_level="critical", lifespan="off", timeout_keep_alive=GIVE_UP
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(GIVE_UP)


def ends(client: socket.socket, *, within: float = GIVE_UP) -> bytes:
    """What comes until the server closes the connection; fails when it does not."""
    client.settimeout(within)
    came = b""
    try:
        while piece := client.recv(1 << 16):
            came += piece
    except ConnectionResetError:
        pass
    return came


def until(client: socket.socket, end: bytes) -> None:
    """Read up to some bytes."""
    client.settimeout(GIVE_UP)
    came = b""
    while not came.endswith(end):
        piece = client.recv(1 << 16)
        assert piece, came
        came += piece
