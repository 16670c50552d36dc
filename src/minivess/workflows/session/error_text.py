"""An error in one line that may stand in the log for ever: no paths of the machine, no more than 200 characters.

A path may name a person (a home folder, a patient's file), so absolute paths are taken out; those inside the workspace
are made relative to it.
"""

from __future__ import annotations

import re
from pathlib import Path

from minivess.foundation.implements import implements

_LENGTH = 200
_QUOTED = re.compile(r"""(?P<quote>['"`])(?:file:/+|~/|/|\\\\|[A-Za-z]:[\\/])[^'"`\n]*(?P=quote)""")
_BARE = re.compile(r"""(?<![\w.<>/])(?:file:/+|~/|/(?=[^\s/])|\\\\|[A-Za-z]:[\\/])[^\s'"`,;()\[\]<>]*(?<![:.])""")
_REST = re.compile(r"<path>(?: [^\s/\\]+){0,3}? [^\s/\\]*[/\\]\S*")
"""What is left of a path with spaces in it."""
_UNSEEN = re.compile(r"[^\x20-\x7e\u00a0-\u02ff\u0370-\uffff]+")


@implements("RC-14")
def describe(error: BaseException, workspace: Path) -> str:
    """The class of an error and the first line of its message, fit for the log.

    Args:
        error: what happened.
        workspace: the project folder; names inside it stay, relative.
    """
    lines = str(error).strip().splitlines()
    message = lines[0] if lines else ""
    for name in ("filename", "filename2", "path"):
        value = getattr(error, name, None)
        if isinstance(value, str | Path) and Path(value).is_absolute():
            message = message.replace(str(value), _within(Path(value), workspace))
    for root in {str(workspace), str(workspace.resolve())}:
        message = message.replace(f"{root}/", "")
    message = _BARE.sub("<path>", _QUOTED.sub("<path>", message))
    message = _REST.sub("<path>", message)
    message = _UNSEEN.sub(" ", message).strip()
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


def _within(path: Path, workspace: Path) -> str:
    return path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else "<path>"
