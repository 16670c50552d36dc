"""Having the log's newest checkpoint vouched for by k of n witnesses (C2SP tlog-witness).

Up to n - k witnesses may be down, wrong or dishonest: what one of them answers reaches neither the note nor the others until
it was verified. One that has seen another history is never passed over, though, whatever the others say.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from minivess.compliance.proofs.checkpoint import NOTE_LIMIT, Checkpoint, parse_decimal, parse_note
from minivess.compliance.proofs.cosignature import (
    AddCheckpoint,
    Cosigned,
    VerifierKey,
    add_signatures,
    parse_verifier_key,
    signatures_of,
    verify_cosignatures,
)
from minivess.compliance.verification.witness import CONFLICT, OK, UNPROVEN
from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy

_TIMEOUT = 10.0
_TRIES = 4
"""Requests to one witness: others may have it sign for the same log meanwhile, and then it names its size anew."""
_ROUNDS = 3
"""Newer checkpoints tried when the log grows while witnesses are asked."""

Post = Callable[[str, bytes, float], tuple[int, str]]
"""Posts bytes to a URL within some seconds; gives status and text, or raises `CouldNotCheckError`."""


class WitnessedLog(Protocol):
    """The log that is vouched for; `audit.log.AuditLog` is one."""

    def checkpoint(self) -> str:
        """The newest signed checkpoint."""

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the log of `new_size` entries continues that of `old_size`."""

    def keep_note(self, note: str) -> object:
        """Keep the checkpoint with more signatures."""


@dataclass(frozen=True)
class _Answer:
    """What one witness said; a signature that was verified, or why there is none."""

    name: str
    line: str = ""
    problem: str = ""
    other_history: bool = False
    ahead: int | None = None
    """The size it vouched for, when that is beyond the checkpoint it was asked about."""


@implements("REQ-054", "REQ-055", "RC-16")
def cosign_checkpoint(
    log: WitnessedLog,
    policy: WitnessPolicy,
    *,
    timeout: float = _TIMEOUT,
    clock: Clock = utc_now,
    post: Post | None = None,
) -> tuple[str, tuple[Cosigned, ...]]:
    """Ask every witness, all at once, and keep their signatures with the checkpoint.

    Args:
        log: whose newest checkpoint.
        policy: which witnesses, and how many it takes.
        timeout: seconds for connecting, and again for one request and its answer.
        clock: signatures from after it do not count.
        post: sends a request; by default over HTTP, without following redirects.

    Returns:
        The checkpoint with the signatures, and who vouches for it since when.

    Raises:
        VerificationError: a witness has seen another history of this log: a split view, or a log that was rolled back.
            Signatures of a quorum are kept all the same.
        RefusedError: fewer than the quorum vouched; says what each other one answered.
        CouldNotCheckError: the log grew faster than witnesses could be asked.
        InputError: the policy holds a malformed key.
    """
    keys = tuple(parse_verifier_key(witness.key) for witness in policy.witnesses)
    send = _post if post is None else post
    for _ in range(_ROUNDS):
        asked = _Round(
            log, policy, keys, log.checkpoint(), clock().timestamp(), lambda url, body: send(url, body, timeout)
        )
        answers = asked.ask_all()
        furthest = max((answer.ahead for answer in answers if answer.ahead is not None), default=None)
        if furthest is None or parse_note(log.checkpoint()).checkpoint.size < furthest:
            return asked.conclude(answers)
    raise CouldNotCheckError(
        "other commands appended to the log while its witnesses were asked", hint="try again in a while"
    )


