"""Steps of features/exchange.feature."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.items.items import load_items
from minivess.compliance.results.result_files import read_report
from minivess.compliance.trace.graph import TraceGraph
from minivess.records.items.items import Requirement
from tests.support.tiny_tree import write_tree

scenarios("exchange.feature")

GERMAN = (
    "Anforderungskatalog;;;\nID;Titel;Beschreibung;Übergeordnet;Farbe\nSW 1;Größe;Die Software muss messen.;SW 9;rot\n"
)
WHOLE = (
    "id,title,statement,rationale,category,safety_class,verification,derives_from\n"
    "A-1,Sum,The software shall add.,Because.,functional,B,test,\n"
)
REASON = "later, " * 60 + "when the pump is there"
JUNIT = f"""\
<testsuite name="s" tests="1" skipped="1"><testcase classname="c" name="test_sum[REQ-001]" time="0.1">
<properties><property name="verifies" value="RC-01"/></properties><skipped message="{REASON}"/></testcase></testsuite>
"""


@dataclass
class Desk:
    """A tree, a file of somebody else, and what came of it."""

    tree: Path
    file: Path
    told: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *words: str) -> Result:
        """Run `minivess trace` on the tree."""
        done = CliRunner().invoke(app, ["trace", *words, "--source", str(self.tree)])
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    def read(self, *more: str) -> None:
        """Import the file."""
        self.told.append(json.loads(self.run("import", str(self.file), "--kind", "REQ", "--json", *more).stdout))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(write_tree(tmp_path / "tree"), tmp_path / "catalogue.csv")


@given("a source tree whose chain is whole")
def _(desk: Desk) -> None:
    assert TraceGraph.load(desk.tree).gaps() == ()


@given("a table in German with semicolons, its own ids, a dangling link and an unknown column")
def _(desk: Desk) -> None:
    desk.file.write_bytes(GERMAN.encode("cp1252"))


@given("a table of requirements that lacks nothing")
def _(desk: Desk) -> None:
    desk.file.write_text(WHOLE, encoding="utf-8")


@when("it is imported")
@when("it is imported again")
def _(desk: Desk) -> None:
    if not desk.told:
        desk.read("--dry-run")
        desk.told.clear()
    desk.read()


@then("each row is a new requirement that keeps its own id as origin")
def _(desk: Desk) -> None:
    [told] = desk.told
    assert told["new"] == ["REQ-002"]
    [path] = (desk.tree / "requirements").glob("imported-*.yaml")
    text = path.read_text(encoding="utf-8")
    assert "origin: SW 1" in text
    assert "Größe" in text


@then("the dangling link, the unknown column and the missing rationale are reported with their lines")
def _(desk: Desk) -> None:
    said = [f"{one['place']} {one['message']}" for one in desk.told[0]["remarks"]]
    for word in ("SW 9", "Farbe", "rationale"):
        assert any(word in one and ":" in one.split()[0] for one in said), (word, said)


@then("nothing is written on a dry run")
def _(desk: Desk) -> None:
    [path] = (desk.tree / "requirements").glob("imported-*.yaml")
    path.unlink()
    desk.read("--dry-run")
    assert list((desk.tree / "requirements").glob("imported-*.yaml")) == []


@then("the second import brings nothing new")
def _(desk: Desk) -> None:
    first, second = desk.told
    assert first["new"] == ["REQ-002"]
    assert (second["new"], second["known"]) == ([], ["REQ-002"])


@when(parsers.parse("all items are exported as {form} and imported into an empty tree"))
def _(desk: Desk, form: str) -> None:
    desk.file = desk.file.with_suffix(f".{form}")
    desk.run("export", str(desk.file))


@then("they are the same items")
def _(desk: Desk, tmp_path: Path) -> None:
    items = load_items(desk.tree)
    origins = {name: name for name in items.by_id}
    found = import_file(desk.file, mapping=None, taken=frozenset(), known_origins=origins)
    assert [one for one in found.remarks if one.severity in {"lost", "missing"}] == []
    assert {one.id for one in found.items} == set(items.by_id)
    [mine] = [one for one in found.items if one.id == "REQ-001"]
    original = items.of(Requirement)["REQ-001"]
    assert mine.fields["statement"] == original.statement
    assert tuple(mine.fields["derives_from"]) == original.derives_from


@given(parsers.parse('JUnit results in which the test of "{one}" and "{other}" was skipped'))
def _(desk: Desk, one: str, other: str) -> None:
    assert one in JUNIT
    assert other in JUNIT
    desk.file = desk.file.with_suffix(".xml")
    desk.file.write_text(JUNIT, encoding="utf-8")


@when(parsers.parse('they are taken as results of this tree by "{who}"'))
def _(desk: Desk, who: str) -> None:
    desk.run("results", str(desk.file), str(desk.file.with_name("results.json")), "--tester", who)


@then(parsers.parse('"{item}" counts as untested'))
def _(desk: Desk, item: str) -> None:
    report = read_report(desk.file.with_name("results.json"))
    graph = TraceGraph.load(desk.tree, report)
    assert not graph.stale
    assert [(result.outcome, result.message) for result in graph.results_for(item)] == [("skipped", REASON)]
    assert graph.verdict_for(item) == "untested"
