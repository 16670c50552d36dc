"""Whether a model may answer now, and who may ask: what the device's log says, looked at again before each answer.

A promotion, a retirement and a change of an API key take effect without a restart. Looking again costs one question to the
database, for the number of entries; what is new is read and compared with the newest signed checkpoint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from minivess.compliance.audit.callers import CALLER_ACTIONS, Callers
from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.foundation.errors import CouldNotCheckError, MinivessError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.log.entry import Entry, Outcome
from minivess.records.people.identity import Identity

LETTING_IN = frozenset({"identity.enrolled", "identity.rotated"})
REVOKED = "identity.revoked"
DECIDING = PROMOTING | CALLER_ACTIONS | LETTING_IN | {REVOKED}
"""The actions that say which model answers, which service may record its answers, and who may ask."""


class NotInUseError(RefusedError):
    """The model may not answer now. What the message says may be shown to who asked."""


class DeviceView(Protocol):
    """What the device's log says of models and callers."""

    def look(self) -> tuple[Entry, ...]:
        """The entries of `DECIDING` that are known now, in order; the same object while nothing is new.

        Raises:
            CouldNotCheckError: the log is out of reach for now.
            VerificationError: what is there is not the log, or is too old.
        """


@implements("REQ-447", "RC-185")
class LogView:
    """The device's log itself, followed entry by entry.

    Args:
        log: open for reading or writing.
    """

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._frontier = Frontier()
        self._entries: tuple[Entry, ...] = ()

    def look(self) -> tuple[Entry, ...]:
        """Read what is new, and compare it with the newest checkpoint, which the log's key signed."""
        before = self._frontier
        if self._log.size == before.size:
            return self._entries
        register = self._log.standing.register
        frontier, found, size = Frontier(before.size, before.peaks), list(self._entries), self._log.size
        if size < before.size:
            raise VerificationError(f"the device's log has shrunk from {before.size} to {size} entries")
        lines = list(islice(self._log.lines(before.size), size - before.size))
        frontier.extend([leaf_hash(line) for line in lines])
        head = Checkpoint(self._log.origin, size, frontier.root())
        if parse_note(self._log.checkpoint(size)).verify(self._log.origin, register.log_key) != head:
            raise VerificationError(
                f"the device's log of {size} entries does not continue the one that was read before"
            )
        found += [parse_json_record(line, Entry, path="an entry of the log") for line in lines if decides(line)]
        self._frontier = frontier
        if len(found) > len(self._entries):
            self._entries = tuple(found)
        return self._entries


_MARKS = tuple(b'{"body":{"action":"%s"' % action.encode("ascii") for action in sorted(DECIDING))


def decides(line: bytes) -> bool:
    """Whether a line of a log is an entry of `DECIDING`; the others are not parsed."""
    return line.startswith(_MARKS)


@dataclass(frozen=True)
class _Known:
    entries: tuple[Entry, ...] | None
    """What it was decided from; None: nothing could be read."""
    callers: Callers
    refusal: MinivessError | None
    acting: Mapping[str, str] = field(default_factory=dict)
    """The key id that counts of each identity."""


