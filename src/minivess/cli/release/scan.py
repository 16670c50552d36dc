"""`minivess release scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.components.scan import Scan


@click.command(cls=Command)
@click.option(
    "--osv", type=click.Path(path_type=Path, dir_okay=False), help="A snapshot of the OSV database: zip or JSON."
)
@json_option
@click.pass_obj
@implements("REQ-533")
def scan(project: Path, osv: Path | None, as_json: bool) -> None:
    """Look up the locked packages in a database of advisories.

    Without --osv the newest snapshot for PyPI is fetched from osv.dev. The result stays in the workspace. `minivess
    release check` and the pack use it for this lock file alone, and state how old the database was. Statements in
    risk/vex.yaml close what does not affect the device.
    """
    from minivess.cli.session import reader_of
    from minivess.workflows.release.vulnerability_scan import scan_packages

    with reader_of(project) as services:
        outcome = scan_packages(services, osv)
    found, judged, review = outcome.scan, outcome.judged, outcome.review
    checked = review.vulnerabilities
    stops = () if checked is None else checked.offenders
    if as_json:
        emit_json({"scan": found.model_dump(mode="json"), "review": review.model_dump(mode="json")})
        return
    if judged:
        emit_table(
            ("vulnerability", "package", "severity", "corrected in", "ships", "state"),
            [
                (
                    one.finding.id,
                    f"{one.finding.package} {one.finding.version}",
                    one.finding.severity,
                    ", ".join(one.finding.fixed[:3]) or "-",
                    "yes" if one.finding.ships else "no",
                    "no statement" if one.statement is None else one.statement.state,
                )
                for one in judged
            ],
        )
    for line in _summary(found, review.snapshot_days or 0):
        click.echo(line)
    for note in () if checked is None else checked.notes:
        click.echo(f"note: {note}")
    click.echo(f"Against a release: {len(stops)}")
    for one in stops:
        click.echo(f"  {one}")


def _summary(found: Scan, days: int) -> tuple[str, ...]:
    ships = sum(one.ships for one in found.findings)
    return (
        f"{len(found.findings)} vulnerabilities in {found.looked_at} locked packages, {ships} of them in the "
        f"{found.shipped} packages that ship",
        f"database: {found.snapshot.source}, {found.snapshot.advisories} advisories, {days} days old, {found.snapshot.digest}",
    )
