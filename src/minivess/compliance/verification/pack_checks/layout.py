"""The layout of a pack: which checks its content allows, and the least layout that is required."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from minivess.compliance.release.chain import PREPARED
from minivess.compliance.rules.actions import ActionTable
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.preparation import LAYOUT
from minivess.records.log.entry import Entry, Outcome

FIRST, NEWEST = 1, LAYOUT
"""The layout of version 0.1.0, and that of this version."""
UNCHECKED: Mapping[int, tuple[str, ...]] = {
    FIRST: ("chain", "files", "source", "soup", "figures", "gates", "signing text", "lineage", "logged signatures"),
    NEWEST: (),
}
"""By layout: the checks that a pack of it does not allow, because its log and its files lack what they compare."""


def layout_of(entries: Iterable[Entry]) -> int:
    """The layout that the newest completed `release.prepare` of a log names; without such an entry the first.

    Raises:
        VerificationError: this version does not know the layout.
    """
    prepared = [entry.body for entry in entries if entry.body.action == PREPARED]
    completed = [body for body in prepared if body.outcome is Outcome.COMPLETED]
    if not completed:
        return FIRST
    named = completed[-1].payload.get("layout")
    if type(named) is not int or not FIRST < named <= NEWEST:
        raise VerificationError(
            f"entry {completed[-1].index} ({PREPARED}) names layout {named!r}, which this version does not know",
            hint="use a newer version of minivess",
        )
    return named


@implements("REQ-221", "RC-94")
def check_layout(layout: int, rules: ActionTable, trusted: Trust | None) -> str:
    """Compare the layout of a pack with the least that its log and the trust file require; returns it in words.

    Args:
        layout: of the pack.
        rules: the action table that the log follows.
        trusted: the verifier's own keys.

    Raises:
        VerificationError: the layout is too old.
    """
    if layout < rules.layout:
        raise VerificationError(
            f"the pack is of layout {layout}, and its log follows action table {rules.number}, which requires layout "
            f"{rules.layout}: no completed entry {PREPARED} is in the log"
        )
    if trusted is not None and layout < trusted.layout:
        raise VerificationError(
            f"the pack is of layout {layout}, and the trust file asks for {trusted.layout} at least"
        )
    return f"layout {layout}"
