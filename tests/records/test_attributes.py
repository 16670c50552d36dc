"""Attributes of cases: bands of ages, cells of tables, and what is refused because it can identify a person."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from minivess.records.attributes import StatedAttributes, age_band, together
from minivess.records.data.source import CaseSource
from tests.support.properties import example, given
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-157"), pytest.mark.verifies("REQ-414")]

STATED = TypeAdapter(StatedAttributes)
SOURCE = {"id": "a", "subject": "s", "image": "i", "label": "l"}


@given(st.floats(0, 150))
@example(90.0)
@example(89.99)
@example(10.0)
def test_a_band_has_the_age_and_ten_years(years: float) -> None:
    words = age_band(years).split()
    if years >= 90:
        assert words == ["90", "years", "and", "over"]
    else:
        assert int(words[0]) <= years < int(words[0]) + 10 == int(words[2]) + 1


def test_a_cell_of_a_table_is_read_as_attributes() -> None:
    assert STATED.validate_python("strain = C57BL/6;stain=DAPI; ") == {"stain": "DAPI", "strain": "C57BL/6"}
    assert STATED.validate_python(" ") == {}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("stain", "name=value"),
        ("a=1; a=2", "each name once"),
        ("a=", "pattern"),
        ({"PatientName": "x"}, "can say who"),
        ({"patient.name": "x"}, "can say who"),
        ({"birth-date": "x"}, "can say who"),
        ({"Sex": "x"}, "field of its own"),
        ({"visit": "2024-03-05"}, "no date"),
        ({"visit": "5.3.2024"}, "no date"),
        ({"series": "no 123456"}, "six or more digits"),
        ({"reader": "a@b.org"}, "no address"),
        ({"stage": "Not stated"}, "leave an attribute out"),
        ({"stage": "a\nb"}, "pattern"),
        ({"stage": "x" * 61}, "pattern"),
        ({f"a{number}": "x" for number in range(17)}, "16"),
    ],
)
def test_what_can_identify_a_person_is_refused(stated: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        STATED.validate_python(stated)


def test_a_source_without_attributes_is_written_as_before() -> None:
    before = {
        "acquisition",
        "image",
        "id",
        "label",
        "metadata",
        "scanner",
        "second_label",
        "site",
        "spacing",
        "subject",
    }
    assert set(CaseSource.model_validate(SOURCE).model_dump(mode="json")) == before
    assert CaseSource.model_validate(SOURCE).recorded == {}


def test_what_is_recorded_has_the_band_and_not_the_age() -> None:
    stated = CaseSource.model_validate({**SOURCE, "age": 4, "sex": "other", "attributes": {"zone": "b", "arm": "a"}})
    assert list(stated.recorded.items()) == [("age", "0 to 9 years"), ("arm", "a"), ("sex", "other"), ("zone", "b")]
    assert together({"b": "1"}, a=None, c="2") == {"b": "1", "c": "2"}
