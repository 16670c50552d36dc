"""`minivess release verify`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, json_option, say
from minivess.foundation.implements import implements


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys that you got by another way than the pack. Without them a pack is checked against its own keys.",
)
@click.option(
    "--allow-layout",
    type=click.IntRange(min=1),
    help="Exit code 0 for a LIMITED verdict too, when only the layout limits it and is at least this one.",
)
@json_option
@implements("REQ-042", "REQ-221")
def verify(pack: Path, trust: Path | None, allow_layout: int | None, as_json: bool) -> None:
    """Judge PACK offline: every byte, every entry, every signature.

    PACK is the zip file, or a folder that it was unpacked to. The verdict is VERIFIED (exit code 0), NOT VERIFIED (a
    check failed), LIMITED (something could not be checked) or NOT RELEASABLE (the source tree had changes); exit code 1.
    Exit code 2: PACK is no pack.
    """
    from minivess.compliance.verification.pack import verify_pack

    verdict = verify_pack(pack, trust=trust)
    if as_json:
        emit_json({**verdict.model_dump(mode="json"), "holds": verdict.holds, "state": verdict.state.value})
    else:
        for check in verdict.checks:
            click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")
        click.echo(f"keys: {verdict.trust}")
        reasons = verdict.reservations if verdict.first_failure is None else ()
        click.echo(
            f"{verdict.state.value}: every check passed; {'; '.join(reasons)}" if reasons else verdict.state.value
        )
    if not verdict.trusted:
        say("keys came from the pack itself: this shows it is whole, not who made it (use --trust)")
    if not verdict.accepted(least_layout=allow_layout):
        raise click.exceptions.Exit(1)
