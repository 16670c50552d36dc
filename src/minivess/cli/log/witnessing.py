"""`minivess witness`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Group
from minivess.cli.rendering import emit, json_option, say
from minivess.cli.session import passphrase_for
from minivess.foundation.errors import UsageError

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=Group, sections={"Commands": ("init", "serve-log", "keys", "serve")})
def witness() -> None:
    """Cosign the checkpoints of other logs (C2SP tlog-witness).

    A witness signs only what continues what it signed before.
    """


@witness.command()
@click.argument("folder", type=_FOLDER)
@click.option("--name", required=True, help="The witness's name in its signatures, for example witness.example.")
@json_option
def init(folder: Path, name: str, as_json: bool) -> None:
    """Make a witness in FOLDER; prints its verifier key."""
    from minivess.serving.witness.keys import make_witness

    key = make_witness(folder, name, lambda: passphrase_for("witness"))
    emit(key, {"vkey": key}, as_json=as_json)


@witness.command("serve-log")
@click.argument("folder", type=_FOLDER)
@click.argument("vkey")
@click.option("--origin", help="The first line of its checkpoints, where that is not the name of its key.")
@json_option
def serve_log(folder: Path, vkey: str, origin: str | None, as_json: bool) -> None:
    """Add the log with the verifier key VKEY to a witness.

    `minivess audit checkpoint --vkey` prints that key.
    """
    from minivess.serving.witness.app import serve_log as add

    served = add(folder, vkey, origin).origin
    emit(f"serves {served}", {"origin": served}, as_json=as_json)


@witness.command("keys")
@click.argument("folder", type=_FOLDER)
@click.argument("origin")
@click.option("--add", help="A new verifier key of the log, which counts beside the others from now on.")
@click.option("--drop", help="A verifier key that counts no longer.")
@json_option
def keys(folder: Path, origin: str, *, add: str | None, drop: str | None, as_json: bool) -> None:
    """Change which keys count for the log ORIGIN.

    When the log changes its key: add the new one, later drop the old one.
    """
    from minivess.serving.witness.app import change_keys

    if add is None and drop is None:
        raise UsageError("nothing to change", hint="pass --add VKEY, --drop VKEY, or both")
    changed = change_keys(folder, origin, add=add, drop=drop).keys
    emit("\n".join(changed), {"origin": origin, "keys": list(changed)}, as_json=as_json)


@witness.command()
@click.argument("folder", type=_FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7380, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
def serve(folder: Path, host: str, port: int) -> None:
    """Answer requests to cosign checkpoints (C2SP tlog-witness)."""
    from minivess.serving.witness.app import WitnessServer
    from minivess.serving.witness.keys import open_witness

    with WitnessServer(open_witness(folder, passphrase_for("witness")), host=host, port=port) as server:
        say(f"{server.witness.vkey}\n{server.url}/add-checkpoint; Ctrl-C ends it")
        server.serve_forever()
