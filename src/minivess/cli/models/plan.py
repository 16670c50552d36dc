"""`minivess plan`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, json_option, say
from minivess.cli.session import reader_of

if TYPE_CHECKING:
    from minivess.records.models.plan import Plan, PlannedLine

_MARKS = {"proposed": "+", "same": "=", "kept": "=", "advice": " "}


@click.command(cls=LongCommand)
@click.option(
    "--write", is_flag=True, help="Write the proposed lines into minivess.yaml. Its other lines stay as they are."
)
@click.option("--replace", is_flag=True, help="Plan also the fields that minivess.yaml states, and replace them.")
@click.option("--memory", help="Memory that training may take, for example 8GB. Default: the memory at hand.")
@json_option
@click.pass_obj
def plan(project: Path, write: bool, replace: bool, memory: str | None, as_json: bool) -> None:
    """Propose spacing, network, training and measures, with reasons.

    The plan follows from the training part, or from all cases where there is no split yet, and from the memory at hand.
    Fields that minivess.yaml states are kept, and the others are planned around them.
    """
    from minivess.workflows.models import plan as workflow

    with reader_of(project) as reader:
        proposed = workflow.plan(reader, memory=_bytes(memory), replace=replace)
        changed = workflow.write_plan(reader, proposed) if write else False
    if as_json:
        emit_json(proposed)
    else:
        _show(proposed)
    for remark in proposed.remarks:
        say(f"note: {remark}")
    if write:
        say("wrote the lines marked + into minivess.yaml" if changed else "minivess.yaml is unchanged")
    elif any(line.writes for line in proposed.lines):
        say("`minivess plan --write` writes the lines marked +")


def _bytes(text: str | None) -> int | None:
    if text is None:
        return None
    from minivess.workflows.models.plan import memory_size

    return memory_size(text)


def _show(proposed: Plan) -> None:
    from minivess.workflows.models.plan import memory_sentence

    for sentence in (f"data: {proposed.data}", memory_sentence(proposed)):
        click.echo("\n".join(textwrap.wrap(sentence, 78, subsequent_indent="  ")))
    click.echo()
    advice = [line for line in proposed.lines if line.state == "advice"]
    for line in proposed.lines:
        if line.state != "advice":
            _show_line(line)
    if advice:
        click.echo("\nAdvice, which no field of minivess.yaml states:")
    for line in advice:
        _show_line(line)


def _show_line(line: PlannedLine) -> None:
    from minivess.records.models.plan import in_yaml

    other = ""
    if line.instead is not None:
        other = (
            f"   (instead of {in_yaml(line.instead)})" if line.writes else f"   (a plan alone: {in_yaml(line.instead)})"
        )
    click.echo(f"{_MARKS[line.state]} {line.place}: {line.text}{other}")
    click.echo(f"    {line.reason}")
