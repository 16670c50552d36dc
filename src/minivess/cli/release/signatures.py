"""`minivess release sign|cosign`: what people add to a pack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_record, json_option, say
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.people.identity import Meaning
    from minivess.workflows.release.signing import PackToSign


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="Who signs.")
@click.option("--meaning", help="What your signature means, for example `review`. Without it you are asked.")
@click.option(
    "--shown",
    help="The SHA-256 (`sha256:…`) of data/signing-text.txt in the pack, when you read the text elsewhere. "
    "It is needed where there is no terminal.",
)
@json_option
@click.pass_obj
def sign(  # noqa: PLR0917  click passes each by name
    project: Path, pack: Path, actor: str, meaning: str | None, shown: str | None, as_json: bool
) -> None:
    """Sign PACK after you read its signing text.

    The pack is first verified against your log and against what you saw of it. Then the signing text is printed, and you
    type the meaning of your signature and your passphrase. Your signature binds the digest of the text.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    to_stderr = as_json or not sys.stdout.isatty()
    if shown is None:
        _require_terminal(to_stderr)
    with services_of(project) as services:
        asked = signing.examine(services, actor, pack)
        if shown is None:
            click.echo(asked.text, nl=False, err=to_stderr)
        elif shown != asked.shown:
            raise RefusedError(
                f"the signing text of this pack is not {shown}",
                hint="read data/signing-text.txt in the pack, then pass the SHA-256 of that file",
            )
        chosen = _meaning(asked, meaning)
        signer = signer_of(services, actor, from_environment=asked.demo)
        manifestation = signing.sign(services, signer, asked, meaning=chosen)
    emit_record(manifestation, as_json=as_json)


@implements("REQ-236", "RC-101")
def _require_terminal(to_stderr: bool) -> None:
    """Refuse where a person can neither see the text nor answer.

    Args:
        to_stderr: whether the text is written to stderr, and not to stdout.

    Raises:
        UsageError: stdin or that stream is no terminal.
    """
    if not sys.stdin.isatty() or not (sys.stderr if to_stderr else sys.stdout).isatty():
        raise UsageError(
            "a release is signed at a terminal, where the signing text is shown, and there is none",
            hint="read data/signing-text.txt in the pack, then pass the digest of that file: --shown sha256:…",
        )


def _meaning(asked: PackToSign, given: str | None) -> Meaning | None:
    """What a person says that the signature means; None: there is nothing to choose.

    Raises:
        UsageError: no terminal to ask at and several meanings, or one that is not left for this person.
    """
    left = {one.value: one for one in asked.meanings}
    if asked.recorded is not None:
        say(f"entry {asked.recorded.index} has your signature already: it is put into the pack")
        return None
    if given is None and sys.stdin.isatty():
        who = f"{asked.identity.name} ({asked.identity.id})"
        given = click.prompt(f"Meaning of the signature of {who}", type=click.Choice(list(left)), err=True)
    if given is not None and given not in left:
        raise UsageError(f"your signature cannot mean {given!r}", hint=f"it can mean {', '.join(left)}")
    return asked.rule(None if given is None else left[given]).meaning


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="A holder of the test set's key.")
@json_option
@click.pass_obj
def cosign(project: Path, pack: Path, actor: str, as_json: bool) -> None:
    """Cosign the checkpoint of PACK as holder of the test set's key.

    For a holder who does not sign the release.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    with services_of(project) as services:
        if not signing.cosign_pack(services, signer_of(services, actor), pack):
            raise UsageError(f"{actor} does not hold the key of the test set that this release was evaluated on")
    emit(f"cosigned by {actor}", {"cosigned_by": actor}, as_json=as_json)
