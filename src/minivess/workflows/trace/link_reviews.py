"""Reviews of links and baselines of items: looked at by a person, and on the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from minivess.compliance.documents.log_story import items_digest
from minivess.compliance.identity.signer import Signer
from minivess.compliance.items.items import load_items
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.standards.approved_subjects import BY_REVIEWER, approvable, approved
from minivess.compliance.trace.link_reviews import (
    LinkKey,
    State,
    link_digests,
    read_reviews,
    states,
    write_reviews,
)
from minivess.foundation.choices import nearest
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.records.items.trace import Signature
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.evidence import BaselineTaken
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.trace.project_trace import Trace

_MOST = 4000
"""Links an entry can hold."""


@dataclass(frozen=True)
class Baseline:
    """A baseline as the log has it."""

    name: str
    entry: int
    commit: str | None
    digest: str
    items: int
    actor: str
    time: datetime


@dataclass(frozen=True)
class LinkReviews:
    """How every link of a source tree stands, and what of the file of reviews nobody signed."""

    states: dict[LinkKey, State]
    unsigned: tuple[LinkKey, ...]
    """Lines of the file of reviews that no entry of the log holds."""


def read_link_reviews(services: WorkspaceReader) -> LinkReviews:
    """The reviews of the links of a source tree. The tree, the file of reviews and the log are read once each."""
    project, reviews = ProjectState.of(services), read_reviews(services.source)
    signed = _signed(project.facts)
    return LinkReviews(
        states(link_digests(load_items(services.source), project.artifacts), reviews),
        tuple(key for key, digest in reviews.items() if (str(key), digest) not in signed),
    )


@implements("REQ-067")
def review(services: Services, signer: Signer, *, only: Collection[str] = ()) -> list[LinkKey]:
    """Say that links hold as they are: those that are suspect or were never reviewed.

    The entries come first; when the file cannot be written afterwards, the same review can be repeated.

    Args:
        services: the workspace.
        signer: the person who looked.
        only: ids; then only links of these items and to them.

    Returns:
        The links that were reviewed.

    Raises:
        RefusedError: the signer is no person.
        UsageError: nothing is left to review, or an id is not known.
        CannotWriteError: the log or `requirements/reviews.txt` cannot be written.
    """
    if signer.identity.kind is not IdentityKind.PERSON:
        raise RefusedError(f"{signer.identity.id} is a service", hint="links are reviewed by a person")
    items = load_items(services.source)
    for name in only:
        if name not in items.by_id:
            raise UsageError(f"there is no item {name}")
    current = link_digests(items, ProjectState.of(services).artifacts)
    known = read_reviews(services.source)
    open_links = [
        key
        for key, state in states(current, known).items()
        if state != "reviewed" and (not only or key.item in only or key.target in only)
    ]
    if not open_links:
        raise UsageError("no link waits for a review")
    for start in range(0, len(open_links), _MOST):
        part = open_links[start : start + _MOST]
        with recorded(services, "trace.review", signer, instant=True) as record:
            record.payload(links=[{"link": str(key), "digest": current[key]} for key in part])
    kept = {key: digest for key, digest in known.items() if key in current}
    write_reviews(services.source, kept | {key: current[key] for key in open_links})
    return open_links


@implements("REQ-117")
def approve(services: Services, signer: Signer, subjects: Collection[str]) -> dict[str, Receipt]:
    """Approve plans, change requests, the requirements or the risk file, as they stand; one entry each.

    Args:
        services: the workspace.
        signer: the person who read them.
        subjects: their names, as `approvable` gives them.

    Returns:
        The receipt of each subject.

    Raises:
        RefusedError: the signer is no person, or no independent reviewer where one is needed.
        UsageError: a subject is not known.
    """
    if signer.identity.kind is not IdentityKind.PERSON:
        raise RefusedError(f"{signer.identity.id} is a service", hint="a person reads and approves")
    known = approvable(services.source, load_items(services.source))
    for subject in subjects:
        if subject not in known:
            raise UsageError(f"there is no {subject} to approve", hint=nearest(subject, sorted(known)))
        if subject in BY_REVIEWER and Role.REVIEWER not in signer.identity.roles:
            raise RefusedError(
                f"{signer.identity.id} cannot approve {subject}", hint="an independent reviewer approves it"
            )
    receipts: dict[str, Receipt] = {}
    for subject in dict.fromkeys(subjects):
        with recorded(services, "trace.approve", signer, instant=True) as record:
            record.payload(subject=subject, digest=known[subject])
        receipts[subject] = record.receipt
    return receipts


def signatures_of_subjects(trace: Trace) -> dict[str, Signature | None]:
    """The newest approval of everything that can be approved; None: there is none.

    Args:
        trace: what is known about the source tree.
    """
    signed = approved(trace.story.signatures) if trace.story is not None else {}
    return {name: signed.get(name) for name in approvable(trace.tree.source, trace.tree.items)}


@implements("REQ-068")
def take_baseline(services: Services, signer: Signer, name: str) -> Receipt:
    """Sign the digest of all items under a name, for the commit that is checked out.

    Raises:
        RefusedError: the tree differs from its commit, so that nobody could find these items again.
        UsageError: the name is taken.
    """
    context = services.context()
    if context.git_commit is None or context.git_dirty:
        raise RefusedError("a baseline needs a commit without local changes", hint="commit the changes first")
    if name in baselines(services):
        raise UsageError(f"there is a baseline {name} already", hint="baselines are never moved; choose another name")
    items = load_items(services.source)
    with recorded(services, "trace.baseline", signer, instant=True, context=context) as record:
        record.payload(name=name, items=len(items.by_id), digest=items_digest(items))
    return record.receipt


def baselines(services: WorkspaceReader | ProjectState) -> Mapping[str, Baseline]:
    """Every baseline by its name, oldest first."""
    found: dict[str, Baseline] = {}
    for entry in services.log.entries(actions={"trace.baseline"}):
        body = entry.body
        if body.outcome is Outcome.COMPLETED:
            taken = BaselineTaken.model_validate(body.payload)
            found.setdefault(
                taken.name,
                Baseline(
                    name=taken.name,
                    entry=body.index,
                    commit=body.context.git_commit,
                    digest=taken.digest,
                    items=taken.items,
                    actor=body.actor,
                    time=body.time,
                ),
            )
    return found


def _signed(log: LogFacts) -> set[tuple[str, str]]:
    """Links and digests of all reviews in the log."""
    return {
        (one["link"], one["digest"]) for entry in log.completed({"trace.review"}) for one in entry.body.payload["links"]
    }
