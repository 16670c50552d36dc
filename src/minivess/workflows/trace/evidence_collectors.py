"""Evidence that a project's workspace, log and release show: which names of the catalogue they make present.

What cannot be read or does not verify shows nothing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.compliance.items.items import Items
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.pack import SIGNATURES_CHECK, verify_pack
from minivess.compliance.verification.trust import Trust
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.ml.splits.splits import check_leakage
from minivess.records.data.dataset import DatasetManifest
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.items import Anomaly
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.workflows.session.bound_inputs import EVALUATION, BoundInputs
from minivess.workflows.session.project_state import ProjectState

_NOTES = "data/documents/release-notes.html"
_SCRIPT = "data/verify/verify.py"
_WAIT_S = 600


@implements("REQ-112")
def told_by_workspace(state: ProjectState) -> frozenset[str]:
    """The names of evidence that a project's workspace and log show."""
    project, found = _Project(state), set()
    for name, shows in _RULES.items():
        try:
            if shows(project):
                found.add(name)
        except (MinivessError, OSError):
            continue
    return frozenset(found)


class _Project:
    """What the rules look at, read once and when it is asked for."""

    def __init__(self, state: ProjectState) -> None:
        self.stated, self.workspace, self.state = state.project, state.workspace, state

    @cached_property
    def inputs(self) -> BoundInputs:
        """The files of the workspace, compared with the log."""
        return BoundInputs(self.workspace, self.state.facts.entries)

    @cached_property
    def history(self) -> LookHistory:
        """What the log says about the test set."""
        return self.state.facts.history

    @cached_property
    def manifest(self) -> DatasetManifest:
        """The cases."""
        return self.inputs.manifest

    @cached_property
    def evaluation(self) -> EvaluationRecord:
        """The outcome of the last opening."""
        return self.inputs.record(EVALUATION, EvaluationRecord)

    @cached_property
    def export(self) -> ExportRecord:
        """What was exported."""
        return self.inputs.export

    @cached_property
    def calibration(self) -> CalibrationRecord:
        """How it was calibrated."""
        return self.inputs.calibration

    def first(self, action: str) -> int | None:
        """Index of the first completed entry of an action."""
        found = self.state.facts.first(action)
        return None if found is None else found.body.index


def _log_verifies(project: _Project) -> bool:
    facts = project.state.facts
    return all(check.passed for check in verify_log(facts.pairs, facts.note)[0])


def _witnessed(project: _Project) -> bool:
    policy = project.stated.witnesses
    if policy is None:
        return False
    facts = project.state.facts
    checks, _ = verify_log(facts.pairs, facts.note, trust=Trust.of_register(facts.register, policy), quick=True)
    return all(check.passed for check in checks)


def _validated(project: _Project) -> bool:
    return not project.inputs.validation.blocked


def _disjoint(project: _Project) -> bool:
    check_leakage(project.manifest, project.inputs.split)
    return True


def _sealed(project: _Project) -> bool:
    _ = project.inputs.seal
    sealed, trained = project.first("data.seal"), project.first("training")
    before = sealed is not None and (trained is None or sealed < trained)
    return before and project.history.openings <= project.stated.evaluation.looks.total


def _model_stated(project: _Project) -> bool:
    return bool(project.calibration) and project.export.onnx == digest_file(project.workspace.onnx)


def _parity(project: _Project) -> bool:
    return _model_stated(project) and project.export.max_abs_difference <= project.export.tolerance


def _registered(project: _Project) -> bool:
    history = project.history
    return bool(history.criteria) and all(
        history.criteria[history.requests[opening.request].request.criteria] < opening.index
        for opening in history.opened
    )


def _evaluated(project: _Project) -> bool:
    made = project.evaluation
    met = any(look.opening.request == made.request and look.met for look in project.history.looks())
    return met and made.model == digest_file(project.workspace.onnx)


_RULES: dict[str, Callable[[_Project], bool]] = {
    "audit-log": _log_verifies,
    "log-witnessed": _witnessed,
    "lineage-delivered": lambda project: not project.state.log.pending_events(),
    "data-record": _validated,
    "split-disjoint": _disjoint,
    "test-set-sealed": _sealed,
    "model-record": _model_stated,
    "export-parity": _parity,
    "criteria-registered": _registered,
    "evaluation": _evaluated,
    "calibration": lambda project: bool(project.calibration and project.evaluation),
}


@implements("REQ-112")
def told_by_pack(state: ProjectState, items: Items) -> frozenset[str]:
    """The names of evidence that the pack of the project's version shows, if there is one."""
    device = state.project.device
    path = state.workspace.release(device.version) / f"{device.name}-{device.version}-evidence.zip"
    if not path.is_file():
        return frozenset()
    try:
        failed = {check.name for check in verify_pack(path).checks if not check.passed}
        if failed - {SIGNATURES_CHECK}:
            return frozenset()
        found = {"release-record", "sbom"}
        with zipfile.ZipFile(path) as archive:
            notes = archive.read(_NOTES).decode("utf-8")
            script = archive.read(_SCRIPT)
    except (MinivessError, OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile):
        return frozenset()
    known = items.of(Anomaly).values()
    if all(one.id in notes for one in known if one.status == "open"):
        found.add("anomalies-listed")
    if not failed:
        found.add("release-signed")
        if _verifies_alone(script, path):
            found.add("pack-verified")
    return frozenset(found)


def _verifies_alone(script: bytes, pack: Path) -> bool:
    """Whether the pack's own verifier agrees, under a bare interpreter."""
    with TemporaryDirectory() as folder:
        alone = Path(folder) / "verify.py"
        alone.write_bytes(script)
        command = [sys.executable, "-I", "-S", str(alone), str(pack)]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=_WAIT_S).returncode == 0
        except subprocess.TimeoutExpired:
            return False
