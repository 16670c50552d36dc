"""Waivers of gates: entries of the log that let one release be built although a gate fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from minivess.compliance.release.earlier_entries import EarlierEntries, payload_of
from minivess.foundation.implements import implements
from minivess.records.device.release import GateResult, Waiver
from minivess.records.device.release_policy import NEVER_WAIVED
from minivess.records.log.payloads.evidence import GateWaived

WAIVED = "release.gate-waived"


@implements("REQ-552", "RC-231")
def waivers_for(
    known: EarlierEntries, version: str, risks: Collection[str], now: datetime | None = None
) -> tuple[Waiver, ...]:
    """The waivers that count for a release, in the order of the log.

    One of another release, an expired one, and one about a risk that the risk file does not have do not count.

    Args:
        known: the log before the preparation.
        version: of the device that is released.
        risks: the ids of the risk file.
        now: the time, where it is later than that of the last entry; without it that of the last entry counts.
    """
    last = known.bodies[-1].time
    moment = last if now is None else max(now, last)
    pairs = [(body, payload_of(body, GateWaived)) for body in known.completed(WAIVED)]
    return tuple(
        Waiver(
            entry=body.index,
            signer=body.actor,
            gate=said.gate,
            owner=said.owner,
            risk=said.risk,
            until=said.until,
            reason=said.reason,
        )
        for body, said in pairs
        if said.version == version and said.until >= moment and said.risk in risks
    )


@implements("REQ-552")
def with_waivers(results: Iterable[GateResult], waivers: Iterable[Waiver]) -> tuple[GateResult, ...]:
    """The results of gates, those that fail and are waived with their waiver."""
    held = {one.gate: one for one in waivers}
    return tuple(
        one.model_copy(update={"waived": held[one.id], "message": f"{one.message}; WAIVED by {held[one.id].words}"})
        if not one.passed and one.id in held and one.kind not in NEVER_WAIVED
        else one
        for one in results
    )
