"""Import: a file of another tool in, items of ours and remarks out; nothing is written.

    imported = import_file(path, mapping=None, taken=items.by_id, known_origins={item.origin: item.id …}, kind="REQ")
    imported.files      text by path (`requirements/….yaml`, `risk/….yaml`) of the items that are new
    imported.remarks    line by line: what was lost, changed, is missing, or is worth knowing

A file lacks the fields that `missing` remarks name: it does not load before a person writes them, and no text is made up.
Test results in JUnit XML are read by `junit.read_junit`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minivess.compliance.exchange.foreign_items import Place, Remark
from minivess.compliance.exchange.mapping import PREFIXES, ForeignMapping, read_mapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.compliance.exchange.translate import ImportedItem, translate
from minivess.compliance.exchange.writer import Written, write_items
from minivess.foundation.errors import UsageError


@dataclass(frozen=True)
class Imported:
    """What an import gives."""

    items: tuple[ImportedItem, ...]
    read_remarks: tuple[Remark, ...]
    name: str
    """Of the files to write, without folder and suffix."""
    file: str = ""
    """The name of the file that was read."""
    source: str | None = None
    """What the mapping puts before the ids of the other tool."""
    whole: bool = False
    """Whether `export_items` wrote the file."""

    @property
    def new(self) -> tuple[ImportedItem, ...]:
        """Items that no earlier import brought."""
        return tuple(item for item in self.items if not item.known)

    @property
    def known(self) -> tuple[ImportedItem, ...]:
        """Items that an earlier import brought: look what changed in them; `files` leaves them out."""
        return tuple(item for item in self.items if item.known)

    @property
    def files(self) -> Mapping[str, str]:
        """Text by path, of the new items."""
        return self._written.files

    @cached_property
    def remarks(self) -> tuple[Remark, ...]:
        """All remarks: those of reading, then the fields that new items lack, with the line where each belongs."""
        return (*self.read_remarks, *self._missing())

    def _missing(self) -> Iterable[Remark]:
        for item in self.new:
            path, line = self._written.lines[item.id]
            for field in item.missing:
                message = f"lacks `{field}`: the file will not load until it is written"
                yield Remark("missing", Place(path, line), message, item=item.id, field=field)

    @cached_property
    def _written(self) -> Written:
        return _write(self.new, self.name)


def import_file(
    path: Path,
    *,
    mapping: Path | None,
    taken: Collection[str],
    known_origins: Mapping[str, str],
    kind: str | None = None,
) -> Imported:
    """Import a file of another tool: ReqIF, CSV, XLSX, needs.json, StrictDoc, Doorstop, jamb, Markdown, RST or an FMEA.

    Args:
        path: the file, or a folder of Doorstop or jamb.
        mapping: a mapping file (`mapping` says what it holds); None goes by common names.
        taken: ids that exist.
        known_origins: ids that exist, by their `origin`: an item met again keeps its id. Items of a file that
            `export_items` wrote are those of the same ids.
        kind: prefix of the kind of rows whose kind nothing states; it counts before that of the mapping.

    Returns:
        Items and remarks. Nothing is written.

    Raises:
        InputError: a file is missing, too large, malformed or refused.
        UsageError: nothing tells what the file is, or the kind of a row is stated nowhere.
    """
    meaning = read_mapping(mapping) if mapping is not None else ForeignMapping()
    if kind is not None:
        if kind not in PREFIXES:
            raise UsageError(f"`{kind}` is no kind of item", hint=f"kinds are {', '.join(PREFIXES)}")
        meaning = meaning.model_copy(update={"kind": kind})
    foreign = read_foreign(path, meaning)
    items, remarks = translate(foreign, meaning, taken=taken, known_origins=known_origins)
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:60]
    return Imported(
        tuple(items),
        tuple(remarks),
        f"imported-{name}" if name else "imported",
        path.name,
        meaning.source,
        any(item.own for item in foreign.items),
    )


def to_yaml(items: Iterable[ImportedItem], *, name: str = "imported") -> Mapping[str, str]:
    """The text of YAML files with these items, by path.

    Args:
        items: what to write.
        name: of the files, without folder and suffix.
    """
    return _write(items, name).files


def _write(items: Iterable[ImportedItem], name: str) -> Written:
    return write_items(((item.prefix, item.id, item.fields) for item in items), name=name)
