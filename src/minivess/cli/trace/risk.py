"""`minivess risk`: the risk file, computed; and the drill of its controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Group
from minivess.cli.rendering import Progress, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.cli.trace.tree_options import source_option
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.records.people.roles import Role
from minivess.workflows.trace.source_trees import source_of

if TYPE_CHECKING:
    from minivess.workflows.risk.risk_file import OverallRisk


@click.group(cls=Group)
def risk() -> None:
    """Compute the risk file and test its controls."""


@risk.command()
@source_option
@json_option
@click.pass_obj
def report(project: Path, source: Path | None, as_json: bool) -> None:
    """Compute every risk before and after control.

    Exit code 1 when one is not acceptable.
    """
    from minivess.workflows.risk.risk_file import risk_file_of

    file = risk_file_of(source_of(project, source))
    if as_json:
        emit_json(file.to_json())
    else:
        emit_table(("risk", "title", "initial", "residual", "controls", "verdict"), file.rows())
        for line in _overall(file.overall()):
            say(line)
    say(f"{len(file.risks)} risks" if file.risks else "there is no risk in risk/, so that nothing was judged")
    if not file.acceptable or not file.risks:
        raise click.exceptions.Exit(1)


def _overall(found: OverallRisk) -> list[str]:
    """The overall residual risk in lines."""
    counts = "; ".join(f"{name} {before} → {found.residual[name]}" for name, before in found.initial.items())
    lines = [f"risks at each level, before → after control: {counts}"]
    lines += [
        f"{harm} can follow from {len(risks)} risks that remain: judge them together"
        for harm, risks in found.together.items()
    ]
    if found.told:
        lines.append(f"inform users of {len(found.told)} residual risks")
    return [*lines, f"overall: {found.method}"]


@risk.command("drill")
@click.argument("controls", nargs=-1)
@source_option
@json_option
@actor_option
@click.pass_obj
@implements("REQ-073")
def drill_controls(
    project: Path, controls: tuple[str, ...], source: Path | None, as_json: bool, actor: str | None
) -> None:
    """Remove risk controls one by one; check that a scenario fails.

    Exit code 1 when no scenario of a control fails without it. In a project the outcome is kept beside the results of
    `trace run`, with a signed entry. Of another tree (--source) it is only shown.
    """
    from minivess.workflows.risk.control_drill import drill, record_drill

    if source is None and (project / PROJECT_FILE).is_file():
        with services_of(project) as services:
            found = record_drill(services, signer_of(services, actor, Role.DEVELOPER), only=controls)
    else:
        found = drill(source_of(project, source), only=controls, progress=Progress())
    if as_json:
        emit_json({"controls": [one.model_dump(mode="json") for one in found]})
    else:
        rows = [(one.control, one.outcome, one.switch, one.said) for one in found]
        emit_table(("control", "outcome", "removed by", "result of pytest"), rows)
    missed = [one for one in found if one.outcome != "noticed"]
    say(f"For {len(found) - len(missed)} of {len(found)} controls, a scenario fails without the control.")
    if missed or not found:
        raise click.exceptions.Exit(1)
