"""Steps of features/standards.feature."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.results.result_files import read_report
from minivess.compliance.standards.coverage import Coverage
from minivess.compliance.standards.required_documents import documents
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.justified_gaps import JudgedGap, judged
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.provenance import environment_digest, tree_digest
from minivess.records.items.trace import RecordedResult, ResultReport
from minivess.workflows.release.gates import judge_gates
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.trace import clause_coverage, link_reviews, verification_runs
from minivess.workflows.trace.project_trace import read_trace
from tests.support import projects
from tests.support.projects import ProjectFolder

scenarios("standards.feature")

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 21, tzinfo=UTC)
JUSTIFIED = """\
justifications:
  - subject: {subject}
    reason: The control is checked by hand until its scenario is written.
    owner: rosa
    expires: {day}
"""


@dataclass
class Desk:
    """A project with a tiny source tree of its own."""

    project: ProjectFolder
    tree: Path
    gaps: tuple[JudgedGap, ...] = ()

    def clause(self, name: str) -> Coverage:
        """How a clause stands today."""
        with self.project.services() as services:
            results = self.project.workspace.results if self.project.workspace.results.is_file() else None
            trace = read_trace(self.tree, safety_class="B", now=NOW, results=results, project=ProjectState.of(services))
        [row] = [row for row in trace.coverage if row.clause.id == name]
        return row

    def write(self, name: str, text: str) -> None:
        """Write a file of the tree."""
        (self.tree / name).write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the tree."""
        text = (self.tree / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    tree = projects.write_tiny_tree(tmp_path / "source")
    return Desk(projects.start(tmp_path / "project", source=tree), tree)


@given("a project on a source tree whose chain is whole")
def _(desk: Desk) -> None:
    assert TraceGraph.load(desk.tree).gaps() == ()


@given("the tree has a development plan")
def _(desk: Desk) -> None:
    desk.write("sdp.md", "# Development plan\n")


@when("the development plan is taken away")
def _(desk: Desk) -> None:
    (desk.tree / "sdp.md").unlink()


@then(parsers.parse('the clause "{name}" is not open for lack of "{evidence}"'))
def _(desk: Desk, name: str, evidence: str) -> None:
    row = desk.clause(name)
    assert evidence in row.evidence
    assert evidence not in row.missing


@then(parsers.parse('the clause "{name}" is open and says what to do next'))
def _(desk: Desk, name: str) -> None:
    row = desk.clause(name)
    assert row.open
    assert row.next


@given(parsers.parse('the attestation "{item}" of the clause "{clause}" by "{who}"'))
def _(desk: Desk, item: str, clause: str, who: str) -> None:
    words = f"id: {item}, title: Quality system, clause: {clause}, statement: It is certified., owner: {who}"
    desk.write("requirements/attestations.yaml", f"attestations:\n  - {{{words}}}\n")


@then(parsers.parse('the clause "{name}" is {status:w}'))
def _(desk: Desk, name: str, status: str) -> None:
    assert desk.clause(name).status == status


@then("the list of clauses and the pages say the same of every clause")
def _(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MINIVESS_PASSPHRASE_")]:
        monkeypatch.delenv(name)
    project = ["-C", str(desk.project.workspace.root), "trace"]
    listed = CliRunner().invoke(app, [*project, "standards", "--json"], catch_exceptions=False)
    whole = CliRunner().invoke(app, [*project, "matrix", "--json"], catch_exceptions=False)
    assert json.loads(listed.stdout)["coverage"] == json.loads(whole.stdout)["coverage"]
    assert "audit-log" in next(row["evidence"] for row in json.loads(listed.stdout)["coverage"] if row["id"] == "P04")


@when(parsers.parse('"{who}" signs the attestation "{item}"'))
def _(desk: Desk, who: str, item: str) -> None:
    with desk.project.services() as services:
        clause_coverage.attest(services, desk.project.signers[who], item)


@when(parsers.parse('the words of the attestation "{item}" change'))
def _(desk: Desk, item: str) -> None:
    assert item
    desk.edit("requirements/attestations.yaml", "It is certified.", "It will be certified.")


@given(parsers.parse('"{who}" approves "{subject}"'))
@when(parsers.parse('"{who}" approves "{subject}"'))
def _(desk: Desk, who: str, subject: str) -> None:
    if subject == "sdp.md":
        desk.write("sdp.md", "# Development plan\n")
    with desk.project.services() as services:
        receipt = link_reviews.approve(services, desk.project.signers[who], [subject])[subject]
        entry = next(services.log.entries(receipt.index)).body
    assert (entry.action, entry.actor) == ("trace.approve", who)


@then(parsers.parse('"{who}" is refused to approve "{subject}"'))
def _(desk: Desk, who: str, subject: str) -> None:
    with desk.project.services() as services, pytest.raises(RefusedError, match="cannot approve"):
        link_reviews.approve(services, desk.project.signers[who], [subject])


@when("a statement of the risk file changes")
def _(desk: Desk) -> None:
    desk.edit("risk/hazards.yaml", "A wrong number.", "A number that is wrong.")


@given(parsers.parse('the change request "{item}" that was implemented'))
def _(desk: Desk, item: str) -> None:
    words = "title: Subtract, statement: It shall subtract., reason: Somebody asked., status: implemented"
    desk.write("requirements/changes.yaml", f"change_requests: [{{id: {item}, {words}}}]\n")


@when(parsers.parse('the change request "{item}" is verified'))
def _(desk: Desk, item: str) -> None:
    assert item
    desk.edit("requirements/changes.yaml", "implemented", "verified")


@when(parsers.parse('the change request "{item}" asks for something else'))
def _(desk: Desk, item: str) -> None:
    assert item
    desk.edit("requirements/changes.yaml", "subtract.", "multiply.")


@when("the plan of development changes")
def _(desk: Desk) -> None:
    desk.write("sdp.md", "# Another plan\n")


@then(parsers.parse('the list of approvals says of "{subject}" that "{words}"'))
def _(desk: Desk, subject: str, words: str) -> None:
    command = ["-C", str(desk.project.workspace.root), "trace", "approve", "--json"]
    listed = CliRunner().invoke(app, command, catch_exceptions=False)
    [row] = [one for one in json.loads(listed.stdout)["subjects"] if one["subject"] == subject]
    assert words in row["state"]


@then(parsers.parse('"{who}" is refused to sign the attestation "{item}"'))
def _(desk: Desk, who: str, item: str) -> None:
    with desk.project.services() as services, pytest.raises(RefusedError, match="rosa"):
        clause_coverage.attest(services, desk.project.signers[who], item)


@given(parsers.parse('the risk control "{item}" has no scenario'))
def _(desk: Desk, item: str) -> None:
    desk.edit("features/sum.feature", f"@{item}", "@slow")


@given(parsers.parse('that gap is justified by "{who}" until "{day}"'))
def _(desk: Desk, who: str, day: str) -> None:
    assert who == "rosa"
    desk.write("requirements/justifications.yaml", JUSTIFIED.format(subject="unverified-control RC-01", day=day))


@when(parsers.parse('the trace check runs on "{day}"'))
def _(desk: Desk, day: str) -> None:
    graph = TraceGraph.load(desk.tree)
    desk.gaps = judged(graph, graph.gaps(), date.fromisoformat(day))


@then(parsers.parse('the gap is shown as justified by "{who}" and nothing is open'))
def _(desk: Desk, who: str) -> None:
    [one] = desk.gaps
    assert not one.open
    assert one.remark.startswith(f"justified by {who} until 2026-12-31: The control")


@then("the gap is open and says that its justification expired")
def _(desk: Desk) -> None:
    [one] = desk.gaps
    assert one.open
    assert one.remark == "its justification by rosa expired on 2026-12-31"


@given(parsers.parse('the requirement "{item}" derives from "{missing}", which does not exist'))
def _(desk: Desk, item: str, missing: str) -> None:
    assert item
    desk.edit("requirements/all.yaml", "[UN-01]", f"[UN-01, {missing}]")


@then(parsers.parse('a justification of "{subject}" is refused with file and line'))
def _(desk: Desk, subject: str) -> None:
    desk.write("requirements/justifications.yaml", JUSTIFIED.format(subject=subject, day="2027-12-31"))
    with pytest.raises(InputError, match=r"requirements/justifications.yaml:2: `subject`: `unknown-id` cannot be"):
        TraceGraph.load(desk.tree)


@given(parsers.parse('a plan of maintenance with every part but "{part}"'))
def _(desk: Desk, part: str) -> None:
    [plan] = [one for one in documents() if one.evidence == "maintenance-plan"]
    said = "Whoever answers for it does so within five days of work."
    (desk.tree / plan.path).parent.mkdir(parents=True)
    desk.write(plan.path, "".join(f"## {one}\n{said}\n" for one in plan.parts if one != part))


@when(parsers.parse('the part "{part}" is written'))
def _(desk: Desk, part: str) -> None:
    path = "docs/plans/maintenance.md"
    text = (desk.tree / path).read_text(encoding="utf-8")
    desk.write(path, f"{text}## {part}\nIt is announced half a year ahead to everybody who has it.\n")


@given(parsers.parse('a library locked at "{locked}" whose anomalies were reviewed for "{read}"'))
def _(desk: Desk, locked: str, read: str) -> None:
    desk.write("pyproject.toml", '[project]\nname = "thing"\ndependencies = ["adder>=1"]\n')
    wheel = f'[{{ url = "https://example.org/adder.whl", hash = "sha256:{"0" * 64}" }}]'
    root = (
        '[[package]]\nname = "thing"\nversion = "1"\nsource = { editable = "." }\ndependencies = [{ name = "adder" }]\n'
    )
    source = 'source = { registry = "https://example.org" }'
    desk.write("uv.lock", f'{root}[[package]]\nname = "adder"\nversion = "{locked}"\n{source}\nwheels = {wheel}\n')
    seen = f"{{version: '{read}', day: 2026-11-20, by: rosa, found: Nothing that is in use.}}"
    words = "title: Adder, package: adder, purpose: It adds., requirements: [It shall add.], anomalies: Its tracker."
    desk.write("requirements/soup.yaml", f"soup:\n  - {{id: SOUP-01, {words}, anomalies_read: {seen}}}\n")


@when(parsers.parse('a person reviews them for "{version}"'))
def _(desk: Desk, version: str) -> None:
    desk.edit("requirements/soup.yaml", "version: '1.0'", f"version: '{version}'")


@given(parsers.parse('an architecture in which "{item}" is allocated to a unit without its code'))
def _(desk: Desk, item: str) -> None:
    assert item == "REQ-001"
    units = (
        "  - {id: SU-01, title: Sums, statement: s, part_of: SI-01, modules: [thing]}\n"
        "  - {id: SU-02, title: Other, statement: s, part_of: SI-01, modules: [other]}\n"
    )
    whole = "  - {id: SI-01, title: Thing, statement: s, safety_class: B}\n"
    desk.write("requirements/architecture.yaml", f"software_items:\n{whole}software_units:\n{units}")
    desk.edit("requirements/all.yaml", "derives_from: [UN-01]", "derives_from: [UN-01]\n    allocated_to: [SU-02]")


@given(parsers.parse('an architecture with the unit "{unit}" of the whole "{whole}"'))
def _(desk: Desk, unit: str, whole: str) -> None:
    units = f"  - {{id: {unit}, title: Sums, statement: s, part_of: {whole}, modules: [thing]}}\n"
    items = f"  - {{id: {whole}, title: Thing, statement: s, safety_class: B}}\n"
    desk.write("requirements/architecture.yaml", f"software_items:\n{items}software_units:\n{units}")
    desk.edit("requirements/all.yaml", "derives_from: [UN-01]", f"derives_from: [UN-01]\n    allocated_to: [{unit}]")


@given("a test names the unit and a test names the whole")
def _(desk: Desk) -> None:
    text = "import pytest\n\n\n@pytest.mark.verifies('{}')\ndef test_it() -> None:\n    assert 1 + 1 == 2\n"
    desk.write("tests/test_unit.py", text.format("SU-01"))
    desk.write("tests/test_whole.py", text.format("SI-01"))


@when("every test of the tree was run and recorded")
def _(desk: Desk) -> None:
    with desk.project.services() as services:
        verification_runs.run_scenarios(services, desk.project.signers["ada"], everything=True)


@when("the tests of the unit and of the whole are among the results no more")
def _(desk: Desk) -> None:
    path = desk.project.workspace.results
    report = read_report(path)
    scenarios_alone = tuple(one for one in report.results if one.scenario is not None)
    assert len(report.results) == len(scenarios_alone) + 2
    path.write_text(report.model_copy(update={"results": scenarios_alone}).model_dump_json(), encoding="utf-8")


@then(parsers.parse('the clause "{name}" does not lack "{evidence}"'))
def _(desk: Desk, name: str, evidence: str) -> None:
    assert evidence in desk.clause(name).evidence


@then(parsers.parse('the clause "{name}" lacks "{evidence}"'))
def _(desk: Desk, name: str, evidence: str) -> None:
    assert evidence in desk.clause(name).missing


@then(parsers.parse('the gap "{kind}" of "{item}" is open'))
def _(desk: Desk, kind: str, item: str) -> None:
    assert {(one.gap.kind, one.gap.item, one.open) for one in desk.gaps} == {(kind, item, True)}


@given(parsers.parse("the project recorded that the scenario of its tree {outcome}"))
def _(desk: Desk, outcome: str) -> None:
    [scenario] = TraceGraph.load(desk.tree).scenarios
    result = RecordedResult.model_validate(
        {"name": scenario.name, "node": "tests/test_sums.py::test", "ids": scenario.tags, "outcome": outcome}
        | {"seconds": 0.1, "scenario": scenario.source}
    )
    report = ResultReport(
        commit=None,
        dirty=None,
        tree=tree_digest(desk.tree),
        environment=environment_digest(desk.tree),
        platform="any",
        time=NOW,
        tester="ada",
        results=(result,),
    )
    file = desk.project.workspace.results
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.model_dump_json(), encoding="utf-8")
    policy = desk.project.workspace.root / "release" / "policy.yaml"
    policy.parent.mkdir(exist_ok=True)
    policy.write_text((ROOT / "release" / "policy.yaml").read_text(encoding="utf-8"), encoding="utf-8")


@then(parsers.parse("the trace check, the matrix, the pages, the clauses and the gates agree on {count:d} gaps"))
def _(desk: Desk, count: int, tmp_path: Path) -> None:
    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(desk.project.workspace.root), "trace", *words])

    checked = run("check", "--json")
    gaps = [(one["item"], one["kind"]) for one in json.loads(checked.stdout)["gaps"]]
    assert len(gaps) == count
    assert checked.exit_code == (1 if count else 0)
    shown = json.loads(run("matrix", "--json").stdout)
    assert [(one["item"], one["kind"]) for one in shown["gaps"]] == gaps
    assert shown["verdict"] == {"holds": not count, "gaps": count, "justified": 0, "suspects": 0}
    run("site", str(tmp_path / "site"))
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert f"The trace {'does not hold' if count else 'holds'}." in start
    points = (tmp_path / "site" / "points.html").read_text(encoding="utf-8")
    assert all(gap["message"].split(" in `")[0] in points for gap in shown["gaps"])
    assert ("trace-complete" in desk.clause("IEC 62304 5.5.1").missing) == bool(count)
    with desk.project.services() as services:
        [gate] = [one for one in judge_gates(services) if one.kind == "trace"]
    assert gate.value == count
