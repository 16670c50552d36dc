"""`minivess release verify`: a pack is judged offline."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, json_option, say
from minivess.foundation.implements import implements


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys that you got by another way than the pack. Without them a pack is checked against its own keys.",
)
@json_option
@implements("REQ-042")
def verify(pack: Path, trust: Path | None, as_json: bool) -> None:
    """Judge PACK offline: every byte, every entry, every signature.

    Exit code 0: it holds. 1: it does not. 2: it is no pack. With a trust file that names no release rules the
    verdict is LIMITED, and the exit code 1.
    """
    from minivess.compliance.verification.pack import verify_pack
    from minivess.records.verdict import VerdictState

    verdict = verify_pack(pack, trust=trust)
    if as_json:
        emit_json({**verdict.model_dump(mode="json"), "holds": verdict.holds, "state": verdict.state.value})
    else:
        for check in verdict.checks:
            click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")
        if verdict.state is VerdictState.LIMITED:
            click.echo(f"LIMITED: every check holds, but {'; '.join(verdict.limits)}")
        else:
            click.echo("VERIFIED" if verdict.holds else "NOT VERIFIED")
    if not verdict.trusted:
        say("keys came from the pack itself: this shows it is whole, not who made it (use --trust)")
    if not verdict.holds:
        raise click.exceptions.Exit(1)
