"""What Python loaded while tests ran: which files, and whether each is part of an identified configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.records.base import GitId, Record, ShortText

REFUSED = 50
"""How many refused files are listed; beyond that only their number is stated."""

Count = Annotated[int, Field(ge=0)]


class PathInstall(Record):
    """A distribution that was installed from a folder outside the tree, and the git identity of that folder."""

    name: ShortText
    commit: GitId
    git_tree: GitId


class LoadedFiles(Record):
    """The files that Python loaded, counted by where they belong (IEC 62304 5.7.3, 8.1.2).

    A file belongs to the source tree, to the standard library, or to a distribution whose RECORD names it and whose version
    is that of the lock file. Any other file is refused by name.
    """

    runner: Literal["pytest", "other"]
    """`other`: the results are of another test runner, which does not record what it loads."""
    tree: Count = 0
    standard_library: Count = 0
    locked: Count = 0
    """Files of distributions that the lock file names."""
    path_installs: tuple[PathInstall, ...] = ()
    refused: Annotated[tuple[ShortText, ...], Field(max_length=REFUSED)] = ()
    """Files that belong nowhere, each with the reason; the first of them."""
    refusals: Count = 0
    """How many were refused."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.refused) != min(self.refusals, REFUSED):
            raise ValueError("`refused` and `refusals` do not agree")
        return self
