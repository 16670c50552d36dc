"""What people did, as the log has it: each act by its name, in a sentence with person, day and entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.standards.approved_subjects import APPROVED, TEMPLATES
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.items.trace import Signature
from minivess.records.log.entry import EntryBody
from minivess.records.log.payloads.qualification import ToolQualified

TEXT = "text.approval"
"""The act that depends on the document."""


def name_of(dossier: Dossier, actor: str) -> str:
    """The printed name of whom the log calls so; the id where the log has no name."""
    names = {tenure.identity.id: tenure.identity.name for tenure in dossier.log.register.tenures.values()}
    return names.get(actor, actor)


def day_of(time: datetime) -> str:
    """A day as people read it."""
    return f"{time.day} {time:%B %Y}"


def approval_of(dossier: Dossier, subject: str) -> Signature | None:
    """The last approval of a subject, whether it holds or not."""
    found = [
        one for one in dossier.inputs.story.signatures if one.meaning == APPROVED and subject in {one.about, one.item}
    ]
    return found[-1] if found else None


def approval_words(dossier: Dossier, subject: str) -> str:
    """Who approved a subject, when, at which entry, and whether that still holds."""
    one = approval_of(dossier, subject)
    if one is None:
        return f"The log has no approval of {subject}."
    said = f"{name_of(dossier, one.actor)} approved {subject} on {day_of(one.time)} (entry {one.entry})"
    return f"{said}; it no longer counts, because {one.out_of_date}." if one.out_of_date else f"{said}."


def _approved(subject: str) -> Callable[[Dossier], str]:
    return lambda dossier: approval_words(dossier, subject)


def _did(body: EntryBody | None, dossier: Dossier, what: str) -> str:
    if body is None:
        return f"The log has no entry that {what}."
    return f"{name_of(dossier, body.actor)} {what} on {day_of(body.time)} (entry {body.index})."


def _in_chain(role: str, what: str) -> Callable[[Dossier], str]:
    return lambda dossier: _did(dossier.inputs.chain.bodies.get(role), dossier, what)


def _qualification(dossier: Dossier) -> str:
    body = dossier.inputs.chain.bodies.get("qualification")
    if body is None:
        return "The log has no qualification of the software that made this pack."
    said = ToolQualified.model_validate(body.payload)
    found = f"{said.passed} checks passed and {said.failed} failed"
    who = f"{name_of(dossier, body.actor)} qualified {said.tool.name} {said.tool.version}"
    return f"{who} on {day_of(body.time)} (entry {body.index}): {found}."


def _baseline(dossier: Dossier) -> str:
    taken = [one for one in dossier.inputs.story.signatures if one.meaning == "baseline"]
    if not taken:
        return "The log has no baseline of the items."
    last = taken[-1]
    said = f"{name_of(dossier, last.actor)} took the baseline {last.about} on {day_of(last.time)} (entry {last.entry})"
    return f"{said}; since then {last.out_of_date}." if last.out_of_date else f"{said}."


def _reviews(dossier: Dossier) -> str:
    made = [one for one in dossier.inputs.story.signatures if one.meaning == "reviewed"]
    if not made:
        return "The log has no review of links between items."
    stale = sum(bool(one.out_of_date) for one in made)
    people = ", ".join(sorted({name_of(dossier, one.actor) for one in made}))
    return f"{people} reviewed {len(made)} links between items; {stale} of these reviews are out of date."


def _soup_review(dossier: Dossier) -> str:
    stated = [row for row in dossier.soup if row.item]
    read = sum(row.reviewed for row in stated)
    return (
        f"The items record a review of published anomalies at the locked version for {read} of {len(stated)} directly used "
        "packages and parts."
    )


ACTS: Mapping[str, Callable[[Dossier], str]] = MappingProxyType(
    {
        "requirements.review": _approved("requirements"),
        "risk.review": _approved("risk"),
        "problems.review": _approved("problems"),
        "plan.approval": _approved("sdp.md"),
        "templates.approval": _approved(TEMPLATES),
        "links.review": _reviews,
        "baseline": _baseline,
        "soup.review": _soup_review,
        "data.ingest": _in_chain("ingest", "ingested the data"),
        "data.validation": _in_chain("validation", "validated the data"),
        "data.split": _in_chain("split", "split the data"),
        "data.seal": _in_chain("seal", "sealed the test part"),
        "criteria.registration": _in_chain("criteria", "registered the acceptance criteria"),
        "policy.registration": _in_chain("policy", "registered the release policy"),
        "look.request": _in_chain("request", "requested the look at the test part"),
        "look.approval": _in_chain("approval", "approved the look at the test part"),
        "evaluation": _in_chain("evaluation", "evaluated the model on the test part"),
        "results.recording": _in_chain("scenarios", "recorded the results of the scenarios and tests"),
        "drill.recording": _in_chain("drill", "recorded the tests without each risk control"),
        "tool.qualification": _qualification,
        "export": _in_chain("export", "exported the model"),
    }
)
"""Every act by its name."""


@implements("REQ-501")
def act_of(dossier: Dossier, name: str, *, text: str = "") -> str:
    """An act in a sentence; where the log does not have it, the sentence says so.

    Args:
        dossier: the release.
        name: of the act; `text.approval` is that of the text of the document.
        text: where the text of the document is in the source tree; empty: it has none.

    Raises:
        InputError: there is no act of this name.
    """
    if name == TEXT:
        return approval_words(dossier, text) if text else "No text is asked for."
    tell = ACTS.get(name)
    if tell is None:
        raise InputError(f"there is no act {name!r}", hint=f"acts: {', '.join(ACTS)}")
    return tell(dossier)
