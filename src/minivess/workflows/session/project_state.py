"""The state of a project beside its source tree: its workspace, its project file and its log, read without any key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.digests import digest_file, digest_json
from minivess.foundation.paths import Workspace, release_policy
from minivess.records.log.entry import Outcome
from minivess.records.people.identity import LOG_IDENTITY

if TYPE_CHECKING:
    from minivess.compliance.audit.reader import LogReader
    from minivess.records.device.project import Project
    from minivess.workflows.session.services import WorkspaceReader


@dataclass(frozen=True)
class ProjectState:
    """The state of a project beside its source tree."""

    workspace: Workspace
    project: Project
    log: LogReader

    @classmethod
    def of(cls, services: WorkspaceReader) -> ProjectState:
        """The state of an open workspace."""
        return cls(Workspace(services.workspace), services.project, services.log)


@contextmanager
def project_state(workspace: Path, project: Project) -> Iterator[ProjectState | None]:
    """The state of a project whose log was started; None where it was not. No passphrase is needed.

    Raises:
        InputError: a newer version wrote the log.
        VerificationError: the entries do not agree with the last checkpoint.
        CouldNotCheckError: the log is out of reach.
    """
    from minivess.compliance.identity.keystore import Keystore
    from minivess.foundation.settings import load_settings

    root = workspace.absolute()
    if LOG_IDENTITY not in {identity.id for identity in Keystore(root / "keystore").identities()}:
        yield None
        return
    from minivess.compliance.audit.log import AuditLog  # SQLAlchemy, which a project without a log does not need

    with closing(AuditLog.open(load_settings(root).database_url, log_signer=None)) as log:
        yield ProjectState(Workspace(root), project, log)


def basis_digests(state: ProjectState) -> dict[str, str]:
    """Digests of what items may rest on, as far as it exists.

    `data-set`, `label-protocol` (the classes and how they were annotated), `weights`, `threshold` (the calibration's),
    `policy` and `configuration`.
    """
    project = state.project
    card = project.data.card
    protocol = {
        "annotation": None if card is None else card.annotation_protocol,
        "classes": {str(value): name for value, name in project.data.classes.items()},
    }
    found: dict[str, str] = {
        "configuration": digest_json(project.model_dump(mode="json")),
        "label-protocol": digest_json(protocol),
    }
    policy = state.workspace.root / "release" / "policy.yaml"
    found["policy"] = digest_file(policy if policy.is_file() else release_policy())
    for entry in state.log.entries(actions={"data.split", "data.validate", "calibration", "model.export"}):
        action, context = entry.body.action, entry.body.context
        if entry.body.outcome is not Outcome.COMPLETED:
            continue
        if action.startswith("data.") and context.data:
            found["data-set"] = context.data
        elif action == "model.export" and context.model:
            found["weights"] = context.model
        elif action == "calibration" and entry.body.outputs:
            found["threshold"] = entry.body.outputs[0].digest
    return found
