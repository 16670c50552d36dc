"""A module in a process of its own, which answers one message after the other through its standard input and output.

Both are sockets: another process of the same user can open a pipe again (`/proc/<pid>/fd`), and a socket it cannot.

The process gets a few harmless environment variables and nothing else. A message is a line of JSON behind its length
(4 bytes, big-endian), and bytes after it whose number both sides know from the message. Both sides use the functions
here.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from minivess.foundation.errors import CouldNotCheckError

_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS")
_LONGEST = 1 << 20
_LENGTH = struct.Struct(">I")
_CHUNK = 1 << 20
_PATIENCE = 10
_LOOK = 60_000


class ProcessEndedError(CouldNotCheckError):
    """A process ended, or gave no whole answer in time.

    Args:
        message: what happened.
        hint: what to do.
        status: its exit status; negative: the signal that ended it; None: it was ended because time ran out.
    """

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class PipedProcess:
    """A module that runs in a process of its own.

    Args:
        module: the module; it is run as `python -m`.
        name: names the process in errors.
        folder: its working folder; None: that of this process.
        variables: further environment variables.
        files: numbers of open files that the process has too, under the same numbers.
    """

    def __init__(
        self,
        module: str,
        name: str,
        *,
        folder: Path | None = None,
        variables: dict[str, str] | None = None,
        files: Sequence[int] = (),
    ) -> None:
        environment = {key: os.environ[key] for key in _INHERITED if key in os.environ} | (variables or {})
        if "PYTHONPATH" in environment:
            places = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(place).absolute()) for place in places)
        self._name = name
        (self._asked, standard_input), (self._answers, standard_output) = socket.socketpair(), socket.socketpair()
        with standard_input, standard_output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module],
                stdin=standard_input.fileno(),
                stdout=standard_output.fileno(),
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=folder,
                close_fds=True,
                pass_fds=tuple(files),
            )
        self._asked.setblocking(False)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, message: dict[str, Any], *bodies: memoryview | bytes, seconds: float | None = None) -> dict[str, Any]:
        """Send a message with the bytes after it and wait for the answer; `receive` gives the answer's bytes.

        Raises:
            ProcessEndedError: the process ended, or there was no answer within `seconds`.
        """
        end = None if seconds is None else time.monotonic() + seconds
        self._say(message, bodies, end)
        return self._answer(end)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message without bytes; `answer` waits for what the process answers. Several may be on their way.

        Raises:
            ProcessEndedError: the process ended.
        """
        self._say(message, (), None)

    def answer(self, *, seconds: float | None = None) -> dict[str, Any]:
        """Wait for the answer to the oldest message that has none yet.

        Raises:
            ProcessEndedError: the process ended, or there was no answer within `seconds`.
        """
        return self._answer(None if seconds is None else time.monotonic() + seconds)

    def _say(self, message: dict[str, Any], bodies: Sequence[memoryview | bytes], end: float | None) -> None:
        line = json.dumps(message).encode("utf-8")
        for body in (_LENGTH.pack(len(line)) + line, *bodies):
            self._send(memoryview(body), end)

    def _answer(self, end: float | None) -> dict[str, Any]:
        head = bytearray(_LENGTH.size)
        self._fill(memoryview(head), end)
        length = _LENGTH.unpack(head)[0]
        if length > _LONGEST:
            raise self._ended("answered nonsense")
        text = bytearray(length)
        self._fill(memoryview(text), end)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._ended("answered nonsense")
        return answer

    def receive(self, view: memoryview, *, seconds: float | None = None) -> None:
        """Fill `view` with the bytes of the answer.

        Raises:
            ProcessEndedError: the process ended in the middle, or the bytes did not come within `seconds`.
        """
        self._fill(view, None if seconds is None else time.monotonic() + seconds)

    def close(self) -> None:
        """End the process; may be called again."""
        self.let_go()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the process at once, whatever it does; for processes that keep nothing."""
        self._process.kill()
        self.close()

    def end(self) -> None:
        """End the process at once. The sockets stay open for another thread that waits for an answer, until `close`."""
        self._process.kill()

    def let_go(self) -> None:
        """Close this side of the sockets; the process ends when no other copy of them is open."""
        self._asked.close()
        self._answers.close()

    def _send(self, view: memoryview, end: float | None) -> None:
        number, at = self._number(self._asked), 0
        while at < len(view):
            self._wait(number, select.POLLOUT, end)
            try:
                at += os.write(number, view[at : at + _CHUNK])
            except BlockingIOError:
                continue
            except OSError:
                raise self._ended("ended without an answer") from None

    def _fill(self, view: memoryview, end: float | None) -> None:
        number, at = self._number(self._answers), 0
        while at < len(view):
            self._wait(number, select.POLLIN, end)
            try:
                read = os.readv(number, [view[at:]])
            except OSError:
                read = 0
            if not read:
                raise self._ended("ended in the middle of an answer" if at else "ended without an answer")
            at += read

    def _wait(self, number: int, event: int, end: float | None) -> None:
        poll = select.poll()
        poll.register(number, event)
        while not poll.poll(_LOOK if end is None else min(max(0.0, end - time.monotonic()) * 1e3, _LOOK)):
            if end is None or time.monotonic() < end:
                continue
            self._process.kill()
            self.close()
            raise ProcessEndedError(f"the {self._name} process gave no answer in time", hint="is the machine busy?")

    def _ended(self, how: str) -> ProcessEndedError:
        self.close()
        return ProcessEndedError(
            f"the {self._name} process {how}", hint="is memory short?", status=self._process.returncode
        )

    def _number(self, end: socket.socket) -> int:
        if end.fileno() < 0:
            raise ProcessEndedError(f"the {self._name} process ended without an answer", hint="is memory short?")
        return end.fileno()


def write_message(pipe: IO[bytes], message: dict[str, Any], body: memoryview | bytes = b"") -> None:
    """Write a message and its bytes, in the process."""
    line = json.dumps(message).encode("utf-8")
    pipe.write(_LENGTH.pack(len(line)) + line)
    pipe.write(body)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> dict[str, Any] | None:
    """Read a message, in the process; None at the end. Its bytes follow (`fill`)."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    text = pipe.read(length)
    return json.loads(text) if len(text) == length else None


def fill(pipe: IO[bytes], view: memoryview) -> None:
    """Fill `view` with the bytes of a message, in the process.

    Raises:
        EOFError: the pipe was closed before.
    """
    at = 0
    while at < len(view):
        read = pipe.readinto(view[at:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        at += read