@implements("REQ-447", "RC-185")
class InUse:
    """The state of the served model and its callers, as of now. Safe to use from several threads.

    Args:
        view: what the device's log says.
        model: digest of the served model.
        blind_seconds: how long answers go on while the view is out of reach.
        elapsed: seconds that never run backwards.
    """

    def __init__(
        self,
        view: DeviceView,
        model: str,
        *,
        blind_seconds: float = 60.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._model = model
        self._blind_seconds = blind_seconds
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._known = _Known(None, Callers(), NotInUseError("the device's log was not read yet"))
        self._looked = float("-inf")
        self._again = float("-inf")

    @implements("REQ-447")
    def check(self, service: Identity | None = None) -> None:
        """Raise `NotInUseError` unless the served model may answer now, and the service record its answers.

        Args:
            service: who records; None: not looked at.
        """
        known = self._look()
        refusal = known.refusal
        if refusal is None and service is not None:
            refusal = not_acting(known.acting, service)
        if refusal is not None:
            raise NotInUseError(refusal.message, hint=refusal.hint)

    @implements("REQ-446", "REQ-447")
    def callers(self) -> Callers:
        """Who may ask now.

        Raises:
            NotInUseError: the view cannot be believed, or was out of reach for too long.
        """
        known = self._look()
        if known.entries is None and known.refusal is not None:
            raise NotInUseError(known.refusal.message, hint=known.refusal.hint)
        return known.callers

    def _look(self) -> _Known:
        with self._lock:
            now = self._elapsed()
            if now < self._again:
                return self._known
            try:
                entries = self._view.look()
            except CouldNotCheckError:
                self._again = now + 1.0
                if now - self._looked > self._blind_seconds:
                    words = f"the device's log was out of reach for more than {self._blind_seconds:g} seconds"
                    self._known = _Known(None, Callers(), NotInUseError(words, hint="inform the service's operator"))
                return self._known
            except MinivessError as error:
                self._again = now + 1.0
                self._known = _Known(None, Callers(), error)
                return self._known
            self._looked = now
            if entries is not self._known.entries:
                self._known = self._decided(entries)
            return self._known

    def _decided(self, entries: tuple[Entry, ...]) -> _Known:
        try:
            callers = Callers.fold(entries)
            refusal: MinivessError | None = None
            standing = Promotions.fold(entries)
            try:
                check_not_revoked(standing, self._model, what="the served model")
                if standing.production not in {
                    None,
                    self._model,
                }:  # said first: what was evaluated may not be known here
                    raise not_in_production("the served model", self._model)
                check_in_production(standing, self._model)
            except VerificationError as error:
                refusal = error
        except MinivessError as error:
            return _Known(None, Callers(), error)
        return _Known(entries, callers, refusal, acting_keys(entries))


def acting_keys(entries: Iterable[Entry]) -> dict[str, str]:
    """The id of the key that counts, of each identity that entries let in, rotated and did not revoke."""
    acting: dict[str, str] = {}
    for entry in entries:
        body = entry.body
        if body.outcome is not Outcome.COMPLETED:
            continue
        if body.action in LETTING_IN:
            identity = Identity.model_validate(body.payload["identity"])
            acting[identity.id] = identity.signing_key.key_id
        elif body.action == REVOKED:
            acting.pop(str(body.payload["identity"]), None)
    return acting


def not_acting(acting: Mapping[str, str], service: Identity) -> VerificationError | None:
    """Why a service may not record answers; None: it may."""
    if acting.get(service.id) == service.signing_key.key_id:
        return None
    return VerificationError(
        f"the key of {service.id} was not let in, or does not count any more",
        hint="`minivess identity enrol`, where the device's log is, and start the service again",
    )


@implements("REQ-049", "REQ-447", "RC-04")
def check_in_production(standing: Promotions, model: str, *, what: str = "the served model") -> None:
    """Check that a model was evaluated and is in production. The log and a file that takes its place are judged by this.

    Args:
        standing: the stage of every model, as entries say.
        model: digest of the model.
        what: how the refusal names it.

    Raises:
        VerificationError: it was not evaluated, or is not in production.
    """
    check_not_revoked(standing, model, what=what)
    if model not in standing.evaluated:
        raise VerificationError(
            f"{what} was not evaluated on the sealed test set",
            hint="`minivess test-set request`; then another person: `minivess test-set approve REQUEST --run`",
        )
    if standing.production != model:
        raise not_in_production(what, model)


@implements("REQ-576")
def check_not_revoked(standing: Promotions, model: str, *, what: str) -> None:
    """Refuse the model of a revoked release that was not promoted since.

    Raises:
        VerificationError: names the release, the entry and the reason.
    """
    if model in standing.revoked:
        raise VerificationError(
            f"{what} may not be used: {standing.revoked[model]}",
            hint="follow the instructions of the entry: minivess audit show ENTRY",
        )


def not_in_production(what: str, model: str) -> VerificationError:
    """The refusal of a model that is in another stage."""
    return VerificationError(
        f"{what} is not in production",
        hint=f"a release manager: minivess model promote {model} --stage production --reason …",
    )
