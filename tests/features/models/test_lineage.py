"""Steps of features/lineage.feature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.proofs.timestamp import timestamp_request, verify_timestamp
from minivess.foundation.errors import CouldNotCheckError, MinivessError
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.log.inspection import accept_timestamp
from minivess.workflows.session.recording import recorded
from tests.compliance.proofs.test_timestamp import Authority
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import draft, lineage_event

scenarios("lineage.feature")


@pytest.fixture
def state() -> dict[str, Any]:
    return {}


@given("a log with a valid event, a malformed one and another valid one waiting")
def _(state: dict[str, Any], tmp_path: Path) -> None:
    desk = state["desk"] = audit_logs.start(tmp_path / "desk")
    for number, more in enumerate(({}, {"run": {"runId": "not-a-uuid"}}, {})):
        desk.log.append(draft(), desk.ada, event=lineage_event(number, **more))


@given("a command that records three actions")
def _(state: dict[str, Any], tmp_path: Path) -> None:
    desk = state["desk"] = audit_logs.start(tmp_path / "desk")
    state["services"] = desk.services()


@when("it has recorded them")
def _(state: dict[str, Any]) -> None:
    for _ in range(3):
        with recorded(state["services"], "data.validate", state["desk"].ada) as record:
            record.payload(**audit_logs.VALIDATED)


@then("no event has left")
def _(state: dict[str, Any]) -> None:
    assert not state["desk"].events.exists()


@when("it ends")
def _(state: dict[str, Any]) -> None:
    state["services"].close()


@then("the events of all three have left in the order of their entries")
def _(state: dict[str, Any]) -> None:
    desk = state["desk"]
    left = [json.loads(line) for line in desk.events.read_text(encoding="utf-8").splitlines()]
    assert [event["eventType"] for event in left] == ["START", "COMPLETE"] * 3
    runs = [str(entry.body.context.openlineage_run) for entry in desk.log.entries(1)]
    assert [event["run"]["runId"] for event in left] == runs


@given("a log and a timestamp authority that is reached by files alone")
def _(state: dict[str, Any], tmp_path: Path) -> None:
    state.update(desk=audit_logs.start(tmp_path / "desk"), authority=Authority(tmp_path / "authority"))


@when("the events are delivered")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(CouldNotCheckError) as caught:
        state["desk"].services().relay.deliver()
    state["words"] = caught.value.message


@when("the request is carried there and the response is carried back")
def _(state: dict[str, Any]) -> None:
    desk = state["desk"]
    response = state["authority"].stamp(timestamp_request(desk.log.checkpoint()))
    state["kept"] = accept_timestamp(desk.services(), response, state["authority"].root)


@when(parsers.parse('a user makes an identity with the token "{address}"'))
def _(state: dict[str, Any], tmp_path: Path, address: str) -> None:
    keystore = state["keystore"] = Keystore(tmp_path / "keystore")
    with pytest.raises(MinivessError) as caught:
        keystore.create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), "12345678", token=address)
    state["words"] = f"{caught.value.message} {caught.value.hint}"


@then("only the first has left, and the refusal names the rule that was broken")
def _(state: dict[str, Any]) -> None:
    lines = state["desk"].events.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["n"] for line in lines] == [0]
    assert "/run/runId" in state["words"]


@then("the others wait in their order")
def _(state: dict[str, Any]) -> None:
    assert [event["n"] for _, event in state["desk"].log.pending_events()] == [1, 2]


@then("the log keeps a time for that checkpoint which anyone can verify")
def _(state: dict[str, Any]) -> None:
    (size, stamped), log = state["kept"], state["desk"].log
    assert size == log.size - 1
    assert log.entry(size).body.action == "time.attested"
    assert verify_timestamp(log.checkpoint(size), log.timestamp(size), state["authority"].root) == stamped


@then(parsers.parse('it is refused with "{words}" and nothing is made'))
def _(state: dict[str, Any], words: str) -> None:
    assert words in state["words"]
    assert "1234" not in state["words"]
    assert not state["keystore"].folder.exists() or state["keystore"].identities() == []
