"""Evidence that a project's workspace, log and release show: which names of the catalogue they make present.

What cannot be read or does not verify shows nothing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.compliance.audit.test_set import TestSetHistory
from minivess.compliance.traceability.items import load_items
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.pack import SIGNATURES_CHECK, verify_pack
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.datasets.splits import check_leakage
from minivess.records.entry import Outcome
from minivess.records.evaluation import EvaluationRecord
from minivess.records.items import Anomaly
from minivess.records.model import ExportRecord
from minivess.records.validation import ValidationReport
from minivess.workflows.data import manifest_of, read_json, seal_of, split_of
from minivess.workflows.modelling import calibration_of
from minivess.workflows.services import Services

_NOTES = "data/documents/release-notes.html"
_SCRIPT = "data/verify/verify.py"
_WAIT_S = 600


@implements("REQ-112")
def told_by_workspace(services: Services) -> frozenset[str]:
    """The names of evidence that a project's workspace and log show."""
    found = set()
    for name, shows in _RULES.items():
        try:
            if shows(services):
                found.add(name)
        except (MinivessError, OSError, zipfile.BadZipFile):
            continue
    return frozenset(found)


def _log_verifies(services: Services) -> bool:
    return all(check.passed for check in verify_log(services.log.pairs(), services.log.checkpoint())[0])


def _witnessed(services: Services) -> bool:
    policy = services.project.witnesses
    if policy is None:
        return False
    checks, _ = verify_log(services.log.pairs(), services.log.checkpoint(), witnesses=policy, quick=True)
    return all(check.passed for check in checks)


def _validated(services: Services) -> bool:
    workspace = Workspace(services.workspace)
    report = read_json(workspace, "data/validation.json", ValidationReport, hint="minivess data validate")
    return not report.blocked and report.dataset == manifest_of(workspace).root


def _disjoint(services: Services) -> bool:
    workspace = Workspace(services.workspace)
    check_leakage(manifest_of(workspace), split_of(workspace))
    return True


def _sealed(services: Services) -> bool:
    seal_of(Workspace(services.workspace))
    sealed, trained = _first(services, "data.seal"), _first(services, "training")
    openings = TestSetHistory.fold(services.log.entries()).openings
    before = sealed is not None and (trained is None or sealed < trained)
    return before and openings <= services.project.evaluation.looks.total


def _exported(services: Services) -> ExportRecord:
    workspace = Workspace(services.workspace)
    return read_json(workspace, "models/export.json", ExportRecord, hint="minivess model export")


def _model_stated(services: Services) -> bool:
    workspace = Workspace(services.workspace)
    calibration_of(workspace)
    return _exported(services).onnx == digest_file(workspace.onnx)


def _parity(services: Services) -> bool:
    exported = _exported(services)
    return _model_stated(services) and exported.max_abs_difference <= exported.tolerance


def _registered(services: Services) -> bool:
    history = TestSetHistory.fold(services.log.entries())
    return bool(history.criteria) and all(
        history.criteria[history.requests[opening.request].request.criteria] < opening.index
        for opening in history.opened
    )


def _evaluated(services: Services) -> bool:
    workspace = Workspace(services.workspace)
    made = read_json(workspace, "evidence/evaluation/evaluation.json", EvaluationRecord, hint="minivess evaluate")
    looks = TestSetHistory.fold(services.log.entries()).looks()
    met = any(look.opening.request == made.request and look.met for look in looks)
    return met and made.model == digest_file(workspace.onnx)


def _calibrated(services: Services) -> bool:
    workspace = Workspace(services.workspace)
    calibration_of(workspace)
    read_json(workspace, "evidence/evaluation/evaluation.json", EvaluationRecord, hint="minivess evaluate")
    return True


def _first(services: Services, action: str) -> int | None:
    entries = (one for one in services.log.entries(actions={action}) if one.body.outcome is Outcome.COMPLETED)
    return next((one.body.index for one in entries), None)


_RULES: dict[str, Callable[[Services], bool]] = {
    "audit-log": _log_verifies,
    "log-witnessed": _witnessed,
    "lineage-delivered": lambda services: not services.log.pending_events(),
    "data-record": _validated,
    "split-disjoint": _disjoint,
    "test-set-sealed": _sealed,
    "model-record": _model_stated,
    "export-parity": _parity,
    "criteria-registered": _registered,
    "evaluation": _evaluated,
    "calibration": _calibrated,
}


@implements("REQ-112")
def told_by_pack(services: Services) -> frozenset[str]:
    """The names of evidence that the pack of the project's version shows, if there is one."""
    device = services.project.device
    path = Workspace(services.workspace).release(device.version) / f"{device.name}-{device.version}-evidence.zip"
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
    known = load_items(services.source).of(Anomaly).values()
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
