"""The case table, one row a case, and its schema: types, ranges, uniqueness, and what cases must have in common.

The schema is a Pandera schema over a pandas table. Each of its checks carries the name of a rule as its error, and what
fails comes back as findings of that rule.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minivess.foundation.implements import implements
from minivess.foundation.names.ids import folded
from minivess.ml.quality.rule_catalogue import RULES
from minivess.records.data.dataset import MOST_CHANNELS, CaseRecord
from minivess.records.data.findings import Found
from minivess.records.lengths import LengthUnit, shown

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

_POSSIBLE_UM = (0.005, 20_000.0)
_MICROSCOPY_UM = (0.05, 20.0)
_LONG = 10.0
_SMALL = 16
_AGREEMENT = 0.7
_SPACING_DIFFERS = 1.01
_TYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
)


def case_table(cases: Sequence[CaseRecord]) -> pd.DataFrame:
    """The case table.

    Columns: id, subject, acquisition, axes, size_z, size_y, size_x (0: no such axis), channels, spacing_z (NaN: none),
    spacing_y, spacing_x in `unit`, modality, site, scanner (None: unknown), dtype, label_values (text), foreground,
    agreement (NaN: one reader), orientation, placed (has an affine), affine_fault (text, empty: none), classes (text).
    """
    import pandas as pd

    rows = [_row(case) for case in cases]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


_COLUMNS = {
    **dict.fromkeys(("id", "subject", "acquisition", "axes"), "object"),
    **dict.fromkeys(("size_z", "size_y", "size_x", "channels"), "int64"),
    **dict.fromkeys(("spacing_z", "spacing_y", "spacing_x"), "float64"),
    **dict.fromkeys(("unit", "modality", "site", "scanner", "dtype", "label_values"), "object"),
    **dict.fromkeys(("foreground", "agreement"), "float64"),
    "orientation": "object",
    "placed": "bool",
    "affine_fault": "object",
    "classes": "object",
}


def _row(case: CaseRecord) -> dict[str, Any]:
    flat = len(case.grid) == 2
    sizes, spacing = ((0, *case.grid), (float("nan"), *case.spacing)) if flat else (case.grid, case.spacing)
    return {
        "id": case.id,
        "subject": case.subject,
        "acquisition": case.acquisition,
        "axes": case.axes,
        **dict(zip(("size_z", "size_y", "size_x"), sizes, strict=True)),
        "channels": case.shape[-1] if case.axes.endswith("c") else 1,
        **dict(zip(("spacing_z", "spacing_y", "spacing_x"), spacing, strict=True)),
        "unit": case.unit,
        "modality": case.modality,
        "site": case.site,
        "scanner": case.scanner,
        "dtype": case.source_dtype,
        "label_values": " ".join(map(str, case.label_values)),
        "foreground": case.foreground_fraction,
        "agreement": float("nan") if case.reader_agreement is None else case.reader_agreement,
        "orientation": case.orientation,
        "placed": case.affine is not None,
        "affine_fault": affine_fault(case),
        "classes": ", ".join(f"{one.value} {one.name}" for one in case.classes),
    }


def affine_fault(case: CaseRecord) -> str:
    """What is wrong with a case's affine, or nothing: lengths of its columns against the spacing (1 %), its
    orientation, and whether it can be inverted.
    """
    if case.affine is None or len(case.spacing) != 3:
        return ""
    matrix = np.array(case.affine, float)[:3, :3]
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6 * max(float(lengths.prod()), 1e-30):
        return "the affine cannot be inverted"
    if case.unit == "um" and not np.allclose(lengths, case.spacing, rtol=0.01):
        return f"the affine's voxels are {shown(lengths.tolist(), 'um')}, the spacing is {shown(case.spacing, 'um')}"
    if case.orientation is not None:
        ends = np.abs(matrix).argmax(axis=0)
        code = "".join("RAS"[end] if matrix[end, axis] > 0 else "LPI"[end] for axis, end in enumerate(ends))
        if code != case.orientation:
            return f"the affine points to {code}, the orientation says {case.orientation}"
    return ""


def schema() -> pa.DataFrameSchema:
    """The schema of the case table."""
    import pandera.pandas as pa

    def column(kind: type, *checks: pa.Check, nullable: bool = False, **more: Any) -> pa.Column:
        return pa.Column(kind, list(checks), nullable=nullable, **more)

    def is_in(*values: str) -> pa.Check:
        return pa.Check.isin(list(values), error="case-table")

    size = pa.Check.ge(0, error="case-table")
    side = pa.Check.ge(_SMALL, error="size-small")
    share = pa.Check.in_range(0, 1, error="case-table")
    text = pa.Check.str_length(1, 200, error="case-table")
    columns = {
        **{name: column(object, text) for name in ("subject", "acquisition", "modality", "classes")},
        "id": column(object, text, unique=True),
        "axes": column(object, is_in("zyx", "yx", "zyxc", "yxc")),
        "size_z": column(int, size),
        "size_y": column(int, size, side),
        "size_x": column(int, size, side),
        "channels": column(int, pa.Check.in_range(1, MOST_CHANNELS, error="case-table")),
        "spacing_z": column(float, nullable=True),
        "spacing_y": column(float),
        "spacing_x": column(float),
        "unit": column(object, is_in("um", "px")),
        **{name: column(object, text, nullable=True) for name in ("site", "scanner")},
        "dtype": column(object, is_in(*_TYPES)),
        "label_values": column(object),
        "foreground": column(float, share),
        "agreement": column(float, share, pa.Check.ge(_AGREEMENT, error="readers-disagree"), nullable=True),
        "orientation": column(object, pa.Check.str_matches(r"^[RLAPSI]{3}$", error="case-table"), nullable=True),
        "placed": column(bool),
        "affine_fault": column(object, pa.Check(lambda cells: cells == "", error="affine-agrees")),
    }
    rows: dict[str, Callable[[Any], Any]] = {
        "id-case": lambda table: ~table["id"].map(folded).duplicated(keep="first") | table["id"].duplicated(),
        "spacing-possible": lambda table: _within(table, _POSSIBLE_UM) | (table["unit"] != "um"),
        "spacing-usual": _usual,
        "spacing-long": _not_long,
        "modality-alone": lambda table: (table.groupby("modality")["id"].transform("size") > 1) | (len(table) == 1),
    }
    whole: dict[str, Callable[[Any], bool]] = {
        "mixed-axes": lambda table: _one(table, "axes"),
        "mixed-units": lambda table: _one(table, "unit"),
        "mixed-spacing": _same_spacing,
        "mixed-sizes": lambda table: bool(len(table[["size_z", "size_y", "size_x"]].drop_duplicates()) < 2),
        "mixed-orientation": lambda table: _one(table, "orientation"),
        "mixed-affine": lambda table: _one(table, "placed"),
        "mixed-types": lambda table: _one(table, "dtype"),
        "mixed-classes": lambda table: _one(table, "classes"),
        "mixed-sites": lambda table: _one(table, "site"),
        "mixed-scanners": lambda table: _one(table, "scanner"),
        "subject-spelling": lambda table: not alike(table["subject"].unique()),
    }
    checks = [pa.Check(check, error=rule, ignore_na=False) for rule, check in (*rows.items(), *whole.items())]
    return pa.DataFrameSchema(columns, checks=checks, strict=True)


def _within(table: pd.DataFrame, limits: tuple[float, float]) -> pd.Series[bool]:
    spacing = table[["spacing_z", "spacing_y", "spacing_x"]]
    return ((spacing >= limits[0]) & (spacing <= limits[1]) | spacing.isna()).all(axis=1)


def _usual(table: pd.DataFrame) -> pd.Series[bool]:
    other = ~table["modality"].str.contains("microscop", case=False, regex=False) | (table["unit"] != "um")
    return _within(table, _MICROSCOPY_UM) | other | ~_within(table, _POSSIBLE_UM)


def _not_long(table: pd.DataFrame) -> pd.Series[bool]:
    spacing = table[["spacing_z", "spacing_y", "spacing_x"]]
    return (spacing.max(axis=1) <= _LONG * spacing.min(axis=1)) | ~_within(table, _POSSIBLE_UM)


def _one(table: pd.DataFrame, name: str) -> bool:
    return int(table[name].nunique()) < 2


def _same_spacing(table: pd.DataFrame) -> bool:
    for _, group in table.groupby(["axes", "unit"]):
        spacing = group[["spacing_z", "spacing_y", "spacing_x"]]
        if bool((spacing.max() > _SPACING_DIFFERS * spacing.min()).any()):
            return False
    return True


@implements("REQ-081")
def findings(cases: Sequence[CaseRecord]) -> Iterator[Found]:
    """Everything the schema notices, one finding a case and rule, or one for the set."""
    import pandas as pd
    from pandera.errors import SchemaErrors

    table = case_table(cases)
    try:
        schema().validate(table, lazy=True)
    except SchemaErrors as error:
        failures = error.failure_cases
    else:
        return
    rows: dict[str, dict[int, str]] = {}
    for check, column, index in zip(failures["check"], failures["column"], failures["index"], strict=True):
        rule = str(check) if str(check) in RULES else "case-table"
        if column == "id" and str(check) == "field_uniqueness":
            rule = "id-unique"
        place = -1 if pd.isna(index) else int(index)
        rows.setdefault(rule, {}).setdefault(place, str(column))
    for rule in (name for name, rule in RULES.items() if rule.group == "table" and name in rows):
        if -1 in rows[rule] and rule in _SET_MESSAGES:
            yield from _SET_MESSAGES[rule](rule, table)
            continue
        for place, column in sorted(rows[rule].items()):
            message, others = _about(rule, column, table, place)
            yield Found(rule, None if place < 0 else str(table["id"][place]), message, others=others)


def _about(rule: str, column: str, table: pd.DataFrame, place: int) -> tuple[str, tuple[str, ...]]:
    """What a finding about one row says, and which other cases it names."""
    if place < 0:
        return f"the column {column} is not as it should be", ()
    row = table.iloc[place]
    if rule == "id-case":
        same = table["id"][table["id"].map(folded) == folded(str(row["id"]))]
        others = tuple(sorted({str(one) for one in same} - {str(row["id"])}))
        return f"{row['id']} and {', '.join(others)}", others
    say = _ROW_MESSAGES.get(rule)
    return (say(row, table) if say is not None else f"{column} is {row[column]}"), ()


def _voxel(row: Any) -> str:
    spacing = [float(row[name]) for name in ("spacing_z", "spacing_y", "spacing_x") if not math.isnan(row[name])]
    return f"voxels of {shown(spacing, row['unit'])}"


_ROW_MESSAGES: dict[str, Callable[[Any, Any], str]] = {
    "id-unique": lambda row, table: f"{row['id']} is in {int((table['id'] == row['id']).sum())} rows",
    "spacing-possible": lambda row, _: _voxel(row),
    "spacing-long": lambda row, _: _voxel(row),
    "spacing-usual": lambda row, _: f"{_voxel(row)} in {row['modality']}",
    "size-small": lambda row, _: f"{row['size_y']} × {row['size_x']} pixels",
    "readers-disagree": lambda row, _: f"Dice of {row['agreement']:.2f} between the readers",
    "modality-alone": lambda row, _: f"the only case of {row['modality']}",
    "affine-agrees": lambda row, _: str(row["affine_fault"]),
}


def _counted(name: str) -> Callable[[str, Any], Iterator[Found]]:
    def say(rule: str, table: pd.DataFrame) -> Iterator[Found]:
        numbers = table[name].value_counts(dropna=False)
        parts = sorted(
            ((int(number), _word(value)) for value, number in numbers.items()), key=lambda one: (-one[0], one[1])
        )
        text = ", ".join(f"{number} × {value}" for number, value in parts[:5])
        yield Found(rule, None, text + (f" and {len(parts) - 5} more" if len(parts) > 5 else ""))

    return say


def _word(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "with affine" if value else "without"
    return value if isinstance(value, str) else "unknown"


def _spacings(rule: str, table: pd.DataFrame) -> Iterator[Found]:
    for (_, named), group in table.groupby(["axes", "unit"]):
        unit: LengthUnit = "um" if named == "um" else "px"
        parts = []
        for axis in "zyx":
            low, high = group[f"spacing_{axis}"].min(), group[f"spacing_{axis}"].max()
            if high > _SPACING_DIFFERS * low:
                parts.append(f"{axis} from {shown((low, high), 'px' if unit == 'px' else 'um', between=' to ')}")
        if parts:
            yield Found(rule, None, ", ".join(parts))


def _sizes(rule: str, table: pd.DataFrame) -> Iterator[Found]:
    parts = []
    for axis in "zyx":
        column = table[f"size_{axis}"]
        low, high = int(column[column > 0].min() if (column > 0).any() else 0), int(column.max())
        if high > low:
            parts.append(f"{axis} from {low} to {high}")
    yield Found(rule, None, ", ".join(parts) or "some have planes, some have none")


def _spelling(rule: str, table: pd.DataFrame) -> Iterator[Found]:
    for first, second in alike(table["subject"].unique()):
        members = table["id"][table["subject"].isin([first, second])]
        yield Found(rule, None, f"{first} and {second}", others=tuple(str(one) for one in members[:6]))


_SET_MESSAGES: dict[str, Callable[[str, Any], Iterator[Found]]] = {
    "mixed-axes": _counted("axes"),
    "mixed-units": _counted("unit"),
    "mixed-spacing": _spacings,
    "mixed-sizes": _sizes,
    "mixed-orientation": _counted("orientation"),
    "mixed-affine": _counted("placed"),
    "mixed-types": _counted("dtype"),
    "mixed-classes": _counted("classes"),
    "mixed-sites": _counted("site"),
    "mixed-scanners": _counted("scanner"),
    "subject-spelling": _spelling,
}


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that are probably one: equal but for case, separators and leading zeros, or with one letter of one
    word added, lost or changed (words of five letters and more; numbers must be equal).
    """
    found = set()
    keys: dict[tuple[str, ...], str] = {}
    for name in sorted(map(str, names)):
        other = keys.setdefault(_words(name), name)
        if other != name:
            found.add((other, name))
    places: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    for words, name in keys.items():
        for place, word in enumerate(words):
            if word.isalpha() and len(word) >= 4:
                places.setdefault((place, words[:place], words[place + 1 :]), []).append((word, name))
    for members in places.values():
        for (first, name), (second, other) in itertools.combinations(members, 2):
            if max(len(first), len(second)) >= 5 and _one_letter(first, second):
                found.add((min(name, other), max(name, other)))
    return sorted(found)


def _words(name: str) -> tuple[str, ...]:
    """The words and numbers of a name, lower case, numbers without leading zeros."""
    parts = re.findall(r"[^\W\d_]+|\d+", name.casefold())
    return tuple(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)


def _one_letter(first: str, second: str) -> bool:
    """Whether one letter added, lost or changed makes one word of the other."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    short, long = sorted((first, second), key=len)
    start = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]
