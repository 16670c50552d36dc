"""`recorded`: nothing happens unrecorded, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError
from minivess.foundation.provenance import environment_digest
from minivess.observability.lineage.relay import Relay
from minivess.records.artifact import Artifact
from minivess.records.log.entry import EntryBody, Outcome
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import VALIDATED, Desk, told

pytestmark = pytest.mark.verifies("SU-37")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    return audit_logs.start(tmp_path)


@pytest.fixture
def services(desk: Desk) -> Services:
    return desk.services()


def bodies(log: AuditLog) -> list[EntryBody]:
    return [entry.body for entry in log.entries(1)]


def events(desk: Desk) -> list[dict[str, Any]]:
    desk.services().deliver()
    return [json.loads(line) for line in desk.events.read_text(encoding="utf-8").splitlines()]


@pytest.mark.verifies("REQ-001", "REQ-005")
def test_an_action_is_two_entries_and_two_events(desk: Desk, services: Services) -> None:
    (desk.folder / "report.json").write_text("{}", encoding="utf-8")
    cases = Artifact(name="data/manifest.json", digest=digest_bytes(b"cases"))
    with recorded(services, "data.validate", desk.ada, inputs=[cases]) as record:
        record.payload(**VALIDATED)
        record.context(data=cases.digest, seed=3, device="cpu")
        record.output("data/validation.json", desk.folder / "report.json")

    started, completed = bodies(desk.log)
    assert (started.outcome, started.payload, started.started) == (Outcome.STARTED, {}, None)
    assert (completed.outcome, completed.started) == (Outcome.COMPLETED, started.index)
    assert told(desk.log, completed).payload == VALIDATED
    assert completed.actor == "ada"
    assert completed.inputs == (cases,)
    assert completed.outputs == (Artifact(name="data/validation.json", digest=digest_bytes(b"{}")),)
    assert (completed.context.seed, completed.context.device) == (3, "cpu")
    assert completed.context.environment == environment_digest(desk.folder)
    assert completed.context.configuration is not None
    assert record.receipt.index == completed.index

    first, last = events(desk)
    assert [first["eventType"], last["eventType"]] == ["START", "COMPLETE"]
    runs = {str(started.context.openlineage_run), str(completed.context.openlineage_run)}
    assert runs == {first["run"]["runId"]} == {last["run"]["runId"]}
    assert [item["name"] for item in last["outputs"]] == ["data/validation.json"]
    checks, _, _ = verify_entries(desk.log.pairs(), desk.log.checkpoint())
    assert all(check.passed for check in checks)


@pytest.mark.verifies("REQ-001")
def test_a_single_act_is_one_entry(desk: Desk, services: Services) -> None:
    with recorded(services, "data.leakage", desk.ada, instant=True) as record:
        record.payload(across=0, within=1)
    (body,) = bodies(desk.log)
    assert body.outcome is Outcome.COMPLETED
    assert [event["eventType"] for event in events(desk)] == ["COMPLETE"]


@pytest.mark.verifies("REQ-004")
@pytest.mark.parametrize("instant", [True, False])
@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (ValueError("broken at /home/jane/x"), Outcome.FAILED, "FAIL"),
        (InputError("no volume"), Outcome.FAILED, "FAIL"),
        (KeyboardInterrupt(), Outcome.FAILED, "FAIL"),
        (SystemExit(3), Outcome.FAILED, "FAIL"),
        (RefusedError("the gate says no"), Outcome.REFUSED, "ABORT"),
    ],
)
def test_an_error_is_recorded_and_goes_on(
    desk: Desk, *, error: BaseException, outcome: Outcome, kind: str, instant: bool
) -> None:
    def fail() -> None:
        with recorded(desk.services(), "training", desk.ada, instant=instant) as record:
            record.output("models/part.pt", digest_bytes(b"part"))
            raise error

    with pytest.raises(type(error)) as caught:
        fail()

    assert caught.value is error
    last = bodies(desk.log)[-1]
    assert (last.outcome, last.started) == (outcome, None if instant else 1)
    words = told(desk.log, last).error
    assert words is not None
    assert words.startswith(type(error).__name__)
    assert "jane" not in words
    assert [item.name for item in last.outputs] == ["models/part.pt"]
    event = events(desk)[-1]
    assert event["eventType"] == kind
    assert event["run"]["facets"]["errorMessage"]["message"] == words


@pytest.mark.verifies("REQ-001")
def test_no_is_an_answer_too(desk: Desk, services: Services) -> None:
    with recorded(services, "data.leakage", desk.ada, instant=True) as record:
        record.payload(across=2, within=1)
        record.refuse("the volume is too small")
    (body,) = bodies(desk.log)
    assert (body.outcome, told(desk.log, body).error) == (Outcome.REFUSED, "RefusedError: the volume is too small")
    assert told(desk.log, body).payload["across"] == 2
    assert record.receipt.index == body.index


@pytest.mark.verifies("REQ-046", "RC-14")
@pytest.mark.parametrize(
    "payload",
    [{**VALIDATED, "patient": "Jane Doe"}, {"rules": 1}, {}, {**VALIDATED, "rules": float("inf")}, {"rules": object()}],
)
def test_an_undeclared_payload_fails_the_action(desk: Desk, services: Services, payload: dict[str, Any]) -> None:
    with pytest.raises(UsageError), recorded(services, "data.validate", desk.ada) as record:
        record.payload(**payload)
    last = bodies(desk.log)[-1]
    assert (last.outcome, told(desk.log, last).payload) == (Outcome.FAILED, {})
    assert b"Jane" not in b"".join(part or b"" for pair in desk.log.pairs() for part in pair)


@pytest.mark.verifies("REQ-004", "REQ-046")
def test_a_failed_action_leaves_out_a_payload_that_is_not_declared(desk: Desk, services: Services) -> None:
    def fail() -> None:
        with recorded(services, "data.validate", desk.ada) as record:
            record.payload(patient="Jane Doe")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    last = bodies(desk.log)[-1]
    assert last.outcome is Outcome.FAILED
    assert (told(desk.log, last).payload, told(desk.log, last).error) == ({}, "ValueError: broken")


@pytest.mark.verifies("RC-14")
@pytest.mark.parametrize("name", ["/home/jane/scan.tif", "../scan.tif", "Jane Doe.tif", ""])
def test_names_of_artifacts_say_nothing_about_the_machine(desk: Desk, services: Services, name: str) -> None:
    with pytest.raises(UsageError), recorded(services, "training", desk.ada) as record:
        record.output(name, digest_bytes(b""))
    assert "jane" not in b"".join(desk.log.lines()).decode("utf-8").lower()


@pytest.mark.verifies("REQ-003")
@pytest.mark.parametrize("instant", [True, False])
def test_nothing_starts_when_the_log_cannot_be_written(desk: Desk, instant: bool) -> None:
    path = desk.folder / "evidence" / "audit.db"
    services = desk.services(desk.reopened(url=f"sqlite:///file:{path}?mode=ro&uri=true"))
    ran = False
    with pytest.raises(CouldNotCheckError), recorded(services, "training", desk.ada, instant=instant):
        ran = True
    assert not ran
    assert desk.log.size == 1


@pytest.mark.verifies("REQ-003")
def test_without_a_trial_nothing_counts_that_could_not_be_recorded(desk: Desk) -> None:
    path = desk.folder / "evidence" / "audit.db"
    services = desk.services(desk.reopened(url=f"sqlite:///file:{path}?mode=ro&uri=true"))
    made = []

    def answer() -> None:
        with recorded(services, "data.leakage", desk.ada, instant=True, trial=False) as record:
            made.append(record)
            record.payload(across=0, within=0)

    with pytest.raises(CouldNotCheckError):
        answer()
    with pytest.raises(UsageError, match="no receipt"):
        _ = made[0].receipt
    assert desk.log.size == 1


@pytest.mark.verifies("REQ-003")
def test_unknown_actions_and_strangers_do_not_start(desk: Desk, services: Services) -> None:
    ran = False
    with pytest.raises(UsageError, match="unknown action"), recorded(services, "guess", desk.ada):
        ran = True
    with pytest.raises(RefusedError), recorded(services, "training", audit_logs.person("eve")):
        ran = True
    assert not ran


def test_an_enrolment_the_log_may_not_take_is_recorded_as_refused(desk: Desk, services: Services) -> None:
    with pytest.raises(RefusedError), recorded(services, "identity.enrolled", desk.max, instant=True) as record:
        record.payload(identity=desk.ada.identity)
    assert bodies(desk.log)[-1].outcome is Outcome.REFUSED


@pytest.mark.verifies("REQ-005", "REQ-174")
def test_events_are_delivered_when_the_services_close_and_not_before(desk: Desk, tmp_path: Path) -> None:
    services = desk.services()
    with services:
        for _ in range(2):
            with recorded(services, "data.validate", desk.ada) as record:
                record.payload(**VALIDATED)
        assert not desk.events.exists()
        assert len(desk.log.pending_events()) == 4
    sent = [json.loads(line) for line in desk.events.read_text(encoding="utf-8").splitlines()]
    assert [event["eventType"] for event in sent] == ["START", "COMPLETE"] * 2
    assert [event["run"]["runId"] for event in sent] == [str(body.context.openlineage_run) for body in bodies(desk.log)]


@pytest.mark.verifies("REQ-005")
def test_services_that_recorded_nothing_deliver_nothing(desk: Desk) -> None:
    sent: list[object] = []

    class Heard:
        def send(self, events: Sequence[dict[str, Any]]) -> int:
            sent.extend(events)
            return len(events)

    with desk.services() as left, recorded(left, "data.leakage", desk.ada, instant=True) as record:
        record.payload(across=0, within=0)
        desk.events.parent.parent.joinpath("lineage").write_text("in the way", encoding="utf-8")
    assert len(desk.log.pending_events()) == 1
    with desk.services(relay=Relay(desk.log, Heard())):
        pass
    assert sent == []


@pytest.mark.verifies("REQ-005")
def test_a_relay_that_fails_neither_loses_an_event_nor_fails_the_action(desk: Desk) -> None:
    class Broken:
        def send(self, events: Sequence[dict[str, Any]]) -> None:
            raise RuntimeError("out of reach")

    services = desk.services(relay=Relay(desk.log, Broken()))
    with services, recorded(services, "data.validate", desk.ada) as record:
        record.payload(**VALIDATED)
    assert len(desk.log.pending_events()) == 2

    assert desk.services().relay.deliver() == 2
    assert [event["eventType"] for event in events(desk)] == ["START", "COMPLETE"]


def test_the_log_becoming_unwritable_during_an_action_is_not_hidden(desk: Desk, services: Services) -> None:
    kept = []

    def lose_the_store() -> None:
        with recorded(services, "data.validate", desk.ada) as record:
            kept.append(record)
            record.payload(**VALIDATED)
            with desk.log._database.writing() as connection:
                connection.exec_driver_sql("DROP TABLE outbox")

    with pytest.raises(CouldNotCheckError):
        lose_the_store()
    assert [body.outcome for body in bodies(desk.log)] == [Outcome.STARTED]
    with pytest.raises(UsageError, match="no receipt"):
        _ = kept[0].receipt
