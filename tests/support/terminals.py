"""A command at a pseudo-terminal: what it shows, and what a person types."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

LIMIT_S = 60.0


class Terminal:
    """One `minivess` command, with a pseudo-terminal as its controlling terminal.

    Args:
        arguments: of the command.
        environment: more variables.
        folder: where it runs.
    """

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> None:
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "minivess.cli.main", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            preexec_fn=lambda: os.login_tty(slave),  # noqa: PLW1509  the child does nothing else before it starts the command
        )
        os.close(slave)
        self._seen = bytearray()

    @property
    def text(self) -> str:
        """Everything the command showed so far."""
        return self._seen.decode("utf-8", errors="replace").replace("\r\n", "\n")

    def wait_for(self, words: str) -> None:
        """Read until the command shows some words.

        Raises:
            AssertionError: it ends, or takes too long, without them.
        """
        end = time.monotonic() + LIMIT_S
        while words not in self.text:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"{words!r} is not shown, but: {self.text}")

    def answer(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        end = time.monotonic() + LIMIT_S
        while self._read(end - time.monotonic()):
            pass
        return self._process.wait(timeout=LIMIT_S)

    def _read(self, seconds: float) -> bool:
        """Read something; False at the end."""
        if seconds <= 0 or not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            found = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self._seen += found
        return bool(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)
