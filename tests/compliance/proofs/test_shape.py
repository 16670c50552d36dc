"""Records taken apart quickly: what is accepted is exactly what the record itself, and RFC 8785, would accept."""

from __future__ import annotations

import copy
import json
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from minivess.compliance.proofs.canonical import canonical, parse_canonical
from minivess.compliance.proofs.shape import parser_of
from minivess.foundation.errors import InputError
from minivess.records.base import Record
from minivess.records.log.entry import Entry
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-002", "RC-06", "SU-06")

LIMIT = 1 << 16
DIGEST = f"sha256:{'5a' * 32}"
WHOLE: dict[str, Any] = {
    "body": {
        "action": "data.ingest",
        "actor": "ada",
        "context": {
            "configuration": DIGEST,
            "data": None,
            "device": "cpu",
            "dvc": f"md5:{'0' * 32}.dir",
            "environment": None,
            "git_commit": "0" * 40,
            "git_dirty": False,
            "mlflow_run": None,
            "model": DIGEST,
            "seed": -7,
            "openlineage_run": "01932f6e-0000-7000-8000-000000000000",
        },
        "details": DIGEST,
        "format": "minivess-entry/2",
        "index": 3,
        "inputs": [{"name": "data/a", "digest": DIGEST}],
        "key": "0" * 64,
        "log": "minivess.example/toy",
        "outcome": "completed",
        "outputs": [],
        "payload": {"text": "é\u2028\x7f\x01", "number": 0.5, "whole": 3, "rows": [[1, None, True], {}]},
        "started": 2,
        "time": "2024-02-29T23:59:59.000000Z",
    },
    "signature": "AAAA",
}
VALUES = st.one_of(
    st.sampled_from(
        [None, True, 0, -1, 3.0, 1.0, 1e-7, 1e21, 2**53, 2**53 - 1, -(2**53), 10**30, "", "a\n", [], {}, [{}]]
    ),
    st.sampled_from([f"{DIGEST}\n", DIGEST.upper(), "0" * 40, "x" * 201, "done", "minivess-entry/1", "ada\n"]),
    st.sampled_from(["2026-02-30T00:00:00.000000Z", "2026-01-01T00:00:00Z", "2026-01-01T24:00:00.000000Z", "٢" * 4]),
    st.sampled_from(["01932F6E-0000-7000-8000-000000000000", "{01932f6e-0000-7000-8000-000000000000}"]),
    st.text(max_size=5),
    st.floats(),
    st.integers(),
)
loosely, exactly = (parser_of(Entry, free="body.payload", limit=LIMIT, exact=exact) for exact in (False, True))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, held in inside for place in places(held, (*path, name)))]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """The bytes of an entry with up to two changes, in canonical form where there is one, or in some other."""
    value = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(0, 2))):
        *above, last = draw(st.sampled_from(places(WHOLE)[1:]))
        held: Any = value
        try:
            for step in above:
                held = held[step]
            how = draw(st.sampled_from(["replace", "remove", "add"]))
            if how == "remove":
                del held[last]
            else:
                held[last if how == "replace" else draw(st.text(max_size=3))] = draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    spelling = draw(st.sampled_from(["canonical", "canonical", "python", "spaces", "escapes"]))
    try:
        if spelling == "canonical":
            return canonical(value)
        separators = (", ", ": ") if spelling == "spaces" else (",", ":")
        escapes = spelling == "escapes"
        return json.dumps(value, sort_keys=True, separators=separators, ensure_ascii=escapes).encode()
    except (InputError, UnicodeEncodeError):
        return b"{}"


def by_the_record(data: bytes) -> Entry | None:
    """What the record makes of the bytes, unless it would write other values."""
    try:
        value = parse_canonical(data, limit=LIMIT)
        entry = Entry.model_validate_json(data, strict=True)
    except (InputError, ValidationError):
        return None
    written = entry.model_dump(mode="json")
    written["body"]["payload"] = value["body"].get("payload")  # JCS writes large doubles as whole numbers
    return entry if written == value else None


@settings(max_examples=600)
@given(data=changed())
def test_what_is_accepted_is_what_the_record_accepts_and_writes(data: bytes) -> None:
    expected = by_the_record(data)
    try:
        found = exactly(data)
    except InputError:
        beyond = expected is not None and max(expected.body.started or 0, expected.body.index) >= 2**53
        assert expected is None or beyond
    else:
        if expected is None:  # a day that is not in the calendar is the only thing that no pattern tells
            assert b"2026-02-30" in data
        else:
            payload = parse_canonical(data, limit=LIMIT)["body"]["payload"]
            assert (found.body.index, found.body.payload) == (expected.body.index, payload)
            assert found.body.context.git_dirty == expected.body.context.git_dirty


@settings(max_examples=400)
@given(data=changed())
def test_loosely_accepts_nothing_but_canonical_bytes_and_all_that_exactly_does(data: bytes) -> None:
    try:
        found = loosely(data)
    except InputError:
        with pytest.raises(InputError):
            exactly(data)
    else:
        parse_canonical(data, limit=LIMIT)
        assert found.body.index == json.loads(data)["body"]["index"]


def test_the_whole_entry_is_accepted() -> None:
    data = canonical(WHOLE)
    assert by_the_record(data) is not None
    assert exactly(data).body.time == "2024-02-29T23:59:59.000000Z"


@given(text=st.text(st.characters(codec="utf-8"), max_size=8))
def test_every_text_is_written_as_rfc_8785_writes_it(text: str) -> None:
    value = copy.deepcopy(WHOLE)
    value["signature"], value["body"]["payload"] = text, {text: text}
    assert loosely(canonical(value)).signature == text


@pytest.mark.parametrize("code", [*range(0x20), 0x22, 0x5C, 0x7F, 0x2028, 0xFFFF, 0x10000])
def test_every_control_character_has_one_spelling(code: int) -> None:
    value = copy.deepcopy(WHOLE)
    value["signature"] = chr(code)
    data = canonical(value)
    assert exactly(data).signature == chr(code)
    for other in (f"\\u{code:04x}", f"\\u{code:04X}") if code < 0x10000 else ():
        spelled = data.replace(json.dumps(chr(code), ensure_ascii=False).encode(), f'"{other}"'.encode())
        if spelled != data:
            with pytest.raises(InputError):
                exactly(spelled)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "JSON"),
        (b"[]", "see its"),
        (canonical({"body": 1, "signature": ""}), "see its body"),
        (b'{"body":{},"body":{},"signature":""}', "twice|duplicate"),
        (b"[" * 5000 + b"]" * 5000, "deep|JSON"),
        (b'{"body":"' + b"x" * LIMIT + b'"}', "more than"),
        (canonical(WHOLE).replace(b'"seed":-7', b'"seed":-7.0'), "canonical"),
        (canonical(WHOLE).replace(b'"actor":"ada"', b'"actor":"a a"'), "see its body.actor"),
        (canonical(WHOLE).replace(b'"actor":"ada",', b""), "see its body"),
        (canonical(WHOLE) + b"\n", "canonical"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        exactly(data)


class Odd(Record):
    """Has a bound that shapes do not know."""

    number: Annotated[int, Field(multiple_of=3)]
    free: dict[str, Any]


def test_a_bound_that_is_not_understood_is_not_left_out() -> None:
    with pytest.raises(TypeError):
        parser_of(Odd, free="free", limit=LIMIT, exact=True)
