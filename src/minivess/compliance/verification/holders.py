"""Whether everybody who holds the key of the sealed test set saw the history that a pack shows.

Each holder cosigns the pack's checkpoint with the key that the log knows, after her tool proved that it continues what she
remembers. A copy of the log that was made before an approval cannot get the cosignature of who approved in the other copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.rules.standing import Standing
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements

COSIGNATURE_NAME = re.compile(r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.cosignature", re.ASCII)
COSIGNATURE = "signatures/{}.cosignature"
"""The file with a holder's cosignature line, by the holder's id."""


def holders_of(standing: Standing, history: LookHistory | None = None) -> tuple[str, ...]:
    """Who must have cosigned a release: the holders of the data key of the test set it was evaluated on.

    One who was revoked since cannot sign and is left out. Seals of version 0.1.0 name no root, and so no holders.

    Args:
        standing: the state of the log.
        history: of the looks up to the release, when the log went on since.
    """
    looks = (standing.test_set if history is None else history).looks()
    judged = [look.requested for look in looks if look.outcome == "evaluated" and look.requested is not None]
    holders = standing.sealed.get(judged[-1].request.data, ()) if judged else ()
    return tuple(one for one in holders if standing.register.state(one) != "revoked")


@implements("REQ-134", "RC-43")
def check_holders(files: Mapping[str, bytes], checkpoint: str, standing: Standing) -> str:
    """Judge the holders' cosignatures over a pack's checkpoint; returns in words who gave one.

    Raises:
        VerificationError: a holder's is missing or wrong, or the pack has one of somebody else.
    """
    holders, keys = holders_of(standing), standing.witnesses
    for name in sorted(files):
        match = COSIGNATURE_NAME.fullmatch(name)
        if match is not None and match[1] not in holders:
            raise VerificationError(f"{name} is unexpected: {match[1]} does not hold the key of the test set")
    vouched = keys.cosigners(checkpoint)
    for holder in holders:
        line = files.get(COSIGNATURE.format(holder))
        if line is None and holder not in vouched:
            raise VerificationError(
                f"{holder} holds the key of the test set and has not cosigned the pack's checkpoint",
                hint=f"minivess release cosign PACK --as {holder}",
            )
        if line is None:
            continue
        try:
            found = keys.cosigners(checkpoint + line.decode("utf-8")) if line.count(b"\n") == 1 else {}
        except (UnicodeDecodeError, MinivessError):
            raise VerificationError(f"the cosignature of {holder} is wrong") from None
        if holder not in found:
            raise VerificationError(f"the cosignature of {holder} is not one line by the key that the log knows")
    return "" if not holders else f"; the checkpoint is cosigned by {', '.join(holders)}, who held the test set's key"
