"""Number texts and outcomes of gates: one way to write a number, and the order of numbers is kept."""

from __future__ import annotations

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from minivess.records.device.gate_outcomes import GateOutcome, GateOutcomes, NumberText, number_text
from tests.support.properties import example, given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-230")
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
TEXT = TypeAdapter(NumberText)
OUTCOME = {
    "id": "dice",
    "kind": "metric",
    "basis": "derived",
    "passed": True,
    "value": "0.9",
    "comparison": "at least",
    "limit": "0.85",
    "margin": "0.05",
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.85, "0.85"),
        (1.0, "1"),
        (10.0, "10"),
        (0.0, "0"),
        (-0.0, "0"),
        (-0.05, "-0.05"),
        (0.8499996, "0.85"),
        (0.8499994, "0.849999"),
        (0.1234565, "0.123456"),
        (0.001, "0.001"),
        (0.0009999, "9.999e-04"),
        (0.00099999, "1.000e-03"),
        (3.1e-6, "3.100e-06"),
        (-4.2e-7, "-4.200e-07"),
        (1e20, "100000000000000000000"),
    ],
)
def test_a_number_has_one_text(value: float, text: str) -> None:
    assert number_text(value) == text


@given(value=numbers)
@example(value=5e-324)
def test_a_text_is_near_its_number_and_is_read_back_as_itself(value: float) -> None:
    text = number_text(value)
    assert TEXT.validate_python(text) == text
    assert math.isclose(float(text), value, rel_tol=6e-4, abs_tol=5.1e-7)
    assert number_text(float(text)) in {text, number_text(round(float(text), 6))}


@given(first=numbers, second=numbers)
@example(first=0.001, second=0.0009999999)
@example(first=0.85, second=0.8499999)
def test_texts_keep_the_order_of_numbers(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert float(number_text(low)) <= float(number_text(high))


@pytest.mark.parametrize("text", ["-0", "0.850", "1.", ".5", "01", "+1", "1e-4", "nan", "inf", "1.0000e-04", "", " 1"])
def test_another_writing_of_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TEXT.validate_python(text)


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0.9},
        {"limit": None},
        {"basis": "guessed"},
        {"comparison": "about"},
        {"message": "all is well"},
        {"passed": 1},
    ],
)
def test_an_outcome_of_another_form_is_refused(change: dict[str, object]) -> None:
    GateOutcome.model_validate(OUTCOME, strict=True)
    with pytest.raises(ValidationError):
        GateOutcome.model_validate({**OUTCOME, **change}, strict=True)


def test_a_release_without_a_gate_has_no_outcomes() -> None:
    with pytest.raises(ValidationError):
        GateOutcomes.model_validate([])
