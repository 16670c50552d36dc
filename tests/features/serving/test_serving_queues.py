"""Steps of serving_queues.feature: requests that are sent to the application piece by piece, and jobs over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.inference.watch import Watch
from minivess.ml.inference.watched import Prediction
from minivess.records.log.entry import Outcome
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.answers import OpenedModel
from minivess.workflows.serving.inference import InferenceService
from tests.features.serving.conftest import Story
from tests.support.builders import audit_logs
from tests.support.lazy_modules import lazily
from tests.support.servers import served, toy_models

with lazily(
    "fastapi",
    "minivess.serving.inference.app",
    "minivess.serving.inference.queues.admission",
    "minivess.serving.inference.queues.jobs",
):
    import fastapi
    from fastapi import Response, testclient

    from minivess.serving.inference import app
    from minivess.serving.inference.queues import admission
    from minivess.serving.inference.queues import jobs as queued

scenarios("serving_queues.feature")

TASK = toy_models.TWO_CLASSES
LIMITS = replace(served.LIMITS, idle_seconds=0.3)
LONG = 20.0
"""Seconds after which a test gives up."""


class Stepping:
    """The toy model, which waits before each image until it may go on, and tells of tiles."""

    def __init__(self, opened: OpenedModel) -> None:
        self._predictor = opened.predictor
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def predict_watched(self, image: Any, spacing: Any, watch: Watch, *, disagreement: bool = False) -> Prediction:
        self.begun.set()
        assert self.may_go_on.wait(LONG)
        return self._predictor.predict_watched(image, spacing, watch, disagreement=disagreement)


@dataclass
class Facts:
    application: fastapi.FastAPI | None = None
    model: Stepping | None = None
    statuses: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=dict)
    read: int = 0
    halted: bool = False
    job: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    reads: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    parts: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def facts() -> Facts:
    return Facts()


def _body(image: np.ndarray, outputs: str = "") -> bytes:
    asked = b'--b\r\nContent-Disposition: form-data; name="outputs"\r\n\r\n' + outputs.encode() + b"\r\n"
    start = asked if outputs else b""
    start += b'--b\r\nContent-Disposition: form-data; name="spacing"\r\n\r\n2 x .8 x .8 mm\r\n'
    start += b'--b\r\nContent-Disposition: form-data; name="volume"; filename="a.npy"\r\n\r\n'
    return start + served.npy(image) + b"\r\n--b--\r\n"


async def _ask(
    application: fastapi.FastAPI, receive: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
) -> tuple[int, dict[str, Any], dict[str, str]]:
    answered: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await _call(application, receive, send)
    body = b"".join(one.get("body", b"") for one in answered[1:])
    return (
        answered[0]["status"],
        json.loads(body),
        {name.decode(): value.decode() for name, value in answered[0]["headers"]},
    )


async def _call(application: fastapi.FastAPI, receive: Any, send: Any) -> None:
    """Send a volume to the application."""
    headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"host", b"localhost")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/segment",
        "raw_path": b"/v1/segment",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("localhost", 1),
        "headers": headers,
    }
    await application(scope, receive, send)


def _service(story: Story, facts: Facts, *, limits: Limits = LIMITS, **how: Any) -> None:
    service = story.start_service()
    opened = toy_models.opened(service, TASK)
    facts.model = Stepping(opened)
    engine = InferenceService(service.serving, replace(opened, predictor=facts.model))
    facts.application = app.create_app(engine, limits=limits, **how)
    client = story.stack.enter_context(testclient.TestClient(facts.application, raise_server_exceptions=False))
    story.stack.callback(facts.model.may_go_on.set)
    story.service = replace(service, engine=engine, client=client)
    service.counts()
    facts.counts = service.counts()
    story.entries_before = len(service.entries())


@given(parsers.re("a service with one place where (?P<many>no|one) request may wait"))
def _one_place(story: Story, facts: Facts, many: str) -> None:
    _service(story, facts, places=admission.Places(taken=1, waiting=1 if many == "one" else 0, seconds=LONG))
    assert facts.model is not None
    facts.model.may_go_on.set()


@given(parsers.re("a request that (?P<how>is still being sent|stops halfway)"))
def _first(facts: Facts, how: str) -> None:
    facts.halted = how == "stops halfway"


def _both(facts: Facts, *, release: bool) -> None:
    """Send a request that does not end, then another one; then let the first one end, where that is wanted."""
    body = _body(toy_models.image(TASK))

    async def both() -> None:
        assert facts.application is not None
        at_it, ended = asyncio.Event(), asyncio.Event()
        pieces = [body[:500]]

        async def slowly() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": True}
            at_it.set()
            if facts.halted:
                await asyncio.sleep(LONG)
            while not ended.is_set():  # never silent for too long
                await asyncio.sleep(0.05)
                return {"type": "http.request", "body": b"", "more_body": True}
            return {"type": "http.disconnect"}

        async def at_once() -> dict[str, Any]:
            facts.read += 1
            return {"type": "http.request", "body": body, "more_body": False}

        first = asyncio.create_task(_ask(facts.application, slowly))
        await asyncio.wait_for(at_it.wait(), LONG)
        second = asyncio.create_task(_ask(facts.application, at_once))
        if release:
            await asyncio.sleep(0.1)
            assert not second.done()
            assert facts.read == 0
            ended.set()
        facts.statuses["second"] = await asyncio.wait_for(second, LONG / 2)
        ended.set()
        facts.statuses["first"] = await asyncio.wait_for(first, LONG)

    asyncio.run(both())


@when("another volume is sent")
def _second(facts: Facts) -> None:
    _both(facts, release=False)


@when("another volume is sent, and the first one ends")
def _second_then(facts: Facts) -> None:
    _both(facts, release=True)


@then("it is refused as busy, with the time to wait, and nothing of its body was read")
def _busy(facts: Facts) -> None:
    status, problem, headers = facts.statuses["second"]
    assert (status, problem["type"], facts.read) == (503, "urn:minivess:problem:busy", 0)
    assert int(headers["retry-after"]) > 0
    assert problem["hint"]


@then("it is answered")
def _answered(facts: Facts) -> None:
    status, answer, _ = facts.statuses["second"]
    assert (status, answer["decision"]) == (200, "answered")


@then(parsers.re('(it|the first one) is counted as "(?P<reason>.*)"'))
def _counted(story: Story, facts: Facts, reason: str) -> None:
    after = story.running.counts()
    assert after.get(reason, 0) - facts.counts.get(reason, 0) == 1


@given(
    parsers.re(
        "a service with one place, and a client that asks for probabilities and (?P<reads>reads later|stops reading)"
    )
)
def _reading(story: Story, facts: Facts, reads: str) -> None:
    """An answer is to be taken within a second by the client that stops reading."""
    facts.reads = reads
    places = admission.Places(taken=1, waiting=0, seconds=LONG)
    _service(story, facts, places=places, limits=replace(LIMITS, seconds=LONG if reads == "reads later" else 1.0))
    assert facts.model is not None
    facts.model.may_go_on.set()


@when("another volume is sent while that answer is sent")
def _while_sent(facts: Facts) -> None:
    body, other = _body(toy_models.image(TASK), "probabilities"), _body(toy_models.image(TASK))

    async def all_three() -> None:
        assert facts.application is not None
        sending, reads = asyncio.Event(), asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            if message.get("more_body"):
                sending.set()
                await reads.wait()
            facts.parts.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def counted() -> dict[str, Any]:
            facts.read += 1
            return {"type": "http.request", "body": other, "more_body": False}

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": other, "more_body": False}

        first = asyncio.create_task(_call(facts.application, receive, send))
        await asyncio.wait_for(sending.wait(), LONG)
        facts.statuses["second"] = await asyncio.wait_for(_ask(facts.application, counted), LONG)
        if facts.reads == "reads later":
            reads.set()
        await asyncio.wait_for(first, LONG)
        facts.statuses["third"] = await asyncio.wait_for(_ask(facts.application, again), LONG)

    asyncio.run(all_three())


@then(parsers.re("the first answer (?P<ends>is whole|has no end), and then the other volume is answered"))
def _then_answered(facts: Facts, ends: str) -> None:
    assert facts.parts[0]["status"] == 200
    if ends == "is whole":
        answer = json.loads(b"".join(one["body"] for one in facts.parts[1:]))
        assert answer["outputs"][0]["name"] == "probabilities"
    else:
        assert all(one.get("more_body") for one in facts.parts[1:])
    status, answer, _ = facts.statuses["third"]
    assert (status, answer["decision"]) == (200, "answered")


@when("a known volume is sent with probabilities, at once and as a job")
def _twice(story: Story, facts: Facts) -> None:
    assert facts.model is not None
    facts.model.may_go_on.set()
    parts = {"spacing": "2 x .8 x .8 mm", "outputs": "probabilities"}
    for name, path in (("at once", "/v1/segment"), ("job", "/v1/jobs")):
        made = story.running.client.post(path, files={"volume": served.npy(toy_models.image(TASK))}, data=parts)
        if name == "job":
            facts.job = made.json()
            _until(story, facts, "done")
            made = story.running.client.get(facts.job["result"])
        facts.statuses[name] = made.status_code, made.json(), dict(made.headers)
        facts.sizes[name] = len(made.content)


@then("both answers have the same probabilities, and state their size where it is known")
def _same_probabilities(facts: Facts) -> None:
    (_, at_once, sent), (_, job, held) = facts.statuses["at once"], facts.statuses["job"]
    assert at_once["outputs"] == job["outputs"]
    assert at_once["mask"] == job["mask"]
    assert at_once["outputs"][0]["name"] == "probabilities"
    assert "content-length" not in sent
    assert int(held["content-length"]) == facts.sizes["job"]


@given("a service that takes jobs")
def _taking(story: Story, facts: Facts) -> None:
    _service(story, facts)


@given("a service that holds one job")
def _one_job(story: Story, facts: Facts) -> None:
    _service(story, facts, job_bounds=queued.JobBounds(jobs=1))


def _send_job(story: Story, image: np.ndarray, how: str = "its own address") -> Any:
    own = how == "its own address"
    return story.running.client.post(
        "/v1/jobs" if own else "/v1/segment",
        files={"volume": served.npy(image)},
        data={"spacing": "2 x .8 x .8 mm"},
        headers={} if own else {"prefer": "wait=1, respond-async"},
    )


def _until(story: Story, facts: Facts, *states: str) -> dict[str, Any]:
    """Ask for the state of the job until it is one of these."""
    give_up = time.monotonic() + LONG
    while time.monotonic() < give_up:
        facts.job = story.running.client.get(facts.job["status"]).json()
        if facts.job["state"] in states:
            return facts.job
        time.sleep(0.01)
    raise AssertionError(facts.job)


@when(parsers.parse("a known volume is sent as a job by {how}"))
def _job(story: Story, facts: Facts, how: str) -> None:
    assert facts.model is not None
    story.response = _send_job(story, toy_models.image(TASK), how)
    assert facts.model.begun.wait(LONG)


@then("the job has an address, and its progress ends with all tiles")
def _progress(story: Story, facts: Facts) -> None:
    assert facts.model is not None
    assert story.answered.status_code == 202
    facts.job = story.answered.json()
    assert story.answered.headers["location"] == facts.job["status"]
    assert story.answered.headers["preference-applied"] == "respond-async"
    assert _until(story, facts, "running")["tiles_done"] == 0
    early = story.running.client.get(facts.job["result"])
    assert (early.status_code, early.json()["type"]) == (409, "urn:minivess:problem:not-ready")
    assert len(story.running.entries()) == story.entries_before
    facts.model.may_go_on.set()
    done = _until(story, facts, "done")
    assert done["tiles_done"] == done["tiles"] > 1


@then("its answer is the one that the volume gets at once, with an entry that was there before")
def _same(story: Story, facts: Facts) -> None:
    (entry,) = story.running.entries()[story.entries_before :]
    assert entry.body.outcome is Outcome.COMPLETED
    answer: Any = story.running.client.get(facts.job["result"])
    story.response = answer
    body = story.answered.json()
    assert (story.answered.status_code, body["receipt"]["index"]) == (200, entry.body.index)
    assert body["request"] == facts.job["request"]
    assert set(body["timings"]) >= {"reading", "queueing", "inference", "log_commit"}
    at_once = story.running.post(toy_models.image(TASK), {"spacing": "2 x .8 x .8 mm"}).json()
    assert at_once["mask_digest"] == body["mask_digest"]


@then("its answer is given once")
def _once(story: Story, facts: Facts) -> None:
    again = story.running.client.get(facts.job["result"])
    assert (again.status_code, again.json()["type"]) == (410, "urn:minivess:problem:gone")
    assert story.running.client.get(facts.job["status"]).json()["state"] == "fetched"


@when("a job is cancelled while it runs")
def _cancel(story: Story, facts: Facts) -> None:
    assert facts.model is not None
    facts.job = _send_job(story, toy_models.image(TASK)).json()
    assert facts.model.begun.wait(LONG)
    assert story.running.client.delete(facts.job["status"]).status_code == 200
    facts.model.may_go_on.set()
    _until(story, facts, "cancelled")


@when("a job is cancelled while it waits")
def _cancel_waiting(story: Story, facts: Facts) -> None:
    assert facts.model is not None
    first = _send_job(story, toy_models.image(TASK)).json()
    assert facts.model.begun.wait(LONG)
    facts.job = _send_job(story, toy_models.image(TASK)).json()
    assert story.running.client.delete(facts.job["status"]).json()["state"] == "cancelled"
    facts.model.may_go_on.set()
    cancelled, facts.job = facts.job, first
    _until(story, facts, "done")
    story.entries_before += 1
    facts.job = cancelled


@then("its state is cancelled and it has no answer")
def _no_answer(story: Story, facts: Facts) -> None:
    assert story.running.client.get(facts.job["status"]).json()["state"] == "cancelled"
    none = story.running.client.get(facts.job["result"])
    assert (none.status_code, none.json()["detail"]) == (409, "the job is cancelled")


@then("the entry in the log says that it was taken back")
def _taken_back(story: Story, facts: Facts) -> None:
    (entry,) = story.running.entries()[story.entries_before :]
    assert entry.body.outcome is Outcome.REFUSED
    assert entry.body.outputs == ()
    assert f"requests/{facts.job['request']}" in {one.name for one in entry.body.inputs}
    told = audit_logs.told(story.running.serving.services.log, entry.body)
    assert told.payload["decision"] == "refused: the job was taken back by its caller"
    decision = story.running.client.get(f"/v1/decisions/{entry.body.index}").json()
    assert decision["outcome"] == "refused"


@then("no entry was made for it")
def _no_entry(story: Story) -> None:
    assert len(story.running.entries()) == story.entries_before


@when("a job of one caller is done")
def _owned(facts: Facts) -> None:
    pass


@then("another caller finds no such job, and cannot cancel it")
def _not_owned() -> None:
    jobs, done = queued.Jobs(), threading.Event()

    def judge(_job: queued.Job) -> Response:
        done.set()
        return Response(b"{}")

    job = jobs.take("ada", 10, judge)
    assert done.wait(LONG)
    assert jobs.find(job.name, "ada") is job
    for other in ("eve", None):
        assert jobs.find(job.name, other) is None
    jobs.close()


@when("a volume without contrast is sent as a job")
def _flat(story: Story, facts: Facts) -> None:
    facts.job = _send_job(story, np.ones_like(toy_models.image(TASK))).json()
    _until(story, facts, "done")


@then("its answer is the refusal with its receipt")
def _refusal(story: Story, facts: Facts) -> None:
    answer = story.running.client.get(facts.job["result"])
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:minivess:problem:outside-intended-use")
    assert answer.json()["receipt"]["index"] == story.running.entries()[-1].body.index


@when("a second job is sent while the first is held")
def _second_job(story: Story, facts: Facts) -> None:
    facts.job = _send_job(story, toy_models.image(TASK)).json()
    story.response = _send_job(story, toy_models.image(TASK))


@then("it is refused as busy")
def _refused(story: Story) -> None:
    assert (story.answered.status_code, story.answered.json()["type"]) == (503, "urn:minivess:problem:busy")
    assert int(story.answered.headers["retry-after"]) > 0


@then("after a restart the first job is said to be lost")
def _lost(story: Story, facts: Facts) -> None:
    restarted = app.create_app(story.running.engine, limits=Limits())
    with testclient.TestClient(restarted) as client:
        lost = client.get(facts.job["status"])
        assert (lost.status_code, lost.json()["type"]) == (410, "urn:minivess:problem:gone")
        assert "restarted" in lost.json()["detail"]
        assert client.get("/v1/jobs/nonsense").status_code == 404


@then("another method is refused with those that the address takes")
def _methods(story: Story, facts: Facts) -> None:
    facts.job = _send_job(story, np.ones_like(toy_models.image(TASK))).json()
    _until(story, facts, "done")
    answer = story.running.client.put(facts.job["status"])
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
