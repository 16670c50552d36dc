"""The title block of a document and its revision history, from the project file and the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from minivess.compliance.documents.content.acts import approval_of, day_of, name_of
from minivess.compliance.documents.content.facts import value_of
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.documents.model.blocks import Cell, Code, Inlines, Table, Text, TitleBlock
from minivess.compliance.release.chain import PREPARED
from minivess.compliance.standards.approved_subjects import APPROVED
from minivess.compliance.standards.filing import FilingDocument, has_text
from minivess.foundation.implements import implements
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role

ROWS = (
    "Document",
    "Revision",
    "Device",
    "Manufacturer",
    "UDI-DI",
    "Basic UDI-DI",
    "Author",
    "Reviewer",
    "Approver",
    "Effective date",
    "Source",
)
"""The labels of a title block, in order."""
_MOST_AUTHORS = 5


@dataclass(frozen=True)
class _Revision:
    """A line of the revision history."""

    entry: int | None
    time: datetime
    version: str
    who: str
    what: str


def document_id(dossier: Dossier, document: FilingDocument) -> str:
    """The id of a document: the prefix of the project and the code of the kind."""
    facts, device = dossier.project.documents, dossier.project.device
    prefix = (facts.id_prefix if facts is not None else None) or device.name
    return f"{prefix}-{document.code}"


@implements("REQ-502")
def title_block(dossier: Dossier, document: FilingDocument) -> TitleBlock:
    """The title block of a document. What nobody stated or recorded says so."""
    device = dossier.project.device
    values: tuple[Inlines, ...] = (
        (Code(document_id(dossier, document)),),
        _text(device.version),
        _text(f"{device.name}, software safety class {device.safety_class}"),
        _text(device.manufacturer),
        _text(str(value_of(dossier, "device.udi-di"))),
        _text(str(value_of(dossier, "device.basic-udi-di"))),
        _text(_author(dossier, document)),
        _text(_signer(dossier, document, Role.REVIEWER, Meaning.REVIEW)),
        _text(_signer(dossier, document, Role.RELEASE_MANAGER, Meaning.APPROVAL)),
        _text(_effective(dossier, document)),
        (Code(str(value_of(dossier, "release.commit"))),),
    )
    return TitleBlock(tuple(zip(ROWS, values, strict=True)))


@implements("REQ-502")
def revision_history(dossier: Dossier, document: FilingDocument) -> Table:
    """The revisions of a document: releases before this one, approvals of what it shows, baselines, and this release."""
    rows = sorted(_revisions(dossier, document), key=lambda one: (one.entry is None, one.entry or 0))
    head = tuple(Cell(_text(word), header=True) for word in ("Entry", "Date", "Revision", "Person", "What"))
    return Table(
        head=head,
        rows=tuple(
            (
                Cell(_text("–" if one.entry is None else str(one.entry)), header=True, label="entry"),
                Cell(_text(f"{one.time:%Y-%m-%d}"), style="nowrap", label="date"),
                Cell(_text(one.version), label="revision"),
                Cell(_text(one.who), label="person"),
                Cell(_text(one.what)),
            )
            for one in rows
        ),
        style="stack",
    )


def _revisions(dossier: Dossier, document: FilingDocument) -> Iterator[_Revision]:
    for entry in dossier.log.completed({PREPARED}):
        body = entry.body
        version = ReleasePrepared.model_validate(body.payload).device.version
        yield _Revision(body.index, body.time, version, name_of(dossier, body.actor), "Release prepared")
    for one in dossier.inputs.story.signatures:
        concerns = one.about if one.about in document.subjects else ""
        if one.meaning == APPROVED and concerns:
            what = f"Approval of {concerns}" + (
                f"; it no longer counts, because {one.out_of_date}" if one.out_of_date else ""
            )
        elif one.meaning == "baseline" and document.subject:
            what = f"Baseline {one.about}"
        else:
            continue
        yield _Revision(one.entry, one.time, "–", name_of(dossier, one.actor), what)
    tool, version = dossier.inputs.tool, dossier.project.device.version
    yield _Revision(
        None, dossier.inputs.time, version, f"{tool.name} {tool.version}", "This revision, made from the records"
    )


def _author(dossier: Dossier, document: FilingDocument) -> str:
    tool = dossier.inputs.tool
    made = f"{tool.name} {tool.version}, from the records"
    if not document.subject:
        return f"{made}; the text is {document.path}" if has_text(dossier.inputs.source, document) else made
    names = {one.author for item in dossier.trace.items for one in item.history}
    named = ", ".join(sorted(names)[:_MOST_AUTHORS]) + (" and others" if len(names) > _MOST_AUTHORS else "")
    return f"{made}; items by {named}" if names else made


def _signer(dossier: Dossier, document: FilingDocument, role: Role, meaning: Meaning) -> str:
    """Who approved what the document shows in a role; else who gives the signature of the release with that meaning."""
    roles = {person.id: person.roles for person in dossier.log.people}
    for subject in document.subjects:
        one = approval_of(dossier, subject)
        if one is not None and not one.out_of_date and role in roles.get(one.actor, ()):
            return f"{name_of(dossier, one.actor)}, {day_of(one.time)} (entry {one.entry})"
    rules = [one for one in dossier.inputs.policy.signatures.rules if one.meaning is meaning]
    people = [person.name for person in dossier.log.people if any(rule.role in person.roles for rule in rules)]
    if not rules:
        return "the release policy asks for no such signature"
    return f"with the signature of the release: {', '.join(people) or 'no person has this role'}"


def _effective(dossier: Dossier, document: FilingDocument) -> str:
    held = [approval_of(dossier, subject) for subject in document.subjects]
    if held and all(one is not None and not one.out_of_date for one in held):
        return day_of(max(one.time for one in held if one is not None))
    return "when the release has all of its signatures"


def _text(words: str) -> Inlines:
    return (Text(words),)
