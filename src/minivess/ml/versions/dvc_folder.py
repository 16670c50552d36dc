"""DVC (3.x) as a library, quietly: without git, without its usage report, and with its own files inside the project."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minivess.foundation.errors import UsageError
from minivess.foundation.files import exclusive
from minivess.foundation.implements import implements

_LEVELS = {
    "dvc": logging.CRITICAL,
    "dvc.progress": logging.CRITICAL,
    "dvc_data": logging.ERROR,
    "dvc_data.callbacks": logging.CRITICAL,
    "dvc_objects": logging.ERROR,
}
"""DVC draws its bars, and says what it made, where these loggers would let a lesser line pass."""


class Failures(logging.Handler):
    """Keeps what DVC only logs: the exceptions of single files that could not be sent or fetched."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception of a log record, if it has one."""
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(record.exc_info[1])


@contextlib.contextmanager
@implements("REQ-250")
def opened(root: Path) -> Iterator[Any]:
    """DVC's repository in a project folder, made when it is missing; one process at a time has it.

    A second process waits. DVC's own lock gives up after three seconds, and does not protect the making.

    Its log lines and questions are silenced; what our own code writes to stderr in the meantime is not.

    Args:
        root: the project folder.

    Yields:
        `dvc.repo.Repo`, with an attribute `failures` of class `Failures`.

    Raises:
        UsageError: the path of the folder contains braces, which DVC takes for a place to fill in.
        CannotWriteError: there is no such folder.
    """
    if set("{}") & set(str(root)):
        raise UsageError("DVC cannot work in a project folder whose path contains braces", hint="rename the folder")
    from dvc.repo import Repo  # sets its own loggers up when it is imported: before they are silenced

    with exclusive(root, "the versions of the data"), _own_settings(root) as failures:
        with muted():
            repo = Repo(str(root)) if (root / ".dvc").is_dir() else Repo.init(str(root), no_scm=True)
        with repo:
            wanted = {"analytics": False, "check_update": False, "no_scm": True}
            if any(repo.config["core"].get(name) is not value for name, value in wanted.items()):
                with repo.config.edit() as config:
                    config["core"].update(wanted)
            repo.failures = failures
            yield repo


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Nothing on stdout and stderr, and no warnings: for calls of DVC that talk to a person."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _own_settings(root: Path) -> Iterator[Failures]:
    """DVC's settings and site folder inside the project, its loggers silenced but heard."""
    own = root / ".dvc" / "tmp"
    settings = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(own / "site")}
    settings |= {"DVC_GLOBAL_CONFIG_DIR": str(own), "DVC_SYSTEM_CONFIG_DIR": str(own)}
    before = {name: os.environ.get(name) for name in settings}
    failures = Failures()
    loggers = {name: logging.getLogger(name) for name in _LEVELS}
    states = [(logger, logger.propagate, logger.level, list(logger.handlers)) for logger in loggers.values()]
    os.environ.update(settings)
    try:
        for name, logger in loggers.items():
            logger.propagate = False
            logger.setLevel(_LEVELS[name])
            logger.handlers = [failures]
        yield failures
    finally:
        for logger, propagate, level, handlers in states:
            logger.propagate, logger.handlers = propagate, handlers
            logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
