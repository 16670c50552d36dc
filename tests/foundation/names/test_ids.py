"""Ids as names of files: which two are one file, and which cannot name a file."""

from __future__ import annotations

import unicodedata

import pytest

from minivess.foundation.errors import UsageError
from minivess.foundation.names.ids import check_distinct, check_id, check_new, folded
from tests.support.properties import given, settings, strategies

TEXT = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.mark.verifies("REQ-252")
@given(TEXT)
@settings(max_examples=100)
def test_case_and_composition_make_no_difference(name: str) -> None:
    same = {folded(unicodedata.normalize(form, name)) for form in ("NFC", "NFD", "NFKC", "NFKD")}

    assert same == {folded(name)}
    assert folded(folded(name)) == folded(name)
    assert folded(name.casefold()) == folded(name)


@pytest.mark.verifies("REQ-252")
@pytest.mark.parametrize(
    "pair", [("Case-1", "case-1"), ("größe", "GRÖSSE"), ("o\u0308", "Ö"), ("ﬁle", "file"), ("２", "2")]
)
def test_two_ids_that_are_one_file_are_refused_and_both_named(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        check_distinct([pair[0], "other", pair[1]], "case")

    assert all(repr(name) in refused.value.message for name in pair)
    with pytest.raises(UsageError):
        check_new(pair[1], [pair[0]], "case")
    check_distinct(["a", "b", "a"], "case")


@pytest.mark.verifies("REQ-253")
@pytest.mark.parametrize(
    "name", ["con", "CON", "nul.tif", "Com1", "lpt9.a.b", "AUX", "prn", "com¹", "con .x", "a.", "a ", "1.0."]
)
def test_an_id_that_windows_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="Windows") as refused:
        check_id(name, "case")

    assert repr(name) in refused.value.message


@pytest.mark.verifies("REQ-253")
@pytest.mark.parametrize("name", ["console", "com", "com10", "a.con", "1.0.0", "nul-1", "lpt"])
def test_other_ids_are_allowed(name: str) -> None:
    check_new(name, ["other"], "case")
