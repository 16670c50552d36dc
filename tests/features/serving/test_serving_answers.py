"""Steps of serving_answers.feature: a real service with a toy model, spoken to over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage, StageTimes
from minivess.workflows.serving.inference import InferenceService
from minivess.workflows.serving.observer import BatchCut, Served
from tests.features.serving.conftest import Story
from tests.support.builders import audit_logs
from tests.support.lazy_modules import lazily
from tests.support.servers import served, toy_models

with lazily("fastapi", "minivess.serving.inference.app"):
    from fastapi import testclient

    from minivess.serving.inference import app

scenarios("serving_answers.feature")


@dataclass
class Heard:
    """Keeps what a service tells."""

    fails: bool = False
    served_: list[Served] = field(default_factory=list)
    turned: list[RefusalReason] = field(default_factory=list)

    def served(self, what: Served) -> None:
        self.served_.append(what)
        assert not self.fails

    def turned_away(self, reason: RefusalReason) -> None:
        self.turned.append(reason)
        assert not self.fails

    def batched(self, images: int, cut: BatchCut) -> None:
        assert not self.fails


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given("a service whose model takes grey volumes")
def _served(story: Story) -> None:
    story.service = story.start_service()


@given(parsers.re("a service with an observer(?P<how>| that fails)$"))
def _observed(story: Story, facts: dict[str, Any], how: str) -> None:
    service = story.start_service()
    task = toy_models.TWO_CLASSES
    facts["heard"] = Heard(fails=bool(how))
    engine = InferenceService(service.serving, toy_models.opened(service, task), observer=facts["heard"])
    made = app.create_app(engine, limits=served.LIMITS)
    client = story.stack.enter_context(testclient.TestClient(made, raise_server_exceptions=False))
    story.service = replace(service, engine=engine, client=client)
    facts["image"] = toy_models.image(task)
    facts["steps"] = toy_models.SPACINGS[task]


@when("one of them is sent")
def _send(story: Story, facts: dict[str, Any]) -> None:
    image, spacing = story.running.volume()
    begun = time.perf_counter()
    story.response = story.running.send(image, spacing)
    facts["took"] = time.perf_counter() - begun
    assert story.response.status_code == 200


@when(parsers.re("(?P<what>a known volume|a volume without contrast|a file that is no image) is sent"))
def _send_some(story: Story, facts: dict[str, Any], what: str) -> None:
    image = facts["image"]
    sent = {
        "a known volume": image,
        "a volume without contrast": np.ones_like(image),
        "a file that is no image": b"\x93NUMPY",
    }
    story.response = story.running.send(sent[what], facts["steps"])


@then("the answer states the seconds of every stage")
def _stages(story: Story) -> None:
    timings = story.answered.json()["timings"]
    assert set(timings) == {stage.value for stage in Stage}
    assert all(timings[stage.value] > 0 for stage in (Stage.READING, Stage.INFERENCE, Stage.LOG_COMMIT))


def _told(story: Story) -> dict[str, Any]:
    entry = story.running.serving.services.log.entry(story.answered.json()["receipt"]["index"])
    payload: dict[str, Any] = audit_logs.told(story.running.serving.services.log, entry.body).payload
    return payload


@then("its entry states those of the stages before the log")
def _in_entry(story: Story) -> None:
    timings = story.answered.json()["timings"]
    assert _told(story)["times"] == {name: timings[name] for name in timings if name not in {"log_commit", "encoding"}}


@then("together they are not longer than the request")
def _sum(story: Story, facts: dict[str, Any]) -> None:
    assert 0 < StageTimes.model_validate(story.answered.json()["timings"]).total <= facts["took"]


@then("the observer is notified of an answer with times and the share of each class")
def _heard_answer(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    (heard,) = facts["heard"].served_
    assert (heard.decision, heard.index, heard.request) == ("answered", body["receipt"]["index"], body["request"])
    assert heard.times == StageTimes.model_validate(body["timings"])
    assert heard.shares == {one["name"]: pytest.approx(one["foreground_fraction"]) for one in body["classes"]}
    assert all(one.confidence is not None and 0.33 < one.confidence <= 1 for one in heard.classes)
    assert (heard.model, heard.version) == (body["model"], body["model_version"])


@then("the observer is notified of a refusal with its reasons")
def _heard_refusal(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    (heard,) = facts["heard"].served_
    assert (heard.decision, list(heard.reasons), heard.classes) == ("refused", body["reasons"], ())
    assert heard.index == body["receipt"]["index"]
    assert heard.times.log_commit is not None


@then("the observer is notified of a request turned away for volume")
def _heard_turned(facts: dict[str, Any]) -> None:
    assert (facts["heard"].served_, facts["heard"].turned) == ([], [RefusalReason.VOLUME])


@then("it is answered with a receipt")
def _answered(story: Story, facts: dict[str, Any]) -> None:
    assert story.answered.status_code == 200
    assert story.answered.json()["receipt"]["index"] > 0
    assert len(facts["heard"].served_) == 1


@then("its entry names the digests of request, model, calibrator, decision rule and bounds")
def _names(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.serving.services.log.entry(body["receipt"]["index"])
    named = {one.name: one.digest for one in entry.body.inputs}
    request = f"requests/{body['request']}"
    assert set(named) == {
        request,
        "models/export.json",
        "service/calibrator",
        "service/decision-rule",
        "service/intended-use",
    }
    assert named["models/export.json"] == body["model"]
    assert _told(story)["decision"] == "answered"


@then("a service with another threshold has another decision rule in its entries")
def _another_rule(story: Story) -> None:
    service, task = story.running, toy_models.TWO_CLASSES
    rules = set()
    for conformal in (0.3, 0.4):
        opened = toy_models.opened(service, task, conformal_thresholds=(conformal, None))
        rules |= {one.digest for one in opened.served.artifacts if one.name == "service/decision-rule"}
        answer = InferenceService(service.serving, opened).answer(
            toy_models.image(task), toy_models.SPACINGS[task], f"rule-{conformal}"
        )
        assert answer.receipt is not None
        entry = service.serving.services.log.entry(answer.receipt.index)
        (named,) = [one.digest for one in entry.body.inputs if one.name == "service/decision-rule"]
        assert named in rules
    assert len(rules) == 2
