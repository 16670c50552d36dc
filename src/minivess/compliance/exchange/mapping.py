"""Which column or attribute of a foreign file becomes which of our fields: by a mapping file, else by common names.

A mapping file (YAML, every key optional):

    source: DOORS module Pump        # put before foreign ids in `origin`, when ids repeat between files
    format: fmea                     # when the content does not tell
    sheets: [Software]               # of a workbook; all others are left out with a remark
    header: 5                        # row of the column names, when it is not found
    kind: REQ                        # of items whose kind nothing tells
    kinds: {SRS: REQ, Bedarf: UN}    # kind, or beginning of the id, as written: one of our prefixes, or `ignore`
    fields:                          # column or attribute: id, title, text, kind, links, ignore, or a field of ours
      Anforderung: text
      Wird abgeleitet aus: derives_from
    relations: {satisfies: derives_from}          # or `ignore`
    values: {category: {Funktional: functional}}  # words of theirs: words of ours
    defaults: {category: functional, safety_class: B, verification: test}
    scales: {severity: {9: 4, 10: 4}}             # of an FMEA, to steps of the plan: severity, p1 (occurrence), p2
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from minivess.compliance.exchange.vocabulary import names_of, plain
from minivess.foundation.reading.yaml_records import read_record
from minivess.records.base import Record, ShortText
from minivess.records.items.kinds import KINDS, kind_of, link_fields

IDENTIFIER, TITLE, TEXT, KIND, LINKS, IGNORE = "id", "title", "text", "kind", "links", "ignore"
CONTROL_KIND = "control_kind"
"""The field `kind` of a risk control; a column called kind says which kind of item it is."""
PREFIXES = tuple(kind.prefix for kind in KINDS)
OUR_LINKS = frozenset(name for kind in KINDS for name in link_fields(kind.record))
OUR_FIELDS = frozenset(name for kind in KINDS for name in kind.record.model_fields) - {
    "id",
    "title",
    "statement",
    "source",
}
_TARGETS = OUR_FIELDS | {CONTROL_KIND, IDENTIFIER, TITLE, TEXT, KIND, LINKS, IGNORE}

_SEVERAL = frozenset({LINKS})
_ID = re.compile(r"(?:^| )(?:id|uid|nr)$")
_JIRA = re.compile(r"^(?:custom field|inward issue link|outward issue link) ")
_REPEATED = re.compile(r" \([0-9]+\)$")


class ForeignMapping(Record):
    """A mapping file; see the head of this module."""

    source: ShortText | None = None
    format: (
        Literal["csv", "xlsx", "reqif", "needs", "strictdoc", "doorstop", "jamb", "markdown", "rst", "fmea"] | None
    ) = None
    sheets: tuple[str, ...] = ()
    header: int | None = Field(default=None, ge=1)
    kind: str | None = None
    kinds: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, str] = Field(default_factory=dict)
    relations: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)
    scales: dict[Literal["severity", "p1", "p2"], dict[str, int]] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in PREFIXES:
            raise ValueError(f"`{kind}` is none of {', '.join(PREFIXES)}")
        return kind

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, kinds: dict[str, str]) -> dict[str, str]:
        _refuse_unknown(kinds.values(), {*PREFIXES, IGNORE})
        return kinds

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, fields: dict[str, str]) -> dict[str, str]:
        _refuse_unknown(fields.values(), _TARGETS | {"statement"} | FMEA_COLUMNS)
        return {name: TEXT if target == "statement" else target for name, target in fields.items()}

    @field_validator("relations")
    @classmethod
    def _known_relations(cls, relations: dict[str, str]) -> dict[str, str]:
        _refuse_unknown(relations.values(), OUR_LINKS | {IGNORE})
        return relations

    @field_validator("values", "defaults")
    @classmethod
    def _known_names[V](cls, named: dict[str, V]) -> dict[str, V]:
        _refuse_unknown(named, OUR_FIELDS | {"statement"})
        return named


FMEA_COLUMNS = frozenset(
    {
        *("function", "failure_mode", "effect", "local_effect", "cause", "hazard", "situation", "harm"),
        *("severity", "occurrence", "p1", "p2", "detection", "rpn", "control", "detection_control", "action"),
        *(
            "residual_severity",
            "residual_occurrence",
            "residual_p1",
            "residual_p2",
            "residual_detection",
            "residual_rpn",
        ),
    }
)
"""What columns of an FMEA can mean."""


def _refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"`{name}` is none of {', '.join(sorted(known))}")


def read_mapping(path: Path) -> ForeignMapping:
    """Read a mapping file.

    Raises:
        InputError: it is malformed; with file, line and a hint.
    """
    return read_record(path, ForeignMapping)


def assign(names: Iterable[str], mapping: ForeignMapping, *, guess: bool = True) -> dict[str, str]:
    """What each column or attribute is.

    Args:
        names: of the columns, in their order.
        mapping: says it first.
        guess: whether common names count for the rest.

    Returns:
        By name: `id`, `title`, `text`, `kind`, `links`, `ignore` or a field of ours; names that mean nothing are absent.
    """
    listed = tuple(dict.fromkeys(names))
    stated = {plain(name): target for name, target in mapping.fields.items()}
    found = {name: stated[plain(name)] for name in listed if plain(name) in stated}
    if not guess:
        return found
    for target, aliases in names_of("columns").items():
        if target in found.values() and target not in _SEVERAL:
            continue
        free = [name for name in listed if name not in found and _alias(name) in aliases]
        ranked = sorted(free, key=lambda name: aliases[_alias(name)])
        found |= dict.fromkeys(ranked if target in _SEVERAL else ranked[:1], target)
    if IDENTIFIER not in found.values():
        found |= dict.fromkeys(
            [name for name in listed if name not in found and _ID.search(plain(name))][:1], IDENTIFIER
        )
    target = TEXT if TEXT not in found.values() else TITLE
    if target not in found.values():
        called = [name for name in listed if name not in found and plain(name) in kind_names(mapping)]
        found |= dict.fromkeys(called[:1], target)
    for name in listed:
        own = plain(name).replace(" ", "_")
        if name not in found and own in OUR_FIELDS and own not in found.values():
            found[name] = own
    return found


def kind_names(mapping: ForeignMapping) -> frozenset[str]:
    """What a column with items of the stated kind may be called: a column `Hazard` of hazards is their text."""
    if mapping.kind is None:
        return frozenset()
    kind = kind_of(mapping.kind)
    return frozenset({plain(kind.title), plain(kind.plural), *names_of("kinds").get(kind.prefix, ())})


def _alias(name: str) -> str:
    """A name without what Jira puts before it and without the number of a repeated column."""
    return _JIRA.sub("", plain(_REPEATED.sub("", name)))


def known_names(names: Iterable[str]) -> int:
    """How many of these are common names of columns."""
    words = [_alias(name) for name in names]
    return sum(word in _common() or bool(_ID.search(word)) for word in words)


@cache
def _common() -> frozenset[str]:
    names = {name for known in names_of("columns").values() for name in known}
    return frozenset(names | set(map(plain, OUR_FIELDS)))
