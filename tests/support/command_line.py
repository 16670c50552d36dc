"""`minivess` run in this process as a process of its own would run it: exit code, stdout and stderr.

An interpreter that starts and imports costs a second. A test of what only a process has (loaded modules, limits, pipes that
close) starts one itself.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from minivess.cli.main import main


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def run_here(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Run one command without a terminal, with nothing on its stdin.

    Args:
        arguments: what is typed after `minivess`.
        folder: the working folder.
        environment: variables beside those of this process.
    """
    out, err, thresholds = io.StringIO(), io.StringIO(), gc.get_threshold()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        Path(os.devnull).open(encoding="utf-8") as nothing,
    ):
        for name, value in {"PYDANTIC_DISABLE_PLUGINS": "__all__", **(environment or {})}.items():
            patch.setenv(name, value)
        own = {"argv": ["minivess", *arguments], "stdin": nothing, "stdout": out, "stderr": err}
        for name, thing in own.items():
            patch.setattr(sys, name, thing)
        with pytest.raises(SystemExit) as done:
            main()
        gc.set_threshold(*thresholds)
    code = done.value.code
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())
