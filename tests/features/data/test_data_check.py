"""Steps of features/data_check.feature."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError
from minivess.ml.cases.prepared import load_case
from minivess.records.log.entry import Outcome
from minivess.workflows.data import ingestion
from tests.support import projects
from tests.support.builders.audit_logs import told
from tests.support.command_line import run_here

scenarios("data_check.feature")

IMAGE = np.arange(6 * 20 * 24, dtype=np.uint16).reshape(6, 20, 24)
MASK = (IMAGE > 2000).astype(np.uint8)
SPACING = "spacing_z_um,spacing_y_um,spacing_x_um"
PROJECT = """\
device: {name: toy, version: 0.1.0, manufacturer: Nobody, intended_use: tests, safety_class: B}
data:
  name: flat
  licence: CC0
  source: arrays
  table: cases.csv
evaluation: {criteria: [{measure: dice, statistic: mean, at_least: 0.1}]}
"""


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {"root": tmp_path}


def write_case(root: Path, number: int, image: np.ndarray = IMAGE) -> None:
    """An image and its mask; images differ by their number."""
    np.save(root / f"i{number}.npy", image + np.uint16(number))
    np.save(root / f"l{number}.npy", MASK)


def write_folder(root: Path, cases: int, *more: str) -> None:
    """A project folder without a key and a log; `more` are further lines of its table."""
    lines = [f"c{number},s{number},i{number}.npy,l{number}.npy,2,1,1" for number in range(cases)]
    (root / "cases.csv").write_text(
        "\n".join([f"id,subject,image,label,{SPACING}", *lines, *more]) + "\n", encoding="utf-8"
    )
    (root / "minivess.yaml").write_text(PROJECT, encoding="utf-8")
    for number in range(cases):
        write_case(root, number)


def cut_short(path: Path) -> None:
    """Take the last byte of a file away."""
    path.write_bytes(path.read_bytes()[:-1])


@given("a project folder with 8 cases, of which 1 file is missing, 2 are cut short and 1 mask has another shape")
def _eight(facts: dict) -> None:
    root = facts["root"]
    write_folder(root, 8)
    (root / "i1.npy").unlink()
    cut_short(root / "i2.npy")
    cut_short(root / "l3.npy")
    np.save(root / "l4.npy", MASK[:4])


@given("a line of its table is malformed")
def _line(facts: dict) -> None:
    with (facts["root"] / "cases.csv").open("a", encoding="utf-8") as table:
        table.write("c9,s9\n")


@given("a project folder with 3 cases, of which one file is cut short")
def _three(facts: dict) -> None:
    write_folder(facts["root"], 3)
    cut_short(facts["root"] / "i0.npy")


@given("a project folder without data.root, and a table with a relative and an absolute path")
def _absolute(facts: dict) -> None:
    write_folder(facts["root"], 1, f"c1,s1,{facts['root'] / 'i1.npy'},l1.npy,2,1,1")
    write_case(facts["root"], 1)


@when("the table names a file beyond the project folder")
def _beyond(facts: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    np.save(elsewhere / "i2.npy", IMAGE)
    with (facts["root"] / "cases.csv").open("a", encoding="utf-8") as table:
        table.write(f"c2,s2,{elsewhere / 'i2.npy'},l1.npy,2,1,1\n")


@when('"data check" is run')
@when('"data check" is run again')
def _check(facts: dict) -> None:
    facts["done"] = run_here("data", "check", "--json", folder=facts["root"])
    facts["report"] = json.loads(facts["done"].out) if facts["done"].out else None


@then(parsers.parse("it ends with exit code {code:d}"))
def _ended(facts: dict, code: int) -> None:
    assert facts["done"].code == code, facts["done"].err


def counts(report: dict[str, Any]) -> dict[str, int]:
    """Number of findings by rule of what was read; not what the parts of the product would need."""
    groups = [
        group for group in report["groups"] if group["rule"]["rule"] not in ("calibration-groups", "patch-padding")
    ]
    return {group["rule"]["rule"]: len(group["findings"]) for group in groups}


@then(
    'it lists 1 finding of "file-missing", 2 of "file-truncated", 1 of "shape-differs" and 1 of "case-list"',
)
def _all(facts: dict) -> None:
    assert counts(facts["report"]) == {"file-missing": 1, "file-truncated": 2, "shape-differs": 1, "case-list": 1}
    assert (facts["report"]["cases"], facts["report"]["read"]) == (9, 4)


@then(parsers.re('it lists 1 finding of "(?P<rule>[a-z-]+)"'))
def _one(facts: dict, rule: str) -> None:
    assert counts(facts["report"]) == {rule: 1}


@then("each finding names its case or line, and its file")
def _named(facts: dict) -> None:
    blocking = [group for group in facts["report"]["groups"] if group["severity"] == "block"]
    found = [finding for group in blocking for finding in group["findings"]]
    assert sorted((one["case"], one["file"]) for one in found if one["case"]) == [
        ("c1", "i1.npy"),
        ("c2", "i2.npy"),
        ("c3", "l3.npy"),
        ("c4", "l4.npy"),
    ]
    assert [one["file"] for one in found if one["case"] is None] == ["cases.csv:10"]


@then("there is no log and no prepared case")
def _nothing(facts: dict) -> None:
    assert not (facts["root"] / "evidence").exists()
    assert not (facts["root"] / "data" / "prepared").exists()


@when(parsers.parse("the file is repaired, and {change} of another case that was read well"))
@when(parsers.parse("the file is repaired, and {change}"))
def _repaired(facts: dict, change: str) -> None:
    root = facts["root"]
    write_case(root, 0)
    staged = root / "data" / "staged" / "c1"
    facts["before"] = (staged / "image.npy").stat().st_mtime_ns
    facts["kept"] = change.startswith("nothing")
    facts["image"] = IMAGE + 1
    if change.startswith("the staged image"):
        content = bytearray((staged / "image.npy").read_bytes())
        content[-1] ^= 1
        (staged / "image.npy").write_bytes(bytes(content))
    elif change.startswith("the staged record"):
        case = json.loads((staged / "case.json").read_text(encoding="utf-8"))
        case["record"]["subject"] = "s2"
        (staged / "case.json").write_text(json.dumps(case), encoding="utf-8")
    elif change.startswith("the source"):
        facts["image"] = IMAGE + 7
        np.save(root / "i1.npy", facts["image"])


@then("the other case is as its files say")
def _as_its_files(facts: dict) -> None:
    staged = facts["root"] / "data" / "staged"
    case = load_case(staged, "c1", verify=True)
    assert np.array_equal(case.image, facts["image"])
    assert case.record.subject == "s1"
    assert ((staged / "c1" / "image.npy").stat().st_mtime_ns == facts["before"]) == facts["kept"]


@given("a project whose log has an ingest of 2 cases")
def _ingested(facts: dict, started_project: projects.ProjectFolder, tmp_path: Path) -> None:
    _started(facts, started_project, tmp_path, cases=2)
    _ingest(facts)
    facts["before"] = _state(facts["project"])


@given("a project whose image has bytes that its header does not account for")
def _footer(facts: dict, started_project: projects.ProjectFolder, tmp_path: Path) -> None:
    _started(facts, started_project, tmp_path, cases=1)
    path = facts["root"] / "i0.npy"
    path.write_bytes(path.read_bytes() + b"footer")


def _started(facts: dict, made: projects.ProjectFolder, tmp_path: Path, *, cases: int) -> None:
    facts["project"] = made.copy_to(tmp_path / "project")
    facts["root"] = facts["project"].workspace.root
    text = (facts["root"] / "minivess.yaml").read_text(encoding="utf-8")
    write_folder(facts["root"], cases)
    plan = yaml.safe_load(text)
    del plan["data"]["synthetic"]
    plan["data"]["table"] = "cases.csv"
    (facts["root"] / "minivess.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")


def _state(project: projects.ProjectFolder) -> dict[str, str]:
    """Digests of the manifest and of every file of the prepared cases."""
    files = [project.workspace.data / "manifest.json", *sorted(project.workspace.prepared.rglob("*"))]
    return {path.name + path.parent.name: digest_file(path) for path in files if path.is_file()}


@when("the source of one case is changed and that of the other is cut short")
def _one_of_each(facts: dict) -> None:
    np.save(facts["root"] / "i0.npy", IMAGE + 9)
    cut_short(facts["root"] / "i1.npy")


@when("the source that was cut short is repaired, and the developer ingests the cases")
def _again(facts: dict) -> None:
    write_case(facts["root"], 1)
    _ingest(facts)


@when("the developer ingests the cases")
def _ingest(facts: dict) -> None:
    facts.pop("error", None)
    project = facts["project"]
    with project.services() as services:
        try:
            facts["manifest"] = ingestion.ingest(services, project.signers["ada"])
        except RefusedError as error:
            facts["error"] = error
        *_, entry = [one for one in services.log.entries() if one.body.action == "data.ingest"]
        facts["body"], facts["told"] = entry.body, told(services.log, entry.body)


@then(parsers.parse('it is refused with "{rule}" and the entry of the log says so'))
def _refused(facts: dict, rule: str) -> None:
    assert {finding.rule for finding in facts["error"].findings} == {rule}
    assert facts["body"].outcome is Outcome.REFUSED
    assert facts["told"].error.startswith("CasesRefusedError: c")
    assert facts["body"].outputs == ()


@then("the prepared cases and the manifest are as they were")
def _as_before(facts: dict) -> None:
    assert _state(facts["project"]) == facts["before"]


@then("the log has the ingest of both cases as their files are now")
def _both(facts: dict) -> None:
    assert facts["body"].outcome is Outcome.COMPLETED
    assert [one.id for one in facts["manifest"].cases] == ["c0", "c1"]
    prepared = facts["project"].workspace.prepared
    assert np.array_equal(load_case(prepared, "c0", verify=True).image, IMAGE + 9)
    assert np.array_equal(load_case(prepared, "c1", verify=True).image, IMAGE + 1)
    assert not facts["project"].workspace.staged.exists()


@when('"data check" is run as text and as JSON')
def _twice(facts: dict) -> None:
    _check(facts)
    facts["text"] = run_here("data", "check", folder=facts["root"]).out


@then("both have the file, the rule, what was found, what was expected and what to do")
def _form(facts: dict) -> None:
    (group,) = [group for group in facts["report"]["groups"] if group["severity"] == "block"]
    (finding,) = group["findings"]
    assert (group["rule"]["rule"], finding["case"], finding["file"]) == ("file-truncated", "c0", "i0.npy")
    assert finding["message"] == "truncated"
    shown = [*group["rule"].values(), finding["file"], finding["message"], finding["hint"], group["severity"]]
    assert [text for text in shown if text not in facts["text"]] == []


@when(parsers.parse('the project lowers "{rule}" to a warning because "{reason}"'))
def _lowered(facts: dict, rule: str, reason: str) -> None:
    path = facts["root"] / "minivess.yaml"
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan["data"]["rules"] = {rule: {"severity": "warning", "reason": reason}}
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")


@then(parsers.parse('the entry of the log has the rule, its usual severity and "{reason}"'))
def _in_the_entry(facts: dict, reason: str) -> None:
    assert facts["body"].outcome is Outcome.COMPLETED
    assert list(facts["told"].payload["lowered"]) == [
        {"rule": "bytes-left-over", "usual": "block", "severity": "warning", "reason": reason}
    ]


@then(parsers.parse('"data check" shows the rule with "{reason}"'))
def _shown(facts: dict, reason: str) -> None:
    _check(facts)
    assert facts["done"].code == 0
    assert counts(facts["report"]) == {"bytes-left-over": 1}
    assert facts["report"]["changed"][0]["reason"] == reason
    assert f"bytes-left-over: warning instead of block ({reason})" in facts["done"].err


@then("it is refused because the rule cannot be lowered")
def _not_lowered(facts: dict) -> None:
    assert facts["done"].code == 2
    assert "cannot be lowered" in facts["done"].err


BEGIN = """
import sys, time
class Stream:
    def write(self, text):  # click gives bytes to a stream that takes them
        if not text:
            return
        print(f"{time.process_time():.3f} {'numpy' in sys.modules} {text.decode().strip()}", file=sys.__stdout__)
        raise SystemExit(0)
    def flush(self): pass
    def isatty(self): return False
sys.stderr = Stream()
sys.argv = ["minivess", *sys.argv[1:]]
from minivess.cli.main import main
main()
"""


@when("each command on data starts")
def _start(facts: dict) -> None:
    write_folder(facts["root"], 1)
    facts["lines"] = {}
    for name in ("check", "ingest", "validate", "split", "seal", "synthesise"):
        words = ["data", name, *(["out"] if name == "synthesise" else [])]
        done = subprocess.run(
            [sys.executable, "-c", BEGIN, *words],
            cwd=facts["root"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        facts["lines"][name] = done.stdout.split(" ", 2)


@then("its first line is on stderr within 1 s of processor time, before NumPy is loaded")
def _soon(facts: dict) -> None:
    for name, (seconds, numpy, text) in facts["lines"].items():
        assert (numpy, text.strip()) == ("False", f"data {name}: begins")
        assert float(seconds) < 1.0, name
