"""Steps of evaluation_processes.feature: the same record from one process and from several, and processes that fail."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.evaluation import counting
from minivess.ml.evaluation.evaluate import Pictures, evaluate
from minivess.records.evaluation.evaluation import EvaluationRecord
from tests.support.builders.evaluated_sets import COLOUR_PLANES, SUPPORT, EvaluatedSet

scenarios("evaluation_processes.feature")

NAMES = ("e", "b", "killer", "a", "d")
KINDS = {
    "volumes of one class": EvaluatedSet(NAMES),
    "colour pictures of two classes": EvaluatedSet(NAMES, COLOUR_PLANES, (20, 24)),
}


@dataclass
class Story:
    cases: EvaluatedSet = field(default_factory=lambda: KINDS["volumes of one class"])
    made: list[tuple[EvaluationRecord, Pictures]] = field(default_factory=list)
    error: CouldNotCheckError | None = None

    def evaluate(self, processes: int) -> None:
        held = self.cases
        self.made.append(evaluate(held.cases(), held.predict, held.masks.__getitem__, held.plan, processes=processes))


@pytest.fixture
def story() -> Story:
    return Story()


def replaced(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Processes run another module."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    monkeypatch.setattr(counting, "MODULE", f"tests.support.{module}")


@given(parsers.parse("five cases of {kind}"))
def _(story: Story, kind: str) -> None:
    story.cases = KINDS[kind]


@given("a case that ends the process that counts it")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "killed_counting_process")


@given("processes whose memory others can read")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "open_counting_process")


@when(parsers.parse("they are evaluated by one process, and by {number:d}"))
def _(story: Story, number: int) -> None:
    story.evaluate(1)
    story.evaluate(number)


@when("five cases are evaluated by 2 processes")
def _(story: Story) -> None:
    with pytest.raises(CouldNotCheckError) as refused:
        story.evaluate(2)
    story.error = refused.value


@then("both records have the same bytes, and both pictures the same cases")
def _(story: Story) -> None:
    (alone, drawn), (shared, others) = story.made
    assert len(alone.cases) == 5 * len(story.cases.task.classes)
    assert len({row.overlap for row in alone.cases}) > 4
    assert shared.model_dump_json() == alone.model_dump_json()
    assert (others.best.case, others.worst.case) == (drawn.best.case, drawn.worst.case)
    assert (others.worst.prediction == drawn.worst.prediction).all()


@then("the evaluation fails and names that case and the signal")
def _(story: Story) -> None:
    assert story.error is not None
    assert "case 'killer' could not be counted" in story.error.message
    assert story.error.message.endswith("by signal 9")


@then("the evaluation fails because the memory is not private")
def _(story: Story) -> None:
    assert story.error is not None
    assert story.error.message.endswith("its memory is not private")
