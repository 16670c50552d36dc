"""One small source tree in each of the places in which git keeps a tree, with two commits and the newest checked out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.source_states import commit_all, git

SITUATIONS = ("subfolder", "worktree", "shallow clone", "submodule", "awkward subfolder")
OLD = "user_needs:\n  - {id: UN-01, title: Trust, statement: The user needs trust.}\n"
NEW = f"{OLD}  - {{id: UN-02, title: Speed, statement: The user needs speed.}}\n"
ITEMS = "requirements/needs.yaml"


@dataclass(frozen=True)
class Situation:
    """A source tree in a repository."""

    folder: Path
    """The source tree."""
    prefix: str
    """Where it is in its repository, with a slash at its end."""
    first: str
    """The commit in which UN-02 was not there yet."""
    second: str
    """The commit that is checked out."""


def situation(name: str, place: Path) -> Situation:
    """Make one of `SITUATIONS`, or `root`, in a new folder."""
    prefix = {"subfolder": "products/device/", "awkward subfolder": ":(top) a*[b]/größe\u2028'x'/"}.get(name, "")
    origin = place / "origin"
    folder = origin / prefix
    (folder / "requirements").mkdir(parents=True)
    (origin / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    commits = []
    for text in (OLD, NEW):
        (folder / ITEMS).write_text(text, encoding="utf-8")
        commit_all(origin)
        commits.append(git(origin, "rev-parse", "HEAD").strip())
    if name == "worktree":
        folder = place / "elsewhere"
        git(origin, "worktree", "add", "--quiet", "--detach", str(folder))
    elif name == "shallow clone":
        folder = place / "shallow"
        git(place, "clone", "--quiet", "--depth=1", origin.as_uri(), str(folder))
    elif name == "submodule":
        outer = place / "outer"
        outer.mkdir()
        git(outer, "init", "--quiet")
        git(outer, "submodule", "--quiet", "add", str(origin), "device")
        commit_all(outer)
        folder = outer / "device"
    return Situation(folder, prefix, *commits)
