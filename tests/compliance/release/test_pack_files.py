"""Reading files of a pack strictly: each way in which a file can be read differently is refused by name."""

from __future__ import annotations

import pytest

from minivess.compliance.release.pack_files import bytes_of, json_of, json_value, lines_of, record_of, text_of
from minivess.foundation.errors import VerificationError
from minivess.records.people.approval import Policy

pytestmark = pytest.mark.verifies("REQ-222")

NAME = "data/policy.json"
GOOD = b'{"name":"release","rules":[{"role":"release-manager","meaning":"approval"}]}'


def test_a_record_is_read() -> None:
    assert record_of({NAME: GOOD}, NAME, Policy).rules[0].meaning.value == "approval"
    assert json_of({NAME: b"[1]"}, NAME) == [1]
    assert text_of({NAME: "é".encode()}, NAME) == "é"
    assert lines_of({NAME: b"a\n\nb\n"}, NAME) == [b"a", b"", b"b"]
    assert lines_of({NAME: b""[:0] + b"\n"}, NAME) == [b""]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace(b'{"name"', b'{"name":"other","name"'), "same key twice"),
        (GOOD.replace(b'{"role"', b'{"role":"reviewer","role"'), "same key twice"),
        (GOOD.replace(b'{"name"', b'{"also":1,"name"'), "also"),
        (GOOD.replace(b"release-manager", b"boss"), "role"),
        (GOOD.replace(b'"release"', b"5"), "name"),
        (GOOD.replace(b'"name":"release",', b""), "name"),
        (GOOD.replace(b"release-manager", b"release-man\xffger"), "utf-8"),
        (GOOD[:-1], "not valid JSON"),
        (b"\xef\xbb\xbf" + GOOD, "not valid JSON"),
        (GOOD + b"{}", "not valid JSON"),
        (b"[" * 40 + b"]" * 40, "nests deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "data/policy.json: "),
        (b'{"name":NaN}', "NaN"),
        (GOOD + b" " * 200, "200"),
    ],
)
def test_anything_else_is_refused_by_name(content: bytes, words: str) -> None:
    with pytest.raises(VerificationError) as refused:
        record_of({NAME: content}, NAME, Policy, limit=200 if len(content) < 1000 else 1 << 20)
    assert refused.value.message.startswith(f"{NAME}: ")
    assert words in refused.value.message


def test_what_is_missing_cut_off_too_large_or_no_text_is_refused() -> None:
    for read in (bytes_of, text_of, lines_of, json_of):
        with pytest.raises(VerificationError, match=f"{NAME} is missing"):
            read({}, NAME)
    with pytest.raises(VerificationError, match="cut off"):
        lines_of({NAME: b"a\nb"}, NAME)
    with pytest.raises(VerificationError, match="not UTF-8"):
        text_of({NAME: b"\xff"}, NAME)
    with pytest.raises(VerificationError, match="5 bytes, and 4 are allowed"):
        text_of({NAME: b"12345"}, NAME, limit=4)
    with pytest.raises(VerificationError, match=r"part 3: 5 bytes"):
        json_value(b"12345", "part 3", limit=4)
