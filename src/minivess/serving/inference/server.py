"""Run the service with uvicorn, on loopback unless told otherwise."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from minivess.foundation.implements import implements


@implements("REQ-114")
def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted or asked to end (SIGINT, SIGTERM); requests under way are answered first.

    The service does not authenticate callers: any other host than loopback belongs behind a proxy that does.

    Args:
        app: made by `create_app`.
        host: address to listen on.
        port: port to listen on.
    """
    # uvicorn raises the signal again when it is done: by default that would end the process before the log is closed.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
