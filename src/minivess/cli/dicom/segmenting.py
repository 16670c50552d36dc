"""`minivess dicom segment`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.dicom.engines import SITE, Place, opened_engine
from minivess.cli.groups import LongCommand
from minivess.cli.rendering import Progress, emit_json, emit_table, json_option
from minivess.cli.serving.places import ADMISSION, ADMISSION_DAYS, TRUST
from minivess.records.dicom_report import DicomReport

SITE_OPTION = click.option(
    "--site", default=SITE, show_default=True, help="Names the log that the answers are recorded in."
)


@click.command(cls=LongCommand)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@SITE_OPTION
@ADMISSION
@ADMISSION_DAYS
@TRUST
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with a copy of the exported model that answers; it has to be the model in production.",
)
@json_option
@click.pass_context
def segment(
    context: click.Context,
    source: Path,
    out: Path,
    site: str,
    model: Path | None,
    *,
    admission: Path | None,
    admission_days: int,
    trust: Path | None,
    as_json: bool,
) -> None:
    """Segment each DICOM series in folder IN, into OUT.

    OUT has to be new or empty. It gets report.json and, for each answered series, a folder with segmentation.dcm and
    receipt.json. Series are answered one by one by the model in production, on the CPU, and each answer is an entry of
    the serving log before it is written. The exit code is 1 when a series was refused or there was none.

    OUT names series and patients as IN does: keep both alike.
    """
    from minivess.workflows.dicom.folder import segment_folder
    from minivess.workflows.dicom.series import SeriesLimits

    place = Place(context.obj, site, admission, trust, admission_days)
    with opened_engine(place, model) as engine:
        report = segment_folder(engine, source, out, limits=SeriesLimits(), progress=Progress())
    if as_json:
        emit_json(report)
    else:
        _show(report)
    if not report.all_answered:
        context.exit(1)


def _show(report: DicomReport) -> None:
    """A line for each series, and for each file that could not be read."""
    rows = [
        (
            one.number,
            one.files,
            one.decision,
            "-" if one.entry is None else one.entry,
            one.folder or "; ".join(one.reasons),
        )
        for one in report.series
    ]
    unread = [("-", 1, "refused", "-", f"{one.file}: {one.reason}") for one in report.unreadable]
    emit_table(("series", "files", "decision", "entry", "where, or why not"), [*rows, *unread])
