"""A source tree that is one commit, and tests that loaded nothing else, as records."""

from __future__ import annotations

import subprocess
from pathlib import Path

from minivess.foundation.digests import digest_bytes
from minivess.foundation.provenance import environment_digest, tree_digest
from minivess.records.device.source_state import SourceState
from minivess.records.items.loaded_files import LoadedFiles
from minivess.records.items.platform_parts import PlatformPart

CLEAN = SourceState.of(tree=digest_bytes(b"tree"), folder="", commit="a" * 40, git_tree="b" * 40)
DIFF = b"diff --git a/src/thing/sums.py b/src/thing/sums.py\n"
"""What stands for the diff of `uncommitted`."""
PARTS = (
    PlatformPart(kind="python", name="CPython", version="3.12.1"),
    PlatformPart(kind="openssl", name="OpenSSL", version="3.0.19", part_of="Python"),
    PlatformPart(kind="openssl", name="OpenSSL", version="4.0.3", part_of="cryptography"),
    PlatformPart(kind="sqlite", name="SQLite", version="3.40.1"),
    PlatformPart(kind="operating-system", name="Debian GNU/Linux", version="12"),
    PlatformPart(kind="cuda", name="CUDA", version="none", part_of="driver"),
)
"""A platform without a graphics processor."""
LOADED = LoadedFiles(runner="pytest", tree=2, standard_library=150, locked=300)


def clean_state(tree: Path) -> SourceState:
    """The state of a tree as if it were one commit."""
    return SourceState.of(
        tree=tree_digest(tree),
        folder="",
        commit="a" * 40,
        git_tree="b" * 40,
        environment=environment_digest(tree),
    )


def uncommitted(state: SourceState) -> SourceState:
    """A state with one change that is not committed."""
    fields = state.model_dump(exclude={"not_releasable"})
    changed = {"changed": ("src/thing/sums.py",), "changes": 1, "uncommitted": digest_bytes(DIFF)}
    return SourceState.of(**{**fields, **changed})


def git(folder: Path, *arguments: str) -> str:
    """Run git with a made-up person; returns what it wrote."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    allowed = ["-c", "protocol.file.allow=always"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *allowed, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def commit_all(folder: Path) -> None:
    """Make a folder a repository where it is none, and commit every file."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "state")
