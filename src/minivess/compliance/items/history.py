"""Which commits the lines of each item come from, newest first (IEC 62304 8.1.2, 8.3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from minivess.foundation.clock import timestamp
from minivess.foundation.git.commands import git
from minivess.foundation.implements import implements
from minivess.records.items.items import Item

_LINE = re.compile(rb"([0-9a-f]{40,64}) [0-9]+ ([0-9]+)(?: [0-9]+)?\Z")
_UNCOMMITTED = "0" * 40


@dataclass(frozen=True)
class Revision:
    """A commit that lines of an item come from."""

    commit: str
    time: str
    author: str
    subject: str


def history_of(source: Path, items: Iterable[Item]) -> dict[str, tuple[Revision, ...]]:
    """The commits of every item, by id; nothing for files that git does not know, or without git.

    Git gives the oldest commits of a shallow clone as the origin of all older lines. They are left out.

    Args:
        source: the tree.
        items: its items. An item reaches from its first line to that of the next one in its file.
    """
    cut_off = _oldest_of_shallow(source)
    by_file: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_file[item.source.path].append(item)
    found: dict[str, tuple[Revision, ...]] = {}
    for name, listed in by_file.items():
        lines, revisions = _blamed(source, name)
        ordered = sorted(listed, key=lambda item: item.source.line)
        ends = [item.source.line for item in ordered[1:]] + [len(lines) + 1]
        for item, end in zip(ordered, ends, strict=True):
            commits = {lines[line] for line in range(item.source.line, end) if line in lines} - {_UNCOMMITTED} - cut_off
            found[item.id] = tuple(sorted((revisions[one] for one in commits), key=lambda one: one.time, reverse=True))
    return found


@implements("REQ-254")
def _oldest_of_shallow(source: Path) -> frozenset[str]:
    """The commits whose parents a shallow clone does not have; none in a whole one."""
    place = git(source, "rev-parse", "--path-format=absolute", "--git-path", "shallow")
    if place.status != 0 or not Path(place.lines[0]).is_file():
        return frozenset()
    return frozenset(Path(place.lines[0]).read_text(encoding="ascii").split())


def _blamed(source: Path, name: str) -> tuple[Mapping[int, str], Mapping[str, Revision]]:
    """The commit of every line of a file, and what is known of those commits."""
    answer = git(source, "blame", "--porcelain", "--no-textconv", "--", name)
    if answer.status != 0:
        return {}, {}
    lines: dict[int, str] = {}
    trailers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    commit = ""
    for line in answer.output.split(b"\n"):
        if line.startswith(b"\t"):
            continue
        match = _LINE.match(line)
        if match is not None:
            commit = match[1].decode("ascii")
            lines[int(match[2])] = commit
        elif commit:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            trailers[commit][word] = rest
    return lines, {
        one: Revision(
            commit=one,
            time=timestamp(datetime.fromtimestamp(int(said.get("author-time", "0")), UTC)),
            author=said.get("author", ""),
            subject=said.get("summary", ""),
        )
        for one, said in trailers.items()
    }
