"""Steps of features/qualification.feature. A scenario that is not slow makes the checks it is about, and no other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_file
from minivess.records.device.qualification import QualificationReport
from minivess.workflows.qualification import phantoms, qualify, tampering
from minivess.workflows.qualification.outcomes import CheckRow, Comparisons
from tests.support.command_line import Finished, run_here
from tests.support.html_pages import Page
from tests.support.projects import ProjectFolder

scenarios("qualification.feature")


@dataclass
class Story:
    folder: Path
    done: Finished | None = None
    report: QualificationReport | None = None
    project: ProjectFolder | None = None
    signers: dict[str, Signer] = field(default_factory=dict)

    @property
    def made(self) -> QualificationReport:
        assert self.report is not None
        return self.report


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def _only(patch: pytest.MonkeyPatch, *rows: CheckRow) -> None:
    patch.setattr(qualify, "CHECKS", {"known answer": rows})


def _row(rows: tuple[CheckRow, ...], name: str) -> CheckRow:
    return next(row for row in rows if row.name == name)


@given("an installation whose overlaps are too high")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    from minivess.ml.measures import registry

    right = registry.measure_values

    def wrong(*arguments: Any) -> Any:
        return {name: value and value**0.99 for name, value in right(*arguments).items()}

    monkeypatch.setattr(registry, "measure_values", wrong)
    _only(monkeypatch, _row(phantoms.PHANTOMS, "planted-errors"))


@given(parsers.parse('an installation whose "{verifier}" accepts every pack'))
def _(verifier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tampering, "VERIFIERS", {verifier: lambda _: "VERIFIED"})
    _only(monkeypatch, _row(tampering.TAMPERING, "changed-pack"))


def _lacking(_: Comparisons) -> None:
    raise ModuleNotFoundError("no module", name="made_up")


FAULTS = {
    "compares nothing": lambda _: None,
    "ends in an error": lambda _: 1 // 0,
    "lacks a library": _lacking,
    "passes": lambda found: found.same("one", 1, 1),
}


@given(parsers.re(r"an installation with a check that (?P<fault>.+)"))
def _(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, CheckRow("stand-in", "A check of the test", FAULTS[fault]))


@given("a project with a log")
def _(story: Story, started_project: ProjectFolder, tmp_path: Path) -> None:
    story.project = started_project.copy_to(tmp_path / "project")


@when("the software is qualified outside of a project")
def _(story: Story) -> None:
    story.done = run_here("qualify", "--out", "report", "--json", folder=story.folder)
    written = (story.folder / "report" / "report.json").read_text(encoding="utf-8")
    story.report = QualificationReport.model_validate_json(written)
    assert json.loads(story.done.out) == json.loads(written)


@when(parsers.parse('"{who}" qualifies the software in the project'))
def _(story: Story, who: str) -> None:
    assert story.project is not None
    with story.project.services() as services:
        story.report = qualify.qualify(services, story.project.signers[who])


@then(parsers.parse("the exit code is {code:d}"))
def _(story: Story, code: int) -> None:
    assert story.done is not None
    assert story.done.code == code, story.done.err


@then(parsers.parse('checks of the kinds "{first}", "{second}" and "{third}" passed, each with comparisons'))
def _(story: Story, first: str, second: str, third: str) -> None:
    assert {one.kind for one in story.made.checks} == {first, second, third}
    assert all(one.passed and one.compared for one in story.made.checks), story.made.failed
    assert len(story.made.checks) == sum(map(len, qualify.CHECKS.values()))


@then('the check "planted-errors" failed with the first wrong value')
def _(story: Story) -> None:
    [failed] = story.made.failed
    assert failed.name == "planted-errors"
    assert "dice with 1 voxels missed and 0 added: 0.99" in failed.detail


@then(parsers.re(r'the check "(?P<name>[^"]+)" failed with (?:the verifier )?"(?P<words>[^"]+)"'))
def _(story: Story, name: str, words: str) -> None:
    [failed] = story.made.failed
    assert failed.name == name
    assert words in failed.detail


@then("page and JSON state intended use, risk, requirements, versions and what is not shown")
def _(story: Story) -> None:
    page, made = Page(story.folder / "report" / "report.html").text, story.made
    assert made.functions
    for one in made.functions:
        for words in (one.name, one.intended_use, one.failure, *one.requirements, *one.checks):
            assert words in page
    assert {one.process_risk for one in made.functions} == {"high", "not high"}
    assert "numpy" in made.environment.libraries
    for words in (made.code, made.environment.python, made.environment.libraries["pydantic"], made.checks[0].title):
        assert words in page
    assert "performance qualification, and it is yours" in page


@then("the page states that it is not signed")
def _(story: Story) -> None:
    page = Page(story.folder / "report" / "report.html").text
    assert "No signature" in page
    assert story.made.project is None


@then(parsers.parse('an entry of "{who}" names the digest of the report, the code and the outcome'))
def _(story: Story, who: str) -> None:
    assert story.project is not None
    folder = story.project.workspace.qualification
    with story.project.services() as services:
        body = [one.body for one in services.log.entries() if one.body.action == qualify.ACTION][-1]
    assert (body.actor, body.outcome.value) == (who, "completed")
    assert {one.name: one.digest for one in body.outputs} == {
        f"evidence/qualification/{name}": digest_file(folder / name) for name in ("report.json", "report.html")
    }
    assert body.payload["code"] == story.made.code
    assert (body.payload["passed"], body.payload["failed"]) == (1, 0)
