"""Justifications: a reason, an owner and an end, or none at all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.reading.yaml_records import read_items
from minivess.records.items.items import Source
from minivess.records.items.justification import (
    UNJUSTIFIABLE,
    Justification,
    applicable,
    doubled,
    idle,
    match,
    match_gap,
    subject_of,
)
from minivess.records.items.trace import Gap
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-05")

TODAY = date(2026, 11, 21)
WHOLE: dict[str, Any] = {
    "subject": "IEC 62304 4.4",
    "reason": "there is no legacy software",
    "owner": "eva",
    "expires": "2027-06-30",
    "source": Source(path="requirements/justifications.yaml", line=3),
}


def make(**fields: Any) -> Justification:
    return Justification.model_validate({**WHOLE, **fields})


def gap(kind: str, item: str) -> Gap:
    return Gap.model_validate({"kind": kind, "item": item, "message": "m", "source": WHOLE["source"]})


def test_it_is_read_from_yaml_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "justifications.yaml"
    path.write_text(
        "justifications:\n"
        "  - subject: IEC 62304 4.4\n    reason: there is no legacy software\n    owner: eva\n    expires: 2027-06-30\n"
        "  - subject: >-\n      untested-requirement\n      REQ-012\n"
        "    reason: tested by hand until the rig is there\n    owner: eva\n    expires: 2027-01-31\n",
        encoding="utf-8",
    )
    found = read_items(path, {"justifications": Justification}, shown="requirements/justifications.yaml")
    first, second = found["justifications"]
    assert (first.expires, first.source.line, first.gap) == (date(2027, 6, 30), 2, False)
    assert (second.subject, second.source.line, second.gap) == ("untested-requirement REQ-012", 6, True)


@pytest.mark.parametrize(
    ("field", "lines"),
    [
        ("expires", "2027-02-30"),
        ("expires", "never"),
        ("expires", "20270630"),
        ("expires", "2027-06-30T00:00:00"),
        ("reason", "TBD"),
        ("reason", "n/a"),
        ("owner", "Eva Example"),
        ("subject", "unknown-id REQ-012"),
        ("subject", "untested-requirement"),
    ],
)
def test_what_says_nothing_is_refused_with_its_line(tmp_path: Path, field: str, lines: str) -> None:
    fields = {
        "subject": "R12",
        "reason": "no new risks can arise",
        "owner": "eva",
        "expires": "2027-06-30",
        field: lines,
    }
    path = tmp_path / "justifications.yaml"
    listed = "\n".join(f"    {name}: {value}" for name, value in fields.items())
    path.write_text(f"justifications:\n  -\n{listed}\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_items(path, {"justifications": Justification}, shown="j.yaml")
    assert refused.value.line == 3 + list(fields).index(field)
    assert field in refused.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": " "},
        {"subject": "x" * 301},
        {"reason": ""},
        {"reason": "- - - ."},
        {"expires": 20270630},
        {"expires": datetime(2027, 6, 30)},  # noqa: DTZ001  refused for having a time at all
        {"expires": None},
        {"more": "x"},
        *({"subject": f"{kind} REQ-012"} for kind in UNJUSTIFIABLE),
    ],
)
def test_what_cannot_be_a_justification_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(**fields)


@pytest.mark.parametrize("field", ["subject", "reason", "owner", "expires", "source"])
def test_nothing_may_be_left_out(field: str) -> None:
    with pytest.raises(ValidationError):
        Justification.model_validate({name: value for name, value in WHOLE.items() if name != field})


def test_its_last_day_is_the_day_it_expires() -> None:
    one = make(expires="2026-11-21")
    assert applicable([one], TODAY) == ((one,), ())
    assert applicable([one], TODAY + timedelta(1)) == ((), (one,))


def test_what_cannot_be_justified_are_kinds_of_gaps() -> None:
    assert UNJUSTIFIABLE.keys() <= set(get_args(Gap.model_fields["kind"].annotation))


def test_a_gap_is_named_by_kind_and_item() -> None:
    one = make(subject="untested-requirement  REQ-012")
    assert match_gap([one], gap("untested-requirement", "REQ-012")) is one
    assert match_gap([one], gap("untested-requirement", "REQ-013")) is None
    assert match_gap([one], gap("missing-link", "REQ-012")) is None
    scenario = make(subject="unbound-scenario A wrong mask is shown")
    assert match_gap([one, scenario], gap("unbound-scenario", "A wrong  mask is shown")) is scenario
    forged = one.model_copy(update={"subject": "unknown-id REQ-012"})
    assert match_gap([forged], gap("unknown-id", "REQ-012")) is None


def test_what_justifies_nothing_or_justifies_again_is_named() -> None:
    first, again, other = make(), make(owner="max"), make(subject="R12")
    assert doubled([first, again, other]) == (again,)
    assert idle([first, other], {"R12", subject_of(gap("missing-link", "REQ-1"))}) == (first,)


days = st.dates(date(2026, 1, 1), date(2028, 1, 1))
some = st.lists(
    st.builds(
        lambda subject, expires: make(subject=subject, expires=expires), st.sampled_from(["R01", "R02", "R03"]), days
    ),
    max_size=12,
)


@given(some, days)
def test_every_justification_either_counts_or_has_expired(given_ones: list[Justification], today: date) -> None:
    valid, expired = applicable(given_ones, today)
    assert sorted([*valid, *expired], key=repr) == sorted(given_ones, key=repr)
    assert all(one.expires >= today for one in valid)
    assert all(one.expires < today for one in expired)
    later = applicable(given_ones, today + timedelta(1))[0]
    assert set(later) <= set(valid), "none comes back to life"


@given(some, st.sampled_from(["R01", "R02", "R04"]))
def test_the_longest_justification_of_a_subject_is_found(given_ones: list[Justification], subject: str) -> None:
    found = match(given_ones, subject)
    same = [one for one in given_ones if one.subject == subject]
    assert (found is None) == (not same)
    assert found is None or (found in same and found.expires == max(one.expires for one in same))
