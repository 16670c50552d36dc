"""Ids of ours for foreign items: the same ones whenever the same file comes again, and never one that is taken."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from minivess.compliance.exchange.foreign_items import ForeignItem
from minivess.compliance.exchange.mapping import PREFIXES
from minivess.foundation.errors import InputError

_OURS = re.compile(rf"({'|'.join(sorted(PREFIXES, key=len, reverse=True))})-([0-9]{{2,5}})")
_MOST = 99_999


def origins(items: Iterable[ForeignItem], source: str | None) -> list[str]:
    """What each item is known by where it comes from.

    Its id as written; a digest of what it says when it has none; a running number after a repeated one. An item that
    `export_items` wrote is known by its own id.

    Args:
        items: in the order of the file.
        source: put before each.
    """
    seen: defaultdict[str, int] = defaultdict(int)
    found: list[str] = []
    for item in items:
        if item.own:
            found.append(item.id)
            continue
        name = item.id
        if not name:
            said = "\0".join((item.kind, item.title, item.text))
            name = f"sha256:{hashlib.sha256(said.encode()).hexdigest()[:12]}"
        name = f"{source}: {name}" if source else name
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


class Allocator:
    """Gives ids out.

    Args:
        taken: ids that exist.
        known: ids by origin, from earlier imports.
    """

    def __init__(self, taken: Collection[str], known: Mapping[str, str]) -> None:
        self._known = known
        self._taken = {*taken, *known.values()}
        self._reserved: set[tuple[str, int]] = set()
        self._highest: defaultdict[str, int] = defaultdict(int)
        for identifier in self._taken:
            self._see(identifier)

    def reserve(self, wanted: Iterable[str]) -> None:
        """Keep ids of our form that the file itself uses, so that no new id meets them later."""
        self._reserved |= {_number(found) for one in wanted if (found := _OURS.fullmatch(one))}

    def give(self, prefix: str, origin: str, written: str) -> tuple[str, bool]:
        """The id for an item.

        Args:
            prefix: of its kind.
            origin: what it is known by.
            written: its foreign id, kept when it is one of ours and free.

        Returns:
            The id, and whether the item was there before.

        Raises:
            InputError: all ids of the kind are used up.
        """
        known = self._known.get(origin)
        if known is not None and known.startswith(f"{prefix}-"):
            return known, True
        found = _OURS.fullmatch(written)
        if found and found.group(1) == prefix and written not in self._taken and not self._same_number(written):
            self._taken.add(written)
            return written, False
        number = self._highest[prefix] + 1
        while (prefix, number) in self._reserved:
            number += 1
        if number > _MOST:
            raise InputError(f"there is no id left that begins with {prefix}-")
        self._highest[prefix] = number
        identifier = f"{prefix}-{number:03d}"
        self._taken.add(identifier)
        return identifier, False

    def _same_number(self, identifier: str) -> bool:
        """Whether another spelling of the number is taken (REQ-01 beside REQ-001)."""
        prefix, number = identifier.split("-")
        return any(f"{prefix}-{int(number):0{width}d}" in self._taken for width in range(2, 6))

    def _see(self, identifier: str) -> None:
        found = _OURS.fullmatch(identifier)
        if found:
            prefix, number = _number(found)
            self._highest[prefix] = max(self._highest[prefix], number)


def _number(found: re.Match[str]) -> tuple[str, int]:
    return found.group(1), int(found.group(2))
