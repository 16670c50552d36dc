"""Witnesses attest the time of what was recorded, and their absence fails nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, verifier_key
from minivess.compliance.verification.look_times import attestations
from minivess.compliance.verification.trust import TrustedKeys, parse_trust
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy, WitnessState
from minivess.serving.witness.app import Witness, WitnessServer, serve_log, write_state
from minivess.workflows.log.time_attestations import attest_time
from minivess.workflows.session.services import Services
from tests.support.builders import audit_logs
from tests.support.projects import ProjectFolder

WITNESS_SIGNER = audit_logs.service("w")
pytestmark = pytest.mark.verifies("REQ-168", "SU-86")


@pytest.fixture
def services(started_project: ProjectFolder, tmp_path: Path) -> Iterator[Services]:
    with started_project.copy_to(tmp_path / "project").services() as opened:
        yield opened


@pytest.fixture
def witness(services: Services, tmp_path: Path) -> Iterator[WitnessServer]:
    folder = tmp_path / "w"
    folder.mkdir()
    write_state(folder, WitnessState(name="w.example"))
    serve_log(folder, verifier_key(services.log.origin, services.log.signer.public, LOG).text())
    server = WitnessServer(Witness(folder, WITNESS_SIGNER))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def policy(url: str) -> WitnessPolicy:
    key = verifier_key("w.example", WITNESS_SIGNER.public, WITNESS).text()
    return WitnessPolicy(quorum=1, witnesses=(WitnessAddress(url=url, key=key),))


def asking(services: Services, url: str) -> Services:
    project = services.project.model_copy(update={"witnesses": policy(url)})
    return replace(services, project=project)


def test_the_witnesses_word_is_an_entry_that_verifies(services: Services, witness: WitnessServer) -> None:
    asked = asking(services, witness.url)
    size = services.log.size
    receipt = attest_time(asked)
    assert receipt is not None
    body = services.log.entry(receipt.index).body
    assert (body.action, body.actor, body.payload["size"]) == ("time.attested", "log", size)
    assert parse_note(str(body.payload["note"])).checkpoint.size == size
    trusted = TrustedKeys(log_key=services.log.key, people=(), witnesses=policy(witness.url))
    (found,) = attestations(list(services.log.entries()), parse_trust(trusted.model_dump_json()))
    assert (found.index, found.size, found.by) == (receipt.index, size, "w.example")
    assert attest_time(asked) is None, "nothing happened since"


def test_a_project_without_witnesses_has_no_attestation(services: Services) -> None:
    size = services.log.size
    assert attest_time(services) is None
    assert services.log.size == size


def test_witnesses_out_of_reach_fail_nothing(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    size = services.log.size
    with caplog.at_level(logging.WARNING):
        assert attest_time(asking(services, "http://127.0.0.1:9")) is None
    assert services.log.size == size
    assert "the time is the machine's own" in caplog.text
