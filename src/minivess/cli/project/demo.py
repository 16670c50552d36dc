"""`minivess demo`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import Progress, say
from minivess.cli.sealed.measures import emit_measures


@click.command(cls=Command)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="The folder. An earlier demo there is replaced; anything else is left alone.",
)
@click.pass_obj
def demo(project: Path, folder: Path) -> None:
    """Run the whole workflow with made-up people in a new folder.

    Data, training, guarded evaluation, service, signed pack and verdict. Takes a few minutes on two cores.
    Everything is real except the people: their keys are throw-away demo keys.
    """
    say("DEMO: made-up people with throw-away keys, synthetic volumes. Nothing made here is fit for any medical use.")
    from minivess.workflows.project import demo as workflow

    summary = workflow.run(project, folder, say=say, progress=Progress())
    click.echo()
    if summary.evaluation is not None:
        emit_measures(summary.evaluation)
    click.echo()
    for label, text in (
        ("Ada on her own", f"refused: {summary.refused}"),
        ("Scenarios", summary.scenarios),
        ("Service", summary.service),
        ("Log", f"{summary.entries} signed entries"),
        ("Pack", summary.pack),
        ("Verdict", summary.verdict),
        ("Time", f"{summary.seconds:.0f} s"),
        ("Open this page", summary.page),
    ):
        click.echo(f"{label:>15}  {text}")
