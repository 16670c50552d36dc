"""A command at a pseudo-terminal: what it shows, and what a person types.

The command runs in a forked copy of this process, which has loaded what the command needs.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from minivess.cli.main import main

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
        self._code: int | None = None
        self._process = os.fork()
        if not self._process:
            _run(slave, arguments, environment, folder)
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
        return self._ended()

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
        if self._code is None:
            os.kill(self._process, signal.SIGKILL)
            self._ended()
        os.close(self._master)

    def _ended(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self._code


def _run(terminal: int, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """Run the command in the forked process, with the terminal in place of its stdin, stdout and stderr, and end it."""
    code: object = 1
    try:
        os.login_tty(terminal)
        os.chdir(folder)
        os.environ.update(environment)
        sys.argv = ["minivess", *arguments]
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  until the process ends
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
        main()
    except SystemExit as done:
        code = done.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)
