"""Verifying the log and what was taken from it: the whole log, one entry by its proof, and two checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.proofs.tlog_proof import parse_proof, receipt_of
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.look_times import ACTIONS, look_times_in_words
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, read_trust
from minivess.compliance.verification.witness import compare_views
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import Check
from minivess.workflows.log.inspection import check_caches
from minivess.workflows.log.proofs import read_checkpoint
from minivess.workflows.session.services import WorkspaceReader

__all__ = ["LogVerdict", "Trust", "compare_checkpoints", "read_trust", "verify_entry", "verify_whole_log"]

_PROOF_LIMIT = 4 << 20


@dataclass(frozen=True)
class LogVerdict:
    """Each check, and what the trust file leaves open."""

    checks: tuple[Check, ...]
    limits: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)


def verify_whole_log(
    services: WorkspaceReader,
    *,
    trust: Trust | None,
    known: bytes | None,
    quick: bool,
    of_device: bool,
    progress: Callable[[int], None],
) -> LogVerdict:
    """Check canonical form, order, signatures, the tree and its checkpoint, and the cached tables.

    Args:
        services: the workspace, with the log to verify.
        trust: keys from elsewhere; None: those that the log itself names.
        known: an earlier checkpoint of this log, which it must continue.
        quick: do not check each actor's signature and the cached tables.
        of_device: whether this is the device's log, which has looks at the test set.
        progress: hears how many entries were checked.
    """
    checks, _ = verify_log(
        services.log.pairs(), services.log.checkpoint(), trust=trust, known=known, quick=quick, progress=progress
    )
    if not quick and all(check.passed for check in checks):
        checks = [*checks, *check_caches(services)]
    if of_device and not quick and all(check.passed for check in checks):
        looking = tuple(services.log.entries(actions=ACTIONS))
        words = look_times_in_words(looking, trust, lines=services.log.lines())
        checks = [*checks, Check(name="look times", passed=True, detail=words)]
    return LogVerdict(tuple(checks), () if trust is None else tuple(trust.limits))


@implements("REQ-151")
def verify_entry(file: Path, trust: Trust) -> LogVerdict:
    """Check one entry offline, by a tlog-proof or a receipt, against keys from elsewhere.

    Raises:
        InputError: the file is neither.
    """
    verdict = verify_receipt(_receipt_in(file), log_key=trust, actor=trust)
    return LogVerdict(verdict.checks, verdict.limits)


def compare_checkpoints(first: Path, second: Path, trust: Trust) -> str:
    """In words whether two checkpoints of one log can both be its history.

    Raises:
        VerificationError: they prove a split view, or a signature does not hold.
    """
    return compare_views(read_checkpoint(first), read_checkpoint(second), trust)


def _receipt_in(file: Path) -> Receipt:
    """The receipt that a JSON receipt or a tlog-proof holds."""
    data = read_limited(file, limit=_PROOF_LIMIT)
    wrong = "is neither a tlog-proof nor a receipt"
    hint = "pass a file of `minivess audit prove`, or the `receipt` object of an answer"
    if not data.startswith(b"c2sp.org/"):
        return parse_json_record(data, Receipt, path=file, wrong=wrong, hint=hint)
    try:
        return receipt_of(parse_proof(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise InputError(wrong, path=file, hint=hint) from None
