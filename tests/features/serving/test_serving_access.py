"""Steps of serving_access.feature: callers with keys, and the model in production, as the running service sees them."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.log.callers import CallerCreated, Scope
from minivess.records.log.entry import Draft, Outcome
from minivess.workflows.models import promotion
from minivess.workflows.people import accounts
from minivess.workflows.serving.access import callers
from minivess.workflows.session.recording import recorded
from tests.support import projects
from tests.support.lazy_modules import lazily
from tests.support.servers import served

with lazily(
    "httpx",
    "fastapi",
    "minivess.serving.inference.app",
    "minivess.serving.inference.access.exposure",
    "minivess.serving.inference.access.gate",
):
    import httpx
    from fastapi import testclient

    from minivess.serving.inference import app as service_app
    from minivess.serving.inference.access import exposure, gate

scenarios("serving_access.feature")

CALLERS: dict[str, dict[str, Any]] = {
    "pacs": {},
    "clinic": {},
    "auditor": {"scopes": (Scope.READ,)},
    "slow": {"requests_a_minute": 1},
    "small": {"body_bytes": 1000},
    "robbed": {},
    "moved": {},
}
PATHS = {
    "a decision": "/v1/decisions/999999",
    "the model": "/v1/model",
    "a later page": "/v1/a-page-of-tomorrow",
    "the readiness": "/readyz",
    "the interface": "/openapi.json",
    "the front page": "/",
}


@dataclass
class Desk:
    """A running service, the keys of its callers, and what it answered."""

    service: served.Service
    keys: dict[str, str] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)
    entries_before: int = 0
    counts_before: dict[str, int] = field(default_factory=dict)
    former: dict[str, str] = field(default_factory=dict)

    def ask(self, what: str, headers: dict[str, str]) -> httpx.Response:
        if what == "a mask":
            return self.send(headers=headers)
        client: Any = self.service.client
        answer: Any = client.get(PATHS[what], headers=headers)
        return cast("httpx.Response", answer)

    def send(
        self, *, headers: dict[str, str], more: float = 0.0, form: dict[str, str] | None = None, client: Any = None
    ) -> httpx.Response:
        image, spacing = self.service.volume()
        answer: Any = (client or self.service.client).post(
            "/v1/segment",
            files={"volume": ("scan.npy", served.npy(image + np.float32(more)))},
            data={"spacing": f"{' x '.join(map(str, spacing))} um", **(form or {})},
            headers=headers,
        )
        return cast("httpx.Response", answer)

    def header(self, key: str) -> dict[str, str]:
        shown = (
            {
                "no key": "",
                "a key that was made up": callers.PREFIX + "A" * 43,
                "the name of pacs": "pacs",
            }.get(key)
            if not key.startswith("the key of ")
            else self.keys[key.removeprefix("the key of ")]
        )
        assert shown is not None
        return {"authorization": f"Bearer {shown}"} if shown else {}


def make_callers(project: projects.ProjectFolder) -> dict[str, str]:
    keys = {}
    with project.services() as services:
        for caller, told in CALLERS.items():
            limits = {"scopes": (Scope.INFER,), "days": 30, **told}
            keys[caller] = callers.create(services, project.signers["max"], caller, **limits).key
        keys["late"] = f"{callers.PREFIX}late"
        ended = CallerCreated(
            caller="late",
            digest=digest_bytes(keys["late"].encode("ascii")),
            scopes=(Scope.INFER,),
            expires=services.clock() - timedelta(seconds=1),
        )
        with recorded(services, "caller.created", project.signers["max"], instant=True) as record:
            record.payload(**ended.model_dump(mode="json"))
    return keys


@pytest.fixture(scope="module")
def keyed(
    servable_project: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[served.Service, dict[str, str]]]:
    project = servable_project.copy_to(tmp_path_factory.mktemp("keyed") / "project")
    keys = make_callers(project)
    with served.running(project) as service:
        yield service, keys


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@given("a service whose log has callers", target_fixture="desk")
def _(keyed: tuple[served.Service, dict[str, str]]) -> Desk:
    service, keys = keyed
    desk = Desk(service, dict(keys))
    desk.entries_before, desk.counts_before = len(service.entries()), service.counts()
    return desk


@given("a service whose log has no callers", target_fixture="desk")
def _(servable_project: projects.ProjectFolder, tmp_path: Path, stack: ExitStack) -> Desk:
    return Desk(stack.enter_context(served.running(servable_project.copy_to(tmp_path / "project"))))


@given("a project whose service was not started", target_fixture="project")
def _(servable_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    return servable_project.copy_to(tmp_path / "project")


@when(parsers.re("(?P<what>(?!the model is asked for twice).+) is asked for with (?P<key>.+)"))
def _(desk: Desk, what: str, key: str) -> None:
    desk.answers.append(desk.ask(what, desk.header(key)))


@then(parsers.parse("the answer has the status {status:d}"))
def _(desk: Desk, status: int) -> None:
    answer = desk.answers[-1]
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["detail"]
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")


@then(parsers.parse("the answers have the status {first:d}, then {second:d}"))
def _(desk: Desk, first: int, second: int) -> None:
    assert [one.status_code for one in desk.answers[-2:]] == [first, second], desk.answers[-1].text


@then("the entry of the answer names pacs")
def _(desk: Desk) -> None:
    log = desk.service.serving.services.log
    details = log.details(desk.answers[-1].json()["receipt"]["index"])
    assert details is not None
    assert details.payload["caller"] == "pacs"


@then("no log has the key of pacs")
def _(desk: Desk) -> None:
    key = desk.keys["pacs"].encode("ascii")
    files = [one for one in desk.service.project.workspace.root.rglob("*") if one.is_file()]
    assert len(files) > 10
    assert not [one for one in files if key in one.read_bytes()]


@then(parsers.parse('the log counts one more "{first}" and one more "{second}"'))
def _(desk: Desk, first: str, second: str) -> None:
    now = desk.service.counts()
    more = {reason: count - desk.counts_before.get(reason, 0) for reason, count in now.items()}
    assert {reason: count for reason, count in more.items() if count} == {first: 1, second: 1}


@then("it has no more answers")
def _(desk: Desk) -> None:
    assert len(desk.service.entries()) == desk.entries_before


@when(parsers.re("the key of (?P<caller>late|robbed|moved|clinic) (?P<ends>.+)"))
def _(desk: Desk, caller: str, ends: str) -> None:
    services, max_ = desk.service.services, desk.service.project.signers["max"]
    if ends in {"is revoked", "is replaced without an overlap"}:
        assert desk.send(headers=desk.header(f"the key of {caller}")).status_code == 200
    if ends == "is revoked":
        callers.revoke(services, max_, caller, "its configuration was copied")
    elif ends.startswith("is replaced"):
        hours = 1 if ends.endswith("an hour") else 0
        desk.former[caller] = desk.keys[caller]
        made = callers.rotate(services, max_, caller, days=30, overlap_hours=hours)
        desk.keys[f"new {caller}"] = made.key


@then(parsers.parse("the former and the new key of {caller} are answered"))
def _(desk: Desk, caller: str) -> None:
    for key in (desk.former[caller], desk.keys[f"new {caller}"]):
        assert desk.send(headers={"authorization": f"Bearer {key}"}).status_code == 200


@when("a release manager makes a key for pacs")
def _(desk: Desk) -> None:
    callers.create(desk.service.services, desk.service.project.signers["max"], "pacs", scopes=(Scope.INFER,), days=1)


@when("a release manager makes, lists, replaces and revokes a key on the command line", target_fixture="printed")
def _(project: projects.ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for who in ("LOG", "MAX"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    commands = (
        "create pacs --scope infer --scope read --days 7 --as max",
        "list",
        "rotate pacs --as max",
        "revoke pacs --reason gone --as max",
        "list --json",
    )
    printed = []
    for command in commands:
        done = CliRunner().invoke(app, ["-C", str(project.workspace.root), "caller", *command.split()])
        assert done.exit_code == 0, (command, done.output, done.exception)
        printed.append(done.stdout)
    assert "infer read" in printed[1]
    assert '"revoked": "gone"' in printed[4]
    return printed


@then("each change is an entry of the release manager")
def _(project: projects.ProjectFolder) -> None:
    with project.services() as services:
        found = [entry.body for entry in services.log.entries() if entry.body.action.startswith("caller.")]
    assert [(body.action, body.actor) for body in found] == [
        ("caller.created", "max"),
        ("caller.rotated", "max"),
        ("caller.revoked", "max"),
    ]


@then("each key was printed once and is in no file of the project")
def _(project: projects.ProjectFolder, printed: list[str]) -> None:
    keys = [printed[0].strip(), printed[2].strip()]
    files = [one.read_bytes() for one in project.workspace.root.rglob("*") if one.is_file()]
    for key in keys:
        assert len(base64.urlsafe_b64decode(key.removeprefix(callers.PREFIX) + "=")) == 32
        assert "".join(printed).count(key) == 1
        assert not any(key.encode("ascii") in content for content in files)
    assert keys[0] != keys[1]


@when("the service makes a key with its own key", target_fixture="refused")
def _(project: projects.ProjectFolder) -> list[str]:
    service, said = project.signers["inference"], []
    told = CallerCreated(
        caller="pacs", digest=digest_bytes(b"known to it"), scopes=(Scope.INFER,), expires=utc_now() + timedelta(days=1)
    )
    draft = Draft(action="caller.created", outcome=Outcome.COMPLETED, payload=told.model_dump(mode="json"))
    with project.services() as services:
        for make in (
            lambda: callers.create(services, service, "pacs", scopes=(Scope.INFER,), days=1),
            lambda: services.log.append(draft, service),
        ):
            with pytest.raises(RefusedError) as caught:
                make()
            said.append(caught.value.message)
    return said


@then("this is refused, and the log has no caller")
def _(project: projects.ProjectFolder, refused: list[str]) -> None:
    assert all("release" in one for one in refused), refused
    with project.services() as services:
        assert not callers.callers_of(services)


@when("another model is put into production")
def _(desk: Desk) -> None:
    project, services = desk.service.project, desk.service.services
    projects.export_toy_model(project, bias=0.5)
    projects.evaluate_toy_model(project)
    newest = [entry for entry in services.log.entries() if entry.body.action == "model.export"][-1]
    model = newest.body.context.model or newest.body.outputs[0].digest
    promotion.promote(services, project.signers["max"], model, stage="production", reason="it finds more")


@when("the key of the service is revoked")
def _(desk: Desk) -> None:
    project = desk.service.project
    accounts.revoke(desk.service.services, project.signers["max"], accounts.INFERENCE_IDENTITY, "its host was stolen")


@when("the served model is put into production again")
def _(desk: Desk) -> None:
    model = desk.service.engine.model.digest
    promotion.promote(
        desk.service.services, desk.service.project.signers["max"], model, stage="production", reason="back"
    )


@then("the reason is that the model is not in production, also of the readiness")
def _(desk: Desk) -> None:
    client: Any = desk.service.client
    ready = client.get("/readyz")
    assert ready.status_code == 503
    for answer in (desk.answers[-1], ready):
        assert "is not in production" in answer.json()["detail"]
        assert answer.json()["hint"]
    assert desk.service.counts()["not-in-use"] == 1


@when("an entry of the device's log is exchanged and another one added")
def _(desk: Desk) -> None:
    assert desk.send(headers={}).status_code == 200
    database = desk.service.project.workspace.evidence / "audit.db"
    with sqlite3.connect(database) as connection:
        (newest,) = connection.execute('SELECT max("index") FROM entry').fetchone()
        connection.execute('CREATE TEMP TABLE other AS SELECT * FROM entry WHERE "index" = ?', (newest,))
        connection.execute('UPDATE other SET "index" = "index" + 1')
        connection.execute("INSERT INTO entry SELECT * FROM other")


@when("the model is asked for twice with the key of slow")
def _(desk: Desk) -> None:
    for _ in range(2):
        desk.answers.append(desk.ask("the model", desk.header("the key of slow")))


@then("the second one states the seconds to wait")
def _(desk: Desk) -> None:
    assert 0 < int(desk.answers[-1].headers["retry-after"]) <= 60


@when(parsers.parse("an image is sent {how} with the key of small"))
def _(desk: Desk, how: str) -> None:
    headers = desk.header("the key of small")
    if how == "with its length":
        desk.answers.append(desk.send(headers=headers))
        return
    client: Any = desk.service.client
    headers["content-type"] = "multipart/form-data; boundary=x"
    parts = iter([b'--x\r\nContent-Disposition: form-data; name="volume"; filename="a"\r\n\r\n', *[b"0" * 500] * 4])
    desk.answers.append(client.post("/v1/segment", content=parts, headers=headers))


@then("its headers forbid to guess, to refer, to store and to frame it")
def _(desk: Desk) -> None:
    headers = desk.answers[-1].headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]


@then("its policy names the digest of its style and no other source")
def _(desk: Desk) -> None:
    answer = desk.answers[-1]
    style = answer.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert rules["style-src"] == f"'self' 'sha256-{digest}'"
    assert rules["script-src"] == "'self'"
    assert not any("unsafe" in rule or "http" in rule or "*" in rule for rule in rules.values())


@when(parsers.parse("the service is to listen on {address} with {what}"), target_fixture="said")
def _(address: str, what: str) -> str:
    try:
        exposure.check_address(address, keys="keys" in what, tls="TLS" in what, proxy="proxy" in what)
    except UsageError as error:
        lacks = [word for word, mark in (("keys", "caller create"), ("encryption", "TLS")) if mark in error.hint]
        return f"refused, for lack of {' and '.join(lacks)}"
    return "allowed"


@then(parsers.parse("it is {expected}"))
def _(said: str, expected: str) -> None:
    assert said == expected


BROWSERS = {
    "a program": {"host": "127.0.0.1:8000"},
    "the page of the service": {"host": "localhost:8000", "sec-fetch-site": "same-origin"},
    "a page of another site": {"host": "127.0.0.1:8000", "sec-fetch-site": "cross-site"},
    "a proxy for another machine": {"host": "127.0.0.1:8000", "x-forwarded-for": "203.0.113.9"},
    "a page under a name made for it": {"host": "rebound.example:8000", "sec-fetch-site": "same-origin"},
}


@when(parsers.parse("{who} sends an image"))
def _(desk: Desk, who: str) -> None:
    reached = gate.Exposure(hosts=exposure.LOCAL_NAMES)
    made = service_app.create_app(desk.service.engine, limits=served.LIMITS, exposure=reached)
    desk.answers.append(desk.send(headers=BROWSERS[who], client=testclient.TestClient(made)))


@when("pacs sends an image with an idempotency key")
def _(desk: Desk, request: pytest.FixtureRequest) -> None:
    headers = {**desk.header("the key of pacs"), "idempotency-key": f'"{digest_bytes(request.node.name.encode())}"'}
    desk.answers.append(desk.send(headers=headers))


@when("an image is sent with an idempotency key")
@when("the image is sent again with the idempotency key")
def _(desk: Desk) -> None:
    desk.answers.append(desk.send(headers={"idempotency-key": "one"}))


@when(parsers.re("(?P<who>pacs|clinic) sends (?P<what>.+) with the same idempotency key"))
def _(desk: Desk, who: str, what: str) -> None:
    key = desk.answers[0].request.headers["idempotency-key"]
    headers = {**desk.header(f"the key of {who}"), "idempotency-key": key}
    form = {"mask_format": "rle"} if what == "the same in another format" else None
    desk.answers.append(desk.send(headers=headers, more=1.0 if what == "another image" else 0.0, form=form))


@then(parsers.parse("the second answer is {answer}"))
def _(desk: Desk, answer: str) -> None:
    first, second = desk.answers
    assert first.status_code == 200
    more = len(desk.service.entries()) - desk.entries_before
    if answer.startswith("refused"):
        assert (second.status_code, second.json()["type"]) == (422, "urn:minivess:problem:repeated")
        assert more == 1
    elif answer.startswith("the first"):
        assert (second.content, more) == (first.content, 1)
        assert second.headers["idempotency-replayed"] == "true"
        assert second.headers["content-type"] == first.headers["content-type"]
    else:
        assert (second.status_code, more) == (200, 2)
        assert second.json()["receipt"]["index"] != first.json()["receipt"]["index"]


@when("pacs sends an image twice at once with an idempotency key")
def _(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, entered, go = desk.service.engine, threading.Event(), threading.Event()
    before: Callable[..., Any] = engine.answer

    def slowly(*arguments: Any, **more: Any) -> Any:
        entered.set()
        assert go.wait(30)
        return before(*arguments, **more)

    monkeypatch.setattr(engine, "answer", slowly)
    headers = {**desk.header("the key of pacs"), "idempotency-key": "at-once"}
    first = threading.Thread(target=lambda: desk.answers.append(desk.send(headers=headers)))
    first.start()
    assert entered.wait(30)
    second = desk.send(headers=headers)
    go.set()
    first.join()
    desk.answers.append(second)


@then("one of the two is answered, and the other is refused with status 409")
def _(desk: Desk) -> None:
    assert [one.status_code for one in desk.answers] == [200, 409]
    assert len(desk.service.entries()) == desk.entries_before + 1
