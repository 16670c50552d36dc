"""Whether everybody who holds the key of the sealed test set saw the history that a pack shows.

Each holder cosigns the pack's checkpoint with the key that the log knows, after her tool proved that it continues what she
remembers. A copy of the log that was made before an approval cannot get the cosignature of who approved in the other copy.
"""

from __future__ import annotations

from collections.abc import Mapping

from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.rules.standing import Standing
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements

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
        VerificationError: a holder's is missing or wrong.
    """
    holders, keys = holders_of(standing), standing.witnesses
    vouched = keys.cosigners(checkpoint)
    for holder in holders:
        if holder in vouched:
            continue
        line = files.get(COSIGNATURE.format(holder))
        if line is None:
            raise VerificationError(
                f"{holder} holds the key of the test set and has not cosigned the pack's checkpoint",
                hint=f"minivess release cosign PACK --as {holder}",
            )
        try:
            found = keys.cosigners(checkpoint + line.decode("utf-8"))
        except (UnicodeDecodeError, MinivessError):
            raise VerificationError(f"the cosignature of {holder} is wrong") from None
        if holder not in found:
            raise VerificationError(f"the cosignature of {holder} is not by the key that the log knows")
    return "" if not holders else f"; the checkpoint is cosigned by {', '.join(holders)}, who held the test set's key"
