"""Which kind of item each row of a foreign file is: as the file, the person or an earlier import states it.

Nothing is guessed: a hazard that is taken for a requirement is a hazard that no risk analysis has. Where the kind of a row is
stated nowhere, the whole file is refused, with a list of what there is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from minivess.compliance.exchange.foreign_items import ForeignItem, Place, Remark, short
from minivess.compliance.exchange.mapping import IGNORE, PREFIXES, ForeignMapping
from minivess.compliance.exchange.words import kind_of_id, kind_of_word
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.items.kinds import KINDS, kind_of

_MOST_GROUPS = 12
_EXAMPLES = 3
_BEGINNING = re.compile(r"[^\W\d_]+(?:[-_ .][^\W\d_]+)*")
_HINT = (
    "state it with --kind for all of them, in a column such as `Type`, or in a mapping file under `kinds:`; kinds are "
    + ", ".join(f"{kind.prefix} ({kind.title.lower()})" for kind in KINDS)
)


class StatedKinds:
    """The kinds of the rows of one file.

    Args:
        mapping: its `kinds` and `kind`.
        known: ids that exist, by origin.
        remarks: kinds that are taken in another word are added here, each once.
    """

    def __init__(self, mapping: ForeignMapping, known: Mapping[str, str], remarks: list[Remark]) -> None:
        self._mapping = mapping
        self._known = known
        self._remarks = remarks
        self._words: Counter[tuple[str, str]] = Counter()
        self._beginnings: Counter[str] = Counter()
        self._unstated: dict[str, list[str]] = {}
        self._rows = 0

    def of(self, item: ForeignItem, origin: str) -> str | None:
        """The prefix of the kind of an item, `ignore`, or None where nothing states it (`check` then refuses)."""
        self._rows += 1
        stated = kind_of_word(item.kind, self._mapping)
        if stated:
            self._words[item.kind, stated] += 1
            return stated
        known = self._known.get(origin, "").partition("-")[0]
        by_id = kind_of_id(item.id, self._mapping)
        found = by_id or self._mapping.kind or known
        if not found:
            self._unstated.setdefault(_group(item), []).append(item.id or str(item.place))
            return None
        if item.kind and found != IGNORE:
            message = f"the kind `{short(item.kind)}` is not known: taken as {kind_of(found).title.lower()}"
            self._remarks.append(Remark("changed", item.place, message, item=item.id, field="kind", value=item.kind))
        elif by_id and not item.own:
            self._beginnings[by_id] += 1
        return found

    @implements("REQ-256", "RC-115")
    def check(self, file: str) -> None:
        """Refuse the file where the kind of a row is stated nowhere.

        Raises:
            UsageError: it is; with what there is.
        """
        if self._unstated:
            count = sum(map(len, self._unstated.values()))
            groups = [
                f"{len(ids)} {group} ({', '.join(short(one) for one in ids[:_EXAMPLES])}{', …' * (len(ids) > _EXAMPLES)})"
                for group, ids in list(self._unstated.items())[:_MOST_GROUPS]
            ]
            more = len(self._unstated) - len(groups)
            rest = f"; and {more} more groups" if more > 0 else ""
            message = f"{file}: the kind of {count} of {self._rows} row(s) is not stated: {'; '.join(groups)}{rest}"
            raise UsageError(message, hint=_HINT)
        for (word, prefix), count in self._words.items():
            if prefix not in {word, IGNORE}:
                message = f"the kind `{short(word)}` of {count} row(s) is taken as {kind_of(prefix).title.lower()}"
                self._remarks.append(Remark("note", Place(file), message, field="kind", value=word))
        for prefix, count in self._beginnings.items():
            if prefix != IGNORE:
                message = (
                    f"{count} row(s) are taken as {kind_of(prefix).title.lower()}, as the beginning of their ids states"
                )
                self._remarks.append(Remark("note", Place(file), message, field="kind", value=prefix))


def _group(item: ForeignItem) -> str:
    """How the refusal calls rows like this one."""
    if item.kind:
        return f"of the kind `{short(item.kind)}`"
    found = _BEGINNING.match(item.id)
    if found and found.group() not in PREFIXES:
        return f"whose ids begin with {found.group()[:40]}"
    return "with other ids" if item.id else "without an id"
