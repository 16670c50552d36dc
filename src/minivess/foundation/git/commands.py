"""Start git in a folder, so that neither the environment nor a user's configuration changes what it answers.

Names of files are taken as they are, never as patterns. Git asks no person: it gets no terminal, so that a passphrase or
password that it would need is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.implements import implements

TIMEOUT_S = 60.0

_OPTIONS = (
    "--no-replace-objects",
    *("-c", "core.askPass="),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "diff.noprefix=false"),
    *("-c", "diff.mnemonicPrefix=false"),
    *("-c", "diff.external="),
    *("-c", "blame.ignoreRevsFile="),
)
_LEFT_OUT = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ASKPASS",
        "GIT_COMMON_DIR",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_INDEX_FILE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        "SSH_ASKPASS",
    }
)
"""Variables that would make git answer about another repository or index (a git hook sets some), read names of files as
patterns, or ask a person."""
_SET = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "SSH_ASKPASS_REQUIRE": "never",
}


@dataclass(frozen=True)
class Answer:
    """What git wrote, and its exit status; 127 when there is no git, 124 when it took too long."""

    status: int
    output: bytes
    error: str

    @property
    def lines(self) -> list[str]:
        """The output as lines of text. A name in it may contain any other separator of lines than a line feed."""
        return os.fsdecode(self.output).removesuffix("\n").split("\n") if self.output else []

    @property
    def names(self) -> list[str]:
        """The output as names that end with NUL."""
        return [os.fsdecode(name) for name in self.output.split(b"\0") if name]

    @property
    def words(self) -> str:
        """The first line of what git wrote on the error stream."""
        return next((line.strip() for line in self.error.splitlines() if line.strip()), f"exit status {self.status}")


def command(folder: Path, *arguments: str) -> list[str]:
    """The command line of git in a folder."""
    return [shutil.which("git") or "git", "-C", str(folder), *_OPTIONS, *arguments]


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of git: that of this process, less what would change the answer, with `variables`."""
    inherited = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return {**inherited, **_SET, **(variables or {})}


@implements("REQ-254")
def git(
    folder: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
    given: bytes = b"",
) -> Answer:
    """Run git in a folder and wait for it.

    Args:
        folder: where it runs.
        arguments: the command of git and its arguments.
        variables: environment variables of git, for example another index.
        timeout: seconds.
        given: what git reads on its standard input.
    """
    if shutil.which("git") is None:
        return Answer(127, b"", "git is not installed")
    if not folder.is_dir():
        return Answer(128, b"", f"there is no folder {folder.name}")
    try:
        done = subprocess.run(
            command(folder, *arguments),
            capture_output=True,
            check=False,
            timeout=timeout,
            input=given,
            env=environment(variables),
            start_new_session=True,  # without the terminal of this process, at which git and ssh would ask
        )
    except subprocess.TimeoutExpired:
        return Answer(124, b"", f"git did not answer within {timeout:g} s")
    except OSError as error:
        return Answer(126, b"", f"git could not be started: {error.strerror or error}")
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