@dataclass(frozen=True)
class _Round:
    """One checkpoint, and all that is needed to ask for signatures under it."""

    log: WitnessedLog
    policy: WitnessPolicy
    keys: tuple[VerifierKey, ...]
    note: str
    now: float
    send: Callable[[str, bytes], tuple[int, str]]

    @property
    def head(self) -> Checkpoint:
        return parse_note(self.note).checkpoint

    @property
    def bare(self) -> str:
        """The note with the log's own signatures alone: who else is asked is nobody's business."""
        text, _, signatures = self.note.partition("\n\n")
        own = (line for line in signatures[:-1].split("\n") if line.startswith(f"— {self.head.origin} "))
        return f"{text}\n\n" + "".join(f"{line}\n" for line in own)

    def ask_all(self) -> list[_Answer]:
        def ask(witness: WitnessAddress, key: VerifierKey) -> _Answer:
            try:
                return self.ask(f"{witness.url.rstrip('/')}/add-checkpoint", key)
            except MinivessError as error:
                return _Answer(key.name, problem=error.message)

        with ThreadPoolExecutor(max_workers=len(self.keys)) as pool:
            return list(pool.map(ask, self.policy.witnesses, self.keys))

    def ask(self, url: str, key: VerifierKey) -> _Answer:
        """Ask one witness: first as if it knew nothing, then from the size it says it saw last."""
        head, note = self.head, self.bare
        old, proof = 0, tuple[bytes, ...]()
        for _ in range(_TRIES):
            status, text = self.send(url, AddCheckpoint(old, proof, note).text().encode("utf-8"))
            if status == OK:
                line = signatures_of(key, text)
                verify_cosignatures(add_signatures(note, line) if line else note, [key], 1, now=self.now)
                return _Answer(key.name, line)
            if status not in {CONFLICT, UNPROVEN}:
                return _Answer(key.name, problem=f"it answered {status}: {' '.join(text.split())[:200]}")
            size = _size(text) if status == CONFLICT else None
            if size is not None and size > head.size:
                problem = (
                    f"the witness {key.name} vouched for {size} entries of this log, and {head.size} are here: "
                    "the log was rolled back, or shows two histories"
                )
                return _Answer(key.name, problem=problem, other_history=True, ahead=size)
            if size is not None and size > old:
                old, proof = size, self.log.consistency(size, head.size)
            elif old and size in {None, old}:
                problem = f"the witness {key.name} vouched for another history of the first {old} entries: a split view"
                return _Answer(key.name, problem=problem, other_history=True)
            else:
                return _Answer(key.name, problem="it contradicts itself about what it has seen")
        return _Answer(key.name, problem="others had it sign for this log again and again")

    def conclude(self, answers: list[_Answer]) -> tuple[str, tuple[Cosigned, ...]]:
        """Put the signatures under the note and keep it, if there are enough."""
        note = self.note
        for answer in answers:
            if answer.line:
                note = add_signatures(note, answer.line)
        silent = "; ".join(f"{answer.name}: {answer.problem}" for answer in answers if answer.problem)
        other = next((answer.problem for answer in answers if answer.other_history), None)
        try:
            vouched = verify_cosignatures(note, self.keys, self.policy.quorum, now=self.now)
        except VerificationError as error:
            kind = RefusedError if other is None else VerificationError
            raise kind(other or error.message, hint=silent) from None
        self.log.keep_note(note)
        if other is not None:
            raise VerificationError(
                other, hint=f"{len(vouched)} witness(es) cosigned this history: find out which one is true"
            )
        return note, vouched


def _size(text: str) -> int | None:
    """The size in a 409, or None where the answer is none."""
    try:
        return parse_decimal(text[:-1] if text.endswith("\n") else "")
    except InputError:
        return None


def _post(url: str, body: bytes, timeout: float) -> tuple[int, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.connect()
            with _deadline(connection.sock, timeout):
                connection.request("POST", parts.path, body, {"Content-Type": "text/plain"})
                answer = connection.getresponse()
                return answer.status, answer.read(NOTE_LIMIT).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CouldNotCheckError(f"out of reach ({type(error).__name__})") from None


@contextlib.contextmanager
def _deadline(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection off when the time is over: a time-out of the socket alone would wait anew for every byte."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
