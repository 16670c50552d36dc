"""`minivess release reproduce`."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import Progress, emit_json, emit_table, json_option
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.changes.reproduction import Reproduction


@click.command(cls=LongCommand)
@click.argument("pack", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with a project file, whose section `data` says how the cases are read.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="An empty folder for what is made. Default: a folder that is removed afterwards.",
)
@click.option(
    "--source", type=click.Path(path_type=Path, file_okay=False), help="The source tree. Default: the project's."
)
@click.option("--trust", type=click.Path(path_type=Path, dir_okay=False), help="Keys to verify the pack with.")
@click.option("--rebuild", is_flag=True, help="First make an environment from the commit and its lock file, with uv.")
@click.option(
    "--evaluate-different",
    is_flag=True,
    help="Evaluate a model with other weights too. Its figures on the sealed cases are a look that no log counts.",
)
@json_option
@implements("REQ-577")
def reproduce(
    pack: Path,
    *,
    data: Path,
    out: Path | None,
    source: Path | None,
    trust: Path | None,
    rebuild: bool,
    evaluate_different: bool,
    as_json: bool,
) -> None:
    """Make the model of PACK again from its data, and compare.

    Lock file, source tree, Python, PyTorch and threads are compared first. Then the cases are read, every member is trained
    with its recorded configuration and seed on the CPU, and weights, calibration, graph and figures are compared. Equal
    digests give exit code 0. Otherwise the exit code is 1, and figures have paired intervals of their difference.
    """
    from minivess.workflows.release.reproduction.reproduce import reproduce as make

    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minivess-reproduce-"))) / "made"
        found = make(
            pack,
            data,
            folder,
            source=source,
            trust=trust,
            rebuild=rebuild,
            evaluate_different=evaluate_different,
            progress=Progress(),
        )
    if as_json:
        emit_json({**found.model_dump(mode="json"), "verdict": found.verdict})
    else:
        _show(found)
    if found.verdict != "equal":
        raise click.exceptions.Exit(1)


def _show(found: Reproduction) -> None:
    for rows in (found.circumstances, found.results):
        emit_table(
            ("", "what", "pack", "now"),
            [("equal" if one.equal else "OTHER", one.name, _short(one.packed), _short(one.now)) for one in rows],
        )
        click.echo()
    if found.figures is not None and found.figures.paired is not None:
        for one in found.figures.paired.measures:
            if one.paired is not None:
                difference = one.paired.difference
                place = "" if one.of_class is None else f", {one.of_class}"
                click.echo(f"{one.measure}{place}: now - pack {difference.mean:+.6f} ({difference.words(6)})")
    for words in found.not_done:
        click.echo(f"not made again: {words}")
    click.echo(f"{found.release.device} {found.release.version}, {found.seconds:.0f} s: {found.verdict}")


def _short(text: str) -> str:
    """A digest by its first digits; other texts as they are."""
    return f"{text[:19]}…" if text.startswith("sha256:") else text
