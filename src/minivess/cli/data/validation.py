"""`minivess data validate` and `minivess data profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, recorder_at_hand, services_of, signer_of
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.data.profile import Spread


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def validate(project: Path, actor: str | None, as_json: bool) -> None:
    """Run the rules over the cases; exit 1 when a finding blocks.

    Writes data/validation.html to read, data/validation.json and data/profile.json. `data.rules` in minivess.yaml
    changes the severity of a rule. No passphrase is needed. The result is recorded in the log when --as names who
    records it, or the passphrases are in the environment; otherwise `data split` validates again and records it.
    """
    from minivess.records.data.findings import changes, lines
    from minivess.workflows.data import validation as workflow

    who = recorder_at_hand(project, actor, Role.DEVELOPER)
    if who is None:
        with reader_of(project) as reader:
            report = workflow.run_rules(reader)
    else:
        with services_of(project) as services:
            report = workflow.validate(services, signer_of(services, who))
    if as_json:
        emit_json(report)
    else:
        for line in lines(workflow.by_rule(report)):
            click.echo(line)
    say(
        f"{len(report.rules)} rules over {report.cases} cases, {len(report.findings)} findings; read data/validation.html"
    )
    if who is None:
        say("not recorded in the log yet: `minivess data split` does that, or this command with --as")
    for line in changes(report.changed):
        say(line)
    if report.blocked:
        raise click.exceptions.Exit(1)


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def profile(project: Path, actor: str | None, as_json: bool) -> None:
    """Describe the images in figures, as the reference for drift.

    They are written to data/profile.json.
    """
    from minivess.workflows.data import profile as workflow

    with services_of(project) as services:
        figures = workflow.profile(services, signer_of(services, actor, Role.DEVELOPER))
    if as_json:
        emit_json(figures)
        return
    rows = [
        (
            group.kind,
            group.name,
            group.cases,
            _words(group.intensity["p50"]),
            _words(group.foreground, 100),
            _words(group.snr),
            _words(group.cnr),
            _words(group.sharpness),
        )
        for group in figures.groups
    ]
    emit_table(("group", "name", "cases", "intensity", "foreground %", "SNR", "CNR", "sharpness"), rows)
    say("medians over cases, with the smallest and the largest; all figures are in data/profile.json")


def _words(spread: Spread | None, factor: float = 1) -> str:
    if spread is None:
        return "undefined"
    median, low, high = (factor * value for value in (spread.median, spread.minimum, spread.maximum))
    return f"{median:.3g} ({low:.3g}–{high:.3g})"
