"""Records read from JSON files: the limit, the error and the hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.reading.json_records import first_error, json_text, parse_json_record, read_json_record
from minivess.records.base import Record

pytestmark = pytest.mark.verifies("SU-02")


class Inner(Record):
    seeds: tuple[int, ...]


class Outer(Record):
    name: str = Field(max_length=3)
    inner: Inner


def error_of(**fields: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(fields)
    return caught.value


def test_the_first_error_names_the_field_and_not_the_value() -> None:
    found = first_error(error_of(name="ada", inner={"seeds": [1, "secret"]}))
    assert found.startswith("inner.seeds.1: ")
    assert "secret" not in found


def test_an_error_about_the_whole_record_has_the_name_that_is_given() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json("{")
    assert first_error(caught.value) == "is not valid JSON (line 1, column 1)"
    assert first_error(caught.value, whole="payload") == "payload: is not valid JSON (line 1, column 1)"


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = Outer(name="µm", inner=Inner(seeds=(2, 1)))
    path = tmp_path / "outer.json"
    path.write_text(json_text(made), encoding="utf-8")
    assert read_json_record(path, Outer) == made
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert json.loads(json_text({"b": 1, "a": made.name})) == {"a": "µm", "b": 1}
    assert json_text({"b": 1, "a": 2}).index('"a"') < json_text({"b": 1, "a": 2}).index('"b"')


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "long"}', "\ud800"])
def test_what_is_no_record_is_refused_with_file_reason_and_hint(text: str, tmp_path: Path) -> None:
    path = tmp_path / "outer.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"^outer: is no Outer: .+") as caught:
        read_json_record(path, Outer, shown="outer", wrong="is no Outer", hint="make it again")
    assert caught.value.hint == "make it again"
    with pytest.raises(InputError) as plain:
        parse_json_record(path.read_bytes(), Outer, path=path)
    assert str(path) in plain.value.message


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "outer.json"
    path.write_text(json_text(Outer(name="ada", inner=Inner(seeds=()))), encoding="utf-8")
    with pytest.raises(InputError, match="more than the 10 allowed"):
        read_json_record(path, Outer, limit=10)
    with pytest.raises(InputError, match="no such file"):
        read_json_record(tmp_path / "other.json", Outer)
