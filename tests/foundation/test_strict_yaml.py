"""Strict YAML: what is read, what is refused, and where errors point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from minivess.foundation.errors import InputError
from minivess.foundation.reading.strict_yaml import Limits, as_written, line_at, load_yaml, parse_yaml
from minivess.foundation.reading.yaml_records import read_record
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-02")

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1), children, max_size=4)
    ),
    max_leaves=12,
)


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    severity: int
    kind: str = "x"


class _Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: _Inner
    many: tuple[_Inner, ...] = ()


@given(_json)
def test_json_is_read_as_itself(value: object) -> None:
    assert parse_yaml(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-11-20", "2026-11-20"),
        ("12:30:00", "12:30:00"),
        ("true", True),
        ("~", None),
        ("007", 7),
        ("1e-5", 1e-5),
        ("'12'", "12"),
        ("1.2.3", "1.2.3"),
        ("-", [None]),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert parse_yaml(text) == value


def test_every_value_knows_its_line() -> None:
    node = parse_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n")
    assert line_at(node, ("a",)) == 1
    assert line_at(node, ("b", 0)) == 3
    assert line_at(node, ("b", 1, "d")) == 5
    assert line_at(node, ("b", 1, "absent")) == 4


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("a: &x [1]\nb: *x\n", 1, "aliases"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !!int '1'\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "more than one document"),
        ("? [a]\n: 1\n", 1, "key"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a:\n\tb: 1\n", 2, "not YAML"),
        ("", 1, "empty"),
    ],
)
def test_surprises_are_refused_with_their_line(text: str, line: int, word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        parse_yaml(text, shown="a.yaml")
    assert str(caught.value).startswith(f"a.yaml:{line}: ")


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = 'a: &a ["x","x"]\n' + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
    )
    with pytest.raises(InputError, match="aliases"):
        parse_yaml(bomb)


@pytest.mark.parametrize(
    ("text", "limits", "word"),
    [
        ("[" * 40 + "]" * 40, Limits(), "deep"),
        ("[" * 5000, Limits(), "deep"),
        ("[1, 2, 3, 4]", Limits(values=4), "values"),
    ],
)
def test_limits_hold(text: str, limits: Limits, word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse_yaml(text, limits=limits)


def test_a_file_over_the_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_text("a: " + "x" * 200)
    with pytest.raises(InputError, match="more than the 100"):
        load_yaml(tmp_path / "big.yaml", limits=Limits(size=100))


def test_a_missing_and_a_binary_file_are_input_errors_that_name_the_shown_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^x\.yaml: no such file$"):
        load_yaml(tmp_path / "x.yaml", shown="x.yaml")
    (tmp_path / "b.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InputError, match=r"^b\.yaml:2: is not UTF-8"):
        load_yaml(tmp_path / "b.yaml", shown="b.yaml")


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("name: a\ninner:\n  severty: 1\n", 3, "unknown field `inner.severty`", "did you mean `severity`?"),
        ("name: a\n", 1, "the field `inner` is missing", "add `inner:`"),
        ("name: a\ninner:\n  severity: high\n", 3, "`inner.severity`", ""),
        (
            "name: a\ninner: {severity: 1}\nmany:\n  - severity: 1\n  - kind: x\n",
            5,
            "`many.1.severity` is missing",
            "add",
        ),
        ("- a\n", 1, "mapping", ""),
    ],
)
def test_a_record_that_does_not_fit_points_to_its_line(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_record(tmp_path / "r.yaml", _Outer, shown="r.yaml")
    assert str(caught.value).startswith(f"r.yaml:{line}: ")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_record_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: a\ninner: {severity: 1}\n")
    assert read_record(tmp_path / "r.yaml", _Outer) == _Outer(name="a", inner=_Inner(severity=1))


class _Circle(_Inner):
    shape: Literal["circle"]
    radius: float


class _Square(_Inner):
    shape: Literal["square"]
    side: float


class _Drawing(BaseModel):
    first: Annotated[_Circle | _Square, Field(discriminator="shape")]
    others: tuple[Annotated[_Circle | _Square, Field(discriminator="shape")], ...] = ()


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("first:\n  shape: sqare\n", 2, "`first.shape`: must be 'circle' or 'square'", "`square`?"),
        ("first:\n  shape: square\n  severity: 1\n  sid: 1\n", 4, "unknown field `first.sid`", "`side`?"),
        ("first: {shape: circle, severity: 1}\n", 1, "the field `first.radius` is missing", "add `radius:`"),
        (
            "first: {shape: circle, severity: 1, radius: 1}\nothers:\n  - {shape: square, severity: 1,\n     side: x}\n",
            4,
            "`others.0.side`: must be a number",
            "",
        ),
        ("first: {severity: 1}\n", 1, "`first`: must state 'shape'", ""),
    ],
)
def test_errors_in_one_of_several_records_name_the_keys_of_the_file(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_record(tmp_path / "r.yaml", _Drawing, shown="r.yaml")
    assert str(caught.value).startswith(f"r.yaml:{line}: {message}")
    assert hint in caught.value.hint


class _Volume(BaseModel):
    spacing: tuple[float, float, float]


def test_a_list_that_is_too_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "volume.yaml"
    path.write_text("\nspacing: [5.0, 1.0]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r":2: `spacing` has only 2 values") as caught:
        read_record(path, _Volume)
    assert caught.value.hint


def test_a_next_line_character_is_refused_unless_it_is_escaped() -> None:
    with pytest.raises(InputError, match=r"text:2: holds the character U\+0085"):
        parse_yaml("a: b\nc: d\x85e\n")
    assert parse_yaml('c: "d\\Ne"\n') == {"c": "d\x85e"}


@pytest.mark.parametrize("written", ["1.10", "0012", "no", "true", "1e5", "0x1F", "2025-03-04"])
def test_plain_values_can_be_read_as_written(written: str) -> None:
    assert parse_yaml(f"a: {written}\nb: [{written}]\n", resolve=as_written) == {"a": written, "b": [written]}
    assert parse_yaml("a: null\nb: ~\nc: 'null'\n", resolve=as_written) == {"a": None, "b": None, "c": "null"}
