"""An FMEA's rows made hazards, sequences of events, situations, harms, risks and controls (ISO 14971:2019 5.4).

A failure mode is taken for the hazard where no column names one, its cause for the sequence of events, its local effect
for the hazardous situation and its effect for the harm.

Rows of one hazard share what they say in the same words. Rows of two hazards share harms alone: an injury is the same
whatever led to it, while equal words for a situation or a measure may mean two. A failure mode that is the hazard is one
together with its function: "no output" of a pump and of a sensor are two.

The scales of an FMEA are its own: severity and occurrence count
only as the `scales` of the mapping file translate them to steps of the plan; detection and the risk priority number are
no part of a risk and stay out, with a remark.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from minivess.compliance.exchange.foreign_items import (
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    Row,
    check_count,
    free_name,
    lost,
    one_line,
    short,
    tell_ends,
    tidy_line,
    tidy_row,
)
from minivess.compliance.exchange.mapping import (
    FMEA_COLUMNS,
    IGNORE,
    ForeignMapping,
    assign,
)
from minivess.compliance.exchange.vocabulary import names_of, plain
from minivess.foundation.implements import implements

_BEFORE = re.compile(r"^(?:residual|new|revised|rest|neue?)\s+|\s+(?:2|after|nachher|new|neu|residual)$")
_RATED = frozenset({"severity", "occurrence", "p1", "p2", "detection", "rpn"})
_UNUSED = {
    "detection": "is no part of a risk here and is not taken",
    "rpn": "is no measure of risk here and is not taken",
    "detection_control": "says how failures are found; it is not taken as a risk control",
    "action": "is a plan and not taken: once it is done, write it as a risk control",
    "function": "has no field in a risk and is not taken",
}


def is_fmea(names: Iterable[str], mapping: ForeignMapping) -> bool:
    """Whether a table with these columns is an FMEA."""
    if mapping.format is not None:
        return mapping.format == "fmea"
    found = set(fmea_columns(names, mapping).values())
    if {"hazard", "situation", "harm"} <= found:
        return True
    return "failure_mode" in found and bool(found & {"cause", "effect", "rpn"}) and bool(found & {"severity", "rpn"})


@implements("REQ-257")
def fmea_rows(rows: Iterable[Row], mapping: ForeignMapping, remarks: list[Remark]) -> list[ForeignItem]:
    """The items of an FMEA, equal texts of one hazard once.

    Raises:
        InputError: there are too many rows.
    """
    table = _Table(mapping, remarks)
    ends: Counter[str] = Counter()
    file = ""
    for at, row in enumerate(rows):
        check_count(at, row.place.file)
        file = row.place.file
        table.add(tidy_row(row, remarks, ends))
    tell_ends(ends, file, remarks)
    table.tell_shared()
    return table.named()


def fmea_columns(names: Iterable[str], mapping: ForeignMapping) -> dict[str, str]:
    """What each column of an FMEA means; a second column of ratings is the one after the measures."""
    listed = list(names)
    stated = assign(listed, mapping, guess=False)
    found = {name: target for name, target in stated.items() if target in FMEA_COLUMNS or target in {"id", IGNORE}}
    for target, aliases in names_of("fmea_columns").items():
        for name in listed:
            word = plain(name)
            rest = _BEFORE.sub("", word)
            if name in found:
                continue
            if word in aliases and target not in found.values():
                found[name] = target
            elif rest != word and rest in aliases and target in _RATED and f"residual_{target}" not in found.values():
                found[name] = f"residual_{target}"
    if "id" not in found.values():
        found |= {name: "id" for name in listed if name not in found and assign([name], mapping).get(name) == "id"}
    return found


class _Table:
    """Items by kind, hazard and text, so that what several rows of one hazard say is one item."""

    def __init__(self, mapping: ForeignMapping, remarks: list[Remark]) -> None:
        self.items: dict[str, ForeignItem] = {}
        self._hazards_of: dict[str, set[str]] = {}
        """By harm: the hazards of the rows that name it."""
        self._rows_of: dict[str, str] = {}
        """By item: the id of the row that named it first."""
        self._row = ""
        self._meanings: dict[tuple[str, ...], dict[str, str]] = {}
        """By names of columns: what they mean."""
        self._mapping = mapping
        self._remarks = remarks

    def named(self) -> list[ForeignItem]:
        """All items; those that a row with an id named first are called by this id, so that a changed text is a change."""
        names = {name: name for name in self.items}
        used = set(names)
        for name, row in self._rows_of.items():
            names[name] = free_name(f"{row} {self.items[name].kind}", used)
            used.add(names[name])
        return [
            replace(
                item,
                id=names[name],
                links=tuple(ForeignLink(link.relation, names[link.target]) for link in item.links),
            )
            for name, item in self.items.items()
        ]

    def add(self, row: Row) -> None:
        """Take one row."""
        if row.names not in self._meanings:
            self._meanings[row.names] = fmea_columns(row.names, self._mapping)
        meaning = self._meanings[row.names]
        has_hazard = "hazard" in meaning.values()
        cells: dict[str, str] = {}
        for name, value in row.cells.items():
            target = meaning.get(name, "")
            if target == "function" and not has_hazard:
                cells[target] = value
            elif target in _UNUSED or target.removeprefix("residual_") in {"detection", "rpn"}:
                self._lose(row, name, value, _UNUSED[target.removeprefix("residual_")])
            elif not target or target == IGNORE or target in cells:
                why = (
                    "is left out, as the mapping says"
                    if target == IGNORE
                    else "has no place in a risk and is not taken"
                )
                self._lose(row, name, value, why)
            else:
                cells[target] = value
        if not set(cells) - {"id", "function"}:
            for name, value in row.cells.items():
                if meaning.get(name) in cells:
                    self._lose(row, name, value, "is alone in its row, which is not taken")
            return
        self._chain(row, cells, has_hazard=has_hazard)

    def _chain(self, row: Row, cells: Mapping[str, str], *, has_hazard: bool) -> None:
        place, mode = row.place, cells.get("failure_mode", "")
        content = "\n".join(f"{name}: {value}" for name, value in sorted(cells.items()))
        name = tidy_line(cells.get("id", "")) or f"RISK {_digest(content)}"
        free = free_name(name, self.items)
        self._row = free if cells.get("id") else ""
        hazard = self._hazard(row, free, cells, has_hazard=has_hazard)
        within = hazard or free
        if has_hazard and mode and cells.get("cause"):
            events = f"{cells['cause']}\n\n{mode}"
        else:
            events = cells.get("cause") or (mode if has_hazard else "")
        sequence = self._one("SEQ", events, within, place, {"from_hazard": [hazard]})
        effect = cells.get("effect", "")
        stated = cells.get("situation") or cells.get("local_effect") or effect
        if cells.get("local_effect") and cells.get("situation"):
            self._lose(row, "local_effect", cells["local_effect"], "is beside a hazardous situation and is not taken")
        if effect and cells.get("harm") and effect != stated:
            self._lose(row, "effect", effect, "is beside a harm and is not taken")
        if stated and not cells.get("situation"):
            message = (
                "hazardous situation and harm are read from the effect: check whether they are two different texts here"
            )
            self._remarks.append(Remark("note", place, message, value=stated))
        situation = self._one("HS", stated, within, place, {"follows": [sequence]})
        harm = self._one("HARM", cells.get("harm") or effect, "", place)
        self._hazards_of.setdefault(harm, set()).add(within)
        control = self._one("RC", cells.get("control", ""), within, place)
        links = {"situation": [situation], "harm": [harm], "controls": [control]}
        if free != name:
            self._remarks.append(Remark("note", place, f"the id `{name}` is there twice", item=name))
        title = mode or cells.get("hazard") or effect or cells.get("cause", "")
        self.items[free] = ForeignItem(
            free, "RISK", one_line(title), "", self._ratings(row, cells), _links(links), place
        )

    def _hazard(self, row: Row, name: str, cells: Mapping[str, str], *, has_hazard: bool) -> str:
        """The foreign id of the hazard of a row: what its column says, else its failure mode with its function."""
        mode, function = cells.get("failure_mode", ""), cells.get("function", "")
        if has_hazard:
            stated = cells.get("hazard", "")
        else:
            stated = ": ".join(filter(None, (function, mode))) if mode else ""
            if function and not mode:
                self._lose(row, "function", function, _UNUSED["function"])
        if not stated:
            message = "has no hazard: what it says is shared with no other row"
            self._remarks.append(Remark("note", row.place, message, item=name))
        elif not has_hazard:
            message = f"no column names the hazard: the failure mode is taken for it: {short(stated)}"
            self._remarks.append(Remark("changed", row.place, message, item=name, value=stated))
        return self._one("HAZ", stated, "", row.place)

    def tell_shared(self) -> None:
        """Name the harms that several hazards lead to."""
        for name, hazards in self._hazards_of.items():
            if name and len(hazards) > 1:
                item = self.items[name]
                message = f"{len(hazards)} hazards lead to this harm, which is one item: {short(item.text)}"
                self._remarks.append(Remark("note", item.place, message, item=name, value=item.text))

    def _one(
        self, kind: str, text: str, within: str, place: Place, leads: Mapping[str, list[str]] | None = None
    ) -> str:
        """The foreign id of the item of this kind and text; empty without text.

        Args:
            kind: its prefix.
            text: what it says.
            within: the hazard it belongs to; empty for what hazards may share.
            place: of the row.
            leads: what it names.
        """
        if not text:
            return ""
        name = f"{kind} {_digest(_within(text, within))}"
        known = self.items.get(name)
        links = _links(leads or {})
        if known is None:
            if self._row:
                self._rows_of[name] = self._row
            self.items[name] = ForeignItem(name, kind, "", text, {}, links, place)
        elif set(links) - set(known.links):
            merged = tuple(dict.fromkeys((*known.links, *links)))
            self.items[name] = ForeignItem(name, kind, "", text, {}, merged, known.place)
        return name

    def _ratings(self, row: Row, cells: Mapping[str, str]) -> dict[str, str]:
        ratings: dict[str, str] = {}
        for stage, before in (("initial", ""), ("residual", "residual_")):
            seen = {name for name in _RATED if cells.get(before + name)}
            if not seen and stage == "residual":
                continue
            for target, sources in (("severity", ("severity",)), ("p1", ("p1", "occurrence")), ("p2", ("p2",))):
                names = [before + source for source in sources if cells.get(before + source)]
                value = cells[names[0]] if names else ""
                for name in names[1:]:
                    self._lose(row, name, cells[name], "is beside another and is not taken")
                step = self._step(target, value)
                if step is not None:
                    ratings[f"{stage}.{target}"] = str(step)
                elif value:
                    why = (
                        f"is on a scale of its own: say in the mapping file under `scales: {target}:` which step it is"
                    )
                    self._lose(row, names[0], value, why)
        return ratings

    def _step(self, target: str, value: str) -> int | None:
        scale = next((steps for name, steps in self._mapping.scales.items() if name == target), {})
        number = re.sub(r"[.,]0+$", "", value.strip())
        return scale.get(value, scale.get(number, scale.get("*")))

    def _lose(self, row: Row, name: str, value: str, why: str) -> None:
        self._remarks.append(lost(row.place, name, value, why))


def _links(named: Mapping[str, list[str]]) -> tuple[ForeignLink, ...]:
    return tuple(ForeignLink(name, target) for name, targets in named.items() for target in targets if target)


@implements("RC-117")
def _within(text: str, hazard: str) -> str:
    """A text together with the hazard it belongs to, so that another one with the same text is another item."""
    return f"{text}\0{hazard}" if hazard else text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
