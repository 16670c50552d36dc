"""`minivess model sign`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, json_option
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace


@click.command(cls=Command, name="sign")
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="A private key in PEM."
)
@json_option
@click.pass_obj
@implements("REQ-536")
def sign_exported(project: Path, key: Path, as_json: bool) -> None:
    """Sign the exported model with a key of the manufacturer.

    The key is an ECDSA key on the curve P-256, P-384 or P-521. Its passphrase is asked for, or taken from
    MINIVESS_PASSPHRASE_MODEL_KEY. The signature (OpenSSF Model Signing) and the public key are packed with the model.
    `python -m model_signing verify key` checks it. Needs the extra `signing`.
    """
    from minivess.cli.session import passphrase_for
    from minivess.workflows.models.signature import sign_model

    made = sign_model(Workspace.find(project), key, lambda: passphrase_for("model-key"))
    text = f"signed {len(made.files)} files: {made.signature}, public key {made.key}"
    emit(text, made.model_dump(mode="json"), as_json=as_json)
