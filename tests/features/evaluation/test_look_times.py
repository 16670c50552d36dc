"""Steps of look_times.feature."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pytest_bdd import given, scenarios, then, when

from minivess.compliance.verification.look_times import LookTimes, look_times
from tests.compliance.verification.test_look_times import ONE, story, trust
from tests.support.builders.guarded_log import GuardedLog

scenarios("look_times.feature")


@dataclass
class Judged:
    log: GuardedLog | None = None
    times: LookTimes | None = None

    @property
    def words(self) -> list[str]:
        """What is said of each phase, without its name."""
        assert self.times is not None
        assert [phase.name for phase in self.times.phases] == ["criteria", "approval"]
        return [phase.words().partition(": ")[2] for phase in self.times.phases]


@pytest.fixture
def judged() -> Judged:
    return Judged()


@given("a log with a look, in which a witness cosigned after the criteria and after the approval")
def _(judged: Judged) -> None:
    judged.log = story(early=(ONE,), late=(ONE,))


@given("a log with a look, in which no witness cosigned")
def _(judged: Judged) -> None:
    judged.log = story()


@given("a log with a look, in which a witness cosigned after the result alone")
def _(judged: Judged) -> None:
    judged.log = story(after=(ONE,))


@when("the times of the look are judged with a trust file that names the witness")
def _(judged: Judged) -> None:
    assert judged.log is not None
    (judged.times,) = look_times(judged.log.entries, trust())


@then("criteria and approval are attested by the witness with its times")
def _(judged: Judged) -> None:
    assert all(words.startswith("attested by w1, 20") for words in judged.words)


@then("criteria and approval have the machine's own time")
def _(judged: Judged) -> None:
    assert all(words.startswith("the machine's own time") for words in judged.words)
