"""Effectiveness by mutation: without a risk control, its scenarios must fail (ISO 14971:2019 7.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from minivess.compliance.items.items import Items, load_items
from minivess.compliance.results.result_files import is_of, judge, read_report
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import SourceVersion
from minivess.records.items.risk_items import RiskControl
from minivess.records.items.trace import Drilled, ResultReport
from minivess.workflows.trace.pytest_runs import FAILED, PASSED, results_of, run_without, start_scenarios

if TYPE_CHECKING:
    from minivess.compliance.identity.signer import Signer
    from minivess.workflows.session.services import Services

Progress = Callable[[str, int, int], None]


@implements("REQ-073")
def drill(
    source: Path,
    *,
    only: Collection[str] = (),
    report: ResultReport | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[Drilled, ...]:
    """Take away each control that declares a switch, one after the other, and run the scenarios that carry its id.

    Args:
        source: the source tree.
        only: ids of controls; by default all that declare a switch.
        report: results of this tree with the controls in place; without them the scenarios are run once for that.
        progress: hears which one is next, how many are done, and of how many.

    Raises:
        UsageError: a control is not known or declares no switch; or nothing declares one.
        CouldNotCheckError: pytest could not run, or the scenarios fail with the control in place.
    """
    chosen = _chosen(load_items(source), only)
    if report is None:
        progress("all in place", 0, len(chosen) + 1)
        report = _in_place(source, [control.id for control in chosen])
    found = []
    for number, control in enumerate(chosen):
        progress(f"without {control.id}", number, len(chosen))
        found.append(_drilled(source, control, report))
    progress("drill", len(chosen), len(chosen))
    return tuple(found)


@implements("REQ-073")
def record_drill(services: Services, signer: Signer, *, only: Collection[str] = ()) -> tuple[Drilled, ...]:
    """`drill`, with what came out written beside the results of the tree and signed.

    Raises:
        UsageError: there are no recorded results of the tree as it stands; or as `drill`.
        CouldNotCheckError: as `drill`, or the tree changed meanwhile.
    """
    from minivess.workflows.session.recording import recorded  # a database, which a tree alone does not need

    path, source = Workspace(services.workspace).results, services.source
    with recorded(services, "risk.drill", signer) as record:
        report = read_report(path) if path.is_file() else None
        if report is None or not is_of(report, SourceVersion(source)):
            raise UsageError("there are no results of this source tree", hint="`minivess trace run` records them")
        found = drill(source, only=only, report=report, progress=services.progress)
        if not is_of(report, SourceVersion(source)):
            raise CouldNotCheckError("the source tree changed while its controls were drilled")
        all_ = {one.control: one for one in (*report.drilled, *found)}
        made = report.model_copy(update={"drilled": tuple(all_[name] for name in sorted(all_))})
        write_text_atomic(path, made.model_dump_json(indent=1) + "\n")
        counts = Counter(one.outcome for one in found)
        record.output("verification/results.json", path)
        record.payload(noticed=counts["noticed"], unnoticed=len(found) - counts["noticed"], tree=report.tree)
    return found


def _chosen(items: Items, only: Collection[str]) -> list[RiskControl]:
    for name in only:
        control = items.controls.get(name)
        if control is None or control.switch is None:
            what = f"there is no risk control {name}" if control is None else f"{name} declares no switch"
            raise UsageError(what, hint="`switch: {call: package.module.function, gives: nothing}` in risk/")
    able = [one for one in items.controls.values() if one.switch is not None and (not only or one.id in only)]
    if not able:
        raise UsageError("no risk control declares a switch", hint="see `switch` in docs/schemas/risk.json")
    return able


def _in_place(source: Path, controls: Collection[str]) -> ResultReport:
    """The results of the scenarios of controls, with all of them in place."""
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        process = start_scenarios(source, results, tester="risk drill", only=controls)
        return results_of(process, results)


def _drilled(source: Path, control: RiskControl, report: ResultReport) -> Drilled:
    assert control.switch is not None  # noqa: S101  for the type checker: only those were chosen
    switch = f"{control.switch.call}={control.switch.gives}"
    results = [one for one in report.results if one.scenario is not None and control.id in one.ids]
    if not results:
        return Drilled(control=control.id, outcome="no scenario", switch=switch, said="no scenario carries its id")
    if judge(results) != "passed":
        missing = next(one.name for one in results if one.outcome != "passed")
        raise CouldNotCheckError(
            f"the scenarios of {control.id} do not pass with the control in place: {missing}",
            hint="correct them first; `minivess trace run` shows the results",
        )
    status, said = run_without(source, switch, [one.node for one in results])
    if status not in (PASSED, FAILED):
        raise CouldNotCheckError(f"{control.id} cannot be removed: {said}", hint="look at its `switch`")
    outcome: Literal["noticed", "unnoticed"] = "noticed" if status == FAILED else "unnoticed"
    return Drilled(control=control.id, outcome=outcome, switch=switch, said=said)
