"""Which of our kinds, relations and values a word of another tool means; the words are tables in `vocabulary/`."""

from __future__ import annotations

import re

from minivess.compliance.exchange.mapping import PREFIXES, ForeignMapping
from minivess.compliance.exchange.vocabulary import names_of, plain
from minivess.records.items.kinds import KINDS

_CHILDREN = "children"
_BEGINNING = re.compile(rf"({'|'.join(sorted(PREFIXES, key=len, reverse=True))})[-_ .]?[0-9]")


def kind_of_word(written: str, mapping: ForeignMapping) -> str | None:
    """The prefix a kind as written stands for; `ignore` for what is no item; None when nothing tells."""
    word = plain(written)
    if not word:
        return None
    for name, prefix in mapping.kinds.items():
        if plain(name) == word:
            return prefix
    for kind in KINDS:
        if word in {kind.prefix.lower(), plain(kind.list), kind.title.lower(), kind.plural.lower()}:
            return kind.prefix
    return next((prefix for prefix, names in names_of("kinds").items() if word in names), None)


def kind_of_id(identifier: str, mapping: ForeignMapping) -> str | None:
    """The prefix that the beginning of a foreign id states: as the mapping says, or as one of ours; None when it does not."""
    for name, stated in sorted(mapping.kinds.items(), key=lambda one: -len(one[0])):
        if identifier.casefold().startswith(name.casefold()):
            return stated
    found = _BEGINNING.match(identifier)
    return found.group(1) if found else None


def relation_of_word(written: str) -> str | None:
    """The field a relation as written stands for; None when nothing tells."""
    word = plain(written)
    fields = ((field, names) for field, names in names_of("relations").items() if field != _CHILDREN)
    return next((field for field, names in fields if word == plain(field) or word in names), None)


def points_down(written: str) -> bool:
    """Whether a relation names children, so that the link belongs to the other end."""
    return plain(written) in names_of("relations")[_CHILDREN]


def is_general(written: str) -> bool:
    """Whether a relation says no more than that there is a link, or one to what is above."""
    return plain(written) in names_of("columns")["links"]


def our_word(name: str, written: str, allowed: list[str], mapping: ForeignMapping) -> str | None:
    """The value of ours that a word of theirs stands for in a field with fixed values; None when none does."""
    word = plain(written)
    for theirs, ours in mapping.values.get(name, {}).items():
        if plain(theirs) == word:
            return ours
    for value in allowed:
        if plain(value) == word or word in names_of("values").get(f"{name}.{value}", ()):
            return value
    return None
