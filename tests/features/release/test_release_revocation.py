"""Steps of features/release_revocation.feature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.verification.bag import TAG_MANIFEST
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, RefusedError, UsageError
from minivess.records.log.payloads.evidence import ReleaseRevoked
from minivess.workflows.models import promotion
from minivess.workflows.release import build, signing
from minivess.workflows.release.changes import revocation
from minivess.workflows.serving.access.in_use import InUse, LogView, NotInUseError
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import model_of
from tests.support import projects
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.second_release import first_pack, revoked_log, second_of, two_releases
from tests.support.command_line import Finished, run_here
from tests.support.projects import ProjectFolder

scenarios("release_revocation.feature")

CHANGES = "data/release/changes.json"


@dataclass
class Story:
    folder: Path
    first: dict[str, bytes] = field(default_factory=dict)
    second: dict[str, bytes] = field(default_factory=dict)
    told: Finished | None = None

    def verify(self, pack: str, *options: str) -> Finished:
        for name, files in (("first.zip", self.first), ("second.zip", self.second)):
            (self.folder / name).write_bytes(write_archive(files))
        return run_here("release", "verify", pack, *options, folder=self.folder)

    @property
    def lines(self) -> list[str]:
        assert self.told is not None
        return self.told.out.splitlines()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


@given("two releases of one device in one log, the second signed")
def _(story: Story) -> None:
    releases = two_releases()
    story.first, story.second = dict(releases.first), releases.second.signed()


@given("the first pack is of another history")
def _(story: Story) -> None:
    story.first = small_pack().signed()


@given("the first pack lost a file")
def _(story: Story) -> None:
    del story.first["data/bom/soup.csv"]


@given("the second pack states other differences, and both people signed it")
def _(story: Story) -> None:
    pack = two_releases().second
    said = json.loads(pack.files[CHANGES])
    said["sections"] = [one | {"changes": []} for one in said["sections"]]
    story.second = pack.bent({CHANGES: json.dumps(said).encode("utf-8")}).signed()


@given("two releases of one device in one log, of which the first was revoked before the second")
def _(story: Story) -> None:
    releases = second_of(first_pack(), log=revoked_log(first_pack()))
    story.first, story.second = dict(releases.first), releases.second.signed()


@when("the second pack is verified with the first as the previous one")
def _(story: Story) -> None:
    story.told = story.verify("second.zip", "--previous", "first.zip")


@then("it is VERIFIED, and the entries of the first are the first of its log")
def _(story: Story) -> None:
    assert story.told is not None
    assert (story.told.code, story.lines[-1]) == (0, "VERIFIED")
    assert any(
        line.startswith("ok   log growth: the 29 entries of the older pack are the first of 38") for line in story.lines
    )
    assert "ok   previous pack: first.zip: VERIFIED" in story.lines


@then("the differences that it states follow from both packs")
def _(story: Story) -> None:
    assert f"ok   stated differences: the differences in {CHANGES} follow from both packs" in story.lines


@then(parsers.parse('it is NOT VERIFIED because of "{check}", with "{words}"'))
def _(story: Story, check: str, words: str) -> None:
    assert story.told is not None
    failed = [line for line in story.lines if line.startswith("FAIL")]
    assert (story.told.code, story.lines[-1]) == (1, "NOT VERIFIED")
    assert len(failed) == 1
    assert failed[0].startswith(f"FAIL {check}: ")
    assert words in failed[0]


@when("the first pack is verified with the second as the newer log")
def _(story: Story) -> None:
    story.told = story.verify("first.zip", "--log", "second.zip")


@then("it is REVOKED with exit code 1, with the reason and what users must do")
def _(story: Story) -> None:
    assert story.told is not None
    assert story.told.code == 1
    assert story.lines[-1].startswith("REVOKED: every check passed; release 1.0.0 was revoked by entry 32 of cleo on ")
    assert "it misses thin vessels; users must: Stop using it. Go back to the version before." in story.lines[-1]
    found = json.loads(story.verify("first.zip", "--log", "second.zip", "--json").out)
    assert (found["state"], found["holds"], len(found["revoked"])) == ("REVOKED", False, 1)


@then("the first pack alone is VERIFIED")
def _(story: Story) -> None:
    assert story.verify("first.zip").code == 0


@then("the second pack names the revocation of the previous one")
def _(story: Story) -> None:
    told = story.verify("second.zip", "--previous", "first.zip")
    assert told.code == 0
    assert "previous pack: first.zip: VERIFIED; REVOKED: release 1.0.0 was revoked by entry 32" in told.out


@dataclass
class Released:
    project: ProjectFolder
    services: Services
    pack: Path


@given("a project with a signed release", target_fixture="released")
def _(releasable_project: ProjectFolder, tmp_path: Path) -> Iterator[Released]:
    project = releasable_project.copy_to(tmp_path / "project")
    with project.services() as services:
        pack = build.build(services, project.signers["max"]).path
        for who in ("rosa", "max"):
            signing.sign(services, project.signers[who], signing.examine(services, who, pack))
        yield Released(project, services, pack)


@when("the release manager revokes it at the command line")
def _(released: Released, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("LOG", "MAX"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    options = ("--reason", "it misses thin vessels", "--instructions", "Stop using it.", "--decided-by", "Max")
    told = run_here("release", "revoke", "0.1.0", *options, folder=released.project.workspace.root)
    assert told.code == 0, told.err


@then("the log has the entry with reason, instructions and who decided")
def _(released: Released) -> None:
    body = list(released.services.log.entries())[-1].body
    said = ReleaseRevoked.model_validate(body.payload)
    assert (body.action, body.actor) == ("release.revoked", "max")
    assert (said.reason, said.instructions, said.decided_by) == ("it misses thin vessels", "Stop using it.", "Max")
    assert said.model == model_of(released.project.workspace)


@then("the pack is REVOKED against the log of the project")
def _(released: Released) -> None:
    root = released.project.workspace.root
    told = run_here("release", "verify", str(released.pack), "--log", str(root), folder=root)
    assert told.code == 1
    assert told.out.splitlines()[-1].startswith("REVOKED: every check passed; release 0.1.0 was revoked by entry ")
    assert run_here("release", "verify", str(released.pack), folder=root).code == 0


@then("a second revocation, and one of an unknown release, are refused")
def _(released: Released) -> None:
    for version, words in (("0.1.0", "already"), ("9.9.9", "no release 9.9.9")):
        with pytest.raises(UsageError, match=words):
            revocation.revoke(released.services, released.project.signers["max"], version, **_texts())


@then("a developer cannot revoke a release")
def _(released: Released) -> None:
    said = list(released.services.log.entries())[-1].body.payload
    with (
        pytest.raises(RefusedError, match="ada"),
        recorded(released.services, "release.revoked", released.project.signers["ada"], instant=True) as record,
    ):
        record.payload(**said)


def _texts() -> dict[str, Any]:
    return {"reason": "a reason", "instructions": "Stop.", "decided_by": "Max"}


@dataclass
class Followed:
    project: ProjectFolder
    services: Services
    model: str
    in_use: InUse
    refusal: MinivessError | None = None


@given("a service that follows the log, with a model in production", target_fixture="followed")
def _(started_project: ProjectFolder, tmp_path: Path) -> Iterator[Followed]:
    project = started_project.copy_to(tmp_path / "project")
    model = digest_bytes(b"a model")
    with project.services() as services:
        with recorded(
            services, "model.export", project.signers["ada"], context=services.context(model=model)
        ) as record:
            record.output("models/export.json", model)
            record.payload(opset=18, max_abs_difference=0.0, tolerance=1e-4)
        projects.record_look(services, project.signers, model)
        promotion.promote(services, project.signers["max"], model, stage="production", reason="a scenario")
        followed = Followed(project, services, model, InUse(LogView(services.log), model))
        followed.in_use.check()
        yield followed


@when("the release of the model is revoked")
def _(followed: Followed) -> None:
    said = ReleaseRevoked(
        version="1.0.0",
        tag_manifest=digest_bytes(b"a pack"),
        model=followed.model,
        reason="it misses thin vessels",
        instructions="Stop using it.",
        decided_by="Rosa",
    )
    with recorded(followed.services, "release.revoked", followed.project.signers["rosa"], instant=True) as record:
        record.payload(**said.model_dump(mode="json"))


@then("the service refuses answers and names the revocation")
def _(followed: Followed) -> None:
    with pytest.raises(NotInUseError, match=r"release 1\.0\.0 was revoked by entry \d+: it misses thin vessels"):
        followed.in_use.check()


@then("it answers again after the model was promoted again")
def _(followed: Followed) -> None:
    promotion.promote(
        followed.services,
        followed.project.signers["max"],
        followed.model,
        stage="production",
        reason="only a document was wrong",
    )
    followed.in_use.check()


def test_the_digest_of_a_pack_is_what_people_signed() -> None:
    """A revocation of another pack revokes nothing."""
    from minivess.compliance.changes.revocations import revocations

    log = revoked_log(first_pack())
    mine = digest_bytes(first_pack().files[TAG_MANIFEST])
    assert [one.index for one in revocations(log.entries, mine)] == [len(log.entries) - 1]
    assert revocations(log.entries, digest_bytes(b"another")) == ()
