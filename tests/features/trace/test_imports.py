"""Steps of features/imports.feature."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.reading.strict_yaml import load_yaml
from tests.compliance.exchange.formats.test_reqif import HEAD, TAIL
from tests.support.command_line import Finished, run_here

scenarios("imports.feature")

FMEA = """\
ID,Failure mode,Hazard,Cause,Hazardous situation,Harm,Severity,Risk control
1,Missed vessel,Too little,Model,The plan is delivered,Death,5,Review
2,Extra vessel,Too much,Model,The plan is delivered,Pain,2,Review
"""
NEEDS = "ID,Type,Title,Text\nN-1,User need,Rest,Rest.\nN-2,User need,Sleep,Sleep.\nN-3,User need,Quiet,Quiet.\n"


@dataclass
class Desk:
    """A tree, a file of another tool, and how its import ended."""

    tree: Path
    file: Path
    done: Finished = field(default_factory=lambda: Finished(0, "", ""))

    def take(self, *words: str) -> None:
        """Import the file."""
        command = ("trace", "import", str(self.file), "--json", "--source", str(self.tree), *words)
        self.done = run_here(*command, folder=self.tree)

    def write(self, name: str, text: str) -> None:
        """Make the file."""
        self.file = self.file.with_name(name)
        self.file.write_text(text, encoding="utf-8")

    @property
    def told(self) -> dict[str, Any]:
        """The JSON of the last import."""
        return dict(json.loads(self.done.out))

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """What was written, by id."""
        lists = (one for path in self.written for one in load_yaml(path).values())
        return {str(item["id"]): dict(item) for one in lists for item in one}

    @property
    def written(self) -> list[Path]:
        """The files in the tree."""
        return sorted(self.tree.rglob("imported-*.yaml"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "tree", tmp_path / "file")


@given("a source tree")
def _(desk: Desk) -> None:
    (desk.tree / "requirements").mkdir(parents=True)
    (desk.tree / "risk").mkdir()


@given(parsers.re('a ReqIF file with the text "(?P<rich>.*)"'))
def _(desk: Desk, rich: str) -> None:
    value = (
        "<ATTRIBUTE-VALUE-XHTML><DEFINITION><ATTRIBUTE-DEFINITION-XHTML-REF>a-text</ATTRIBUTE-DEFINITION-XHTML-REF>"
        f'</DEFINITION><THE-VALUE><div xmlns="http://www.w3.org/1999/xhtml">{rich}</div></THE-VALUE>'
        "</ATTRIBUTE-VALUE-XHTML>"
    )
    item = (
        f'<SPEC-OBJECT IDENTIFIER="_1" LAST-CHANGE="2025-01-01T00:00:00Z"><VALUES>{value}</VALUES>'
        "<TYPE><SPEC-OBJECT-TYPE-REF>t</SPEC-OBJECT-TYPE-REF></TYPE></SPEC-OBJECT>"
    )
    desk.write("a.reqif", f"{HEAD}<SPEC-OBJECTS>{item}</SPEC-OBJECTS>{TAIL}")


@given("a workbook with a requirement that is struck out")
def _(desk: Desk) -> None:
    import openpyxl  # type: ignore[import-untyped]

    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(["ID", "Type", "Text"])
    sheet.append(["R1", "Requirement", "The pump shall stop."])
    sheet["C2"].font = openpyxl.styles.Font(strike=True)
    desk.file = desk.file.with_name("a.xlsx")
    workbook.save(desk.file)


@given("a table of hazards with the ids H-1 and H-2 and no column for their kind")
def _(desk: Desk) -> None:
    desk.write("hazards.csv", "ID,Title,Text\nH-1,Heat,The case is hot.\nH-2,Cold,The case is cold.\n")


@given("an FMEA of two hazards with the same situation and the same control")
def _(desk: Desk) -> None:
    desk.write("fmea.csv", FMEA)


@given("a table of three needs that was imported")
def _(desk: Desk) -> None:
    desk.write("needs.csv", NEEDS)
    desk.take()
    assert desk.told["new"] == ["UN-001", "UN-002", "UN-003"]


@given(parsers.parse('a file "{name}" that contains "{content}"'))
def _(desk: Desk, name: str, content: str) -> None:
    desk.write(name, content)


@given("a table with a value of 5,000 characters in a column that has no field")
def _(desk: Desk) -> None:
    desk.write("a.csv", f"ID,Type,Text,Colour\nN-1,User need,x,{'long ' * 999}ended\n")


@given(parsers.parse('a table with the text "{text}"'))
def _(desk: Desk, text: str) -> None:
    desk.write("a.csv", f"ID,Type,Text\nN-1,User need,{text}\n")


@when("it is imported")
def _(desk: Desk) -> None:
    desk.take()


@when(parsers.parse('it is imported with "--kind {kind}"'))
def _(desk: Desk, kind: str) -> None:
    desk.take("--kind", kind)


@when("one is changed, one is removed and one is added, and it is imported again")
def _(desk: Desk) -> None:
    text = NEEDS.replace("Rest.", "Peace.").replace("N-2,User need,Sleep,Sleep.\n", "")
    desk.write("needs.csv", f"{text}N-4,User need,Light,Light.\n")
    desk.take()


@then(parsers.parse('its statement is "{plain}"'))
def _(desk: Desk, plain: str) -> None:
    assert desk.done.code == 0, desk.done.err
    [item] = desk.items.values()
    assert item["statement"] == plain


@then(parsers.parse('a remark names "{mark}" and has the original mark-up'))
def _(desk: Desk, mark: str) -> None:
    [one] = [one for one in desk.told["remarks"] if one["severity"] == "changed" and mark in one["message"]]
    assert one["field"] == "ReqIF.Text"
    assert "<" in one["value"]


@then(parsers.parse("it is refused with exit status {status:d}"))
def _(desk: Desk, status: int) -> None:
    assert desk.done.code == status, desk.done


@then(parsers.re('the error names "(?P<reason>.*)" and the option "(?P<option>.*)"'))
def _(desk: Desk, reason: str, option: str) -> None:
    assert reason in desk.done.err
    assert option in desk.done.err


@then("nothing is written")
def _(desk: Desk) -> None:
    assert desk.written == []


@then(parsers.parse('the items are "{names}"'))
def _(desk: Desk, names: str) -> None:
    assert list(desk.items) == names.split(", ")


@then("each risk has one hazard and a control of its own")
def _(desk: Desk) -> None:
    items = desk.items
    for at in ("1", "2"):
        [risk] = [one for one in items.values() if one.get("origin") == at]
        hazards = {items[name]["from_hazard"] for name in items[risk["situation"]]["follows"]}
        assert hazards == {f"HAZ-00{at}"}
        assert risk["controls"] == [f"RC-00{at}"]


@then("the change is shown with its old and new value")
def _(desk: Desk) -> None:
    [one] = desk.told["changed"]
    assert (one["id"], one["field"], one["old"], one["new"]) == ("UN-001", "statement", "Rest.", "Peace.")


@then("the removed and the added need are shown with their ids of the other tool")
def _(desk: Desk) -> None:
    assert [(one["id"], one["origin"]) for one in desk.told["removed"]] == [("UN-002", "N-2")]
    assert [(one["id"], one["origin"]) for one in desk.told["added"]] == [("UN-004", "N-4")]


@then("only the added need is written")
def _(desk: Desk) -> None:
    assert [path.name for path in desk.written] == ["imported-needs-2.yaml", "imported-needs.yaml"]
    assert desk.items["UN-001"]["statement"] == "Rest."
    assert set(desk.items) == {"UN-001", "UN-002", "UN-003", "UN-004"}


@then("the JSON has all 5,000 characters")
def _(desk: Desk) -> None:
    [one] = [one for one in desk.told["remarks"] if one["field"] == "Colour"]
    assert one["severity"] == "lost"
    assert len(one["value"]) == 5000
