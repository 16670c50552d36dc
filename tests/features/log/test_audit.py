"""Steps of audit.feature: a real log, real signatures, real processes."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, RefusedError, UsageError
from minivess.records.log.entry import EntryBody
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import VALIDATED, Desk, draft

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

scenarios("audit.feature")


@dataclass
class Story:
    desk: Desk
    services: Services
    error: BaseException | None = None
    ran: bool = False
    before: list[bytes] = field(default_factory=list)

    def bodies(self) -> list[EntryBody]:
        return [entry.body for entry in self.desk.log.entries()]

    def events(self) -> list[dict[str, Any]]:
        self.desk.services().deliver()
        return [json.loads(line) for line in self.desk.events.read_text(encoding="utf-8").splitlines()]

    def validate(self) -> None:
        with recorded(self.services, "data.validate", self.desk.ada) as record:
            self.ran = True
            record.payload(**VALIDATED)

    def train(self, error: BaseException) -> None:
        with pytest.raises(type(error)), recorded(self.services, "training", self.desk.ada):
            raise error


@given("a project with an audit log and the developer Ada", target_fixture="story")
def _(tmp_path: Path) -> Story:
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    desk = audit_logs.start(tmp_path)
    return Story(desk, desk.services())


@when("Ada validates the data with seed 7")
def _(story: Story) -> None:
    with recorded(story.services, "data.validate", story.desk.ada) as record:
        record.payload(**VALIDATED)
        record.context(seed=7)
        record.output("data/validation.json", digest_bytes(b"{}"))


@then(parsers.parse('the log ends with a "{first}" and a "{second}" entry of "{action}" by Ada'))
def _(story: Story, first: str, second: str, action: str) -> None:
    start, end = story.bodies()[-2:]
    assert [start.outcome.value, end.outcome.value] == [first, second]
    assert {start.action, end.action} == {action}
    assert {start.actor, end.actor} == {"ada"}
    assert end.started == start.index


@then("the last entry names the commit state, the configuration, the environment, the seed and the file that was made")
def _(story: Story) -> None:
    body = story.bodies()[-1]
    assert {"git_commit", "git_dirty"} <= body.context.model_fields_set
    assert body.context.configuration is not None
    assert body.context.environment == digest_bytes(b"version = 1\n")
    assert body.context.seed == 7
    assert body.context.openlineage_run is not None
    assert [item.name for item in body.outputs] == ["data/validation.json"]


@then("an independent verification of the log holds")
def _(story: Story) -> None:
    checks, _, _ = verify_entries(story.desk.log.pairs(), story.desk.log.checkpoint())
    assert all(check.passed for check in checks), checks


def _append(desk: Desk, count: int, acknowledgements: Path) -> None:
    log = AuditLog.open(desk.url, log_signer=desk.log_signer)
    with acknowledgements.open("a", encoding="utf-8") as stream:
        for _ in range(count):
            receipt = log.append(draft(), desk.ada)
            stream.write(f"{receipt.index}\n")
            stream.flush()


def _writers(desk: Desk, *counts: int) -> list[Any]:
    desk.log.close()  # no connection may cross the fork
    context = multiprocessing.get_context("fork")
    made = [
        context.Process(target=_append, args=(desk, count, desk.folder / f"receipts-{number}.txt"))
        for number, count in enumerate(counts)
    ]
    for process in made:
        process.start()
    return made


@when("a process that appends entries is killed in the middle of its work")
def _(story: Story) -> None:
    (process,) = _writers(story.desk, 100_000)
    receipts = story.desk.folder / "receipts-0.txt"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (
        not receipts.exists() or receipts.read_text(encoding="utf-8").count("\n") < 5
    ):
        time.sleep(0.001)
    process.kill()
    process.join()


@then("every entry it was given a receipt for is in the log")
def _(story: Story) -> None:
    text = (story.desk.folder / "receipts-0.txt").read_text(encoding="utf-8")
    acknowledged = [int(line) for line in text.split("\n")[:-1]]
    assert len(acknowledged) >= 5
    assert set(acknowledged) <= {body.index for body in story.bodies()}


@when("two processes append 10 entries each at the same time")
def _(story: Story) -> None:
    for process in _writers(story.desk, 10, 10):
        process.join(timeout=60)
        assert process.exitcode == 0


@then(parsers.parse("the log holds {count:d} entries without a gap"))
def _(story: Story, count: int) -> None:
    assert [body.index for body in story.bodies()] == list(range(count))


@given("the log is on a read-only medium")
def _(story: Story) -> None:
    path = story.desk.folder / "evidence" / "audit.db"
    story.services = story.desk.services(story.desk.reopened(url=f"sqlite:///file:{path}?mode=ro&uri=true"))


@given("the log is held by something else")
def _(story: Story, request: pytest.FixtureRequest) -> None:
    story.services = story.desk.services(story.desk.reopened(wait=0.05))
    request.getfixturevalue("held")


@pytest.fixture
def held(story: Story) -> Iterator[None]:
    with sqlite3.connect(story.desk.folder / "evidence" / "audit.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@when(parsers.re(r"Ada starts (?P<what>a training|a disposition)"))
def _(story: Story, what: str) -> None:
    story.before = list(story.desk.log.lines())
    action, instant = {"a training": ("training", False), "a disposition": ("run.disposition", True)}[what]
    try:
        with recorded(story.services, action, story.desk.ada, instant=instant):
            story.ran = True
    except CouldNotCheckError as error:
        story.error = error


@then("it is refused before anything was done, because the log cannot be written")
def _(story: Story) -> None:
    assert isinstance(story.error, CouldNotCheckError)
    assert "the log cannot be written" in story.error.message
    assert not story.ran


@then("the log is as it was")
def _(story: Story) -> None:
    assert list(story.desk.log.lines()) == story.before


@when(parsers.re(r"Ada's training ends with (?P<end>an error|an interruption|a rule saying no)"))
def _(story: Story, end: str) -> None:
    ends: dict[str, BaseException] = {
        "an error": ValueError("the loss is not finite"),
        "an interruption": KeyboardInterrupt(),
        "a rule saying no": RefusedError("the gate is closed"),
    }
    story.train(ends[end])


@then(parsers.parse('the last entry says "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert audit_logs.told(story.desk.log, story.bodies()[-1]).error == reason


@then(parsers.parse('the last lineage event is "{kind}"'))
def _(story: Story, kind: str) -> None:
    assert story.events()[-1]["eventType"] == kind


@given("the disk fails when the lineage event is stored")
def _(story: Story) -> None:
    with sqlite3.connect(story.desk.folder / "evidence" / "audit.db") as connection:
        fault = "SELECT RAISE(ABORT, 'Input/output error')"
        connection.execute(f"CREATE TRIGGER fault AFTER INSERT ON outbox BEGIN {fault}; END")


@when("Ada tries to record a validation")
def _(story: Story) -> None:
    with pytest.raises(CouldNotCheckError):
        story.validate()


@then("neither the entry nor the event is in the log")
def _(story: Story) -> None:
    again = story.desk.reopened()
    assert again.size == 1
    assert again.pending_events() == []
    assert not story.ran


@given("the lineage file cannot be written")
def _(story: Story) -> None:
    story.desk.events.mkdir(parents=True)


@when("Ada validates the data 3 times")
def _(story: Story) -> None:
    for _ in range(3):
        story.validate()
        story.services.deliver()
    assert len(story.desk.log.pending_events()) == 6


@when("the lineage file can be written again but ends with half an event")
def _(story: Story) -> None:
    story.desk.events.rmdir()
    story.desk.events.write_text('{"eventType": "STA', encoding="utf-8")


@when("the waiting events are delivered")
def _(story: Story) -> None:
    story.services.relay.deliver()


@then("6 lineage events have arrived, in the order of their entries")
def _(story: Story) -> None:
    expected = [str(body.context.openlineage_run) for body in story.bodies()[1:]]
    assert [event["run"]["runId"] for event in story.events()] == expected
    assert [event["eventType"] for event in story.events()] == ["START", "COMPLETE"] * 3
    assert story.desk.log.pending_events() == []


class Tracker:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        self.runs.append(name)
        return f"run-{len(self.runs)}"

    def phase(self, phase: Phase) -> None: ...

    def beat(self, beat: Beat) -> None: ...

    def artifact(self, path: Path) -> None: ...

    def finished(self, metrics: dict[str, float]) -> None: ...

    def failed(self) -> None: ...


@when("Ada trains a network that a tracker listens to")
def _(story: Story) -> None:
    listener = Tracker()
    with recorded(story.services, "training", story.desk.ada) as record:
        record.context(mlflow_run=listener.started("seed-0", {"steps": 1}), seed=0)
        listener.finished({"loss": 0.5})
        record.output("models/weights.pt", digest_bytes(b"weights"))
        record.payload(architecture="segresnet", steps=1, final_loss=0.5)


@then("the last entry names the run the tracker made")
def _(story: Story) -> None:
    assert story.bodies()[-1].context.mlflow_run == "run-1"


@then("the lineage event names it as well")
def _(story: Story) -> None:
    assert story.events()[-1]["run"]["facets"]["minivess_provenance"]["mlflow_run"] == "run-1"


@when(parsers.parse('Ada records a validation with the field "{name}" set to "{value}"'))
def _(story: Story, name: str, value: str) -> None:
    try:
        with recorded(story.services, "data.validate", story.desk.ada) as record:
            record.payload(**VALIDATED, **{name: value})
    except UsageError as error:
        story.error = error


@then(parsers.parse('it is refused, naming the field "{name}"'))
def _(story: Story, name: str) -> None:
    assert isinstance(story.error, UsageError)
    assert name in story.error.message


@when(parsers.parse('Ada\'s training fails because "{path}" cannot be read'))
def _(story: Story, path: str) -> None:
    story.train(FileNotFoundError(2, "No such file or directory", path))


@when(parsers.parse('Ada records an output called "{name}"'))
def _(story: Story, name: str) -> None:
    try:
        with recorded(story.services, "training", story.desk.ada) as record:
            record.output(name, digest_bytes(b"scan"))
    except UsageError as error:
        story.error = error


@then("it is refused")
def _(story: Story) -> None:
    assert isinstance(story.error, UsageError)


@then(parsers.parse('"{text}" is in none of the files of the log'))
def _(story: Story, text: str) -> None:
    story.desk.log.close()
    files = [path for path in (story.desk.folder / "evidence").rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if text.encode() in path.read_bytes()] == []
