"""Everything a release is judged by and built from: the source tree and the log, each read once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from minivess.compliance.facts.source_state import read_source_state
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.trace.tree import Tree
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.source_state import SourceState
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_state import artifact_digests
from minivess.workflows.session.services import WorkspaceReader


@dataclass(frozen=True)
class ReleaseFacts:
    """One state of the source tree and of the log."""

    tree: Tree
    log: LogFacts
    source_state: SourceState
    """Commit, git tree and submodules of the source tree, and what differs from them."""

    @classmethod
    @implements("REQ-193")
    def read(cls, services: WorkspaceReader) -> Self:
        """Read the source tree, with recorded results where there are some, and the log.

        Raises:
            InputError: a file is missing or malformed, with file and line.
            VerificationError: the log's key did not sign its entries.
            CouldNotCheckError: git cannot compare the source tree with its commit.
        """
        workspace, log = Workspace(services.workspace), services.log.facts()
        tree = Tree.read(
            services.source,
            today=services.clock().date(),
            results=workspace.results if workspace.results.is_file() else None,
            artifacts=artifact_digests(services.project, workspace, log),
        )
        return cls(tree, log, read_source_state(tree.version, tree.graph.report))

    def followed(self, services: WorkspaceReader) -> Self:
        """The same tree, and the log with the entries that were appended since."""
        return replace(self, log=services.log.facts(self.log))

    @cached_property
    def earlier(self) -> EarlierEntries:
        """The bodies of the log's entries, with what follows from them."""
        return EarlierEntries.of(self.log.entries)

    def inputs(self, services: WorkspaceReader) -> BoundInputs:
        """The files of the workspace, compared with the log."""
        return BoundInputs(Workspace(services.workspace), self.log.entries)
