"""Where the collectors of evidence look in a project: its workspace, its log and the pack of its version."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from minivess.compliance.facts.attested import open_anomalies
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.trace.tree import Tree
from minivess.compliance.verification.pack import verify_pack
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.splits.splits import check_leakage
from minivess.records.data.validation import ValidationReport
from minivess.records.device.project import Project
from minivess.records.device.workspace_files import EVALUATION
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_state import ProjectState

_NOTES = "data/documents/release-notes.html"
_SCRIPT = "data/verify/verify.py"
_WAIT_S = 600


class EvidenceState(Protocol):
    """A workspace with its project and its log, wherever they came from."""

    @property
    def workspace(self) -> Workspace:
        """Where the files are."""

    @property
    def project(self) -> Project:
        """The project file."""

    @property
    def facts(self) -> LogFacts:
        """The log."""

    @property
    def undelivered(self) -> int:
        """Lineage events that wait to be delivered."""


@implements("REQ-112")
class ProjectEvidence:
    """The workspace and the log of a project, as `WorkspaceEvidence` describes them; each part is read once."""

    def __init__(self, state: EvidenceState) -> None:
        self._state = state

    @property
    def project(self) -> Project:
        """The project file."""
        return self._state.project

    @property
    def log(self) -> LogFacts:
        """The log."""
        return self._state.facts

    @property
    def undelivered(self) -> int:
        """Lineage events that wait to be delivered."""
        return self._state.undelivered

    @cached_property
    def inputs(self) -> BoundInputs:
        """The files of the workspace, compared with the log."""
        return BoundInputs(self._state.workspace, self.log.entries)

    @property
    def validation(self) -> ValidationReport:
        """What validation found about the cases."""
        return self.inputs.validation

    @cached_property
    def onnx(self) -> str:
        """Digest of the exported graph."""
        return digest_file(self._state.workspace.onnx)

    @property
    def model(self) -> str:
        """Digest of the exported model."""
        return self.inputs.model.digest

    @property
    def export(self) -> ExportRecord:
        """What was exported."""
        return self.inputs.export

    @property
    def calibration(self) -> CalibrationRecord:
        """How it was calibrated."""
        return self.inputs.calibration

    @cached_property
    def evaluation(self) -> EvaluationRecord:
        """The outcome of the last look at the test set."""
        return self.inputs.record(EVALUATION, EvaluationRecord)

    def check_seal(self) -> None:
        """Compare the manifest of the sealed test part with the split and the log."""
        _ = self.inputs.seal

    def check_leakage(self) -> None:
        """Refuse a split in which a subject or an acquisition is in two parts."""
        check_leakage(self.inputs.manifest, self.inputs.split)


@implements("REQ-515", "RC-213")
class PackBeingBuilt:
    """The pack that a build is writing, as `PackEvidence` describes it.

    The build stops unless each check but that of the signatures holds, and unless the release notes name each open anomaly, so
    both count before the pack is there. Signatures and the verification of the delivered pack come later and do not count.
    """

    failed = frozenset({"release signatures"})
    verifies_alone = False

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @property
    def release_notes(self) -> str:
        """The open anomalies, which `check_anomalies_listed` compares with the page."""
        return " ".join(open_anomalies(self._tree))


class ReleasePack:
    """The evidence pack of a release, as `PackEvidence` describes it; each part is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, state: ProjectState) -> ReleasePack | None:
        """The pack of the version that the project file names; None before it is built."""
        device = state.project.device
        path = state.workspace.release(device.version) / f"{device.name}-{device.version}-evidence.zip"
        return cls(path) if path.is_file() else None

    @cached_property
    def failed(self) -> frozenset[str]:
        """Names of the checks that do not hold."""
        return frozenset(check.name for check in verify_pack(self._path).checks if not check.passed)

    @cached_property
    def release_notes(self) -> str:
        """The page of the release notes."""
        return self._read(_NOTES).decode("utf-8")

    @cached_property
    def verifies_alone(self) -> bool:
        """Whether the pack's own verifier accepts it under an interpreter without this software."""
        with TemporaryDirectory() as folder:
            alone = Path(folder) / "verify.py"
            alone.write_bytes(self._read(_SCRIPT))
            command = [sys.executable, "-I", "-S", str(alone), str(self._path)]
            try:
                return subprocess.run(command, capture_output=True, check=False, timeout=_WAIT_S).returncode == 0
            except subprocess.TimeoutExpired:
                return False

    def _read(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(name)
        except zipfile.BadZipFile as error:
            raise OSError(f"{self._path.name} is no archive") from error
