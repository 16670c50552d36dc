"""Run the service with uvicorn, on loopback unless told otherwise."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from minivess.foundation.implements import implements


@implements("REQ-114")
def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted.

    The service asks nobody who they are: any other host than loopback belongs behind a proxy that does.

    Args:
        app: made by `create_app`.
        host: address to listen on.
        port: port to listen on.
    """
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)
