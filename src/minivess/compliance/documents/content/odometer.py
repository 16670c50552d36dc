"""The looks at the sealed test set, in sentences."""

from __future__ import annotations

from minivess.compliance.documents.dossier import Dossier

_WORDS = ("never", "once", "twice", "three times", "four times", "five times")
_MODES = {
    "released": "The requester got the data key.",
    "custodian": "The approver ran the evaluation and kept the data key.",
    "opened": "The requester opened it with a released key (version 0.1.0).",
}
"""How a look was taken, in a sentence."""


def odometer_sentence(dossier: Dossier) -> str:
    """How many looks at the sealed test set there were, by whom, for what, in which mode, and what was fixed before."""
    history = dossier.log.history
    looks = history.looks()
    if not looks:
        return "There was no look at the sealed test set."
    names = {tenure.identity.id: tenure.identity.name for tenure in dossier.log.register.tenures.values()}
    often = f"exactly {_WORDS[len(looks)]}" if len(looks) < len(_WORDS) else f"{len(looks)} times"
    sentence = f"The sealed test set was looked at {often}."
    for look in looks:
        when = dossier.log.entries[look.opening.index].body.time
        asked, granted = look.requested, look.granted
        sentence += f" Look {look.number}, entry {look.opening.index}, {when:%Y-%m-%d at %H:%M} UTC:"
        if asked is not None:
            who = asked.request.requester
            sentence += f" {names.get(who, who)} requested it for “{asked.request.purpose}”."
        if granted is not None:
            who = granted.grant.approver
            sentence += f" {names.get(who, who)} approved it (entry {granted.index})."
        sentence += f" {_MODES[look.mode]}"
        if look.discrepancies:
            entries = " and ".join(str(index) for index in look.discrepancies)
            sentence += f" DISCREPANCY: entry {entries} came to other figures under the same approval."
    registered = [index for index in history.criteria.values() if index < looks[0].opening.index]
    if registered:
        sentence += (
            f" The acceptance criteria were registered before (entry {min(registered)}). Each request names the digest of "
            "the one model that may be evaluated."
        )
    return sentence
