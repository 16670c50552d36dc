"""A small witness (C2SP tlog-witness): `POST /add-checkpoint`, `GET /<SHA-256 of the origin>/checkpoint`, and a state file.

What it vouched for is on the disk before anybody gets the signature. One request at a time is judged, so that two heads of
one size can never both be signed. The times it signs never go backwards.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    REQUEST_LIMIT,
    WITNESS,
    VerifierKey,
    add_signatures,
    cosign,
    parse_request,
    parse_verifier_key,
    signatures_of,
    verifier_key,
)
from minivess.compliance.proofs.merkle import EMPTY_ROOT
from minivess.compliance.verification.witness import CONFLICT, MALFORMED, OK, Seen, judge_request
from minivess.foundation.errors import CannotWriteError, InputError, MinivessError, RefusedError, UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.device.witnesses import ServedLog, WitnessState

STATE_FILE = "witness.json"
_LOCK_FILE = ".witness.lock"
_STATE_LIMIT = 16 << 20
_TIMEOUT = 20
_CONNECTIONS = 64
_SKEW = 600
"""Seconds by which the clock may be behind the last signature: then that one's time is used again."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,6})(?:;[^\r\n]*)?\r\n")
_CHUNKS, _TRAILERS, _LINE = 4096, 32, 256
"""Chunks of a body, lines after them, and bytes of each such line, at most."""


