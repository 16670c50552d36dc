"""`minivess serve`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import say
from minivess.cli.session import passphrase_for, services_of


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.pass_obj
def serve(project: Path, host: str, port: int) -> None:
    """Answer inference requests, each recorded before it is answered and given a receipt.

    Acts as the service identity `inference`, which must be enrolled in the log.
    """
    from minivess.serving.app import create_app
    from minivess.serving.server import serve as run_server
    from minivess.workflows.inference import open_inference
    from minivess.workflows.people import INFERENCE_IDENTITY, unlock

    with services_of(project) as services:
        signer = unlock(services, INFERENCE_IDENTITY, passphrase_for(INFERENCE_IDENTITY))
        say(f"http://{host}:{port}/ says what is served and how to ask; Ctrl-C ends it")
        run_server(create_app(open_inference(services, signer)), host=host, port=port)
