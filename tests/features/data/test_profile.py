"""Steps of features/profile.feature."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keystores.key_import import import_keys
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.proofs.canonical import canonical
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.paths import Workspace
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.people import accounts
from minivess.workflows.project.doctor import examine
from minivess.workflows.session.recording import recorded
from tests.support.projects import PASSPHRASE, PROJECT, reopen

scenarios("profile.feature")

SERVICE = (Role.SERVICE,)
DEVELOPER = (Role.DEVELOPER,)


@dataclass
class Desk:
    """One account with its profile and projects."""

    folder: Path
    profile: Profile
    made: dict[str, Identity] = field(default_factory=dict)
    refusal: RefusedError | None = None

    def workspace(self, name: str = "project") -> Workspace:
        workspace = Workspace(self.folder / name)
        if not workspace.project_file.is_file():
            workspace.root.mkdir()
            workspace.project_file.write_text(PROJECT.format(source="."), encoding="utf-8")
        return workspace

    def ring(self, name: str = "project") -> Keyring:
        return Keyring(self.workspace(name), self.profile)

    def create(self, name: str = "project", roles: tuple[Role, ...] = DEVELOPER) -> None:
        self.made[name] = self.ring(name).create("ada", "Ada", IdentityKind.PERSON, roles, PASSPHRASE)

    @property
    def old_file(self) -> Path:
        return self.workspace().keystore / "ada.json"


@pytest.fixture
def desk(tmp_path: Path, profile_home: Path) -> Desk:
    folder = tmp_path / "projects"
    folder.mkdir()
    return Desk(folder, Profile(profile_home / "minivess"))


@given("a project that was just started")
def _(desk: Desk) -> None:
    desk.workspace()


@given("Ada has an identity in another project, as release manager")
def _(desk: Desk) -> None:
    desk.create("another", (Role.RELEASE_MANAGER,))


@given("a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service")
def _(desk: Desk) -> None:
    keystore = Keystore(desk.workspace().keystore)
    desk.made["project"] = keystore.create("ada", "Ada", IdentityKind.PERSON, DEVELOPER, PASSPHRASE)
    keystore.create("bo", "Bo Demo", IdentityKind.PERSON, DEVELOPER, PASSPHRASE, demo=True)
    keystore.create("pipeline", "Pipeline", IdentityKind.SERVICE, SERVICE, PASSPHRASE)


@given(parsers.parse("an import was interrupted {moment}"))
def _(desk: Desk, moment: str) -> None:
    desk.ring().shared.copy_to(desk.profile.make(desk.profile.keys), "ada")
    if "record" in moment:
        desk.ring().publish(desk.made["project"])


@given("the workspace has a public record of another Ada")
def _(desk: Desk) -> None:
    other = Keystore(desk.folder / "elsewhere").create("ada", "Ada", IdentityKind.PERSON, DEVELOPER, PASSPHRASE)
    desk.ring().publish(other)


@when("Ada creates her identity")
def _(desk: Desk) -> None:
    desk.create()


@when("she starts the log")
def _(desk: Desk) -> None:
    signer = desk.ring().unlock("ada", PASSPHRASE)
    accounts.start_log(desk.workspace(), signer, log_passphrase=PASSPHRASE)


@when(parsers.parse("Ada imports {what}"))
def _(desk: Desk, what: str) -> None:
    workspace = desk.workspace()
    folder = workspace.keystore if "keystore" in what else workspace.root
    try:
        import_keys(folder, desk.profile)
    except RefusedError as error:
        desk.refusal = error


@then("her keys are in her profile, where her account alone can read them")
def _(desk: Desk) -> None:
    file = desk.profile.keys / "ada.json"
    modes = {path: path.stat().st_mode & 0o777 for path in (desk.profile.root, desk.profile.keys, file)}
    assert modes == {desk.profile.root: 0o700, desk.profile.keys: 0o700, file: 0o600}
    assert desk.profile.loose() == []


@then("the project has her public record and no key of hers")
def _(desk: Desk) -> None:
    workspace = desk.workspace()
    assert (workspace.people / "ada.json").read_bytes() == canonical(desk.made["project"]) + b"\n"
    assert sorted(path.name for path in workspace.root.rglob("*")) == ["ada.json", "minivess.yaml", "people"]
    assert desk.ring().identities() == [desk.made["project"]]


@then("she is its root, and she signs entries with the keys of her profile")
def _(desk: Desk) -> None:
    with reopen(desk.workspace().root) as services:
        signer = accounts.unlock(services, "ada", PASSPHRASE)
        with recorded(services, "data.ingest", signer, instant=True) as record:
            record.payload(dataset="toy", cases=0)
        register = accounts.register_of(services)
        assert register.roots == (desk.made["project"],)
        assert services.log.entry(record.receipt.index).body.key == register.roots[0].signing_key.key_id


@then("both projects know the same keys, each with the roles that she has there")
def _(desk: Desk) -> None:
    here, there = desk.made["project"], desk.made["another"]
    assert here.signing_key == there.signing_key
    assert here.encryption_key == there.encryption_key
    assert (here.roles, there.roles) == (DEVELOPER, (Role.RELEASE_MANAGER,))
    for name, identity in desk.made.items():
        assert desk.ring(name).unlock("ada", PASSPHRASE).identity == identity


@then("a user with a copy of the workspace and another account cannot sign as Ada")
def _(desk: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(desk.workspace().root, copy)
    ring = Keyring(Workspace(copy), Profile(tmp_path / "another account"))
    assert ring.identities() == [desk.made["project"]]
    assert ring.held() == []
    with pytest.raises(UsageError, match="the keys of ada are not here"):
        ring.unlock("ada", PASSPHRASE)


@then("Ada's keys open, and a warning names the command that moves them")
def _(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert desk.ring().unlock("ada", PASSPHRASE).identity == desk.made["project"]
        desk.ring().unlock("bo", PASSPHRASE)
        desk.ring().unlock("pipeline", PASSPHRASE)
    (warning,) = caplog.messages
    assert f"`minivess identity import {desk.workspace().root}`" in warning
    assert "ada" in warning


@then("`minivess doctor` warns that Ada's keys are in the workspace")
def _(desk: Desk) -> None:
    (found,) = [
        one for one in examine(desk.workspace()) if one.check == "key files" and "in the workspace" in one.message
    ]
    assert found.level == "warning"
    assert "ada" in found.message
    assert "bo" not in found.message
    assert "identity import" in found.hint


@then("Ada's keys are in her profile alone and open with the same passphrase")
def _(desk: Desk) -> None:
    assert desk.refusal is None
    assert not desk.old_file.exists()
    assert (desk.profile.keys / "ada.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((desk.workspace().people / "ada.json").read_bytes())["id"] == "ada"
    with closing(desk.ring().unlock("ada", PASSPHRASE)) as signer:
        assert signer.identity == desk.made["project"]
    assert import_keys(desk.workspace().root, desk.profile) == []


@then("the keys of Bo and of the service are still in the workspace")
def _(desk: Desk) -> None:
    shared = desk.ring().shared
    assert [one.id for one in shared.identities()] == ["bo", "pipeline"]
    assert desk.ring().unlock("bo", PASSPHRASE).identity.demo


@then("each of the two projects opens the keys that it knows")
def _(desk: Desk) -> None:
    assert desk.refusal is None
    assert not desk.old_file.exists()
    assert desk.made["project"].signing_key != desk.made["another"].signing_key
    for name, identity in desk.made.items():
        assert desk.ring(name).unlock("ada", PASSPHRASE).identity == identity


@then("the import is refused and her keys are still in the workspace")
def _(desk: Desk) -> None:
    assert desk.refusal is not None
    assert "record of other keys" in desk.refusal.message
    assert desk.old_file.is_file()
    assert not (desk.profile.keys / "ada.json").exists()


@then("two logs that are started for one device have different names")
def _() -> None:
    names = {accounts.new_origin("toy-device") for _ in range(8)}
    assert len(names) == 8
    assert all(name.startswith("minivess/toy-device/") and len(name.rpartition("/")[2]) == 8 for name in names)
