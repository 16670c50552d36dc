"""Whether a model may answer, while the device's log is out of reach, changed or of another model."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from minivess.foundation.errors import CouldNotCheckError, MinivessError, VerificationError
from minivess.records.log.entry import Context, Entry, EntryBody, Outcome
from minivess.workflows.serving.access.in_use import InUse, NotInUseError

pytestmark = pytest.mark.verifies("SU-169", "REQ-447")

MODEL, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def entry(action: str, about: str, **payload: object) -> Entry:
    body = EntryBody(
        action=action,
        outcome=Outcome.COMPLETED,
        log="log",
        index=0,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        actor="max",
        key="0" * 64,
        context=Context(model=about),
        payload=payload,
    )
    return Entry(body=body, signature="")


EVALUATED = entry("evaluation", MODEL)
PROMOTED = entry("model.promote", MODEL, model=MODEL, stage="production", reason="why")
REPLACED = entry("model.promote", OTHER, model=OTHER, stage="production", reason="why")
RETIRED = entry("model.promote", MODEL, model=MODEL, stage="retired", reason="why")


class View:
    """A log that says what a test wants."""

    def __init__(self, *entries: Entry) -> None:
        self.entries: tuple[Entry, ...] = entries
        self.error: MinivessError | None = None
        self.looks = 0

    def look(self) -> tuple[Entry, ...]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return self.entries


@pytest.mark.verifies("REQ-049")
@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((EVALUATED, PROMOTED), ""),
        ((EVALUATED, PROMOTED, REPLACED, PROMOTED), ""),
        ((EVALUATED, PROMOTED, REPLACED), "is not in production"),
        ((EVALUATED, PROMOTED, RETIRED), "is not in production"),
        ((EVALUATED,), "is not in production"),
        ((PROMOTED,), "was not evaluated"),
        ((), "was not evaluated"),
    ],
)
def test_a_model_answers_while_it_is_in_production(entries: tuple[Entry, ...], words: str) -> None:
    state = InUse(View(*entries), MODEL)
    if not words:
        state.check()
        return
    with pytest.raises(NotInUseError, match=words) as caught:
        state.check()
    assert caught.value.hint


def test_answers_go_on_for_a_while_without_the_log() -> None:
    view, now = View(EVALUATED, PROMOTED), [0.0]
    state = InUse(view, MODEL, blind_seconds=60, elapsed=lambda: now[0])
    state.check()
    view.error = CouldNotCheckError("away")
    for now[0] in (10.0, 59.0, 60.0):
        state.check()
    now[0] = 61.5
    with pytest.raises(NotInUseError, match="out of reach for more than 60 seconds"):
        state.check()
    with pytest.raises(NotInUseError, match="out of reach"):
        state.callers()
    view.error, now[0] = None, 63.0
    state.check()
    assert not state.callers()


def test_a_log_out_of_reach_is_not_asked_all_the_time() -> None:
    view, now = View(EVALUATED, PROMOTED), [0.0]
    state = InUse(view, MODEL, elapsed=lambda: now[0])
    state.check()
    view.error = CouldNotCheckError("away")
    for now[0] in (1.0, 1.1, 1.2, 1.9, 2.1):
        state.check()
    assert view.looks == 3


def test_nothing_is_answered_before_the_log_was_read() -> None:
    view = View()
    view.error = CouldNotCheckError("away")
    state = InUse(view, MODEL)
    with pytest.raises(NotInUseError):
        state.check()
    with pytest.raises(NotInUseError):
        state.callers()


def test_a_log_that_was_changed_stops_answers_at_once_and_keys_with_them() -> None:
    view, now = View(EVALUATED, PROMOTED), [0.0]
    state = InUse(view, MODEL, elapsed=lambda: now[0])
    state.check()
    view.error = VerificationError("entry 3 was changed")
    with pytest.raises(NotInUseError, match="entry 3 was changed"):
        state.check()
    with pytest.raises(NotInUseError, match="entry 3 was changed"):
        state.callers()


def test_callers_are_known_while_the_model_is_not_in_use() -> None:
    state = InUse(View(EVALUATED), MODEL)
    with pytest.raises(NotInUseError):
        state.check()
    assert not state.callers()
