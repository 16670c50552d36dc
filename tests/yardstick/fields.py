"""Every place of every kind of entry, and of its details, changed in every way known here.

A place is a JSON path without the positions in lists. A change is tried as it is, with the entry signed again by its actor,
with the checkpoint signed again by the log, and with both. The first three must be refused. With both signatures it is
another history, written by the actor and the log together: then the change must be refused, or it must be refused by whoever
kept a checkpoint from before, and be listed with a reason (`reasons`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.digests import digest_bytes
from tests.support.builders.guarded_log import refusal_of_script
from tests.yardstick.story import Pair, YardLog, adopting, device, restored, serving

KINDS = ("removed", "swapped", "older", "other type", "bent", "added")
SIGNED = ("as it is", "by the actor", "by the log", "by both")
_ALWAYS = frozenset({"removed", "bent"})
"""Kinds that are tried with every signature; the others with both alone, where signatures tell nothing."""
STORIES = {"device": device, "adopting": adopting, "serving": serving, "restored": restored}
_ALONE = {
    "adopting": {"test-set.open", "rules.adopted", "test-set.approve"},
    "restored": {"time.attested", "log.restored"},
}
"""Actions of which a story is asked, where others are asked of the rest."""

Path = tuple[str | int, ...]
_PARTS: dict[int, dict[int, list[tuple[str, Any]]]] = {}


@dataclass(frozen=True)
class Mutant:
    """One change of one place of one entry."""

    story: str
    index: int
    part: str
    """`entry` or `details`."""
    path: Path
    kind: str
    signed: str
    value: Any = None

    @property
    def place(self) -> str:
        """The action and the path without positions in lists."""
        log = STORIES[self.story]()
        body = log.entries[self.index].body
        steps = ".".join("[]" if isinstance(step, int) else step for step in self.path)
        return f"{body.action}/{body.outcome.value}: {self.part}.{steps}"

    def __str__(self) -> str:
        return f"{self.story} {self.index} {self.place}, {self.kind}, signed again: {self.signed}"


def mutants() -> Iterator[Mutant]:
    """All of them, in a fixed order."""
    for name, make in STORIES.items():
        log = make()
        seen = set[str]()
        for index in _kinds_of(name, log):
            for part, value in _parts(log, index):
                for path, old in _places(value):
                    for kind in KINDS:
                        found, new = _change(log, index, part, path, old, kind=kind)
                        if not found:
                            continue
                        for signed in SIGNED if kind in _ALWAYS else SIGNED[-1:]:
                            made = Mutant(name, index, part, path, kind, signed, new)
                            key = f"{made.place} {kind} {signed}"
                            if key not in seen:
                                seen.add(key)
                                yield made


def _kinds_of(name: str, log: YardLog) -> list[int]:
    """One entry of each kind, the last one where there are several."""
    last: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(log.entries):
        last[entry.body.action, entry.body.outcome.value] = index
    alone = _ALONE.get(name)
    return sorted(index for (action, _), index in last.items() if alone is None or action in alone)


def _parts(log: YardLog, index: int) -> list[tuple[str, Any]]:
    """The entry and its details as JSON; not to be changed."""
    known = _PARTS.setdefault(id(log), {})
    if index not in known:
        told = log.details[index]
        details = [] if told is None else [("details", json.loads(told))]
        known[index] = [("entry", json.loads(log.lines[index])), *details]
    return known[index]


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value in a JSON value but the whole; of a list the first item."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), item
            yield from _places(item, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0), value[0]
        yield from _places(value[0], (*path, 0))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _others(log: YardLog, index: int, part: str, path: Path, old: Any, *, before: bool) -> Iterator[Any]:
    """Other values that stand at the same place of other entries, those of the same action first."""
    action = log.entries[index].body.action
    order = sorted(range(len(log.entries)), key=lambda at: (log.entries[at].body.action != action, -at))
    for at in order:
        if at == index or (before and at > index):
            continue
        for name, value in _parts(log, at):
            found = _at(value, path)
            if name == part and found is not None and found != old and type(found) is type(old):
                yield found


def _change(log: YardLog, index: int, part: str, path: Path, old: Any, *, kind: str) -> tuple[bool, Any]:
    """Whether this kind of change is possible here, and the new value."""
    match kind:
        case "removed":
            return True, None
        case "added":
            return isinstance(old, dict | list), None
        case "swapped" | "older":
            found = next(_others(log, index, part, path, old, before=kind == "older"), None)
            return found is not None, found
        case "other type":
            return True, _other_type(old)
    new = _bent(old)
    return new is not None, new


def _other_type(old: Any) -> Any:
    if isinstance(old, str):
        return 7
    return [old] if isinstance(old, dict) else {"x": 1} if isinstance(old, list) else "7"


def _bent(old: Any) -> Any:
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return old + 1
    if old is None:
        return "x"
    if isinstance(old, str) and old:
        middle = len(old) // 2
        return old[:middle] + ("1" if old[middle] != "1" else "2") + old[middle + 1 :]
    return None


def _changed(value: Any, path: Path, kind: str, new: Any) -> Any:
    """The JSON value with one place changed."""
    value = json.loads(json.dumps(value))
    place = _at(value, path[:-1])
    if kind == "removed":
        del place[path[-1]]
    elif kind == "added":
        inner = place[path[-1]]
        if isinstance(inner, dict):
            inner["x"] = 1
        else:
            inner.append(inner[-1] if inner else "x")
    else:
        place[path[-1]] = new
    return value


def apply(mutant: Mutant) -> tuple[YardLog, list[Pair], str]:
    """The log it was, its pairs with the change, and the checkpoint that goes with them."""
    log = STORIES[mutant.story]()
    pairs, index = list(log.pairs), mutant.index
    line, details = pairs[index]
    plain = json.loads(line)
    by_actor = mutant.signed in {"by the actor", "by both"}
    if mutant.part == "details":
        assert details is not None
        details = canonical(_changed(json.loads(details), mutant.path, mutant.kind, mutant.value))
        if by_actor:
            plain["body"]["details"] = digest_bytes(details)
    else:
        plain = _changed(plain, mutant.path, mutant.kind, mutant.value)
    body = plain.get("body")
    if by_actor and isinstance(body, dict) and mutant.path != ("signature",):
        signer = log.signers.get(body.get("key", ""), log.signers[log.entries[index].body.key])
        plain["signature"] = to_base64(signer.sign(canonical(body)))
    pairs[index] = (canonical(plain), details)
    lines = [line for line, _ in pairs]
    by_log = mutant.signed in {"by the log", "by both"}
    return log, pairs, log.note_of(lines) if by_log else log.checkpoint


def refusal(log: YardLog, pairs: list[Pair], note: str, *, known: str | None = None) -> str:
    """What verification finds; empty: nothing. `known`: a checkpoint that somebody kept."""
    key = log.key_at(len(log.entries)).public
    if known is None:
        checks = verify_entries(pairs, note, trust=key)[0]
    else:
        from minivess.compliance.verification.log import verify_log

        checks = verify_log(pairs, note, trust=key, known=known)[0]
    return next((check.detail for check in checks if not check.passed), "")


def of_both(mutant: Mutant) -> tuple[str, str]:
    """What the product and what `verify.py` find; empty: nothing."""
    log, pairs, note = apply(mutant)
    return refusal(log, pairs, note), refusal_of_script(pairs, note)


def judge(mutant: Mutant) -> str:
    """`refused`, `accepted` (whoever kept a checkpoint notices), or what is wrong with how it was judged."""
    log, pairs, note = apply(mutant)
    words = refusal(log, pairs, note)
    if words:
        return "refused"
    if mutant.signed != "by both":
        return "NOT NOTICED, although not both signed"
    if not refusal(log, pairs, note, known=log.checkpoint):
        return "NOT NOTICED by whoever kept a checkpoint"
    return "accepted"
