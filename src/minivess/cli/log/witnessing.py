"""`minivess witness`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import say
from minivess.cli.session import passphrase_for

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def witness() -> None:
    """A witness of other people's logs: it signs only what continues what it signed before."""


@witness.command()
@click.argument("folder", type=_FOLDER)
@click.option("--name", required=True, help="The witness's name in its signatures, for example witness.example.")
def init(folder: Path, name: str) -> None:
    """Make a witness in FOLDER; prints its verifier key."""
    from minivess.compliance.identity.keystore import Keystore
    from minivess.compliance.proofs.checkpoint import valid_origin
    from minivess.compliance.proofs.cosignature import WITNESS, verifier_key
    from minivess.foundation.errors import UsageError
    from minivess.records.device.witnesses import WitnessState
    from minivess.records.people.roles import IdentityKind, Role
    from minivess.serving.witness.app import write_state

    if not valid_origin(name):
        raise UsageError(f"{name!r} cannot name a witness: no spaces, no plus sign, no control characters")
    keystore = Keystore(folder / "keystore")
    made = keystore.create("witness", name, IdentityKind.SERVICE, (Role.SERVICE,), passphrase_for("witness"))
    key = verifier_key(name, made.signing_key, WITNESS)
    write_state(folder, WitnessState(name=name))
    click.echo(key.text())


@witness.command("serve-log")
@click.argument("folder", type=_FOLDER)
@click.argument("vkey")
@click.option("--origin", help="The first line of its checkpoints, where that is not the name of its key.")
def serve_log(folder: Path, vkey: str, origin: str | None) -> None:
    """Serve the log with the verifier key VKEY (`minivess audit checkpoint --vkey`)."""
    from minivess.serving.witness.app import serve_log as add

    click.echo(f"serves {add(folder, vkey, origin).origin}")


@witness.command("keys")
@click.argument("folder", type=_FOLDER)
@click.argument("origin")
@click.option("--add", help="A new verifier key of the log, which counts beside the others from now on.")
@click.option("--drop", help="A verifier key that counts no longer.")
def keys(folder: Path, origin: str, *, add: str | None, drop: str | None) -> None:
    """Change which keys count for the log ORIGIN, when it changes its own: add the new one, later drop the old one."""
    from minivess.foundation.errors import UsageError
    from minivess.serving.witness.app import change_keys

    if add is None and drop is None:
        raise UsageError("nothing to change", hint="pass --add VKEY, --drop VKEY, or both")
    for key in change_keys(folder, origin, add=add, drop=drop).keys:
        click.echo(key)


@witness.command()
@click.argument("folder", type=_FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7380, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
def serve(folder: Path, host: str, port: int) -> None:
    """Answer requests to vouch for checkpoints (C2SP tlog-witness)."""
    from minivess.compliance.identity.keystore import Keystore
    from minivess.serving.witness.app import Witness, WitnessServer

    held = Witness(folder, Keystore(folder / "keystore").unlock("witness", passphrase_for("witness")))
    with WitnessServer(held, host=host, port=port) as server:
        say(f"{held.vkey}\n{server.url}/add-checkpoint; Ctrl-C ends it")
        server.serve_forever()
