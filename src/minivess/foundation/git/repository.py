"""The git repository that a folder belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.git.commands import git

_NONE = "not a git repository"


@dataclass(frozen=True)
class Repository:
    """A repository with a work tree."""

    top: Path
    """The top folder of its work tree."""
    prefix: str
    """The asked folder below `top`, with a slash at its end; empty when it is the top folder."""
    commit: str | None
    """The commit that is checked out; None before the first one."""
    tree: str | None
    """The tree object of that commit."""


def repository_of(folder: Path) -> Repository | str:
    """The repository a folder belongs to, or why there is none.

    A folder that its repository ignores belongs to none.
    """
    answer = git(folder, "rev-parse", "--show-toplevel", "--show-prefix", "HEAD^{commit}", "HEAD^{tree}")
    lines = answer.lines
    if len(lines) < 2 or not Path(lines[0]).is_dir():
        return "it is in no git repository" if _NONE in answer.error else answer.words
    commit, tree = (lines[2], lines[3]) if answer.status == 0 and len(lines) == 4 else (None, None)
    found = Repository(Path(lines[0]), lines[1], commit, tree)
    if found.prefix and _ignored(found):
        return "the git repository around it ignores it"
    return found


def _ignored(found: Repository) -> bool:
    # This command takes names as they are and refuses the option that says so; `./` keeps a colon from having a meaning
    named = git(found.top, "check-ignore", "-q", "--", f"./{found.prefix}", variables={"GIT_LITERAL_PATHSPECS": "0"})
    if named.status != 0:
        return False
    return not git(found.top, "ls-files", "-z", "--", found.prefix).output
