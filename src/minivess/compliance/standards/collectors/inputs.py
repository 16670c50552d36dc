"""Where collectors look: the source tree, the signatures of the log, the workspace and the pack of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.standards.catalogue import SafetyClass
from minivess.compliance.standards.collectors.item_facts import ItemFacts
from minivess.compliance.standards.collectors.source_files import dependencies
from minivess.compliance.trace.tree import Tree
from minivess.records.data.validation import ValidationReport
from minivess.records.device.project import Project
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import Signature
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord


class WorkspaceEvidence(Protocol):
    """The workspace and the log of a project. Each file is compared with the log when it is asked for.

    What cannot be read, or is not what the log names, raises `MinivessError` or `OSError`.
    """

    @property
    def project(self) -> Project:
        """The project file."""

    @property
    def log(self) -> LogFacts:
        """The log."""

    @property
    def undelivered(self) -> int:
        """Lineage events that wait to be delivered."""

    @property
    def validation(self) -> ValidationReport:
        """What validation found about the cases."""

    @property
    def onnx(self) -> str:
        """Digest of the exported graph."""

    @property
    def model(self) -> str:
        """Digest of the exported model, by which the log names it."""

    @property
    def export(self) -> ExportRecord:
        """What was exported."""

    @property
    def calibration(self) -> CalibrationRecord:
        """How it was calibrated."""

    @property
    def evaluation(self) -> EvaluationRecord:
        """The outcome of the last look at the test set."""

    def check_seal(self) -> None:
        """Compare the manifest of the sealed test part with the split and the log."""

    def check_leakage(self) -> None:
        """Refuse a split in which a subject or an acquisition is in two parts."""


class PackEvidence(Protocol):
    """The evidence pack of a release. What cannot be read raises `MinivessError`, `OSError` or `ValueError`."""

    @property
    def failed(self) -> frozenset[str]:
        """Names of the checks that do not hold."""

    @property
    def release_notes(self) -> str:
        """The page of the release notes."""

    @property
    def verifies_alone(self) -> bool:
        """Whether the pack's own verifier accepts it under an interpreter without this software."""


@dataclass(frozen=True)
class EvidenceSources:
    """Everything that collectors may look at."""

    tree: Tree
    safety_class: SafetyClass
    """Of the device (IEC 62304 4.3)."""
    signatures: tuple[Signature, ...] = ()
    """Those of the log; without a log nothing counts as signed."""
    workspace: WorkspaceEvidence | None = None
    """None for a tree without a project."""
    pack: PackEvidence | None = None
    """None before a release is built."""
    locked: Mapping[str, str] = field(default_factory=dict)
    """Versions of packages by name, as the lock file has them; none without a lock file that can be read."""

    @cached_property
    def item_facts(self) -> ItemFacts:
        """The items of the tree, with the dependencies of the product."""
        return ItemFacts.of_items(
            self.tree.items.all(),
            safety_class=self.safety_class,
            dependencies=dependencies(self.tree.source),
            locked=self.locked,
        )


Collector = Callable[[EvidenceSources], bool]
"""Says whether a kind of evidence is there."""
