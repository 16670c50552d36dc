"""Whether a release is inside the predetermined change control plan of the release before."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.changes.plan_bounds import judge_change
from minivess.compliance.verification.trust import read_trust
from minivess.foundation.implements import implements
from minivess.records.changes.change_plan import ChangeJudgement
from minivess.workflows.release.changes.difference import open_pack


@implements("REQ-580")
def check_change(old: Path, new: Path, *, trust: Path | None = None) -> ChangeJudgement:
    """Judge a pack, signed or not, by the plan in an older one.

    Args:
        old: the pack of the release before.
        new: the pack that is judged.
        trust: a trust file to verify both with; None: each is verified with its own keys.

    Raises:
        InputError: a path is no pack, or the trust file is malformed.
        VerificationError: the plan of the older pack is malformed.
    """
    trusted = None if trust is None else read_trust(trust)
    first, second = (open_pack(path, trusted) for path in (old, new))
    return judge_change(first.release, second.release, verdicts=(first.words, second.words))
