"""A service's own log: opened, kept, and worked for in the background."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.verification.log import verify_log
from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.log.entry import Outcome
from minivess.records.log.serving_log import RefusalReason
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.people import accounts
from minivess.workflows.people.key_states import states_of
from minivess.workflows.serving.serving_log import Pace, ServingLog
from minivess.workflows.serving.site import open_serving_log
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.projects import PASSPHRASE, ProjectFolder

pytestmark = pytest.mark.verifies("SU-90", "REQ-170")


@pytest.fixture(scope="module")
def enrolled(started_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """A project with an enrolled service."""
    project = started_project.copy_to(tmp_path_factory.mktemp("enrolled") / "project")
    keystore = Keystore(project.workspace.keystore)
    for who in (accounts.INFERENCE_IDENTITY, "second"):
        keystore.create(who, who, IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
        with project.services() as services:
            accounts.enrol(services, project.signers["max"], who)
        project.signers[who] = keystore.unlock(who, PASSPHRASE)
    return project


@pytest.fixture
def project(enrolled: ProjectFolder, tmp_path: Path) -> ProjectFolder:
    return enrolled.copy_to(tmp_path / "project")


@pytest.fixture
def services(project: ProjectFolder) -> Iterator[Services]:
    with project.services() as opened:
        yield opened


class Elapsed:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(project: ProjectFolder, services: Services, who: str = "inference", **how: Any) -> ServingLog:
    return open_serving_log(services, project.signers[who], passphrase=PASSPHRASE, **how)


def answer(serving: ServingLog, times: int = 1) -> None:
    for _ in range(times):
        with recorded(serving.services, "inference", serving.signer, instant=True, trial=False) as record:
            record.payload(decision="answered")


def actions(services: Services) -> list[str]:
    return [entry.body.action for entry in services.log.entries() if entry.body.action.startswith("serving.")]


def test_an_enrolled_service_names_what_it_may_append(project: ProjectFolder, services: Services) -> None:
    named = [entry.body.payload["actions"] for entry in services.log.entries(actions={"identity.enrolled"})]
    assert named == [["serving.enrolled", "serving.anchored"]] * 2


def test_a_site_is_served_once_at_a_time(project: ProjectFolder, services: Services) -> None:
    with opened(project, services):
        with pytest.raises(RefusedError, match="being served"):
            opened(project, services)
        with opened(project, services, site="second-site"):
            assert actions(services) == ["serving.enrolled"] * 2
    with opened(project, services):
        pass
    assert actions(services) == ["serving.enrolled"] * 2


def test_the_key_of_a_serving_log_is_listed_as_valid(project: ProjectFolder, services: Services) -> None:
    def states() -> dict[str, str]:
        return states_of(project.workspace, Keystore(project.workspace.keystore).identities())

    assert states()["inference"] == "valid"
    with opened(project, services):
        assert states()["serving-main"] == "valid"


@pytest.mark.parametrize("site", ["", "../main", "a b", "a+b", ".hidden", "x" * 33, "é"])
def test_a_site_has_the_name_of_a_file(project: ProjectFolder, services: Services, site: str) -> None:
    with pytest.raises(UsageError, match="cannot name a site"):
        opened(project, services, site=site)


def test_a_log_belongs_to_one_service_and_its_key(project: ProjectFolder, services: Services) -> None:
    with opened(project, services):
        pass
    with pytest.raises(RefusedError, match="another key"):
        opened(project, services, "second")
    key = project.workspace.keystore / "serving-main.json"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(RefusedError, match="not in this keystore"):
        opened(project, services)
    assert not key.exists()
    Keystore(project.workspace.keystore).create(
        "serving-main", "Another", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE
    )
    with pytest.raises(RefusedError, match="another key"):
        opened(project, services)
    key.unlink()
    key.write_bytes(kept)
    with pytest.raises(RefusedError, match="passphrase"):
        open_serving_log(services, project.signers["inference"], passphrase="another passphrase")
    with opened(project, services) as serving:
        answer(serving)
    assert actions(services) == ["serving.enrolled", "serving.anchored"]


def test_somebody_who_is_not_enrolled_gets_no_log(project: ProjectFolder, services: Services) -> None:
    keystore = Keystore(project.workspace.keystore)
    keystore.create("third", "Third", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
    project.signers["third"] = keystore.unlock("third", PASSPHRASE)
    with pytest.raises(RefusedError, match="not enrolled"):
        opened(project, services, "third")
    assert not project.workspace.serving.exists()


def test_a_first_start_that_was_interrupted_goes_on(project: ProjectFolder, services: Services) -> None:
    project.workspace.serving.mkdir()
    (project.workspace.serving / "main.db").touch()
    with opened(project, services) as serving:
        answer(serving)
    assert actions(services) == ["serving.enrolled", "serving.anchored"]


def test_a_start_between_creation_and_enrolment_goes_on(
    project: ProjectFolder, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("minivess.workflows.serving.site.recorded", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened(project, services)
    assert actions(services) == []
    with opened(project, services) as serving:
        assert serving.services.log.size == 1
    assert actions(services) == ["serving.enrolled"]


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.verifies("REQ-171")
def test_a_start_anchors_what_a_crash_left(project: ProjectFolder, services: Services) -> None:
    crashed = opened(project, services)
    answer(crashed, 3)
    crashed.services.log.close()
    crashed._release()
    with opened(project, services) as serving:
        assert actions(services) == ["serving.enrolled", "serving.anchored"]
        assert serving.prove(2).through[-1].index == services.log.size - 1
    assert actions(services) == ["serving.enrolled", "serving.anchored"]


@pytest.mark.verifies("REQ-171", "REQ-173", "REQ-174")
def test_work_is_done_when_it_is_due(project: ProjectFolder, services: Services) -> None:
    elapsed, pace = Elapsed(), Pace(anchor_entries=5, anchor_seconds=100, least_seconds=10, count_seconds=50)
    with opened(project, services, pace=pace, elapsed=elapsed) as serving:
        log, events = serving.services.log, project.workspace.evidence / "lineage" / "serving" / "main.jsonl"

        def done(seconds: float) -> tuple[int, int, int]:
            """After working at a time: entries of the serving log, anchors, and events that arrived."""
            elapsed.now = seconds
            serving.work()
            lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
            return log.size, actions(services).count("serving.anchored"), len(lines)

        answer(serving, 4)
        serving.refusals.count(RefusalReason.SPACING)
        assert not events.exists()
        assert done(1) == (5, 0, 4)
        answer(serving)
        assert done(9) == (6, 0, 5)
        assert done(10) == (6, 1, 5)
        answer(serving, 9)
        assert done(19) == (15, 1, 14)
        assert done(20) == (15, 2, 14)
        answer(serving)
        assert done(49) == (16, 2, 15)
        assert done(50) == (17, 2, 15)
        assert done(119) == (17, 2, 16)
        assert done(120) == (17, 3, 16)
        assert done(500) == (17, 3, 16)
    assert actions(services).count("serving.anchored") == 3
    kinds = [json.loads(line)["eventType"] for line in events.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["COMPLETE"] * 16
    checks, _ = verify_log(services.log.pairs(), services.log.checkpoint())
    assert all(check.passed for check in checks)


@pytest.mark.verifies("REQ-170")
def test_answers_leave_the_lineage_of_a_release_as_it_is(project: ProjectFolder, services: Services) -> None:
    services.deliver()
    before = services.settings.lineage_file.read_bytes()
    with opened(project, services) as serving:
        answer(serving, 20)
    services.deliver()
    more = services.settings.lineage_file.read_bytes().removeprefix(before).splitlines()
    assert [json.loads(line)["job"]["name"] for line in more] == ["serving.enrolled", "serving.anchored"]


@pytest.mark.verifies("REQ-171", "REQ-173")
def test_what_fails_in_the_background_is_a_warning_and_is_tried_again(
    project: ProjectFolder, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    elapsed, pace = Elapsed(), Pace(anchor_entries=1, anchor_seconds=100, least_seconds=10, count_seconds=50)
    with opened(project, services, pace=pace, elapsed=elapsed) as serving:
        answer(serving)
        serving.refusals.count(RefusalReason.HUNG_UP)
        database = project.workspace.evidence / "audit.db"
        services.log.close()
        database.rename(database.with_suffix(".gone"))
        database.mkdir()
        elapsed.now = 60
        with caplog.at_level(logging.WARNING):
            serving.work()
        assert "could not be anchored" in caplog.text
        assert serving.services.log.size == 3, "the count is in the serving log, which is there"
        database.rmdir()
        database.with_suffix(".gone").rename(database)
        elapsed.now = 61
        serving.work()
        assert "serving.anchored" not in actions(services)
        elapsed.now = 161
        serving.work()
        assert actions(services) == ["serving.enrolled", "serving.anchored"]


@pytest.mark.verifies("REQ-173")
def test_counts_that_cannot_be_recorded_are_kept(project: ProjectFolder, services: Services) -> None:
    with opened(project, services) as serving:
        serving.refusals.count(RefusalReason.HUNG_UP)
        database = project.workspace.serving / "main.db"
        serving.services.log.close()
        database.rename(database.with_suffix(".gone"))
        database.mkdir()
        assert not serving.attempt(serving.record_counts, "counts")
        database.rmdir()
        database.with_suffix(".gone").rename(database)
        serving.refusals.count(RefusalReason.HUNG_UP)
    with opened(project, services) as serving:
        log = serving.services.log
        last = log.entry(log.size - 1).body
        told = log.details(last.index)
        assert (last.action, last.outcome) == ("inference.refusals", Outcome.COMPLETED)
        assert told is not None
        assert told.payload["counts"] == {"hung-up": 2}


def test_the_work_goes_on_in_a_thread_until_the_log_is_closed(project: ProjectFolder, services: Services) -> None:
    worked = []
    serving = opened(project, services, pace=Pace(batch_seconds=0.01))
    work = serving.work

    def once() -> None:
        work()
        worked.append(1)
        serving._stop.set()

    serving.work = once  # type: ignore[method-assign]
    with serving.start():
        serving._thread.join(timeout=60)
    assert worked == [1]
