"""Facts of the log: what an entry and its parts can hold at all."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from minivess.foundation.errors import UsageError
from minivess.records.base import Moment, Slug
from minivess.records.log.entry import Act, Context, Details, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS, check_payload, observed
from minivess.records.verdict import Check
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-03")

_MOMENT = TypeAdapter(Moment)
_SLUG = TypeAdapter(Slug)


@given(st.datetimes(timezones=st.sampled_from([timezone(timedelta(hours=h)) for h in (-11, 0, 5, 14)])))
def test_a_moment_is_kept_in_utc_and_comes_back_as_the_same_moment(moment: datetime) -> None:
    kept = _MOMENT.validate_python(moment)
    assert kept == moment
    assert kept.utcoffset() == timedelta(0)
    assert _MOMENT.validate_json(_MOMENT.dump_json(kept)) == kept


def test_a_time_without_a_zone_is_no_moment() -> None:
    with pytest.raises(ValidationError, match="time zone"):
        _MOMENT.validate_python(datetime(2026, 11, 21))  # noqa: DTZ001  # that is the point


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "ä", "a" * 65, "-x"])
def test_a_name_that_is_not_safe_in_a_file_name_is_no_slug(name: str) -> None:
    with pytest.raises(ValidationError):
        _SLUG.validate_python(name)


@pytest.mark.parametrize("action", ["Training", "data..seal", "data.", "run me", "x" * 65])
def test_an_action_is_dotted_words(action: str) -> None:
    with pytest.raises(ValidationError, match="action"):
        Act(action=action, outcome=Outcome.COMPLETED)


def test_facts_are_closed_and_never_change() -> None:
    check = Check(name="root", passed=True, detail="as signed")
    with pytest.raises(ValidationError, match="frozen"):
        check.passed = False
    with pytest.raises(ValidationError, match="Extra inputs"):
        Context.model_validate({"commit": "a" * 40})


@pytest.mark.parametrize("salt", ["", "AAAA", "A" * 21 + "B==", "A" * 22])
def test_a_salt_is_sixteen_bytes_in_base64(salt: str) -> None:
    with pytest.raises(ValidationError, match="salt"):
        Details(salt=salt, payload={}, error=None)


def test_every_action_has_a_payload_that_refuses_what_it_does_not_know() -> None:
    for action in PAYLOADS:
        with pytest.raises(UsageError, match="is refused"):
            check_payload(action, {"no-such-field": 1}, complete=True)
        check_payload(action, {}, complete=False)
    with pytest.raises(UsageError, match="unknown action"):
        check_payload("data.lose", {}, complete=True)


def test_only_observations_can_be_erased() -> None:
    assert observed("inference")
    assert not any(observed(action) for action in ("evaluation", "trace.approve", "release.sign", "data.lose"))
