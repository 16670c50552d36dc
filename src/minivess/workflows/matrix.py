"""The trace of a source tree as data, with what the log of its project says about it: what pages and tables are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.compliance.standards.catalogue import SafetyClass
from minivess.compliance.standards.coverage import Attested
from minivess.compliance.traceability.evidence_files import read_results
from minivess.compliance.traceability.graph import TraceGraph
from minivess.compliance.traceability.history import history_of
from minivess.compliance.traceability.view import view
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_file, digest_json
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, release_policy
from minivess.foundation.provenance import project_name, source_state, tree_digest
from minivess.records.entry import Outcome
from minivess.records.traceability import LogStory
from minivess.workflows.standards import attested_in, standards_of

if TYPE_CHECKING:
    from minivess.compliance.audit.reader import LogReader
    from minivess.records.project import Project


@dataclass(frozen=True)
class Told:
    """What a project knows beside its source tree."""

    workspace: Workspace
    project: Project
    log: LogReader


@contextmanager
def reading(workspace: Path, project: Project) -> Iterator[Told | None]:
    """The log of a project, for reading, which asks for no passphrase; None where no log was started.

    Raises:
        InputError: a newer version wrote the log.
        VerificationError: the entries do not agree with the last checkpoint.
        CouldNotCheckError: the log is out of reach.
    """
    from minivess.compliance.audit.log import AuditLog  # a database, which a tree without a project does not need
    from minivess.compliance.identity.keystore import Keystore
    from minivess.foundation.settings import load_settings
    from minivess.workflows.services import LOG_IDENTITY

    root = workspace.absolute()
    if LOG_IDENTITY not in {identity.id for identity in Keystore(root / "keystore").identities()}:
        yield None
        return
    with closing(AuditLog.open(load_settings(root).database_url, log_signer=None)) as log:
        yield Told(Workspace(root), project, log)


def things_in(workspace: Path, project: Project, log: LogReader) -> dict[str, str]:
    """Digests of what items may rest on, as far as it exists.

    `data-set`, `label-protocol` (the classes and how they were annotated), `weights`, `threshold` (the calibration's),
    `policy` and `configuration`.
    """
    card = project.data.card
    protocol = {
        "annotation": None if card is None else card.annotation_protocol,
        "classes": {str(value): name for value, name in project.data.classes.items()},
    }
    found: dict[str, str] = {
        "configuration": digest_json(project.model_dump(mode="json")),
        "label-protocol": digest_json(protocol),
    }
    policy = workspace / "release" / "policy.yaml"
    found["policy"] = digest_file(policy if policy.is_file() else release_policy())
    for entry in log.entries(actions={"data.split", "data.validate", "calibration", "model.export"}):
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


@implements("REQ-070", "REQ-106")
def trace_of(
    source: Path,
    *,
    safety_class: SafetyClass,
    now: datetime,
    results: Path | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Everything that is known about a source tree, in the format `minivess-trace/2`.

    Args:
        source: the tree.
        safety_class: of the device.
        now: the time for which justifications are judged, and that the pages state.
        results: recorded results to join.
        told: what the project of this tree knows beside it.

    Raises:
        InputError: a file is missing or malformed, with file and line.
        VerificationError: the log breaks a rule.
    """
    things: Mapping[str, str] = {} if told is None else things_in(told.workspace.root, told.project, told.log)
    report = None if results is None else read_results(results, source)
    graph = TraceGraph.load(source, report, things=things)
    story: LogStory | None = None
    attestations: tuple[Attested, ...] = ()
    if told is not None:
        from minivess.compliance.evidence.log_story import ACTIONS, log_story  # cryptography

        entries = told.log.entries(actions=ACTIONS)
        digest = None if results is None else digest_file(results)
        story = log_story(entries, graph, size=told.log.size, results=digest)
        attestations = attested_in(story)
    rows = standards_of(source, graph, safety_class=safety_class, today=now.date(), attestations=attestations)
    name, version = project_name(source)
    return view(
        graph,
        today=now.date(),
        project={
            "name": name,
            "version": version,
            "commit": source_state(source)[0],
            "tree": tree_digest(source),
            "time": timestamp(now),
        },
        coverage=[row.to_json() for row in rows],
        history=history_of(source, graph.items.all()),
        log=story,
    )
