"""Processes that start at once on a fresh workspace: none fails, and what one made stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.paths import Workspace
from minivess.ml.quality.survey import survey
from minivess.records.people.identity import LOG_IDENTITY
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.people import accounts
from minivess.workflows.session.services import open_reader, open_services
from tests.support.builders.prepared_sets import manifest, picture, put
from tests.support.processes import Ended, at_once
from tests.support.projects import PASSPHRASE, PROJECT

pytestmark = pytest.mark.verifies("REQ-250")

LOCK_S = 5.0
BUSY = 10
"""So many times longer than alone does work take on a busy machine."""


def _no_fault(ended: list[Ended]) -> None:
    """None failed, and none waited longer than five seconds beyond the work of all, on a machine with other work."""
    assert [one.fault for one in ended if one.fault] == []
    assert max(one.seconds for one in ended) <= LOCK_S + BUSY * sum(one.cpu_s for one in ended)


def _started_together(folder: Path, count: int) -> None:
    workspace = Workspace(folder)
    workspace.project_file.write_text(PROJECT.format(source="."), encoding="utf-8")
    keystore = Keystore(workspace.keystore)
    keystore.create("max", "Max", IdentityKind.PERSON, (Role.RELEASE_MANAGER,), PASSPHRASE)
    signer = keystore.unlock("max", PASSPHRASE)

    def work(_: int) -> str:
        try:
            accounts.start_log(workspace, signer, log_passphrase=PASSPHRASE)
            started = "started"
        except UsageError as refused:
            started = refused.message
        with open_reader(folder) as reader:
            reader.log.prove(0)
        return started

    ended = at_once(count, work)

    _no_fault(ended)
    assert len({one.value for one in ended}) == 2
    assert sum(one.value == "started" for one in ended) == 1
    with open_services(folder, log_passphrase=PASSPHRASE) as services:
        assert services.log.entry(0).body.payload["log_key"] == keystore.identity(LOG_IDENTITY).signing_key.model_dump(
            mode="json"
        )


@pytest.mark.slow
def test_sixteen_processes_start_a_log(tmp_path: Path) -> None:
    _started_together(tmp_path, 16)


def test_keys_of_one_id_are_made_once(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "keystore")

    def work(number: int) -> str:
        try:
            made = keystore.create("ada", f"Ada {number}", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
        except RefusedError:
            return ""
        return made.signing_key.key_id

    ended = at_once(2, work)

    _no_fault(ended)
    assert [one.value for one in ended if one.value] == [keystore.identity("ada").signing_key.key_id]


@pytest.mark.parametrize("count", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_measures_of_cases_are_remembered_by_all(tmp_path: Path, count: int) -> None:
    cases = manifest([put(tmp_path / "prepared", f"case-{number}", *picture(number)) for number in range(3)])
    memory = tmp_path / "measures.jsonl"
    survey(cases, tmp_path / "prepared")  # loads what the forked processes would load each

    ended = at_once(count, lambda _: len(survey(cases, tmp_path / "prepared", memory=memory).measures))

    _no_fault(ended)
    assert {one.value for one in ended} == {"3"}
    assert len(memory.read_text(encoding="utf-8").split()) >= 3
    assert len(survey(cases, tmp_path / "prepared", memory=memory).measures) == 3
