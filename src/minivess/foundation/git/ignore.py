"""Lines of `.gitignore` (gitignore(5), Pattern Format)."""

from __future__ import annotations

import re

from minivess.foundation.implements import implements


@implements("REQ-248")
def ignore_line(name: str) -> str:
    """The line that makes git ignore one file or folder, and nothing else.

    Args:
        name: relative to the folder of `.gitignore`, with slashes; its characters have no special meaning.
    """
    escaped = re.sub(r"([\\*?\[])", r"\\\1", name)
    return "/" + re.sub(r" +$", lambda spaces: "\\ " * len(spaces[0]), escaped)
