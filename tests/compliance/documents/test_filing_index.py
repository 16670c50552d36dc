"""Judging clauses of filings: what makes one met, each thing that takes that away, and tables without dead names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from minivess.compliance.documents.filings.index import PackParts, filing_index, lacks_of
from minivess.compliance.documents.filings.page import index_csv_of, index_page_of
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.release.layout import layout
from minivess.compliance.standards.catalogue import catalogues
from minivess.compliance.standards.filing import filing
from minivess.compliance.standards.filing_clauses import FilingClause, filing_clauses
from minivess.foundation.errors import VerificationError
from minivess.foundation.paths import templates_folder
from minivess.records.device.filing_index import Filing, FilingIndex
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.verdict import Check, Verdict
from tests.support.builders.layout2_pack import small_pack
from tests.support.html_pages import Page

pytestmark = [pytest.mark.verifies("REQ-592"), pytest.mark.verifies("SU-214")]

FILINGS: tuple[Filing, ...] = get_args(Filing)
TRACE, ATTESTED = "data/traceability/data/trace.json", "data/release/attested.json"
HELD = Verdict(subject="pack", checks=(Check(name="bag", passed=True, detail=""),), trusted=False)
RISK_FILE = "FDA-14"


def every_clause() -> list[FilingClause]:
    return [one for name in FILINGS for one in filing_clauses(name)]


def clause(name: str) -> FilingClause:
    return next(one for one in every_clause() if one.id == name)


@cache
def whole() -> Mapping[str, bytes]:
    """The files of a small pack, with nothing missing and every clause of the catalogues met."""
    files = dict(small_pack().signed())
    attested, trace = json.loads(files[ATTESTED]), json.loads(files[TRACE])
    attested["missing_chapters"] = []
    rows = [one for catalogue in catalogues() for one in catalogue.clauses]
    trace["coverage"] = [covered(one.id, "met") for one in rows]
    return {**files, ATTESTED: json.dumps(attested).encode(), TRACE: json.dumps(trace).encode()}


def covered(name: str, status: str) -> dict[str, Any]:
    words = dict.fromkeys(("paraphrase", "mode", "reason"), "x")
    lists: dict[str, Any] = {key: [] for key in ("evidence", "missing", "attested", "justified")}
    return {
        **words,
        **lists,
        "id": name,
        "standard": "S",
        "clause": name,
        "status": status,
        "next": "",
        "expired": False,
    }


def with_status(name: str, status: str) -> Mapping[str, bytes]:
    trace = json.loads(whole()[TRACE])
    trace["coverage"] = [covered(name, status) if one["id"] == name else one for one in trace["coverage"]]
    return {**whole(), TRACE: json.dumps(trace).encode()}


def lacks(name: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    return lacks_of(clause(name), PackParts(files))


def indexed(of: Filing, files: Mapping[str, bytes]) -> FilingIndex:
    return filing_index(of, files, HELD, verified_twice=True, device="d", version="1", name="pack")


def test_a_clause_is_met_when_nothing_lacks() -> None:
    assert lacks(RISK_FILE, whole()) == ()
    assert "met in the pack" in {row.state for row in indexed("fda", whole()).rows}


@pytest.mark.parametrize("status", ["open", "justified"])
def test_a_check_that_is_not_met_is_named(status: str) -> None:
    assert lacks(RISK_FILE, with_status("F15", status)) == (f"S F15 is {status}: x",)


@pytest.mark.parametrize(
    ("missing", "evidence", "twice", "expected"),
    [
        (["release-signed", "pack-verified"], [], True, True),
        (["release-signed", "pack-verified"], [], False, False),
        (["release-signed", "signing-order"], [], True, False),
        (["release-signed"], ["trace-complete"], True, False),
        ([], [], True, False),
    ],
)
def test_evidence_of_the_release_itself_is_shown_by_its_verification(
    missing: list[str], evidence: list[str], twice: bool, expected: bool
) -> None:
    trace = json.loads(whole()[TRACE])
    row = covered("F15", "open") | {"missing": missing, "evidence": evidence}
    trace["coverage"] = [row if one["id"] == "F15" else one for one in trace["coverage"]]
    parts = PackParts({**whole(), TRACE: json.dumps(trace).encode()}, verified_twice=twice)
    assert (lacks_of(clause(RISK_FILE), parts) == ()) is expected


def test_anomalies_count_as_listed_only_when_the_release_notes_name_each() -> None:
    attested = json.loads(whole()[ATTESTED])
    attested["anomalies"] = [{"id": "ANO-77", "title": "x"}]
    files = {**whole(), ATTESTED: json.dumps(attested).encode()}
    notes = "data/documents/release-notes.html"
    assert "anomalies-listed" not in PackParts(files).released
    assert "anomalies-listed" in PackParts({**files, notes: files[notes] + b"ANO-77"}).released


def test_a_missing_document_is_named() -> None:
    files = {name: one for name, one in whole().items() if name != "data/documents/risk-management.html"}
    assert lacks(RISK_FILE, files) == ("the pack has no document “Risk management file”",)


def test_a_missing_section_is_named() -> None:
    page = "data/documents/performance.html"
    files = {**whole(), page: whole()[page].replace(b"Subgroups</h2>", b"Groups</h2>")}
    assert lacks("FDA-46", files) == ("the document “Performance evaluation” has no section “Subgroups”",)


def test_a_missing_chapter_of_the_document_is_named_and_one_of_another_is_not() -> None:
    attested = json.loads(whole()[ATTESTED])
    attested["missing_chapters"] = ["Post-market plan: a chapter", "Risk management report: a chapter"]
    files = {**whole(), ATTESTED: json.dumps(attested).encode()}
    assert lacks(RISK_FILE, files) == ("Risk management report: a chapter",)


def test_a_section_is_not_met_when_its_own_chapter_is_empty_and_no_other() -> None:
    attested = json.loads(whole()[ATTESTED])
    attested["missing_chapters"] = [
        "Cybersecurity file: the chapter “Threat model” is missing",
        "Cybersecurity file: the chapter “X” is missing",
    ]
    files = {**whole(), ATTESTED: json.dumps(attested).encode()}
    assert lacks("FDA-22", files) == ("Cybersecurity file: the chapter “Threat model” is missing",)


def test_a_pack_that_does_not_say_what_is_missing_meets_no_text_of_the_manufacturer() -> None:
    attested = json.loads(whole()[ATTESTED])
    del attested["missing_chapters"]
    [found] = lacks(RISK_FILE, {**whole(), ATTESTED: json.dumps(attested).encode()})
    assert "does not say which chapters" in found


def test_an_entry_that_the_log_lacks_is_named() -> None:
    assert lacks("FDA-53", whole()) == (
        "the pack has no qualification/report.html",
        "the log has no completed tool.qualified",
    )


def test_a_row_that_does_not_bind_the_device_is_left_out() -> None:
    trace = json.loads(whole()[TRACE])
    trace["coverage"] = [one for one in trace["coverage"] if one["id"] != "F18"]
    assert lacks("FDA-17", {**whole(), TRACE: json.dumps(trace).encode()}) == ()


@pytest.mark.parametrize("of", FILINGS)
def test_what_the_manufacturer_owns_is_never_met(of: Filing) -> None:
    owned = {one.id for one in filing_clauses(of) if one.owner == "user"}
    assert owned
    assert not owned & {row.id for row in indexed(of, whole()).rows if row.state == "met in the pack"}


def test_a_verdict_with_a_failed_check_is_refused() -> None:
    failed = HELD.model_copy(update={"checks": (Check(name="bag", passed=False, detail=""),)})
    for verdict in (failed, HELD.model_copy(update={"checks": ()})):
        with pytest.raises(VerificationError):
            filing_index("fda", whole(), verdict, verified_twice=True, device="d", version="1", name="pack")


def test_the_name_of_a_pack_is_no_address_of_its_own(tmp_path: Path) -> None:
    index = indexed("fda", whole()).model_copy(update={"pack": "javascript:x#?%"})
    path = tmp_path / "index.html"
    path.write_text(index_page_of(Renderer(templates_folder()), index), encoding="utf-8")
    leading = [link for link in Page(path).links if "data/documents/" in link]
    assert leading
    assert all(link.startswith("./javascript%3Ax%23%3F%25/data/") for link in leading)


def test_no_cell_of_the_table_is_a_formula() -> None:
    index = indexed("fda", whole())
    bent = index.model_copy(update={"rows": (index.rows[0].model_copy(update={"note": "=1+1"}),)})
    assert ",'=1+1," in index_csv_of(bent)


@pytest.mark.verifies("REQ-593")
def test_every_check_that_a_row_rests_on_exists() -> None:
    known = {one.id for catalogue in catalogues() for one in catalogue.clauses}
    assert [(one.id, name) for one in every_clause() for name in one.rests_on if name not in known] == []


@pytest.mark.verifies("REQ-593")
def test_every_action_that_a_row_names_exists() -> None:
    assert [(one.id, name) for one in every_clause() for name in one.entries if name not in PAYLOADS] == []


@pytest.mark.verifies("REQ-593")
def test_every_part_that_a_row_names_is_a_document_with_this_section_or_a_file_of_the_layout() -> None:
    parts, stems = PackParts(whole()), {one.stem: one for one in filing()}
    wrong = []
    for one in every_clause():
        for part in one.answered_by:
            stem, _, section = part.partition("#")
            if stem not in stems:
                known = part == "signatures/SIGNATURES.txt" or layout().row(part) is not None
            else:
                page = f"data/documents/{stems[stem].name}"
                known = not section or section.casefold() in parts.sections(page)
            wrong += [] if known else [(one.id, part)]
    assert wrong == []
