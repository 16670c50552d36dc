"""Canonical JSON: the RFC's own example, one spelling only, and bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minivess.compliance.proofs.canonical import canonical, digest_of, parse_canonical, parse_json
from minivess.foundation.errors import InputError
from minivess.records.artifact import Artifact

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_the_example_of_rfc_8785() -> None:
    source = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(json.loads(source)) == expected.encode("utf-8")


def test_keys_sort_by_utf16_as_the_rfc_asks() -> None:
    assert canonical({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3}) == '{"€":3,"😀":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {"a": -(2**53)}, {1: 2}, "\ud800", object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        canonical(value)


@given(JSON)
def test_canonical_bytes_come_back_as_themselves(value: object) -> None:
    data = canonical(value)
    assert canonical(parse_canonical(data, limit=1 << 20)) == data


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
        b"9007199254740993",
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
        parse_canonical(data, limit=1 << 20)


def test_large_floats_that_look_like_integers_can_be_read_back() -> None:
    assert parse_canonical(canonical(1e17), limit=100) == 1e17


def test_size_is_bounded() -> None:
    with pytest.raises(InputError, match="more than"):
        parse_json(b"[1,2,3]", limit=6)
