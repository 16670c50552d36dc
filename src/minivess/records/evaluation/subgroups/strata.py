"""Which subgroups a case is in: by what its record states, and by what was counted of it."""

from __future__ import annotations

from collections.abc import Sequence

from minivess.foundation.implements import implements
from minivess.records.attributes import together
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.lengths import MICROMETRES

SIZE = "reference_size"
"""The attribute of how large a part of its image the reference of a case is."""
_STEPS = (1, 2, 5)


@implements("REQ-414")
def attributes_of(case: CaseRecord) -> dict[str, str]:
    """The attributes of a case: what the project states, site, scanner and modality, and the depth of a volume.

    The depth is the number of slices by their distance, as a band of the series 1, 2, 5, 10, …: `100 to 200 µm`. Where no
    physical size is known, the slices are counted.
    """
    depth = None
    if len(case.spacing) == len("zyx"):
        extent, unit = case.shape[0] * case.spacing[0], "µm"
        if case.unit == "px":
            extent, unit = float(case.shape[0]), "slices"
        elif extent >= MICROMETRES["mm"]:
            extent, unit = extent / MICROMETRES["mm"], "mm"
        depth = f"{_band(extent)} {unit}"
    return together(
        case.attributes,
        site=_short(case.site),
        scanner=_short(case.scanner),
        modality=_short(case.modality),
        depth=depth,
    )


@implements("REQ-415")
def strata_of(record: EvaluationRecord) -> dict[str, dict[str, str]]:
    """The attributes of each case by its name, with the size of its reference.

    The size is the share of the voxels that are of a class in the reference. The cases are cut at the shares of the first and of
    the second third in ascending order; equal shares are in one subgroup. Cases without counts have no attributes.
    """
    held: dict[str, list[CaseCounts]] = {}
    for row in record.cases:
        if isinstance(row, CaseCounts):
            held.setdefault(row.case, []).append(row)
    shares = {name: sum(row.overlap.reference for row in rows) / rows[0].voxels for name, rows in held.items()}
    limits = _thirds(sorted(shares.values()))
    return {name: {**rows[0].attributes, SIZE: _size(shares[name], limits)} for name, rows in held.items()}


def _short(text: str | None) -> str | None:
    """A text that every attribute can have: in one line, of at most 60 characters, none of them a control character."""
    if text is None:
        return None
    printed = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(printed.split())[:60].strip() or None


def _band(extent: float) -> str:
    """The two numbers of the series 1, 2, 5, 10, … that a number above 0 lies between; the lower one is included."""
    power = 1.0
    while extent < power:
        power /= 10
    while extent >= 10 * power:
        power *= 10
    lower = max(step for step in _STEPS if extent >= step * power or step == 1)
    upper = next((step for step in _STEPS if step > lower), 10)
    return f"{lower * power:g} to {upper * power:g}"


def _thirds(ordered: Sequence[float]) -> tuple[float, float]:
    """The smallest shares of the second and of the last third."""
    count = len(ordered)
    return (ordered[count // 3], ordered[2 * count // 3]) if ordered else (0.0, 0.0)


def _size(share: float, limits: tuple[float, float]) -> str:
    low, high = (f"{100 * limit:.3g} %" for limit in limits)
    if share < limits[0]:
        return f"small: below {low} of the voxels"
    if share < limits[1]:
        return f"middle: {low} to below {high}"
    return f"large: {high} and more"
