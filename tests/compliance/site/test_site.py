"""The static site: whole, linked, faithful to its trace, and safe with whatever a trace holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.site.view import PackPaths, place
from minivess.compliance.site.writer import site_files
from tests.support.builders.hostile_trace import HOSTILE, hostile_trace
from tests.support.builders.trace_data import empty_trace, link, make_clause, make_item, make_trace, text
from tests.support.html_pages import Page, broken, digests_of, matrix_of, pages, table_of
from tests.support.trace_site import view_of, write_site

pytestmark = pytest.mark.verifies("SU-24")


def test_every_link_of_every_page_leads_to_a_file_and_an_id(site: Path, found: dict[str, Page]) -> None:
    assert {
        "index.html",
        "overview.html",
        "items.html",
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
    start = " ".join(found["overview.html"].text.split())
    assert f"{len(every)} signatures of people, of which {sum(bool(row['out_of_date']) for row in every)} are" in start


@pytest.mark.verifies("REQ-106")
def test_a_review_that_nobody_signed_is_called_so(tmp_path: Path) -> None:
    nobody = {"by": None, "time": None, "entry": None}
    items = [
        make_item("UN-01", "user-need", "Need"),
        make_item("REQ-001", "software-requirement", "One", links=[link("derives-from", "UN-01", reviewed=nobody)]),
    ]
    log = {"origin": "o", "size": 1, "demo": False}
    write_site(empty_trace() | {"items": items, "log": log}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert "not signed" in found[f"items/{place('REQ-001').page}"].text
    assert "1 link is marked as reviewed in" in " ".join(found["signatures.html"].text.split())


@pytest.mark.verifies("REQ-107")
def test_results_name_the_entry_that_recorded_them_and_the_model(trace: dict[str, Any], found: dict[str, Page]) -> None:
    digest = trace["made"][1]["digest"]
    said = f"Recorded at log entry 131; the model models/model.onnx {digest} at log entry 99."
    for name in ("overview.html", "results.html", f"items/{place('REQ-001').page}"):
        assert said in " ".join(found[name].text.split()), name
    for row in trace["made"]:
        assert row["name"] in found["overview.html"].text
        assert row["digest"] in found["overview.html"].text


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
    pack = PackPaths("../index.html", "../audit/proofs", frozenset({99, 131}), "evidence")
    for name, content in site_files(view_of(make_trace(), pack)):
        path = tmp_path / "pack" / "traceability" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = (tmp_path / "pack" / "traceability" / "items" / place("REQ-001").page).read_text(encoding="utf-8")
    assert '<a href="../../index.html">' in source
    assert '<a href="../../audit/proofs/131.tlog-proof">log entry 131</a>' in source
    assert "proofs/41.tlog" not in source
    assert re.search(r'<a href="\.\./evidence/evidence/[a-z_0-9-]+\.png">', source)


@pytest.mark.verifies("REQ-511")
def test_entries_name_what_they_are_evidence_for_and_lead_to_their_proof(tmp_path: Path) -> None:
    trace = make_trace(24)
    trace["items"][0]["links"].append(link("rests-on", "weights"))
    of = {"actor": "ada", "time": "2026-11-20T16:40:51Z", "inputs": [], "outputs": []}
    acts = ((99, "model.export", "completed"), (131, "scenarios", "completed"), (132, "training", "failed"))
    trace["entries"] = [{**of, "entry": entry, "action": action, "outcome": outcome} for entry, action, outcome in acts]
    pack = PackPaths("../index.html", "../audit/proofs", frozenset({99, 131}), "evidence")
    for name, content in site_files(view_of(trace, pack)):
        path = tmp_path / "pack" / "traceability" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = pages(tmp_path / "pack" / "traceability")
    results = _entry_words(found, 131)
    passed = [item["id"] for item in trace["items"] if item["results"]]
    assert all(identifier in results for identifier in passed)
    assert "UN-01" not in results
    assert "../../../audit/proofs" not in found["entries/100.html"].source
    assert '<a href="../../audit/proofs/131.tlog-proof">' in found["entries/100.html"].source
    export = _entry_words(found, 99)
    assert "UN-01" in export
    assert "rests on weights" in export
    assert "REQ-001" not in export
    assert "no result, signature or file" in _entry_words(found, 132)
    assert matrix_of(tmp_path / "pack" / "traceability")["listed"] == 100


def _entry_words(found: dict[str, Page], entry: int) -> str:
    page = found[f"entries/{entry // 100 * 100}.html"].source
    return " ".join(re.sub("<[^>]+>", " ", page.partition(f'id="entry-{entry}"')[2].partition("</article>")[0]).split())


def test_a_demonstration_says_so_on_every_page(tmp_path: Path) -> None:
    log = {"origin": "o", "size": 1, "demo": True}
    write_site(make_trace(4) | {"log": log}, tmp_path / "site")
    assert all("Demonstration." in page.text for page in pages(tmp_path / "site").values())


def test_what_an_item_rests_on_beside_text_is_no_item_that_is_missing(tmp_path: Path) -> None:
    items = [make_item("REQ-001", "software-requirement", "One", links=[link("rests-on", "weights")])]
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
    view = view_of(trace)
    children = [item["id"] for item in trace["items"] if "UN-01" in {edge["target"] for edge in item["links"]}]
    assert [edge.other for edge in view.down["UN-01"]] == children
    assert view.up["REQ-001"][0].words == "derives from"
    assert [edge.words for edge in view.up["RC-01"]] == ["controls"]
    assert "is implemented by" in [edge.words for edge in view.down["RC-01"]]
    assert "is refined by" in [edge.words for edge in view.down["RC-01"]]


def test_the_picture_shows_two_levels_on_either_side_and_every_box_is_a_link(
    trace: dict[str, Any], found: dict[str, Page]
) -> None:
    source = found[f"items/{place('REQ-001').page}"].source
    picture = re.findall(r"<svg class=\"picture\".*?</svg>", source, re.DOTALL)[0]
    assert 'aria-labelledby="REQ-001-picture"' in picture
    view = view_of(trace)
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
    assert digests_of(again) == digests_of(site)


SCRIPTS = {
    "index.html": ["data/items.js", "data/matrix.js", "assets/matrix.js"],
    "items.html": ["data/items.js", "assets/items.js"],
}


def test_two_pages_alone_may_run_a_script_and_none_may_load_from_elsewhere(found: dict[str, Page]) -> None:
    for name, page in found.items():
        rules = dict(rule.strip().partition(" ")[::2] for rule in page.policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["style-src"] == "'self' file:"
        assert rules["base-uri"] == rules["form-action"] == "'none'"
        scripts = [element.get("src") for tag, element in page.elements if tag == "script"]
        if name in SCRIPTS:
            assert rules["script-src"] == "'self' file:"
            assert rules["require-trusted-types-for"] == "'script'"
            assert scripts == SCRIPTS[name]
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


@pytest.mark.parametrize("name", ["matrix.js", "items.js"])
def test_the_scripts_set_every_text_as_text(site: Path, name: str) -> None:
    script = (site / "assets" / name).read_text(encoding="utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script


def test_text_that_means_harm_stays_text(tmp_path: Path) -> None:
    write_site(hostile_trace(), tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    for name, page in found.items():
        for tag, element in page.elements:
            assert tag not in {"img", "b", "i", "iframe", "object", "base"}, name
            assert tag != "script" or name in SCRIPTS
            assert not [attribute for attribute in element if attribute.startswith("on")], name
        assert not [address for address in page.links if address.lower().startswith("javascript")]
        assert "{{ 7 * 7 }}" in page.text or "49" not in page.text
    shown = found[f"items/{place('REQ-001').page}"].text
    assert all(words in shown for words in HOSTILE if "\ud800" not in words)
    assert "half a pair ?" in shown
    for name in ("items.js", "matrix.js"):
        script = (tmp_path / "site" / "data" / name).read_bytes()
        assert b"<" not in script
        assert "\u2028".encode() not in script
    assert re.fullmatch(
        r'@page \{[^{}<>]*\{ content: "[a-z0-9A-Z\\]*"; [^{}]*\}[^{}]*\{[^{}]*\} \}\n', print_style(tmp_path)
    )
    assert [row[3] for row in table_of(tmp_path / "site")["items"]][: len(HOSTILE)] == [
        words.replace("\ud800", "?") for words in HOSTILE
    ]
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


def print_style(folder: Path) -> str:
    return (folder / "site" / "assets" / "print.css").read_text(encoding="ascii")


def test_a_link_to_nothing_is_shown_as_such(tmp_path: Path) -> None:
    trace = empty_trace() | {
        "items": [make_item("REQ-001", "software-requirement", "One", links=[link("derives-from", "UN-99")])]
    }
    write_site(trace, tmp_path / "site")
    found = pages(tmp_path / "site")
    page = found[f"items/{place('REQ-001').page}"]
    assert "UN-99 not found" in " ".join(page.text.split())
    assert "not in this project" in page.text
    assert broken(tmp_path / "site", found) == []


def test_an_item_that_leads_to_itself_ends(tmp_path: Path) -> None:
    items = [
        make_item("REQ-001", "software-requirement", "One", links=[link("derives-from", "REQ-002")]),
        make_item(
            "REQ-002",
            "software-requirement",
            "Two",
            links=[link("derives-from", "REQ-001"), link("derives-from", "REQ-002")],
        ),
    ]
    write_site(empty_trace() | {"items": items}, tmp_path / "site")
    assert broken(tmp_path / "site", pages(tmp_path / "site")) == []


def test_a_project_that_holds_nothing_has_a_site(tmp_path: Path) -> None:
    write_site(empty_trace(), tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    assert "Every link holds." in found["overview.html"].text
    assert "No item yet" in found["overview.html"].text
    assert "No results yet" in found["overview.html"].text
    assert table_of(tmp_path / "site")["items"] == []


def test_a_trace_that_holds_says_so_and_one_without_results_says_that(tmp_path: Path) -> None:
    trace = make_trace(holds=True)
    write_site(trace, tmp_path / "site")
    assert "The trace holds." in pages(tmp_path / "site")["overview.html"].text
    write_site(trace | {"report": None, "risk": None}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert "Every link holds." in found["overview.html"].text
    assert "nothing is verified yet" in found["overview.html"].text
    assert "No results yet" in found["overview.html"].text
    assert "There is no report yet" in found["results.html"].text
    assert broken(tmp_path / "site", found) == []


def test_stale_results_are_called_stale(tmp_path: Path) -> None:
    trace = make_trace()
    trace["report"]["stale"] = True
    write_site(trace, tmp_path / "site")
    assert "Stale" in pages(tmp_path / "site")["overview.html"].text


def test_what_the_format_does_not_know_is_neither_hidden_nor_in_the_way(tmp_path: Path) -> None:
    result: dict[str, Any] = {"name": "t", "node": "n", "seconds": None, "message": "", "evidence": []}
    items = [
        make_item("REQ-001", "a b", "One", results=[{**result, "outcome": "x y"}, {**result, "outcome": "x-y"}]),
        make_item("REQ-002", "a-b", "Two", status="strange"),
    ]
    clause = make_clause(standard="S", clause="1", paraphrase="p", status="strange")
    write_site(empty_trace() | {"items": items, "coverage": [clause]}, tmp_path / "site")
    found = pages(tmp_path / "site")
    assert broken(tmp_path / "site", found) == []
    assert "1 open" in found["overview.html"].text
    assert "strange" in found["overview.html"].text
    assert len([name for name in found if name.startswith("list-")]) == 2
    assert {"outcome-3", "outcome-4"} <= found["results.html"].ids


def test_an_address_follows_from_the_id_alone() -> None:
    assert place("REQ-007") == ("REQ-0.html", "REQ-007")
    assert place("REQ-01234").page == "REQ-1200.html"
    assert place("REQ-7/../x").page.startswith("other-")
    assert place("req-1").page != place("REQ-1").page


def test_one_long_text_and_one_without_spaces_are_shown_whole(tmp_path: Path) -> None:
    long = "voxel" * 4000
    trace = empty_trace() | {"items": [make_item("UN-01", "user-need", long, text=text(statement=long))]}
    write_site(trace, tmp_path / "site")
    assert pages(tmp_path / "site")[f"items/{place('UN-01').page}"].text.count(long) >= 2
