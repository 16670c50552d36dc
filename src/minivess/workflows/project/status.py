"""`minivess status`: how far a project is, from its log and the presence of its files. No passphrase is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.signature_rules import signatures_of_release
from minivess.compliance.release.earlier_entries import subject_of
from minivess.compliance.rules.looks import ACTIONS, LookHistory
from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.project import Project
from minivess.records.device.registration import PolicyRegistered
from minivess.records.device.status import LookCounts, ProjectStatus, State, StepStatus
from minivess.records.device.workspace_files import FILES, STEPS, Step, file_of
from minivess.records.log.entry import EntryBody, Outcome
from minivess.records.log.payloads.looks import CriteriaRegistered, LookApproved, LookRequested
from minivess.records.people.roles import IdentityKind
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.project_state import project_state


@implements("REQ-198")
def status_of(folder: Path, *, clock: Clock = utc_now) -> ProjectStatus:
    """How far a project is.

    Args:
        folder: the project folder.
        clock: the time, for requests that expire.

    Raises:
        UsageError: the folder has no project file.
        InputError: the project file is malformed, or a newer version wrote the log.
        VerificationError: the entries do not agree with the last checkpoint.
        CouldNotCheckError: the log is out of reach.
    """
    workspace = Workspace.find(folder)
    project = load_project(workspace.root)
    with project_state(workspace.root, project) as known:
        entries = () if known is None else tuple(known.log.entries(actions=_ACTIONS))
        size = None if known is None else known.log.size
    people = any(one.kind is IdentityKind.PERSON for one in Keyring.of(workspace).identities())
    history = LookHistory.fold(entries)
    facts = _Facts(workspace, project, people=people, history=history, now=clock())
    for entry in entries:
        facts.add(entry.body)
    steps = tuple(facts.progress(step) for step in STEPS if not step.optional)
    return ProjectStatus(
        device=project.device.name,
        version=project.device.version,
        entries=size,
        steps=steps,
        looks=None if size is None else _looks(history, project, facts.now),
        next=next((step.command for step in steps if step.state != "done"), None),
    )


_ACTIONS = frozenset({step.action for step in STEPS if step.action} | ACTIONS)


def _looks(history: LookHistory, project: Project, now: datetime) -> LookCounts:
    def evaluated(name: str) -> bool:
        return any(run.result is not None for run in history.runs.get(name, ()))

    return LookCounts(
        taken=history.openings,
        allowed=project.evaluation.looks.total,
        waiting=tuple(
            name for name, one in history.requests.items() if name not in history.grants and one.request.expires > now
        ),
        granted=tuple(name for name in history.grants if not evaluated(name)),
    )


@dataclass
class _Facts:
    """What the log and the workspace say about the steps."""

    workspace: Workspace
    project: Project
    people: bool
    history: LookHistory
    now: datetime
    newest: dict[str, EntryBody] = field(default_factory=dict)
    """The newest completed entry, by action."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Digests of what an action made, by action and name. Each member of an ensemble has an entry of its own."""
    signed: set[str] = field(default_factory=set)
    """Who signed a pack of this version."""
    signatures: int = 1
    """How many people must sign it, by the newest registered policy and the built-in rules."""

    def add(self, body: EntryBody) -> None:
        """Take in one more entry."""
        if body.outcome is not Outcome.COMPLETED:
            return
        if body.action in _OF_VERSION and body.payload.get("version") != self.project.device.version:
            return
        if body.action == "policy.register":
            rules = PolicyRegistered.model_validate(body.payload).policy.signatures.rules
            self.signatures = len(signatures_of_release(rules))
        if body.action == "release.build":
            self.signed = set()
        if body.action == "release.sign":
            self.signed.add(body.actor)
        made = {output.name: output.digest for output in body.outputs}
        before = self.outputs.get(body.action, {}) if body.action == "training" else {}
        self.outputs[body.action] = before | made
        self.newest[body.action] = body

    def progress(self, step: Step) -> StepStatus:
        """How far a step is."""
        body = self.newest.get(step.action)
        state: State = (
            "done" if body is not None or step.name == "init" or (step.name == "people" and self.people) else "open"
        )
        reason = ""
        if body is not None:
            for other, check in _CHECKS:
                reason = next(iter(check(self, step, body)), "")
                if reason:
                    state = other
                    break
        shown = {"step": step.name, "title": step.title, "command": step.line, "state": state, "reason": reason}
        if body is None:
            return StepStatus.model_validate(shown)
        return StepStatus.model_validate(
            {**shown, "entry": body.index, "time": body.time, "actor": body.actor, "artifacts": body.outputs}
        )

    @property
    def model(self) -> str | None:
        """Digest of the model that was exported last."""
        made = self.newest.get("model.export")
        return None if made is None else subject_of("export", made)


_OF_VERSION = frozenset({"release.build", "release.sign"})
"""Actions that count for the version of the device that their payload names."""


def _signatures_left(facts: _Facts, step: Step, body: EntryBody) -> Iterator[str]:
    if step.name == "sign" and len(facts.signed) < facts.signatures:
        yield f"{len(facts.signed)} of {facts.signatures} signatures"


def _newer_inputs(facts: _Facts, step: Step, body: EntryBody) -> Iterator[str]:
    """Inputs of which the log has a newer version."""
    for one in body.inputs:
        try:
            newest = facts.outputs.get(file_of(one.name).action, {}).get(one.name)
        except UsageError:
            continue
        if newest not in {None, one.digest}:
            yield f"{one.name} was made again since"


def _other_subject(facts: _Facts, step: Step, body: EntryBody) -> Iterator[str]:
    """Criteria, requests and approvals about something else than what there is now."""
    if step.name == "criteria":
        if CriteriaRegistered.model_validate(body.payload).criteria != facts.project.evaluation.criteria:
            yield "the project file has other criteria"
        return
    if step.name == "request":
        request = LookRequested.model_validate(body.payload).request
    elif step.name == "approve":
        asked = facts.history.requests.get(LookApproved.model_validate(body.payload).grant.request)
        if asked is None:
            return
        request = asked.request
    else:
        return
    if request.model != facts.model:
        yield "the model was exported again since"
    elif request.id not in facts.history.grants and request.expires <= facts.now:
        yield "the request has expired"


def _missing_files(facts: _Facts, step: Step, body: EntryBody) -> Iterator[str]:
    """Files of a step that are not in the workspace."""
    for row in FILES:
        if row.made_by != step.name or row.compared_with not in {"output", "context"}:
            continue
        named = [name for name in facts.outputs[step.action] if row.matches(name)] or [row.name] * (not row.since)
        for name in named:
            place = row.shown_in(facts.workspace.root, name)
            if not any(facts.workspace.root.glob(place)):
                yield f"{place} is not in the workspace"


_CHECKS: Iterable[tuple[State, Callable[[_Facts, Step, EntryBody], Iterator[str]]]] = (
    ("open", _signatures_left),
    ("outdated", _newer_inputs),
    ("outdated", _other_subject),
    ("missing", _missing_files),
)
"""What can be wrong with a step that an entry shows, and the state it has then."""
