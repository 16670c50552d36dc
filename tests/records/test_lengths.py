"""A length is what it was stated as, in every spelling; anything else is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.tolerance import tolerance_of
from minivess.records.lengths import (
    MM_FROM,
    UNIT_NAMES,
    Length,
    LengthUnit,
    in_micrometres,
    parse_length,
    parse_spacing,
    shown,
    spacing_text,
)
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-04", "REQ-322")
UNITS: tuple[LengthUnit, ...] = ("um", "mm", "px")
VALUES = st.floats(1e-12, 1e9, exclude_max=True)
PHYSICAL = st.builds(Length, VALUES, st.sampled_from(UNITS[:2]))
MICRO = st.sampled_from(("µ", "μ", "u"))


@settings(max_examples=30, deadline=None)
@given(st.builds(Length, VALUES, st.sampled_from(UNITS)), MICRO, st.sampled_from(("", " ", "  ")))
def test_a_length_is_read_back_as_it_was_written(length: Length, micro: str, space: str) -> None:
    text = str(length).replace("µ", micro).replace(" ", space)
    assert parse_length(text) == length


@settings(max_examples=30, deadline=None)
@given(st.lists(PHYSICAL, min_size=2, max_size=3))
def test_a_spacing_is_read_back_as_it_was_written(spacing: list[Length]) -> None:
    for stated in (spacing_text(spacing), [str(one) for one in spacing], spacing_text(spacing).replace("x", "×")):
        assert parse_spacing(stated) == tuple(spacing)
    assert in_micrometres(spacing) == pytest.approx(
        [one.value * (1000 if one.unit == "mm" else 1) for one in spacing], rel=1e-12
    )


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from("0123456789.eE+-x× µμumpx,\n\u0661"), max_size=20) | st.floats() | st.integers())
def test_what_is_no_length_is_refused_with_an_example(stated: object) -> None:
    for parse, example in ((parse_length, "for example 2 µm"), (parse_spacing, "µm")):
        found, words = outcome(parse, stated)
        assert example in words or (isinstance(stated, str) and all(one.value > 0 for one in found))


def outcome(parse: Callable[[object], Any], stated: object) -> tuple[tuple[Length, ...], str]:
    """What was read, or the words of the refusal."""
    try:
        found = parse(stated)
    except ValueError as error:
        return (), str(error)
    return (found if isinstance(found, tuple) else (found,)), ""


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e8), st.floats(1, 100))
def test_lengths_for_people_keep_their_size(least: float, factor: float) -> None:
    text = shown((least * factor, least), "um")
    numbers, unit = text.rsplit(" ", 1)
    assert unit == UNIT_NAMES["mm" if least >= MM_FROM else "um"]
    size = 1000 if unit == "mm" else 1
    assert [float(one) * size for one in numbers.split(" × ")] == pytest.approx([least * factor, least], rel=1e-3)


@pytest.mark.verifies("REQ-324")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 20_000), min_size=1, max_size=5))
def test_the_tolerance_does_not_depend_on_the_order_of_the_cases(spacings: list[float]) -> None:
    digest = "sha256:" + "0" * 64
    cases = [
        CaseRecord(
            id=f"c{n}", subject="s", acquisition="a", axes="yx", shape=(4, 4), spacing=(3 * least, least), modality="m",
            image=digest, label=digest, source_dtype="uint8", label_values=(0, 1), foreground_fraction=0.1,
        )
        for n, least in enumerate(spacings)
    ]  # fmt: skip
    found = tolerance_of(None, cases)
    assert found == tolerance_of(None, cases[::-1])
    assert 2 * min(spacings) <= found.micrometres * 1.00001
    assert found.micrometres <= 2 * max(spacings) * 1.00001
    assert tolerance_of(Length(1.0, "px"), cases) == Length(1.0, "px")
