"""Running the checks, and what is written and recorded about them."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import minivess
from minivess.compliance.documents.rendering import plural
from minivess.compliance.identity.signer import Signer
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import Digest, digest_file, digest_json
from minivess.foundation.files import make_folder, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.foundation.provenance import environment_digest
from minivess.records.device.preparation import Tool
from minivess.records.device.qualification import (
    FORMAT,
    CheckKind,
    CheckOutcome,
    QualificationReport,
    QualifiedEnvironment,
)
from minivess.records.sinks import Progress
from minivess.workflows.qualification.known_answers import KNOWN_ANSWERS
from minivess.workflows.qualification.outcomes import CheckRow, Comparisons
from minivess.workflows.qualification.phantoms import PHANTOMS
from minivess.workflows.qualification.report_page import report_page
from minivess.workflows.qualification.tampering import TAMPERING
from minivess.workflows.qualification.tool_functions import tool_functions
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

CHECKS: Mapping[CheckKind, tuple[CheckRow, ...]] = {
    "phantom": PHANTOMS,
    "known answer": KNOWN_ANSWERS,
    "tampering": TAMPERING,
}
"""Every check, by kind."""
ACTION = "tool.qualified"
REPORT, PAGE = "report.json", "report.html"
_OWN = "minivess"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""The beginning of a dependency specifier (PEP 508)."""
_SHOWN = 300
"""Characters of a difference that are shown."""


@implements("REQ-590", "RC-250")
def run_checks(progress: Progress = lambda *_: None) -> tuple[CheckOutcome, ...]:
    """Every check, in order. An error inside a check is a check that did not pass."""
    rows = [(kind, row) for kind, several in CHECKS.items() for row in several]
    found = []
    for number, (kind, row) in enumerate(rows):
        progress(row.title, number, len(rows))
        found.append(_outcome(kind, row))
    progress("checks", len(rows), len(rows))
    return tuple(found)


@implements("REQ-591")
def make_report(
    checks: Iterable[CheckOutcome], *, project: str | None, time: datetime, source: Path | None
) -> QualificationReport:
    """The report of checks that were made here.

    Args:
        checks: what they found.
        project: the device for which they were made; None: outside of a project.
        time: when.
        source: the source tree with the lock file.
    """
    return QualificationReport(
        format=FORMAT,
        tool=Tool(name=_OWN, version=version(_OWN)),
        code=code_digest(),
        project=project,
        time=time,
        environment=_environment(source),
        functions=tool_functions(),
        checks=tuple(checks),
    )


@implements("REQ-591")
def qualify_alone(out: Path, progress: Progress = lambda *_: None) -> QualificationReport:
    """Check this software outside of a project; write the report into a folder. Nothing is signed.

    Raises:
        CannotWriteError: the report cannot be written.
    """
    report = make_report(run_checks(progress), project=None, time=utc_now(), source=None)
    _write(report, out)
    return report


@implements("REQ-591")
def qualify(services: Services, signer: Signer) -> QualificationReport:
    """Check this software in a project; write the report into it, and record it with a signature.

    Raises:
        CannotWriteError: the report cannot be written.
        RefusedError, CouldNotCheckError: as `recorded`.
    """
    workspace = Workspace(services.workspace)
    with recorded(services, ACTION, signer) as record:
        device = services.project.device
        report = make_report(
            run_checks(services.progress),
            project=f"{device.name} {device.version}",
            time=services.clock(),
            source=services.source,
        )
        _write(report, workspace.qualification)
        for name in (REPORT, PAGE):
            record.output(workspace.name(workspace.qualification / name), workspace.qualification / name)
        passed = len(report.checks) - len(report.failed)
        record.payload(tool=report.tool, code=report.code, passed=passed, failed=len(report.failed))
    return report


def code_digest() -> Digest:
    """Of the names and digests of this software's files, as they are installed."""
    roots = {"": Path(str(minivess.__path__[0])), "templates/": templates_folder()}
    return digest_json(
        {
            f"{prefix}{path.relative_to(root).as_posix()}": digest_file(path)
            for prefix, root in roots.items()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.suffix != ".pyc"
        }
    )


def _outcome(kind: CheckKind, row: CheckRow) -> CheckOutcome:
    found = Comparisons()
    try:
        row.run(found)
    except ModuleNotFoundError as error:
        found.wrong.append(f"not run, because {error.name} is not installed: pip install 'minivess[ml]'")
    except Exception as error:
        found.wrong.append(f"it ended with {type(error).__name__}: {error}")
    if not found.number and not found.wrong:
        found.wrong.append("nothing was compared")
    detail = plural(found.number, "comparison")
    if found.wrong:
        detail = f"{len(found.wrong)} wrong: {found.wrong[0][:_SHOWN]}"
    return CheckOutcome(
        name=row.name, kind=kind, title=row.title, compared=found.number, passed=not found.wrong, detail=detail
    )


def _environment(source: Path | None) -> QualifiedEnvironment:
    return QualifiedEnvironment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine() or "unknown",
        libraries=dict(_libraries()),
        lock=None if source is None else environment_digest(source),
    )


def _libraries() -> Iterable[tuple[str, str]]:
    """Each library that this software names as its need and that is installed, with its version."""
    names = {match[0] for line in requires(_OWN) or () if (match := _NAME.match(line))}
    for name in sorted(names, key=str.casefold):
        try:
            yield name, version(name)
        except PackageNotFoundError:  # of an extra that was not chosen
            continue


def _write(report: QualificationReport, folder: Path) -> None:
    make_folder(folder)
    write_text_atomic(folder / REPORT, report.model_dump_json(indent=1) + "\n")
    write_text_atomic(folder / PAGE, report_page(report))
