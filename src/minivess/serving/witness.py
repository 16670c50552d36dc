"""A small witness (C2SP tlog-witness): one endpoint, `POST /add-checkpoint`, and a state file.

What it vouched for is on the disk before anybody gets the signature. One request at a time is judged, so that two heads of
one size can never both be signed.
"""

from __future__ import annotations

import base64
import fcntl
import os
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
from minivess.compliance.proofs.cosignature import LOG, WITNESS, cosign, parse_request, parse_verifier_key, verifier_key
from minivess.compliance.proofs.merkle import EMPTY_ROOT
from minivess.compliance.verification.witness import CONFLICT, MALFORMED, OK, Seen, judge_request
from minivess.foundation.errors import CannotWriteError, InputError, MinivessError, RefusedError, UsageError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.witness import ServedLog, WitnessState

STATE_FILE = "witness.json"
_LOCK_FILE = ".witness.lock"
_LIMIT = 64 * 1024
_TIMEOUT = 20
_CONNECTIONS = 64


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
            logs = {log.origin: parse_verifier_key(log.key) for log in self._state.logs}
            seen = {log.origin: Seen(log.size, base64.b64decode(log.root)) for log in self._state.logs}
            decision = judge_request(request, logs, seen)
            if decision.status == CONFLICT:
                return CONFLICT, "text/x.tlog.size", f"{decision.seen.size}\n"
            if decision.status != OK:
                return decision.status, "text/plain", f"{decision.why}\n"
            self._remember(origin, decision.seen)
            return OK, "text/plain", cosign(request.note, self._state.name, self._signer, int(self._clock()))

    def _remember(self, origin: str, seen: Seen) -> None:
        logs = tuple(
            log.model_copy(update={"size": seen.size, "root": base64.b64encode(seen.root).decode("ascii")})
            if log.origin == origin
            else log
            for log in self._state.logs
        )
        state = self._state.model_copy(update={"logs": logs})
        write_state(self._path.parent, state)
        self._state = state


def read_state(folder: Path) -> WitnessState:
    """What a witness remembers.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        state = WitnessState.model_validate_json(read_limited(folder / STATE_FILE, limit=1 << 20))
        for log in state.logs:
            parse_verifier_key(log.key)
            if len(base64.b64decode(log.root, validate=True)) != len(EMPTY_ROOT):
                raise ValueError("a root is not 32 bytes")
        if len({log.origin for log in state.logs}) != len(state.logs):
            raise ValueError("a log is there twice")
    except ValueError:
        raise InputError(
            "the state of the witness is damaged", path=STATE_FILE, hint="restore it; a witness without memory is none"
        ) from None
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
        """Say who this is."""
        if self.path == "/":
            self._answer(OK, "text/plain", f"{self.server.witness.vkey}\n")
        else:
            self._answer(404, "text/plain", "POST /add-checkpoint\n")

    def do_POST(self) -> None:
        """Judge a checkpoint."""
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # unless the whole body was read
        if self.path != "/add-checkpoint":
            self._answer(404, "text/plain", "POST /add-checkpoint\n")
        elif not (length.isascii() and length.isdigit() and len(length) <= 6 and int(length) <= _LIMIT):
            self._answer(MALFORMED, "text/plain", "a Content-Length of 64 KiB at most is needed\n")
        else:
            body = self.rfile.read(int(length))
            self.close_connection = len(body) != int(length) or self.headers.get("Connection", "").lower() == "close"
            try:
                self._answer(*self.server.witness.add_checkpoint(body))
            except (MinivessError, ValidationError):
                self._answer(500, "text/plain", "the witness cannot keep its state\n")

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
