"""Names of version 0.1.0 that said their unit, in files that people write, and how they are read now.

A number under a former name becomes text with its unit under the present name. Each is read with a hint that names the line
to write. A file that states a length under both names is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.strict_yaml import YamlList, YamlMap
from minivess.records.evaluation.measures import FORMER

FORMER_TOLERANCE = "2 \u00b5m"
"""What 0.1.0 took where a file stated no tolerance."""


class _Renamed(NamedTuple):
    """A field that has another name now.

    Attributes:
        place: the keys that lead to its mapping; `*` is every entry of a list.
        former: its former name.
        name: its name now.
        text: what its value is now.
    """

    place: tuple[str, ...]
    former: str
    name: str
    text: Callable[[Any], Any]


def _length(value: Any) -> Any:
    return f"{value:g} \u00b5m" if _is_number(value) else value


def _spacing(value: Any) -> Any:
    if isinstance(value, YamlList) and value and all(map(_is_number, value)):
        return f"{' x '.join(f'{one:g}' for one in value)} \u00b5m"
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FIELDS = (
    _Renamed(("evaluation",), "tolerance_um", "tolerance", _length),
    _Renamed(("data", "cases", "*"), "spacing_um", "spacing", _spacing),
    _Renamed(("data", "pairs"), "spacing_um", "spacing", _spacing),
    _Renamed(("data", "synthetic"), "psf_sigma_z_um", "psf_sigma_z", _length),
)
_MEASURES: Mapping[tuple[str, ...], str] = {("evaluation", "criteria", "*"): "measure", ("gates", "*"): "measure"}
"""Where a file names a measure."""


class Hint(NamedTuple):
    """A former name in a file, and what to write in place of it."""

    shown: str
    line: int
    former: str
    write: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.shown}:{self.line}: `{self.former}` is a name of version 0.1.0; write `{self.write}`"


@implements("REQ-325")
def with_present_names(root: Any, *, shown: str) -> tuple[Hint, ...]:
    """Put the present names into a file that was read, in place.

    Args:
        root: the project file or the release policy.
        shown: how messages call the file.

    Returns:
        One hint for each former name, in the order of the file.

    Raises:
        InputError: a field is stated under both names, or `hd95_um` beside a tolerance that is not in micrometres.
    """
    hints = []
    for renamed in _FIELDS:
        for node in _nodes(root, renamed.place):
            if renamed.former in node:
                hints.append(_rename(node, renamed, shown))
    measures = [(node, name) for place, name in _MEASURES.items() for node in _nodes(root, place)]
    for node, name in measures:
        if (former := node.get(name)) in FORMER:
            node[name] = FORMER[former]
            hints.append(Hint(shown, node.lines[name], str(former), f"{name}: {FORMER[former]}"))
            hints += _tolerance(root, shown, node.lines[name])
    return tuple(sorted(hints, key=lambda hint: hint.line))


def _rename(node: YamlMap, renamed: _Renamed, shown: str) -> Hint:
    former, name = renamed.former, renamed.name
    line, value = node.lines.pop(former), renamed.text(node.pop(former))
    written = f"{name}: {value}" if isinstance(value, str) else name
    if name in node:
        raise InputError(f"`{former}` and `{name}` are both stated", path=shown, line=line, hint=f"remove `{former}`")
    node[name], node.lines[name] = value, line
    return Hint(shown, line, former, written)


def _tolerance(root: Any, shown: str, line: int) -> Iterator[Hint]:
    """`hd95_um` was in micrometres, whatever the file says of its tolerance."""
    for node in _nodes(root, ("evaluation",)):
        stated = node.get("tolerance")
        if stated is None:
            node["tolerance"], node.lines["tolerance"] = FORMER_TOLERANCE, node.line
            yield Hint(shown, node.line, "no tolerance", f"tolerance: {FORMER_TOLERANCE}")
        elif isinstance(stated, str) and stated.strip().endswith(("mm", "px")):
            raise InputError(
                f"`hd95_um` is in \u00b5m, and the tolerance is {stated}",
                path=shown,
                line=line,
                hint="name the measure `hd95`, with its limit in the unit of the tolerance",
            )


def _nodes(root: Any, place: tuple[str, ...]) -> Iterator[YamlMap]:
    if not place:
        if isinstance(root, YamlMap):
            yield root
    elif place[0] == "*":
        for one in root if isinstance(root, YamlList) else ():
            yield from _nodes(one, place[1:])
    elif isinstance(root, YamlMap) and place[0] in root:
        yield from _nodes(root[place[0]], place[1:])