@implements("REQ-054", "RC-16")
class Witness:
    """A witness and its state file.

    Args:
        folder: holds `witness.json`.
        signer: its Ed25519 key.
        clock: Unix seconds.

    Raises:
        InputError: the state is missing or damaged: then the witness must not sign anything.
        RefusedError: another process serves this folder: two could sign two histories.
    """

    def __init__(self, folder: Path, signer: Signer, *, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / STATE_FILE
        self._signer = signer
        self._clock = clock
        self._lock = threading.Lock()
        read_state(folder)  # a damaged state is named before a folder in use
        self._held: int | None = _lock(folder)
        self._state = read_state(folder)

    def close(self) -> None:
        """Let another process have the folder; may be called again."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @property
    def vkey(self) -> str:
        """Its verifier key, to be handed to those who trust it."""
        return verifier_key(self._state.name, self._signer.public, WITNESS).text()

    def add_checkpoint(self, body: bytes) -> tuple[int, str, str]:
        """Answer a request: HTTP status, content type, text."""
        try:
            request = parse_request(body)
        except InputError as error:
            return MALFORMED, "text/plain", f"{error.message}\n"
        origin = parse_note(request.note, foreign=True).checkpoint.origin
        with self._lock:
            if self._held is None:
                raise RefusedError("the witness was closed")
            logs = {log.origin: tuple(parse_verifier_key(key) for key in log.keys) for log in self._state.logs}
            seen = {log.origin: Seen(log.size, base64.b64decode(log.root)) for log in self._state.logs}
            decision = judge_request(request, logs, seen)
            if decision.status == CONFLICT:
                return CONFLICT, "text/x.tlog.size", f"{decision.seen.size}\n"
            if decision.status != OK:
                return decision.status, "text/plain", f"{decision.why}\n"
            now = self._now(origin)
            line = cosign(request.note, self._state.name, self._signer, now)
            self._remember(origin, decision.seen, now, add_signatures(_own(request.note, logs[origin]), line))
            return OK, "text/plain", line

    @implements("REQ-154")
    def newest(self, origin_hash: str) -> str | None:
        """The newest checkpoint that was vouched for, with the log's signatures and the witness's own.

        Args:
            origin_hash: lower-case hexadecimal SHA-256 of the log's origin.
        """
        state = self._state
        for log in state.logs:
            if log.note and hashlib.sha256(log.origin.encode("utf-8")).hexdigest() == origin_hash:
                return log.note
        return None

    def _now(self, origin: str) -> int:
        """The time to sign: never before that of the last signature for the log.

        Raises:
            RefusedError: the clock is far behind it, or has no time.
        """
        now = int(self._clock())
        last = next(log.time for log in self._state.logs if log.origin == origin)
        if now <= 0 or now < last - _SKEW:
            raise RefusedError("the clock of the witness is behind its last signature")
        return max(now, last)

    def _remember(self, origin: str, seen: Seen, now: int, note: str) -> None:
        new = {"size": seen.size, "root": base64.b64encode(seen.root).decode("ascii"), "time": now, "note": note}
        logs = tuple(log.model_copy(update=new) if log.origin == origin else log for log in self._state.logs)
        state = self._state.model_copy(update={"logs": logs})
        write_state(self._path.parent, state)
        self._state = state


def _own(note: str, keys: tuple[VerifierKey, ...]) -> str:
    """A note with the signatures of these keys alone."""
    text, _, signatures = note.rpartition("\n\n")
    return f"{text}\n\n" + "".join(signatures_of(key, signatures) for key in keys)


def read_state(folder: Path) -> WitnessState:
    """What a witness remembers.

    Raises:
        InputError: the file is missing or damaged.
    """
    damaged, hint = "the state of the witness is damaged", "restore it; a witness without memory is none"
    state = read_json_record(
        folder / STATE_FILE, WitnessState, shown=STATE_FILE, wrong=damaged, hint=hint, limit=_STATE_LIMIT
    )
    try:
        for log in state.logs:
            for key in log.keys:
                parse_verifier_key(key)
            if log.note and parse_note(log.note, foreign=True).checkpoint.size != log.size:
                raise ValueError("a checkpoint is not the newest")
            if len(base64.b64decode(log.root, validate=True)) != len(EMPTY_ROOT):
                raise ValueError("a root is not 32 bytes")
        if len({log.origin for log in state.logs}) != len(state.logs):
            raise ValueError("a log is there twice")
    except ValueError:
        raise InputError(damaged, path=STATE_FILE, hint=hint) from None
    return state


def write_state(folder: Path, state: WitnessState) -> None:
    """Keep the state, flushed to the disk."""
    write_text_atomic(folder / STATE_FILE, state.model_dump_json(indent=2) + "\n")


def serve_log(folder: Path, vkey: str, origin: str | None = None) -> ServedLog:
    """Let a witness serve a log from now on.

    Args:
        folder: of the witness.
        vkey: the log's verifier key.
        origin: the first line of its checkpoints, where that is not the name of its key.

    Raises:
        InputError: the verifier key or the state is malformed.
        UsageError: it serves a log of that name already, or the key is not a log's.
        RefusedError: the witness is running, and would not hear of it.
    """
    key = parse_verifier_key(vkey)
    if key.kind != LOG:
        raise UsageError("this is the key of a witness", hint="`minivess audit checkpoint --vkey` prints that of a log")
    with _locked(folder):
        state = read_state(folder)
        name = key.name if origin is None else origin
        if any(log.origin == name for log in state.logs):
            raise UsageError(f"this witness serves {name} already")
        log = ServedLog(origin=name, key=vkey, root=base64.b64encode(EMPTY_ROOT).decode("ascii"))
        write_state(folder, state.model_copy(update={"logs": (*state.logs, log)}))
    return log


@implements("REQ-154")
def change_keys(folder: Path, origin: str, *, add: str | None = None, drop: str | None = None) -> ServedLog:
    """Let another key of a served log count as well, or let one count no longer.

    Args:
        folder: of the witness.
        origin: of the log.
        add: a verifier key of the log.
        drop: a verifier key that counts now.

    Raises:
        InputError: the verifier key or the state is malformed.
        UsageError: the log is not served, the key is not a log's or counts already, or there is no such key to drop.
        RefusedError: the witness is running; or no key would be left.
    """
    if add is not None and parse_verifier_key(add).kind != LOG:
        raise UsageError("this is the key of a witness", hint="`minivess audit checkpoint --vkey` prints that of a log")
    with _locked(folder):
        state = read_state(folder)
        held = next((log for log in state.logs if log.origin == origin), None)
        if held is None:
            raise UsageError(f"this witness does not serve {origin}")
        if add in held.keys:
            raise UsageError("this key counts already")
        if drop is not None and drop not in held.keys:
            raise UsageError("this key does not count now")
        keys = [key for key in (*held.keys, add) if key is not None and key != drop]
        if not keys:
            raise RefusedError(f"no key of {origin} would be left", hint="add the new key first")
        log = held.model_copy(update={"key": keys[0], "more_keys": tuple(keys[1:])})
        write_state(folder, state.model_copy(update={"logs": tuple(log if one is held else one for one in state.logs)}))
    return log


@implements("REQ-114")
class WitnessServer(ThreadingHTTPServer):
    """HTTP in front of a witness.

    Args:
        witness: who answers.
        host: by default this machine alone.
        port: 0 takes a free one.
    """

    daemon_threads = True

    def __init__(self, witness: Witness, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.witness = witness
        self._free = threading.BoundedSemaphore(_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, or close it when 64 are open."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def server_close(self) -> None:
        """Stop listening, and let another process have the folder."""
        super().server_close()
        self.witness.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    server_version, sys_version, timeout = "minivess-witness", "", _TIMEOUT
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say who this is, or serve the newest checkpoint of a log."""
        match = re.fullmatch("/([0-9a-f]{64})/checkpoint", self.path)
        note = self.server.witness.newest(match[1]) if match else None
        if self.path == "/":
            self._answer(OK, "text/plain", f"{self.server.witness.vkey}\n")
        elif note is not None:
            self._answer(OK, "text/plain", note)
        else:
            self._answer(404, "text/plain", "POST /add-checkpoint, GET /<SHA-256 of the origin>/checkpoint\n")

    def do_POST(self) -> None:
        """Judge a checkpoint."""
        self.close_connection = True  # unless the whole body was read
        if self.path != "/add-checkpoint":
            self._answer(404, "text/plain", "POST /add-checkpoint\n")
            return
        body = self._body()
        if body is None:
            self._answer(MALFORMED, "text/plain", f"a body of {REQUEST_LIMIT // 1024} KiB at most is needed\n")
            return
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        try:
            self._answer(*self.server.witness.add_checkpoint(body))
        except (MinivessError, ValidationError):
            self._answer(500, "text/plain", "the witness cannot keep its state, or its clock went back\n")

    def _body(self) -> bytes | None:
        """The body, with a stated length or in chunks (RFC 9112 section 7.1); None when it is none, or too long."""
        lengths, codings = self.headers.get_all("Content-Length", []), self.headers.get_all("Transfer-Encoding", [])
        if codings:
            chunked = len(codings) == 1 and codings[0].strip().lower() == "chunked"
            return self._chunks() if chunked and not lengths else None
        length = lengths[0] if len(lengths) == 1 else ""
        if not (length.isascii() and length.isdigit() and len(length) <= 6 and int(length) <= REQUEST_LIMIT):
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _chunks(self) -> bytes | None:
        body = bytearray()
        for _ in range(_CHUNKS):
            match = _CHUNK.fullmatch(self.rfile.readline(_LINE))
            size = int(match[1], 16) if match else -1
            if size == 0:
                return bytes(body) if self._trailers() else None
            if size < 0 or len(body) + size > REQUEST_LIMIT:
                return None
            chunk = self.rfile.read(size + 2)
            if len(chunk) != size + 2 or not chunk.endswith(b"\r\n"):
                return None
            body += chunk[:-2]
        return None

    def _trailers(self) -> bool:
        """Read what may follow the last chunk, up to its empty line."""
        return any(self.rfile.readline(_LINE) == b"\r\n" for _ in range(_TRAILERS))

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind == "text/plain" else kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: who asks a witness is nobody's business."""


def _lock(folder: Path) -> int:
    """Have the folder alone, until the descriptor is closed.

    Raises:
        RefusedError: somebody else has it.
        CannotWriteError: it cannot be locked.
    """
    try:
        descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CannotWriteError(f"cannot lock the witness's folder: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RefusedError(
            "this witness is running", hint="stop it first; two of one folder could sign two histories"
        ) from None
    return descriptor


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = _lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)
