"""Validation and profile on the record, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from minivess.cli.main import app
from minivess.foundation.errors import UsageError
from minivess.records.data.profile import DatasetProfile
from minivess.records.data.validation import ValidationReport
from minivess.workflows.data import ingestion, profile, sealing, splitting, validation
from tests.support import projects

pytestmark = pytest.mark.verifies("SU-38")


@pytest.fixture
def project(started_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    """A started project of its own with ingested cases."""
    made = started_project.copy_to(tmp_path / "project")
    with made.services() as services:
        ingestion.ingest(services, made.signers["ada"])
    return made


def say(project: projects.ProjectFolder, *words: str) -> tuple[int, str, str]:
    environment = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("ADA", "LOG")}
    done = CliRunner().invoke(app, ["--project", str(project.workspace.root), "data", *words], env=environment)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.verifies("REQ-047", "REQ-083", "REQ-084")
def test_validation_leaves_findings_page_and_profile(project: projects.ProjectFolder) -> None:
    folder = project.workspace.data
    with project.services() as services:
        found = validation.validate(services, project.signers["ada"])
        last = list(services.log.entries())[-1]
        figures = profile.profile(services, project.signers["ada"])
        second = list(services.log.entries())[-1]
    assert ValidationReport.model_validate_json((folder / "validation.json").read_bytes()) == found
    assert "Nothing" in (folder / "validation.html").read_text(encoding="utf-8")
    before = DatasetProfile.model_validate_json((folder / "profile.json").read_bytes())
    assert before == figures
    assert [one.name for one in last.body.outputs] == [
        "data/near-duplicates.json",
        "data/profile.json",
        "data/validation.json",
        "data/validation-without-pictures.html",
    ]
    assert second.body.action == "data.profile"
    assert second.body.outputs[0] == last.body.outputs[1]


@pytest.mark.verifies("REQ-047", "REQ-082")
def test_the_command_says_where_to_read_and_what_was_changed(project: projects.ProjectFolder) -> None:
    code, shown, said = say(project, "validate", "--json")
    assert code == 0
    assert json.loads(shown)["changed"] == []
    assert "data/validation.html" in said
    path = project.workspace.project_file
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan["data"]["rules"] = {"case-unlisted": {"severity": "block"}}
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    stray = project.workspace.prepared / "stray"
    stray.mkdir()
    (stray / "case.json").write_text("{}", encoding="utf-8")
    code, shown, said = say(project, "validate")
    assert code == 1
    assert "case-unlisted" in shown
    assert "case-unlisted: block instead of warning" in said
    code, shown, said = say(project, "profile")
    assert code == 0
    assert "all cases" in shown


@pytest.mark.verifies("REQ-082")
def test_a_project_that_names_no_rule_is_told_before_anything_is_measured(project: projects.ProjectFolder) -> None:
    path = project.workspace.project_file
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan["data"]["rules"] = {"mask-emty": {"severity": "note"}}
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    with project.services() as services, pytest.raises(UsageError, match="mask-emty"):
        validation.validate(services, project.signers["ada"])
    assert not project.workspace.measures.exists()


@pytest.mark.verifies("REQ-083")
def test_sealing_takes_pictures_of_the_test_part_out_of_the_page(project: projects.ProjectFolder) -> None:
    page = project.workspace.data / "validation.html"
    ada = project.signers["ada"]
    with project.services() as services:
        validation.validate(services, ada)
        made = splitting.split(services, ada)
        shown = "".join(
            f'<image id="p{case}" data-case="{case}" width="1" height="1" href="data:image/png;base64,AAAA"/>'
            for case in (*made.train, *made.test)
        )
        page.write_text(f'<p class="withdrawn" hidden></p>{shown}', encoding="utf-8")
        sealing.seal(services, ada)
    after = page.read_text(encoding="utf-8")
    assert after.count("data:image/png") == len(made.train)
    assert all(f'data-case="{case}" width="1" height="1"/>' in after for case in made.test)
    assert "2 cases were taken out" in after
