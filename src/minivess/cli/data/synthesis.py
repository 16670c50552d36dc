"""`minivess data synthesise`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import Progress, emit_json, emit_table, say
from minivess.records.data.source import GENERATED_CLASSES
from minivess.workflows.data.synthesis import Described, described


def _parameters(command: Callable[..., None]) -> Callable[..., None]:
    """One option for each parameter of the generator; ranges are judged in one place, the record."""
    for row in reversed(described()):
        command = click.option(_flag(row), row.name, help=row.words, **_shape(row))(command)
    return command


def _flag(row: Described) -> str:
    return "--" + row.name.replace("_", "-")


def _shape(row: Described) -> dict[str, Any]:
    if isinstance(row.default, tuple):
        return {"nargs": len(row.default), "type": type(row.default[0]), "metavar": "Z Y X"}
    return {"type": type(row.default)}


@click.command(cls=LongCommand)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Seed of the set. Another seed gives other volumes.",
)
@click.option("--count", type=click.IntRange(1, 9999), default=1, show_default=True, help="How many cases.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["ome-tiff", "nifti"]),
    default="ome-tiff",
    show_default=True,
    help="Format of images and masks; both state the spacing.",
)
@click.option(
    "--classes",
    type=click.Choice(list(GENERATED_CLASSES)),
    default="vessel",
    show_default=True,
    help="Classes of the masks: 1 vessel; 1 artery and 2 vein; or 1 lumen and 2 wall.",
)
@click.option(
    "--axes",
    type=click.Choice(["zyx", "yx"]),
    default="zyx",
    show_default=True,
    help="zyx: volumes. yx: pictures of a slab of tissue seen along z, with defaults of their own.",
)
@click.option("--colour", is_flag=True, help="Pictures in red, green and blue, like those of a fundus camera.")
@click.option("--projection", is_flag=True, help="Write maximum projections along z: 2D images with 2D masks.")
@click.option("--json", "as_json", is_flag=True, help="Write the manifest as JSON.")
@_parameters
def synthesise(
    out: Path, seed: int, count: int, kind: Any, *, projection: bool, as_json: bool, **settings: Any
) -> None:
    """Make images of vessels with known truth in the folder OUT.

    Each case has an image, a mask of its classes and its vessel network. The network is written as SWC, with loops in
    comments, and as JSON, with loops, stenoses and leaks. synthesis.json contains the parameters, seeds and digests.
    The same seed and parameters give the same voxels and networks on every machine. An interrupted run continues where
    it stopped.
    """
    from minivess.workflows.data.synthesis import synthesise as make

    given = {name: value for name, value in settings.items() if value is not None}
    made = make(out, given, seed=seed, count=count, kind=kind, projection=projection, progress=Progress())
    if as_json:
        emit_json(made)
        return
    rows = [
        (
            case.id, f"{case.foreground_fraction:.3f}",
            *(f"{share:.3f}" for share in case.class_fractions.values()), case.branches, case.loops, f"{case.tortuosity:.2f}",
            case.stenoses, case.leaks,
        )
        for case in made.cases
    ]  # fmt: skip
    names = [one.name for one in made.classes] if len(made.classes) > 1 else []
    emit_table(("case", "foreground", *names, "branches", "loops", "tortuosity", "stenoses", "leaks"), rows)
    for name, wanted in (("stenoses", made.parameters.stenoses), ("leaks", made.parameters.leaks)):
        if short := sum(getattr(case, name) < wanted for case in made.cases):
            say(f"{short} of {count} cases have no room for {wanted} {name}: fewer were made")
