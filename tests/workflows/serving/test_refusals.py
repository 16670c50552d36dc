"""Counting what is turned away: by reason, within a minute's allowance, and nothing lost between two counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.records.log.serving_log import RefusalReason, RefusalsCounted
from minivess.workflows.serving.access.in_use import NotInUseError
from minivess.workflows.serving.failures import reason_of_failure
from minivess.workflows.serving.refusals import Refusals

pytestmark = pytest.mark.verifies("SU-90", "REQ-173")

START = datetime(2026, 11, 29, 12, tzinfo=UTC)


def ticking() -> Iterator[datetime]:
    """A clock that moves on by a second whenever it is asked."""
    now = START
    while True:
        yield now
        now += timedelta(seconds=1)


def refusals(a_minute: int = 2, elapsed: list[float] | None = None) -> Refusals:
    clock, seconds = ticking(), elapsed or [0.0]
    return Refusals(a_minute, clock=lambda: next(clock), elapsed=lambda: seconds[0])


def test_counts_are_by_reason_and_begin_anew_when_they_are_taken() -> None:
    counting = refusals()
    assert counting.take() is None
    for reason in (RefusalReason.VOLUME, RefusalReason.HUNG_UP, RefusalReason.VOLUME):
        counting.count(reason)
    taken = counting.take()
    assert taken is not None
    assert taken.counts == {RefusalReason.VOLUME: 2, RefusalReason.HUNG_UP: 1}
    assert (taken.since, taken.until) == (START + timedelta(seconds=1), START + timedelta(seconds=2))
    assert counting.take() is None


def test_what_could_not_be_recorded_is_counted_on_from_its_own_beginning() -> None:
    counting = refusals()
    counting.count(RefusalReason.VOLUME)
    first = counting.take()
    assert first is not None
    counting.count(RefusalReason.VOLUME)
    counting.put_back(first)
    both = counting.take()
    assert both is not None
    assert (both.counts, both.since) == ({RefusalReason.VOLUME: 2}, first.since)


def test_so_many_a_minute_may_have_an_entry() -> None:
    elapsed = [0.0]
    counting = refusals(2, elapsed)
    assert [counting.may_have_entry() for _ in range(4)] == [True, True, False, False]
    elapsed[0] = 59.0
    assert not counting.may_have_entry()
    elapsed[0] = 60.0
    assert [counting.may_have_entry() for _ in range(3)] == [True, True, False]
    assert not refusals(0).may_have_entry()


def test_threads_lose_no_count() -> None:
    counting = refusals()
    threads = [Thread(target=lambda: [counting.count(RefusalReason.NO_FORM) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = counting.take()
    assert taken is not None
    assert taken.counts == {RefusalReason.NO_FORM: 4000}


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": {"a patient's name": 1}},
        {"counts": {"volume": 0}},
        {"counts": {}},
        {"until": START - timedelta(seconds=1)},
    ],
)
def test_a_count_has_no_place_for_anything_else(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RefusalsCounted.model_validate({"since": START, "until": START, "counts": {"volume": 1}, **changes})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotInUseError("another model is in production"), RefusalReason.NOT_IN_USE),
        (CouldNotCheckError("the disk is full"), RefusalReason.UNRECORDED),
        (RefusedError("the key was revoked"), RefusalReason.UNRECORDED),
        (RuntimeError("a fault"), RefusalReason.FAILED),
    ],
)
def test_a_request_that_an_error_ended_is_counted_by_its_kind(error: Exception, reason: RefusalReason) -> None:
    assert reason_of_failure(error) is reason
