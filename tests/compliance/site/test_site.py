"""The static site: whole, linked, faithful to its trace, and safe with whatever a trace holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from minivess.compliance.site.view import ITEMS_A_PAGE, STATUSES, Beside, TraceView, place
from minivess.compliance.site.writer import site_files, write_site
from minivess.foundation import generated_folder as site_folder
from minivess.foundation.errors import CannotWriteError, InputError, UsageError
from tests.support.builders.trace_data import empty_trace, link, make_item, make_trace, signature, text
from tests.support.html_pages import Page, broken, pages

pytestmark = pytest.mark.verifies("SU-24")

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "line\u2028separator\u2029end",
    "{{ 7 * 7 }}{% raw %}",
    "]]><svg/onload=alert(1)>",
    "W" * 400,
    "שלום עולם \u202eevil\u202c",
    "half a pair \ud800",
    "&lt;b&gt; & &amp;",
    "../../../etc/passwd",
    "",
)


@pytest.fixture(scope="module")
def trace() -> dict[str, Any]:
    return make_trace(2 * ITEMS_A_PAGE + 7)


@pytest.fixture(scope="module")
def site(trace: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(trace, folder)
    return folder


@pytest.fixture(scope="module")
def found(site: Path) -> dict[str, Page]:
    return pages(site)


def table_of(site: Path) -> dict[str, Any]:
    script = (site / "data" / "items.js").read_text(encoding="utf-8")
    return json.loads(script.removeprefix('"use strict";\nwindow.minivessItems = ').removesuffix(";\n"))


def test_every_link_of_every_page_leads_to_a_file_and_an_id(site: Path, found: dict[str, Page]) -> None:
    assert {
        "index.html",
        "matrix.html",
        "risks.html",
        "standards.html",
        "points.html",
        "results.html",
        "signatures.html",
    } <= set(found)
    assert broken(site, found) == []


def test_what_is_returned_is_what_stands_there_and_the_start_page_comes_first(tmp_path: Path) -> None:
    written = write_site(make_trace(), tmp_path / "site")
    assert written[0].name == "index.html"
    there = {path for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert there == {*written, tmp_path / "site" / "site.json"}


def test_every_item_has_a_page_with_its_words_links_and_evidence(trace: dict[str, Any], found: dict[str, Page]) -> None:
    for item in trace["items"]:
        where = place(item["id"])
        page = found[f"items/{where.page}"]
        assert where.anchor in page.ids
        for row in (*item["text"], *item["facts"]):
            assert row["value"] in page.text
        for name in ("scenarios", "tests", "code", "results"):
            assert all(row["name"] in page.text for row in item[name])
        assert all(gap["message"] in page.text for gap in item["gaps"])
        assert all(row["commit"][:12] in page.text for row in item["history"])
        assert all(f"log entry {row['entry']}" in page.text for row in item["signatures"])
        assert all(place(target["target"]).address in page.links for target in item["links"])


@pytest.mark.verifies("REQ-106")
def test_a_signature_says_who_what_when_where_and_whether_it_still_holds(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    for item in trace["items"]:
        words = " ".join(found[f"items/{place(item['id']).page}"].text.split())
        for row in item["signatures"]:
            said = f"{row['meaning'].capitalize()} by {row['actor']}: {row['about']}"
            said += f"; {row['out_of_date']}" if row["out_of_date"] else ""
            assert f"{'out of date' if row['out_of_date'] else 'holds'} {said}" in words
            assert f"2026-10-02 09:11 UTC, log entry {row['entry']}, shown as {row['digest']}" in words
        assert "As in the baseline v1.4, 64 items, by m.lindqvist" in words
        assert "v1.3" not in words
    page = " ".join(found["signatures.html"].text.split())
    for row in trace["signatures"]:
        assert f"{row['meaning'].capitalize()} by {row['actor']}: {row['about']}" in page
    old = [item for item in trace["items"] if any(row["out_of_date"] for row in item["signatures"])]
    assert old
    for item in old:
        assert f"items/{place(item['id']).address}" in found["signatures.html"].links
    every = [*trace["signatures"], *(row for item in trace["items"] for row in item["signatures"])]
    start = " ".join(found["index.html"].text.split())
    assert f"{len(every)} signatures of people, of which {sum(bool(row['out_of_date']) for row in every)} are" in start


@pytest.mark.verifies("REQ-106")
def test_a_review_that_nobody_signed_is_called_so(tmp_path: Path) -> None:
    nobody = {"by": None, "time": None, "entry": None}
    items = [
        make_item("UN-01", "user-need", "Need"),
        make_item("REQ-001", "requirement", "One", links=[link("derives-from", "UN-01", reviewed=nobody)]),
    ]
    log = {"origin": "o", "size": 1, "demo": False}
    write_site(empty_trace() | {"items": items, "log": log}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert "not signed" in found[f"items/{place('REQ-001').page}"].text
    assert "1 link is in" in " ".join(found["signatures.html"].text.split())


@pytest.mark.verifies("REQ-107")
def test_results_name_the_entry_that_recorded_them_and_the_model(trace: dict[str, Any], found: dict[str, Page]) -> None:
    digest = trace["made"][1]["digest"]
    said = f"Recorded at log entry 131; the model models/model.onnx {digest} at log entry 99."
    for name in ("index.html", "results.html", f"items/{place('REQ-001').page}"):
        assert said in " ".join(found[name].text.split()), name
    for row in trace["made"]:
        assert row["name"] in found["index.html"].text
        assert row["digest"] in found["index.html"].text


@pytest.mark.verifies("REQ-108")
def test_evidence_files_stand_where_their_result_stands(
    trace: dict[str, Any], found: dict[str, Page], site: Path
) -> None:
    table = table_of(site)["items"]
    for item, row in zip(trace["items"], table, strict=True):
        files = [file for result in item["results"] for file in result["evidence"]]
        assert row[16] == len(files)
        for file in files:
            for name in (f"items/{place(item['id']).page}", "results.html"):
                assert f"{file['path']} {file['digest']}" in " ".join(found[name].text.split())
            assert file["path"] in row[15]


@pytest.mark.verifies("REQ-107")
def test_beside_a_pack_entries_lead_to_their_proofs_and_files_to_themselves(tmp_path: Path) -> None:
    beside = Beside("../index.html", "../audit/proofs", frozenset({99, 131}), "evidence")
    for name, content in site_files(TraceView(make_trace(), beside)):
        path = tmp_path / "pack" / "traceability" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = (tmp_path / "pack" / "traceability" / "items" / place("REQ-001").page).read_text(encoding="utf-8")
    assert '<a href="../../index.html">' in source
    assert '<a href="../../audit/proofs/131.tlog-proof">log entry 131</a>' in source
    assert "proofs/41.tlog" not in source
    assert re.search(r'<a href="\.\./evidence/evidence/[a-z_0-9-]+\.png">', source)


def test_a_demonstration_says_so_on_every_page(tmp_path: Path) -> None:
    log = {"origin": "o", "size": 1, "demo": True}
    write_site(make_trace(4) | {"log": log}, tmp_path / "site")
    assert all("Demonstration." in page.text for page in pages(tmp_path / "site").values())


def test_what_an_item_rests_on_beside_text_is_no_item_that_is_missing(tmp_path: Path) -> None:
    items = [make_item("REQ-001", "requirement", "One", links=[link("rests-on", "weights")])]
    write_site(empty_trace() | {"items": items}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert "not found" not in found[f"items/{place('REQ-001').page}"].text
    assert "weights" in found[f"items/{place('REQ-001').page}"].text
    assert broken(tmp_path / "site", found) == []


def test_every_item_stands_in_the_list_of_its_kind_and_in_what_the_matrix_searches(
    trace: dict[str, Any], site: Path, found: dict[str, Page]
) -> None:
    table = table_of(site)
    assert [row[0] for row in table["items"]] == [item["id"] for item in trace["items"]]
    for item, row in zip(trace["items"], table["items"], strict=True):
        page = found[f"list-{item['kind']}.html"]
        assert f"items/{place(item['id']).address}" in page.links
        assert row[1] == place(item["id"]).address
        assert table["kinds"][row[2]][0] == item["kind"]
        assert row[3] == item["title"]
        assert table["statuses"][row[4]][0] == item["status"]
        assert bool(row[5] & 1) == item["suspect"]
        assert [table["standards"][number][0] for number in row[6]] == item["standards"]
        assert all(part["value"].lower() in row[15] for part in item["text"])
        declared = {edge["target"] for edge in item["links"]}
        assert declared <= {table["items"][number][0] for number in (*row[7], *row[8])}


def test_links_are_followed_both_ways(trace: dict[str, Any]) -> None:
    view = TraceView(trace)
    children = [item["id"] for item in trace["items"] if "UN-01" in {edge["target"] for edge in item["links"]}]
    assert [edge.other for edge in view.down["UN-01"]] == children
    assert view.up["REQ-001"][0].words == "derives from"
    assert [edge.words for edge in view.up["RC-01"]] == ["controls"]
    assert "is implemented by" in [edge.words for edge in view.down["RC-01"]]
    assert "is refined by" in [edge.words for edge in view.down["RC-01"]]


def test_every_count_of_the_start_page_is_what_its_filter_finds(
    trace: dict[str, Any], site: Path, found: dict[str, Page]
) -> None:
    table = table_of(site)
    wanted = re.findall(
        r'<a class="number" href="matrix\.html(?:#([^"]*))?">([0-9\u202f]+)</a>', found["index.html"].source
    )
    assert len(wanted) > 20
    for state, number in wanted:
        filters = dict(part.split("=") for part in unquote(state.replace("&amp;", "&")).split("&") if part)
        rows = [
            row
            for row in table["items"]
            if filters.get("kind") in {None, table["kinds"][row[2]][0]}
            and filters.get("status") in {None, table["statuses"][row[4]][0]}
            and (filters.get("point") != "suspect" or row[5] & 1)
        ]
        assert len(rows) == int(number.replace("\u202f", "")), state
    statuses = Counter(item["status"] for item in trace["items"])
    assert set(statuses) <= set(STATUSES)


def test_counts_of_points_and_results_are_those_of_the_lists_they_lead_to(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    verdict, report = trace["verdict"], trace["report"]
    points, results = found["points.html"].source, found["results.html"].source
    assert _tally(points, "open") == verdict["gaps"] == _rows(points, "open")
    assert _tally(points, "justified") == verdict["justified"] == _rows(points, "justified")
    assert _tally(points, "suspect") == verdict["suspects"] == _rows(points, "suspect")
    assert _tally(results, "passed") == report["passed"] == _rows(results, "passed")
    assert _tally(results, "failed") == report["failed"] == _rows(results, "failed")
    justified = [gap["justified"] for gap in trace["gaps"] if gap["justified"]]
    assert all(gap["reason"] in points and gap["owner"] in points and gap["expires"] in points for gap in justified)


def test_the_start_page_shows_what_is_open_suspect_and_justified(found: dict[str, Page], trace: dict[str, Any]) -> None:
    start = found["index.html"]
    first = next(gap for gap in trace["gaps"] if gap["justified"] is None)
    assert first["message"] in start.text
    soonest = min((gap for gap in trace["gaps"] if gap["justified"]), key=lambda gap: gap["justified"]["expires"])
    assert all(value in start.text for value in soonest["justified"].values())
    suspect = next(item["id"] for item in trace["items"] if item["suspect"])
    assert f"items/{place(suspect).address}" in start.links
    assert trace["report"]["tester"] in start.text
    assert trace["report"]["commit"][:12] in start.text


def _section(source: str, anchor: str) -> str:
    (section,) = re.findall(rf'<section aria-labelledby="{anchor}">(.*?)</section>', source, re.DOTALL)
    return section


def _tally(source: str, anchor: str) -> int:
    (number,) = re.findall(r'class="tally">([0-9\u202f]+)<', _section(source, anchor))
    return int(number.replace("\u202f", ""))


def _rows(source: str, anchor: str) -> int:
    section = _section(source, anchor)
    return section.count("</tr>") - section.count("</thead>")


def test_each_cell_of_the_risk_matrix_leads_to_the_risks_it_counts(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    source = found["risks.html"].source
    filled = [cell for cell in trace["risk"]["cells"] if cell["initial"] or cell["residual"]]
    assert filled
    for cell in trace["risk"]["cells"]:
        for stage in ("initial", "residual"):
            anchor = f"{stage}-{cell['severity']}-{cell['probability']}"
            shown = re.findall(rf'<a href="#{anchor}" aria-label="[^"]*">([0-9]+)</a>', source)
            assert shown == ([str(len(cell[stage]))] if cell[stage] else [])
            listed = re.findall(rf'id="{anchor}">(.*?)</div>', source, re.DOTALL)
            ids = re.findall(r">([A-Z]+-[0-9]+)</a>", listed[0]) if listed else []
            assert ids == cell[stage]


def test_the_picture_shows_two_levels_on_either_side_and_every_box_is_a_link(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    source = found[f"items/{place('REQ-001').page}"].source
    picture = re.findall(r"<svg class=\"picture\".*?</svg>", source, re.DOTALL)[0]
    assert 'aria-labelledby="REQ-001-picture"' in picture
    view = TraceView(trace)
    near = {edge.other for edge in (*view.up["REQ-001"], *view.down["REQ-001"])}
    drawn = re.findall(r'<a href="[^"#]*#([^"]+)">', picture)
    assert near <= set(drawn)
    assert drawn.count("REQ-001") >= 1
    assert "UN-01" in drawn  # of SYS-02, two levels up
    assert "SOUP-03" in drawn  # of SU-02, two levels down
    assert picture.count("<rect") == picture.count("<a href")


def test_a_picture_stays_small_however_many_neighbours_there_are(tmp_path: Path) -> None:
    write_site(make_trace(160), tmp_path / "site")
    source = (tmp_path / "site" / "items" / place("SU-01").page).read_text(encoding="utf-8")
    picture = re.findall(r"<svg class=\"picture\".*?</svg>", source, re.DOTALL)[0]
    assert picture.count("<rect") < 32
    assert "more, in the list" in picture
    assert broken(tmp_path / "site", pages(tmp_path / "site")) == []


def test_the_same_trace_gives_the_same_bytes(trace: dict[str, Any], site: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_site(json.loads(json.dumps(trace)), again)
    assert _digests(again) == _digests(site)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_no_page_but_the_matrix_may_run_a_script_and_none_may_load_from_elsewhere(found: dict[str, Page]) -> None:
    for name, page in found.items():
        rules = dict(rule.strip().partition(" ")[::2] for rule in page.policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["style-src"] == "'self' file:"
        assert rules["base-uri"] == rules["form-action"] == "'none'"
        scripts = [element.get("src") for tag, element in page.elements if tag == "script"]
        if name == "matrix.html":
            assert rules["script-src"] == "'self' file:"
            assert rules["require-trusted-types-for"] == "'script'"
            assert scripts == ["data/items.js", "assets/matrix.js"]
        else:
            assert "script-src" not in rules
            assert scripts == []
        for _, element in page.elements:
            assert not [attribute for attribute in element if attribute.startswith("on") or attribute == "style"]
        assert not [address for address in page.links if ":" in address.partition("#")[0] or address.startswith("//")]


def test_every_control_is_reached_by_keys_in_the_order_of_the_page(found: dict[str, Page]) -> None:
    for name, page in found.items():
        controls = [(tag, element) for tag, element in page.elements if tag in {"a", "button", "input", "select"}]
        first, attributes = controls[0]
        assert (first, attributes.get("href")) == ("a", "#content"), name
        assert all(tag != "a" or element.get("href") for tag, element in controls), name
        assert all((element.get("tabindex") or "0") == "0" for _, element in page.elements), name


def test_the_script_sets_every_text_as_text(site: Path) -> None:
    script = (site / "assets" / "matrix.js").read_text(encoding="utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script


def hostile_trace() -> dict[str, Any]:
    """A trace in which whatever can hold free text holds something that means harm."""
    items = []
    for number, words in enumerate(HOSTILE, start=1):
        items.append(
            make_item(
                f"REQ-{number:03}",
                "requirement",
                words,
                status="failed" if number % 2 else words or "none",
                suspect=True,
                text=[{"label": words, "value": words}],
                facts=[{"label": words, "value": words}],
                standards=[words] if words else [],
                source={"path": words, "line": 1},
                links=[link("derives-from", f"REQ-{1 + number % 3:03}"), link(words, words or "REQ-001", suspect=True)],
                scenarios=[
                    {"name": words, "feature": words, "path": words, "line": 1, "outcome": words, "seconds": None}
                ],
                tests=[{"name": words, "path": words, "line": 1}],
                code=[{"name": words, "path": words, "line": 1}],
                results=[
                    {
                        "name": words,
                        "node": words,
                        "outcome": "failed",
                        "seconds": 0.1,
                        "message": words,
                        "evidence": [{"path": words, "digest": words}],
                    }
                ],
                gaps=[
                    {
                        "kind": words,
                        "message": words,
                        "path": words,
                        "line": None,
                        "justified": {"reason": words, "owner": words, "expires": words} if number % 2 else None,
                    }
                ],
                history=[{"commit": words, "time": words, "author": words, "subject": words}],
                signatures=[signature(1, words, words, words, words), signature(number, words, words, words)],
                levels=[
                    {
                        "stage": words,
                        "severity": 9,
                        "p1": 0,
                        "p2": 99,
                        "probability": 0,
                        "level": words,
                        "acceptable": False,
                    }
                ],
            )
        )
    items.append(make_item("../../evil\"'<b>-1", "<i>kind", "An id that is none"))
    trace = empty_trace() | {
        "items": items,
        "project": dict.fromkeys(("name", "version", "commit", "tree", "time"), HOSTILE[0]),
        "gaps": [{**gap, "item": item["id"]} for item in items for gap in item["gaps"]],
        "verdict": {"holds": False, "gaps": 7, "justified": 7, "suspects": len(items)},
        "log": {"origin": HOSTILE[3], "size": 3, "demo": True},
        "made": [
            {"name": f"{words}.onnx", "digest": words, "action": words, "entry": 1, "actor": words, "time": words}
            for words in HOSTILE
        ],
        "signatures": [signature(1, words, "baseline", words, words) for words in HOSTILE]
        + [signature(2, words, "baseline", words) for words in HOSTILE],
        "coverage": [
            {
                "standard": words,
                "clause": words,
                "paraphrase": words,
                "status": "met",
                "evidence": [words],
                "reason": words,
            }
            for words in HOSTILE
        ],
    }
    trace["risk"] = {
        "severity": [HOSTILE[0]],
        "probability": [HOSTILE[3]],
        "cells": [
            {
                "severity": 1,
                "probability": 1,
                "level": HOSTILE[1],
                "acceptable": False,
                "initial": ["REQ-001", HOSTILE[0]],
                "residual": ["REQ-001"],
            }
        ],
    }
    return trace


def test_text_that_means_harm_stays_text(tmp_path: Path) -> None:
    write_site(hostile_trace(), tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    for name, page in found.items():
        for tag, element in page.elements:
            assert tag not in {"img", "b", "i", "iframe", "object", "base"}, name
            assert tag != "script" or name == "matrix.html"
            assert not [attribute for attribute in element if attribute.startswith("on")], name
        assert not [address for address in page.links if address.lower().startswith("javascript")]
        assert "{{ 7 * 7 }}" in page.text or "49" not in page.text
    shown = found[f"items/{place('REQ-001').page}"].text
    assert all(words in shown for words in HOSTILE if "\ud800" not in words)
    assert "half a pair ?" in shown
    script = (tmp_path / "site" / "data" / "items.js").read_bytes()
    assert b"<" not in script
    assert "\u2028".encode() not in script
    assert [row[3] for row in table_of(tmp_path / "site")["items"]][: len(HOSTILE)] == [
        words.replace("\ud800", "?") for words in HOSTILE
    ]
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


def test_a_link_to_nothing_is_shown_as_such(tmp_path: Path) -> None:
    trace = empty_trace() | {
        "items": [make_item("REQ-001", "requirement", "One", links=[link("derives-from", "UN-99")])]
    }
    write_site(trace, tmp_path / "site")
    found = pages(tmp_path / "site")
    page = found[f"items/{place('REQ-001').page}"]
    assert "UN-99 not found" in " ".join(page.text.split())
    assert "not in this project" in page.text
    assert broken(tmp_path / "site", found) == []


def test_an_item_that_leads_to_itself_ends(tmp_path: Path) -> None:
    items = [
        make_item("REQ-001", "requirement", "One", links=[link("derives-from", "REQ-002")]),
        make_item(
            "REQ-002", "requirement", "Two", links=[link("derives-from", "REQ-001"), link("derives-from", "REQ-002")]
        ),
    ]
    write_site(empty_trace() | {"items": items}, tmp_path / "site")
    assert broken(tmp_path / "site", pages(tmp_path / "site")) == []


def test_a_project_that_holds_nothing_has_a_site(tmp_path: Path) -> None:
    write_site(empty_trace(), tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    assert "The trace holds." in found["index.html"].text
    assert "No item yet" in found["index.html"].text
    assert "No results yet" in found["index.html"].text
    assert table_of(tmp_path / "site")["items"] == []


def test_a_trace_that_holds_says_so_and_one_without_results_says_that(tmp_path: Path) -> None:
    trace = make_trace(holds=True)
    write_site(trace, tmp_path / "site")
    assert "The trace holds." in pages(tmp_path / "site")["index.html"].text
    write_site(trace | {"report": None, "risk": None}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert "No results yet" in found["index.html"].text
    assert "There is no report yet" in found["results.html"].text
    assert broken(tmp_path / "site", found) == []


def test_stale_results_are_called_stale(tmp_path: Path) -> None:
    trace = make_trace()
    trace["report"]["stale"] = True
    write_site(trace, tmp_path / "site")
    assert "Stale" in pages(tmp_path / "site")["index.html"].text


def test_what_the_format_does_not_know_is_neither_hidden_nor_in_the_way(tmp_path: Path) -> None:
    result = {"name": "t", "node": "n", "seconds": None, "message": "", "evidence": []}
    items = [
        make_item("REQ-001", "a b", "One", results=[{**result, "outcome": "x y"}, {**result, "outcome": "x-y"}]),
        make_item("REQ-002", "a-b", "Two", status="strange"),
    ]
    clause = {"standard": "S", "clause": "1", "paraphrase": "p", "status": "strange", "evidence": [], "reason": ""}
    write_site(empty_trace() | {"items": items, "coverage": [clause]}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    assert "1 open" in found["index.html"].text
    assert "strange" in found["index.html"].text
    assert len([name for name in found if name.startswith("list-")]) == 2
    assert {"outcome-3", "outcome-4"} <= found["results.html"].ids


def test_an_address_follows_from_the_id_alone() -> None:
    assert place("REQ-007") == ("REQ-0.html", "REQ-007")
    assert place("REQ-01234").page == "REQ-1200.html"
    assert place("REQ-7/../x").page.startswith("other-")
    assert place("req-1").page != place("REQ-1").page


@pytest.mark.parametrize("change", [{"format": "minivess-trace/1"}, {"format": None}])
def test_another_format_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a format"):
        write_site(empty_trace() | change, tmp_path / "site")
    assert not list(tmp_path.iterdir())


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = [make_item("REQ-001", "requirement", "One"), make_item("REQ-001", "requirement", "Two")]
    with pytest.raises(InputError, match="twice"):
        write_site(empty_trace() | {"items": twice}, tmp_path / "site")


def test_a_site_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(120), folder)
    assert (folder / "items" / "REQ-100.html").exists()
    write_site(make_trace(10), folder)
    assert not (folder / "items" / "REQ-100.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    write_site(empty_trace(), folder)
    assert (folder / "index.html").exists()


@pytest.mark.parametrize("marker", [None, "{}", "no json", '{"format": "minivess-site/1"}', '["minivess-site/1"]'])
def test_a_folder_that_is_not_ours_is_left_alone(marker: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work", encoding="utf-8")
    if marker is not None:
        (folder / "site.json").write_text(marker, encoding="utf-8")
    with pytest.raises(UsageError, match=r"chapter\.txt"):
        write_site(make_trace(), folder)
    assert (folder / "chapter.txt").read_text(encoding="utf-8") == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_a_site_somebody_put_notes_into_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(), folder)
    (folder / "items" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="notes"):
        write_site(make_trace(), folder)
    assert (folder / "items" / "notes.txt").exists()


def test_a_file_or_a_link_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "away").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "away")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="not a folder"):
            write_site(make_trace(), tmp_path / name)


def test_a_disk_that_is_full_leaves_the_old_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(10), folder)
    before = _digests(folder)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site_folder.os, "fsync", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        write_site(make_trace(20), folder)
    assert _digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(10), folder)
    before = _digests(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith(".site.new.") and not self.name.endswith(".old"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CannotWriteError, match="Permission denied"):
        write_site(make_trace(20), folder)
    monkeypatch.undo()
    assert _digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_one_long_text_and_one_without_spaces_are_shown_whole(tmp_path: Path) -> None:
    long = "voxel" * 4000
    trace = empty_trace() | {"items": [make_item("UN-01", "user-need", long, text=text(statement=long))]}
    write_site(trace, tmp_path / "site")
    assert pages(tmp_path / "site")[f"items/{place('UN-01').page}"].text.count(long) >= 2
