"""A service's own log: its answers are entries there, and the log of the device holds what vouches for it.

The serving log is an SQLite file of its own, with a checkpoint key of its own, made when a site is served first. In the
device's log it is enrolled once, and its newest checkpoint is anchored from time to time with the proof that it continues the one
before. So the device's log, and every pack made from it, does not grow with the number of answers, and a serving log
that was rolled back or rewritten is refused.

What is not urgent is done in the background, never inside a request: lineage events, counts of refused requests, anchors.
What fails there is a warning, and is tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.compliance.proofs.serving_logs import ServingHead
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.serving.refusals import Refusals
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

ANOTHER_SITE = "serve another --site, which begins a log of its own"
RESTORE = "restore the serving log from the newest backup, or " + ANOTHER_SITE
_LETTING_IN = frozenset({"identity.enrolled", "identity.rotated"})

COUNTS = "requests that were counted could not be recorded"
ANCHOR = "the serving log could not be anchored in the device's log"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How often the work in the background is done, in seconds where nothing else is said."""

    anchor_entries: int = 1000
    """Entries after which the serving log is anchored again."""
    anchor_seconds: float = 3600.0
    """Time after which it is anchored again, if there are new entries."""
    least_seconds: float = 60.0
    """Time between two anchors, and before what failed is tried again, at least."""
    count_seconds: float = 600.0
    """Time after which refused requests that were counted become an entry."""
    refusals_a_minute: int = 60
    """Refusals that get an entry of their own; further ones are counted."""
    batch_seconds: float = 5.0
    """Time in which lineage events gather before they are delivered together."""


