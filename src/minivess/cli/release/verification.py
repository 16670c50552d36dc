"""`minivess release verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, json_option, say
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.verdict import Verdict
    from minivess.workflows.release.deep_verification import DeepComparison


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
@click.option("--deep", is_flag=True, help="Also make the derived files again from the source tree, and compare them.")
@click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --deep: a source folder whose repository has the commit of the pack. Default: that of the project.",
)
@click.option(
    "--previous",
    type=click.Path(path_type=Path, exists=True),
    help="An older pack: it must hold, and the log of PACK must continue its log.",
)
@click.option(
    "--log",
    "newer",
    type=click.Path(path_type=Path, exists=True),
    help="A newer pack or the project folder: its log must continue that of PACK. A revocation in it counts.",
)
@json_option
@click.pass_obj
@implements("REQ-042", "REQ-221", "REQ-224", "REQ-574", "REQ-575")
def verify(  # noqa: PLR0917  one for each option
    project: Path,
    pack: Path,
    trust: Path | None,
    allow_layout: int | None,
    deep: bool,
    source: Path | None,
    previous: Path | None,
    newer: Path | None,
    as_json: bool,
) -> None:
    """Judge PACK offline: every byte, every entry, every signature.

    PACK is the zip file, or a folder that it was unpacked to. The verdict is VERIFIED (exit code 0), NOT VERIFIED (a
    check failed), LIMITED (something could not be checked), REVOKED (an entry of --log revokes it) or NOT RELEASABLE (the
    source tree had changes); exit code 1. A later revocation is seen with --log alone. Exit code 2: PACK is no pack.
    --deep adds a line and never changes the verdict.
    """
    from minivess.compliance.verification.pack import verify_pack

    verdict = verify_pack(pack, trust=trust)
    if previous is not None or newer is not None:
        from minivess.workflows.release.changes.continuation import beside

        verdict = beside(verdict, pack, trust=trust, previous=previous, newer=newer)
    compared = _compared(pack, verdict, project, source) if deep else None
    if as_json:
        more = {} if compared is None else {"deep": compared.model_dump(mode="json")}
        emit_json({**verdict.model_dump(mode="json"), "holds": verdict.holds, "state": verdict.state.value, **more})
    else:
        for check in verdict.checks:
            click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")
        if compared is not None:
            click.echo(f"deep {compared.words}")
        click.echo(f"keys: {verdict.trust}")
        reasons = verdict.reservations if verdict.first_failure is None else ()
        click.echo(
            f"{verdict.state.value}: every check passed; {'; '.join(reasons)}" if reasons else verdict.state.value
        )
    if not verdict.trusted:
        say("keys came from the pack itself: this shows it is whole, not who made it (use --trust)")
    if not verdict.accepted(least_layout=allow_layout):
        raise click.exceptions.Exit(1)


def _compared(pack: Path, verdict: Verdict, project: Path, source: Path | None) -> DeepComparison:
    """Make the derived files of a pack again, one that waits for its signatures too."""
    from minivess.compliance.verification.pack import SIGNATURES_CHECK
    from minivess.workflows.release.deep_verification import DeepComparison, compare_deeply

    failed = [check.name for check in verdict.checks if not check.passed and check.name != SIGNATURES_CHECK]
    if failed:
        return DeepComparison(not_made=f"the check {failed[0]} failed")
    return compare_deeply(pack, project=project, source=source)
