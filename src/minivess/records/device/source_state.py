"""The state of the source tree that a release is made from: commit, git tree, submodules, and all that differs from them.

IEC 62304 5.8.5 and 8.1.2: a release is made from an identified configuration.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.records.base import GitId, Record, ShortText, WholeRecord

NAMES = 50
"""How many names of one kind a state lists; beyond that only their number is stated."""

TreePath = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
"""A path relative to the top folder of the tree."""

Names = Annotated[tuple[TreePath, ...], Field(max_length=NAMES)]

Reason = Literal[
    "no repository",
    "no commit",
    "uncommitted changes",
    "submodule not at its recorded commit",
    "nested repository",
    "link out of the tree",
    "changes hidden from git",
    "loaded files without an origin",
]
"""Why nothing may be released from a source tree, in the order in which it is stated."""


class Submodule(Record):
    """A submodule of the tree, or of one of its submodules."""

    path: TreePath
    commit: GitId
    """The commit that the repository around it records."""
    found: GitId | None
    """The commit that is checked out; None when there is none."""
    clean: bool
    """Whether its files are those of the commit that is checked out."""


@implements("REQ-217")
class SourceState(WholeRecord):
    """The state of a source tree. What is not committed is named; `uncommitted` is the digest of the diff that holds it."""

    tree: Digest
    """The identity of the files as they are, for which test results are recorded."""
    folder: Annotated[str, StringConstraints(max_length=1000)]
    """The source folder relative to the top folder of its repository; empty when it is the top folder."""
    commit: GitId | None
    git_tree: GitId | None
    """The tree object of the commit."""
    repository: ShortText | None = None
    """Why there is no repository; None when there is one."""
    submodules: tuple[Submodule, ...] = ()
    nested: Names = ()
    """Repositories inside the tree that are no submodules."""
    links: Names = ()
    """Symbolic links to something that is not in the tree."""
    hidden: Names = ()
    """Files whose changes git was told not to see."""
    changed: Names = ()
    """Files that differ from the commit, new ones too; the first of them in order of name."""
    changes: Annotated[int, Field(ge=0)] = 0
    """How many files differ from the commit."""
    uncommitted: Digest | None = None
    """Digest of the diff of all that differs; None when nothing does."""
    environment: Digest | None = None
    """Digest of the lock file."""
    strangers: Annotated[int, Field(ge=0)] = 0
    """How many files the tests loaded that are neither in the tree nor in a locked distribution."""
    not_releasable: tuple[Reason, ...] = ()
    """Why nothing may be released from this tree; empty when it may. Derived from the other fields."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.commit is None) != (self.git_tree is None):
            raise ValueError("a commit has a tree object, and a tree object a commit")
        if self.repository is not None and self.commit is not None:
            raise ValueError("a commit needs a repository")
        if len(self.changed) != min(self.changes, NAMES) or (self.uncommitted is None) != (self.changes == 0):
            raise ValueError("`changes`, `changed` and `uncommitted` do not agree")
        if self.not_releasable != self.reasons():
            raise ValueError("`not_releasable` does not follow from the other fields")
        return self

    @classmethod
    def of(cls, **fields: object) -> Self:
        """A state with `not_releasable` derived from the other fields."""
        known = cls.model_construct(**fields)  # type: ignore[arg-type]  # checked in the next line
        return cls.model_validate({**fields, "not_releasable": known.reasons()})

    @property
    def releasable(self) -> bool:
        """Whether a release may be made from this tree."""
        return not self.not_releasable

    def reasons(self) -> tuple[Reason, ...]:
        """Why nothing may be released from this tree, from its fields."""
        found: tuple[tuple[Reason, bool], ...] = (
            ("no repository", self.repository is not None),
            ("no commit", self.repository is None and self.commit is None),
            ("uncommitted changes", self.changes > 0),
            ("submodule not at its recorded commit", any(_differs(one) for one in self.submodules)),
            ("nested repository", bool(self.nested)),
            ("link out of the tree", bool(self.links)),
            ("changes hidden from git", bool(self.hidden)),
            ("loaded files without an origin", self.strangers > 0),
        )
        return tuple(reason for reason, holds in found if holds)

    def faults(self) -> tuple[str, ...]:
        """For each reason in `not_releasable` one sentence that names what it is about."""
        named = ", ".join(self.changed[:3]) + (f" and {self.changes - 3} more" if self.changes > 3 else "")
        words: dict[Reason, str] = {
            "no repository": f"the source folder has no git repository: {self.repository}",
            "no commit": "the git repository has no commit",
            "uncommitted changes": f"{_count(self.changes)} uncommitted: {named}",
            "submodule not at its recorded commit": ", ".join(map(_of_submodule, filter(_differs, self.submodules))),
            "nested repository": f"git repositories inside the tree that are no submodules: {', '.join(self.nested)}",
            "link out of the tree": f"links that lead out of the tree: {', '.join(self.links)}",
            "changes hidden from git": f"git was told not to see changes of {', '.join(self.hidden)}",
            "loaded files without an origin": f"{_loaded(self.strangers)} neither in the tree nor in a locked package",
        }
        return tuple(words[reason] for reason in self.not_releasable)


def _differs(one: Submodule) -> bool:
    return one.found != one.commit or not one.clean


def _count(changes: int) -> str:
    return "1 change is" if changes == 1 else f"{changes} changes are"


def _loaded(files: int) -> str:
    return "1 loaded file is" if files == 1 else f"{files} loaded files are"


def _of_submodule(one: Submodule) -> str:
    if one.found is None:
        return f"the submodule {one.path} is not checked out"
    if one.found != one.commit:
        return f"the submodule {one.path} is at commit {one.found[:12]}, not at the recorded {one.commit[:12]}"
    return f"the submodule {one.path} has uncommitted changes"