@implements("REQ-170", "REQ-174", "RC-60")
class ServingLog:
    """An open serving log. Made by `open_serving_log`; safe to use from several threads.

    Attributes:
        device: the workspace, with the device's log.
        services: the same with the serving log in its place: what answers are recorded with.
        signer: the service identity.
        refusals: counts requests that were turned away.
        pace: how often the work in the background is done.
    """

    def __init__(
        self,
        device: Services,
        services: Services,
        signer: Signer,
        *,
        known: ServingHead,
        pace: Pace,
        lock: int,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self.services = services
        self.signer = signer
        self.pace = pace
        self.refusals = Refusals(pace.refusals_a_minute, clock=services.clock, elapsed=elapsed)
        self._known = known
        self._context = device.context()
        self._lock = lock
        self._elapsed = elapsed
        self._anchoring = threading.Lock()
        self._stop = threading.Event()
        self._failing = False
        self._thread: threading.Thread | None = None
        self._through = self._outer(anchored=False)
        now = elapsed()
        self._count_at, self._anchor_at = now + pace.count_seconds, now + pace.anchor_seconds
        self._anchor_from = self._deliver_from = now + pace.least_seconds

    @property
    def origin(self) -> str:
        """The serving log's name."""
        return self._known.origin

    @property
    def through(self) -> tuple[Receipt, ...]:
        """What leads from the device's log to this one, for the receipt of a new answer; no database is asked."""
        return self._through

    @implements("REQ-172")
    def prove(self, index: int) -> Receipt:
        """The receipt of an entry with its proof through both logs, up to the newest anchor where one covers it.

        Raises:
            UsageError: there is no such entry.
        """
        known = self._known
        anchored = known.anchored is not None and index < known.head.size
        receipt = self.services.log.prove(index, known.head.size if anchored else None)
        return receipt.model_copy(update={"through": self._outer(anchored=anchored)})

    @implements("REQ-171")
    def anchor(self) -> bool:
        """Put the newest checkpoint into the device's log; returns whether there was anything new.

        Raises:
            VerificationError: the serving log does not continue what the device's log knows of it.
            CouldNotCheckError: one of the two logs is out of reach.
        """
        with self._anchoring:
            log = self.services.log
            known = known_head(self.device.log, self.origin) or self._known
            head = check_continues(log, known)
            if head.size == known.head.size:
                self._known = known
                return False
            note, proof = log.checkpoint(head.size), log.consistency(known.head.size, head.size)
            with recorded(self.device, "serving.anchored", self.signer, context=self._context, instant=True) as record:
                record.payload(origin=self.origin, note=note, proof=[to_base64(one) for one in proof])
            self._known = replace(known, head=head, note=note, anchored=record.receipt.index)
            return True

    @implements("REQ-173")
    def record_counts(self) -> bool:
        """Record the requests that were counted since the last time; returns whether there were any.

        Raises:
            CouldNotCheckError: the log cannot be written; they are counted on.
        """
        counted = self.refusals.take()
        if counted is None:
            return False
        try:
            with recorded(
                self.services, "inference.refusals", self.signer, context=self._context, instant=True, trial=False
            ) as record:
                record.payload(**counted.model_dump(mode="json"))
        except BaseException:
            self.refusals.put_back(counted)
            raise
        return True

    def work(self) -> None:
        """Do what is due now. Whatever fails is a warning, and is tried again later."""
        now, pace = self._elapsed(), self.pace
        both = (self.services, self.device)
        if now >= self._deliver_from or (not self._failing and any(one.relay.due for one in both)):
            well = [one.deliver() for one in both]
            self._failing = not all(well)
            self._deliver_from = now + pace.least_seconds
        if now >= self._count_at:
            self._count_at = now + pace.count_seconds
            self.attempt(self.record_counts, COUNTS)
        if now >= self._anchor_at or (now >= self._anchor_from and self._many_new()):
            self._anchor_at = now + pace.anchor_seconds
            done = self.attempt(self.anchor, ANCHOR)
            self._anchor_from = now + (pace.least_seconds if done else pace.anchor_seconds)

    def start(self) -> Self:
        """Begin to work in the background."""
        self._thread = threading.Thread(target=self._work_on, name="serving log", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Record what was counted, anchor, deliver, and let go of the serving log; the device's stays open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.attempt(self.record_counts, COUNTS)
        self.attempt(self.anchor, ANCHOR)
        self.services.deliver()
        self.services.log.close()
        self._release()

    def _release(self) -> None:
        """Let another process serve the site."""
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work_on(self) -> None:
        while not self._stop.wait(self.pace.batch_seconds):
            self.work()

    def _many_new(self) -> bool:
        try:
            return self.services.log.size - self._known.head.size >= self.pace.anchor_entries
        except Exception:  # out of reach: the next time
            return False

    def attempt(self, act: Callable[[], bool], words: str) -> bool:
        """Do something that is not urgent; when it fails, that is a warning. Returns whether it did not."""
        try:
            act()
        except Exception as error:
            _log.warning("%s, which is tried again: %s", words, type(error).__name__)
            return False
        return True

    def _outer(self, *, anchored: bool) -> tuple[Receipt, ...]:
        """Receipts of the device's entries that name the service's key, this log and, if wanted, its newest anchor."""
        log, known = self.device.log, self._known
        indices = [letting_in(log, self.signer), known.enrolled]
        if anchored and known.anchored is not None:
            indices.append(known.anchored)
        size = log.size
        return tuple(log.prove(index, size) for index in indices)


@implements("REQ-171", "RC-60")
def check_continues(log: LogReader, known: ServingHead) -> Checkpoint:
    """Whether a serving log is the one that the device's log knows, or a continuation of it; returns its head.

    Raises:
        VerificationError: it was rolled back, or is another history.
    """
    size = known.head.size
    head = parse_note(log.checkpoint()).verify(known.origin, known.log_key)
    if head.size < size:
        raise VerificationError(
            f"the serving log has {head.size} entries, and the device's log knows {size}: it was rolled back",
            hint=RESTORE,
        )
    try:
        proof = log.consistency(size, head.size)
        verify_consistency(size, head.size, proof, known.head.root, head.root)
    except VerificationError:
        raise VerificationError(
            f"two histories: the first {size} entries of the serving log are not those that the device's log knows",
            hint=RESTORE,
        ) from None
    return head


def known_head(log: LogReader, origin: str) -> ServingHead | None:
    """What the device's log knows of a serving log; None when it was not enrolled.

    Raises:
        VerificationError: an entry about serving logs does not fit those before it.
    """
    return log.standing.serving.heads.get(origin)


def letting_in(log: AuditLog, signer: Signer) -> int:
    """Index of the device's entry that lets the service act under this key."""
    for entry in log.entries(actions=_LETTING_IN):
        if entry.body.outcome is Outcome.COMPLETED and _named_key(entry) == signer.key_id:
            return entry.body.index
    raise RefusedError(
        f"{signer.identity.id} is not enrolled in the log", hint=f"minivess identity enrol {signer.identity.id}"
    )


def _named_key(entry: Entry) -> str | None:
    try:
        return str(entry.body.payload["identity"]["signing_key"]["key_id"])
    except (KeyError, TypeError):
        return None
