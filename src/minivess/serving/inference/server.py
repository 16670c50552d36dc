"""Run the service with uvicorn, on loopback unless told otherwise."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from minivess.foundation.implements import implements
from minivess.serving.inference.access.exposure import Tls
from minivess.serving.inference.connections import BoundedProtocol


@implements("REQ-114", "REQ-451", "RC-187")
def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8000, *, tls: Tls | None = None) -> None:
    """Serve until interrupted or asked to end (SIGINT, SIGTERM); requests under way are answered first.

    Headers that proxies add are not used: the service knows callers by their keys alone.

    Args:
        app: made by `create_app`.
        host: address to listen on; `access.exposure.check_address` says which may be.
        port: port to listen on.
        tls: certificate and key; None: without TLS.

    Raises:
        InputError: certificate or key cannot be used.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        log_level="warning",
        log_config=None if logging.getLogger().handlers else uvicorn.config.LOGGING_CONFIG,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    config.load()
    config.ssl = None if tls is None else tls.context()
    # uvicorn raises the signal again when it is done: by default that would end the process before the log is closed.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        uvicorn.Server(config).run()
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
