"""Searching a log: what somebody looks for, as conditions on its columns and on the entries themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from minivess.foundation.clock import timestamp
from minivess.records.log.entry import Entry, Outcome

Condition = tuple[str, tuple[object, ...]]
"""SQL with a `?` for each of its values."""


@dataclass(frozen=True)
class Wanted:
    """Which entries somebody looks for. None: any."""

    action: str | None = None
    """An action, or the word before the dot that several have in common."""
    actor: str | None = None
    outcome: Outcome | None = None
    resource: str | None = None
    """Part of the name of something read or made, or the beginning of its digest."""
    since: datetime | None = None
    until: datetime | None = None
    span: tuple[int, int] | None = None
    """From an index up to, and without, another."""

    def conditions(self) -> list[Condition]:
        """What the columns must hold; the resource is looked for in the entries themselves."""
        found: list[Condition] = []
        if self.action is not None:
            under = re.sub(r"([/%_])", r"/\1", self.action) + ".%"
            found.append(("(action = ? OR action LIKE ? ESCAPE '/')", (self.action, under)))
        for question, value in (
            ("actor = ?", self.actor),
            ("outcome = ?", None if self.outcome is None else self.outcome.value),
            ("time >= ?", None if self.since is None else timestamp(self.since)),
            ("time < ?", None if self.until is None else timestamp(self.until)),
        ):
            if value is not None:
                found.append((question, (value,)))
        if self.span is not None:
            found.append(('"index" >= ? AND "index" < ?', self.span))
        return found


def joined(conditions: Sequence[Condition]) -> Condition:
    """The WHERE part of a question that requires all of them; empty without any."""
    if not conditions:
        return "", ()
    questions = " AND ".join(question for question, _ in conditions)
    return f" WHERE {questions}", tuple(value for _, values in conditions for value in values)


def touches(entry: Entry, resource: str) -> bool:
    """Whether an entry read, made or was about something, by a part of its name or the beginning of its digest."""
    body = entry.body
    context = body.context
    digests = {item for item in (context.model, context.data, context.configuration, context.environment) if item}
    artifacts = (*body.inputs, *body.outputs)
    return any(resource in item.name for item in artifacts) or any(
        digest.removeprefix("sha256:").startswith(resource.removeprefix("sha256:"))
        for digest in (*digests, *(item.digest for item in artifacts))
    )
