"""The state of a project beside its source tree: its workspace, its project file and its log, read without any key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.digests import digest_file, digest_json
from minivess.foundation.paths import Workspace, release_policy
from minivess.records.people.identity import LOG_IDENTITY

if TYPE_CHECKING:
    from minivess.compliance.audit.reader import LogReader
    from minivess.compliance.rules.log_facts import LogFacts
    from minivess.records.device.project import Project
    from minivess.workflows.session.services import WorkspaceReader


@dataclass(frozen=True)
class ProjectState:
    """The state of a project beside its source tree."""

    workspace: Workspace
    project: Project
    log: LogReader
    known: LogFacts | None = None
    """What the log says, where it was read already."""

    @classmethod
    def of(cls, services: WorkspaceReader, facts: LogFacts | None = None) -> ProjectState:
        """The state of an open workspace, with what its log says where that was read already."""
        return cls(Workspace(services.workspace), services.project, services.log, facts)

    @cached_property
    def facts(self) -> LogFacts:
        """The log, read when it is first asked for, and then kept.

        Raises:
            VerificationError: the log's key did not sign these entries.
        """
        return self.log.facts() if self.known is None else self.known

    @property
    def undelivered(self) -> int:
        """Lineage events that wait to be delivered."""
        return len(self.log.pending_events())

    @cached_property
    def artifacts(self) -> dict[str, str]:
        """As `artifact_digests`."""
        return artifact_digests(self.project, self.workspace, self.facts)


@contextmanager
def project_state(workspace: Path, project: Project) -> Iterator[ProjectState | None]:
    """The state of a project whose log was started; None where it was not. No passphrase is needed.

    Raises:
        InputError: a newer version wrote the log.
        VerificationError: the entries do not agree with the last checkpoint.
        CouldNotCheckError: the log is out of reach.
    """
    from minivess.compliance.identity.keystores.keystore import Keystore
    from minivess.foundation.settings import load_settings

    root = workspace.absolute()
    if LOG_IDENTITY not in {identity.id for identity in Keystore(root / "keystore").identities()}:
        yield None
        return
    from minivess.compliance.audit.reader import LogReader

    with closing(LogReader.reading(load_settings(root).database_url)) as log:
        yield ProjectState(Workspace(root), project, log)


def artifact_digests(project: Project, workspace: Workspace, facts: LogFacts) -> dict[str, str]:
    """Digests of the artifacts that items may rest on, by name, as far as they exist.

    `data-set`, `label-protocol` (the classes and how they were annotated), `weights`, `threshold` (the calibration's),
    `policy` and `configuration`.
    """
    card = project.data.card
    protocol = {
        "annotation": None if card is None else card.annotation_protocol,
        "classes": {
            str(value): stated if isinstance(stated, str) else stated.model_dump(mode="json")
            for value, stated in project.data.classes.items()
        },
    }
    found: dict[str, str] = {
        "configuration": digest_json(project.model_dump(mode="json")),
        "label-protocol": digest_json(protocol),
    }
    policy = workspace.root / "release" / "policy.yaml"
    found["policy"] = digest_file(policy if policy.is_file() else release_policy())
    for entry in facts.completed({"data.split", "data.validate", "calibration", "model.export"}):
        action, context = entry.body.action, entry.body.context
        if action.startswith("data.") and context.data:
            found["data-set"] = context.data
        elif action == "model.export" and context.model:
            found["weights"] = context.model
        elif action == "calibration" and entry.body.outputs:
            found["threshold"] = entry.body.outputs[0].digest
    return found
