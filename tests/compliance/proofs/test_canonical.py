"""Canonical JSON: the RFC's own vectors, the quick ways against a plain implementation, one spelling only, and bounds."""

from __future__ import annotations

import datetime
import enum
import json
import struct
import uuid
from dataclasses import dataclass

import pytest
import rfc8785

from minivess.compliance.proofs.canonical import MAX_DEPTH, canonical, digest_of, parse_canonical, parse_json
from minivess.foundation.errors import InputError
from minivess.records.artifact import Artifact
from tests.support.properties import example, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-002", "SU-06")

LIMIT = 1 << 20
NUMBERS = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-2, 2)
    | st.integers(-(2**60), 2**60).map(float)
    | st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(-999, 999), st.integers(-12, 25))
)
TEXTS = st.text(max_size=5) | st.text(
    st.sampled_from('a\0\x1f\x7f"\\/\u2028\ud7ff\ue000\uffff\U00010000\U0001f600'), max_size=3
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
"""What has a canonical form; mostly what the quick ways must leave to the careful one."""


class Text(str):
    """A subclass, as enumerations make them."""


class Whole(int):
    """A subclass."""


class Real(float):
    """A subclass."""


class Table(dict[str, object]):
    """A subclass."""


class Row(list[object]):
    """A subclass."""


class Word(enum.StrEnum):
    """A text that is an enumeration."""

    A = "a"


class Plain(enum.Enum):
    """An enumeration that is nothing else."""

    A = "a"


class Choice(enum.Flag):
    """An enumeration whose empty member is false."""

    A = 1


@dataclass
class Shape:
    """orjson would write it as an object."""

    a: int = 1


ODD = [
    Text("x"), Whole(3), Whole(2**60), Real(1.5), Real(2.0), Table(a=1), Table(), Row([1]), Row(), Word.A, Plain.A, Choice(0),
    Shape(),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.date(2026, 1, 1), uuid.UUID(int=1), b"x", b"", {1}, range(3),
    (1, (2.0,)), (), 2**53, -(2**53), 10**30, float("nan"), -float("inf"), -0.0, 1.0, 1e-7, 1e21, "\ud800", {"\udc00": 1},
    {1: 1}, {None: 1}, {b"a": 1}, {("a",): 1}, {Text("b"): 1, "a": 2}, {Word.A: 1}, {"\ue000": 1, "\U00010000": 2},
]  # fmt: skip


def plainly(value: object) -> bytes | None:
    """What the plain implementation writes, or None where it refuses."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, AttributeError, UnicodeEncodeError):
        return None


def quickly(value: object) -> bytes | None:
    """What `canonical` writes, or None where it refuses."""
    try:
        return canonical(value)
    except InputError:
        return None


def carefully(data: bytes) -> object:
    """A value as text that shows every difference, if its bytes are canonical; else None."""
    try:
        value = parse_json(data, limit=LIMIT)
    except InputError:
        return None
    return repr(value) if plainly(value) == data else None


def nested(depth: int, leaf: object) -> object:
    """Arrays and objects in each other."""
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


def test_the_example_of_rfc_8785() -> None:
    source = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(json.loads(source)) == expected.encode("utf-8")


def test_keys_sort_by_utf16_as_section_3_2_3_shows() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == ordered


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_the_numbers_of_appendix_b(bits: str, expected: str) -> None:
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical(number) == expected.encode()
    assert canonical({"a": [number]}) == b'{"a":[' + expected.encode() + b"]}"
    assert parse_canonical(b"[" + expected.encode() + b"]", limit=LIMIT) == [number]


@given(JSON)
def test_the_quick_way_writes_what_the_plain_one_writes(value: object) -> None:
    assert canonical(value) == plainly(value)


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_the_quick_way_refuses_what_the_plain_one_refuses(value: object) -> None:
    for held in (value, [value], {"a": value}, [1, {"a": [value]}]):
        assert quickly(held) == plainly(held)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {"a": -(2**53)}, {1: 2}, "\ud800", {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        canonical(value)


@given(JSON)
def test_canonical_bytes_come_back_as_themselves(value: object) -> None:
    data = canonical(value)
    assert canonical(parse_canonical(data, limit=LIMIT)) == data


PIECES = [
    b" ", b"0", b"-", b".0", b"e1", b"E+1", b"1e-7", b"0.0001", b"9007199254740993", b"18446744073709551616", b"1e400",
    b"NaN", b"\\u0041", b"\\ud83d", b"\\/", b'"', b",", b":", b'"a":1,', b"[", b"]", b"[]", b"{", b"}", b"null",
    b"\xff", "\U0001f600".encode(), b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\0",
]  # fmt: skip


@settings(max_examples=300)
@given(JSON, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.sampled_from(PIECES)), max_size=3))
@example({"a": 1}, [(1, 0, b'"a":1,')])
@example([1], [(1, 1, b"-0")])
def test_bytes_are_taken_just_when_the_plain_implementation_would_write_them(
    value: object, edits: list[tuple[int, int, bytes]]
) -> None:
    data = canonical(value)
    for place, dropped, piece in edits:
        data = data[:place] + piece + data[place + dropped :]
    try:
        taken = repr(parse_canonical(data, limit=LIMIT))
    except InputError:
        taken = None
    assert taken == carefully(data)


@pytest.mark.parametrize("leaf", [1, "a", [], {}])
def test_depth_is_bounded_alike_on_every_way(leaf: object) -> None:
    for depth in range(MAX_DEPTH - 4, MAX_DEPTH + 4):
        data = canonical(nested(depth, leaf))
        if depth < MAX_DEPTH:
            assert parse_canonical(data, limit=LIMIT) == parse_json(data, limit=LIMIT) == nested(depth, leaf)
        else:
            for parse in (parse_canonical, parse_json):
                with pytest.raises(InputError, match="deeper"):
                    parse(data, limit=LIMIT)


def test_endless_nesting_is_refused_and_does_not_crash() -> None:
    ring: list[object] = []
    ring.append(ring)
    for value in (ring, nested(100_000, 1)):
        with pytest.raises(InputError):
            canonical(value)


def test_records_and_their_plain_form_have_one_digest() -> None:
    artifact = Artifact(name="a/b", digest="sha256:" + "0" * 64)
    assert digest_of(artifact) == digest_of({"digest": "sha256:" + "0" * 64, "name": "a/b"})


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b"1.0",
        b"-0",
        b'{"a":1,"a":1}',
        b"NaN",
        b"1e400",
        b"[1e400]",
        b'["\\ud800"]',
        b"9007199254740993",
        b"[9007199254740993]",
        b"[-0]",
        b"[1.0]",
        b"[0.00001e1]",
        b'"\\u0041"',
        b"\xff",
        b"[1",
        b"",
        b"[" * 40 + b"]" * 40,
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_other_spellings_and_other_things_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_canonical(data, limit=LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b"[NaN]",
        b"[-Infinity]",
        b"1e400",
        b"-" + b"9" * 400,
        b"[1e999]",
        b'"\\ud800"',
        b'{"\\udc00x":1}',
        b'"\\ude00\\ud83d"',
    ],
)
def test_json_of_others_holds_no_key_twice_no_infinity_and_no_half_character(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_json(data, limit=LIMIT)


def test_json_of_others_may_be_spelt_otherwise() -> None:
    data = b'{ "b": "\\ud83d\\ude00", "a": [1E2, -0.0, 12345678901234567890] }'
    assert parse_json(data, limit=LIMIT) == {"b": "\U0001f600", "a": [100.0, 0.0, 12345678901234567890.0]}


def test_large_floats_that_look_like_integers_can_be_read_back() -> None:
    assert parse_canonical(canonical(1e17), limit=100) == 1e17


def test_size_is_bounded() -> None:
    for parse in (parse_json, parse_canonical):
        assert parse(b"[1,2,3]", limit=7) == [1, 2, 3]
        with pytest.raises(InputError, match="more than"):
            parse(b"[1,2,3]", limit=6)
