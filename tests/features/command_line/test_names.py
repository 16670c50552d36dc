"""Steps of features/names.feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.errors import CouldNotCheckError, MinivessError, UsageError
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.foundation.user_profile import Profile
from minivess.ml.cases.ingestion import ingest
from minivess.observability.tracking.mlflow_listener import MlflowListener
from minivess.records.data.findings import CasesRefusedError
from minivess.records.data.source import Data
from minivess.records.people.identity import LOG_IDENTITY
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.people import accounts
from minivess.workflows.release.build import build
from minivess.workflows.serving.site import open_serving_log
from tests.support.builders.audit_logs import service, start
from tests.support.command_line import Finished, run_here
from tests.support.processes import Ended, at_once
from tests.support.projects import PASSPHRASE, PROJECT

scenarios("names.feature")

PASSPHRASES = {f"MINIVESS_PASSPHRASE_{who}": PASSPHRASE for who in ("MAX", "LOG")}


@dataclass
class Story:
    """A folder of its own, with the projects in it."""

    place: Path
    folders: list[Path] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    make: Callable[[str], Any] = lambda _: None
    refusal: MinivessError | None = None

    @property
    def folder(self) -> Path:
        [folder] = self.folders
        return folder

    def files(self) -> set[str]:
        return {path.relative_to(self.place).as_posix() for path in self.place.rglob("*")}


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "profile"))
    place = tmp_path / "projects"
    place.mkdir()
    return Story(place)


@given(parsers.re(r'a project folder named "(?P<name>.+)"'))
def _(story: Story, name: str) -> None:
    folder = story.place / name
    assert run_here("init", name, folder=story.place).code == 0
    (folder / "minivess.yaml").write_text(PROJECT.format(source="."), encoding="utf-8")
    story.folders.append(folder)


@when('"max" starts its log and verifies it')
def _(story: Story) -> None:
    create = ("identity", "create", "max", "--name", "Max", "--role", "release-manager")
    for command in (create, ("audit", "start"), ("audit", "verify")):
        story.finished.append(run_here(*command, folder=story.folder, environment=PASSPHRASES))


@then("the log holds in that folder, and no file is outside it")
def _(story: Story) -> None:
    assert [done.code for done in story.finished] == [0, 0, 0], [done.err for done in story.finished]
    assert (story.folder / "evidence" / "audit.db").is_file()
    assert [path.name for path in story.place.iterdir()] == [story.folder.name]


@when('"max" starts the log of each')
def _(story: Story) -> None:
    for folder in story.folders:
        name = folder.name.encode().hex()
        settings = f'database_url = "sqlite:///evidence/{name}.db"\n'
        (folder / "minivess.settings.toml").write_text(settings, encoding="utf-8")
    for folder in story.folders:
        start(folder, url=load_settings(folder).database_url).log.close()


@then("each project has a log of its own")
def _(story: Story) -> None:
    for folder in story.folders:
        assert [path.name for path in (folder / "evidence").glob("*.db")] == [f"{folder.name.encode().hex()}.db"]


@when("a training run is tracked there")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(story.place)
    listener = MlflowListener(load_settings(story.folder).mlflow_uri, experiment="toy-device")
    listener.started("seed-0", {"steps": 1})
    listener.finished({"final_loss": 0.5})


@then("the MLflow store is in that folder, and no file is outside it")
def _(story: Story) -> None:
    assert (story.folder / "evidence" / "mlflow.db").is_file()
    assert [path.name for path in story.place.iterdir()] == [story.folder.name]


@when("the experiment is deleted in MLflow")
def _(story: Story) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=load_settings(story.folder).mlflow_uri)
    client.delete_experiment(client.get_experiment_by_name("toy-device").experiment_id)


@then("another run is refused, with the name of the experiment and the command that restores it")
def _(story: Story) -> None:
    listener = MlflowListener(load_settings(story.folder).mlflow_uri, experiment="toy-device")
    with pytest.raises(CouldNotCheckError, match=r"'toy-device'.* is deleted") as refused:
        listener.started("seed-1", {"steps": 1})
    assert "mlflow experiments restore --experiment-id" in refused.value.hint


@when('"minivess init" is run for a folder whose name contains a line break')
def _(story: Story) -> None:
    story.finished.append(run_here("init", "a\nb", folder=story.place))


@then("it is refused with the character named, and no folder was made")
def _(story: Story) -> None:
    [done] = story.finished
    assert done.code == 2
    assert r"'\n'" in done.err
    assert story.files() == set()


@when("four processes start its log at the same time")
def _(story: Story) -> None:
    workspace = Workspace(story.folder)
    keystore = Keystore(workspace.keystore)
    keystore.create("max", "Max", IdentityKind.PERSON, (Role.RELEASE_MANAGER,), PASSPHRASE)
    signer = keystore.unlock("max", PASSPHRASE)

    def work(_: int) -> str:
        try:
            accounts.start_log(workspace, signer, log_passphrase=PASSPHRASE)
        except UsageError as refused:
            return refused.message
        return "started"

    story.ended = at_once(4, work)


@then("one of them started it, and the others say that there is one")
def _(story: Story) -> None:
    assert [one.fault for one in story.ended if one.fault] == []
    assert sorted(one.value for one in story.ended) == ["started", *["there is an audit log already"] * 3]


@then("the key of the log is the one that signs it")
def _(story: Story) -> None:
    log = AuditLog.open(load_settings(story.folder).database_url, log_signer=None)
    assert log.key == Keystore(story.folder / "keystore").identity(LOG_IDENTITY).signing_key
    log.close()


def _ingest_case(folder: Path, known: str) -> Callable[[str], Any]:
    (folder / "files").mkdir(parents=True)
    for name in ("image", "label"):
        np.save(folder / "files" / f"{name}.npy", np.zeros((2, 4, 4), np.uint8))
    listed = {"image": "image.npy", "label": "label.npy", "subject": "one", "spacing": "1 x 1 x 1 um"}

    def made(new: str) -> None:
        cases = [{"id": name, **listed} for name in dict.fromkeys((known, new))]
        told = {"name": "d", "licence": "CC0", "source": "t", "root": "files", "cases": cases}
        ingest(Data.model_validate(told), folder, folder / "prepared")

    return made


def _create_person(folder: Path, known: str) -> Callable[[str], Any]:
    ring = Keyring(Workspace(folder), Profile(folder / "profile"))

    def made(new: str) -> None:
        ring.create(new, "Somebody", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)

    made(known)
    return made


def _serve_site(folder: Path, known: str) -> Callable[[str], Any]:
    desk = start(folder)
    place = Workspace(folder).serving
    place.mkdir(parents=True)
    (place / f"{known}.db").touch()
    return lambda new: open_serving_log(desk.services(), service("inference"), passphrase=PASSPHRASE, site=new)


def _build_release(folder: Path, known: str) -> Callable[[str], Any]:
    desk = start(folder)
    Workspace(folder).release(known).mkdir(parents=True)

    def made(new: str) -> None:
        services = desk.services()
        device = services.project.device.model_copy(update={"version": new})
        build(replace(services, project=services.project.model_copy(update={"device": device})), desk.max)

    return made


MAKERS = {"case": _ingest_case, "person": _create_person, "site": _serve_site, "release": _build_release}


@given(parsers.parse('a project with the {kind} "{known}"'))
def _(story: Story, kind: str, known: str) -> None:
    story.make = MAKERS[kind](story.place / "project", known)


@when(parsers.parse('the {kind} "{new}" is made'))
def _(story: Story, kind: str, new: str) -> None:
    before = story.files()
    with pytest.raises((UsageError, CasesRefusedError)) as refused:
        story.make(new)
    story.refusal = refused.value
    assert not [name for name in story.files() - before if Path(name).name.split(".")[0] == new]


@then(parsers.parse('it is refused with "{known}" and "{new}" named'))
def _(story: Story, known: str, new: str) -> None:
    assert story.refusal is not None
    assert {repr(known), repr(new)} <= set(story.refusal.message.split())


@then(parsers.re(r'it is refused with "(?P<new>[^"]+)" named'))
def _(story: Story, new: str) -> None:
    assert story.refusal is not None
    assert repr(new) in story.refusal.message
    assert "Windows" in story.refusal.message
