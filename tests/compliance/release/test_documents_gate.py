"""The gate on missing chapters: what it counts, and that both verifiers judge it by what the tool attests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import judge_chain
from minivess.compliance.release.derivation import check_gates, derive
from minivess.compliance.release.facts import statement_of
from minivess.compliance.release.gate_facts import read_gate_facts
from minivess.compliance.release.gates import judge
from minivess.compliance.standards.filing import filing, missing_chapters
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.records.device.attested import Attested
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import CountGate, ReleasePolicy
from minivess.records.log.entry import Entry
from tests.support.builders import release_builder
from tests.support.verify_script import verify

pytestmark = [pytest.mark.verifies("REQ-503", "RC-208"), pytest.mark.verifies("SU-21", "SU-14")]

ATTESTED, GATES = "data/release/attested.json", "data/release/gates.json"
WORDS = "These are more than eight words of the manufacturer below one heading.\n"
write_source = release_builder.write_source


def whole_source(folder: Path) -> Path:
    """A source tree with every chapter of every document."""
    source = write_source(folder)
    for one in filing():
        if one.path:
            path = source / one.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(f"## {name}\n\n{WORDS}" for name in one.chapters) or WORDS, encoding="utf-8")
    return source


def with_gate() -> ReleasePolicy:
    known = release_builder.own_policy()
    return known.model_copy(update={"gates": (*known.gates, CountGate(kind="documents", id="documents"))})


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> release_builder.Release:
    monkeypatch.setattr(release_builder, "policy_of_release", with_gate)
    monkeypatch.setattr(release_builder, "write_source", whole_source)
    made = release_builder.make_release(tmp_path / "release")
    made.facts = made.facts.model_copy(update={"chapters": ()})
    return made


def verdicts(files: dict[str, bytes]) -> tuple[str, str]:
    """What product and script say of the gates in the files of a pack; empty: they hold."""
    product = script = ""
    prepared, chain = judge_chain(read_log_of(files))
    try:
        check_gates(files, derive(files, chain.known, chain, statement_of(prepared)))
    except VerificationError as error:
        product = error.message
    opened = verify.Pack(files, None)
    opened.check_log()
    opened.check_layout()
    opened.release.check_chain()
    opened.release.check_figures()
    try:
        opened.release.check_gates()
    except (verify.WrongError, KeyError) as error:
        script = str(error)
    return product, script


def read_log_of(files: dict[str, bytes]) -> tuple[Entry, ...]:
    lines = files["data/audit/entries.jsonl"].splitlines()
    return tuple(Entry.model_validate(json.loads(line)) for line in lines)


def test_a_pack_with_every_chapter_holds_in_both_verifiers(release: release_builder.Release, tmp_path: Path) -> None:
    release.build(tmp_path / "pack.zip")
    files = read_archive((tmp_path / "pack.zip").read_bytes())
    [gate] = [one for one in json.loads(files[GATES]) if one["id"] == "documents"]
    assert (gate["value"], gate["passed"], gate["basis"]) == ("0", True, "attested")
    assert json.loads(files[ATTESTED])["missing_chapters"] == []
    unsigned = {"release signatures"}
    product = judge_files(files, subject="pack", container="", trusted=None)
    assert {check.name for check in product.checks if not check.passed} == unsigned
    assert {name for name, held, _ in verify.Judgement(None).judge(dict(files)).checks if not held} == unsigned
    assert verdicts(dict(files)) == ("", "")
    told = {**json.loads(files[ATTESTED]), "missing_chapters": ["Usability summary: the text is missing"]}
    for changed in (told, {name: said for name, said in told.items() if name != "missing_chapters"}):
        for said in verdicts({**files, ATTESTED: canonical(changed)}):
            assert "documents" in said


def test_a_pack_with_a_missing_chapter_is_not_built(release: release_builder.Release, tmp_path: Path) -> None:
    release.facts = release.facts.model_copy(update={"chapters": ("Usability summary: the text is missing",)})
    with pytest.raises(RefusedError, match=r"'documents' fails: .*Usability summary"):
        release.build(tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_a_pack_of_a_tool_that_did_not_look_fails_the_gate() -> None:
    [result] = [one for one in judge(with_gate(), GateFacts()) if one.id == "documents"]
    assert not result.passed
    assert result.value is None
    assert "were not looked at" in result.message


def test_what_is_attested_is_read_with_and_without_chapters() -> None:
    plain = {
        "format": "minivess-attested/1",
        "tool": {"name": "minivess", "version": "0.2.0"},
        "tree": "sha256:" + "0" * 64,
        "gaps": [],
        "justified": [],
        "open_clauses": [],
        "anomalies": [],
    }
    text = canonical(plain)
    assert Attested.model_validate_json(text).missing_chapters is None
    assert canonical(Attested.model_validate_json(text)) == text
    assert read_gate_facts({ATTESTED: text}, ()).chapters is None
    with pytest.raises(VerificationError, match="missing_chapters"):
        read_gate_facts({ATTESTED: canonical({**plain, "missing_chapters": ["b", "a"]})}, ())


def test_chapters_are_found_by_heading_and_words(tmp_path: Path) -> None:
    one = next(one for one in filing() if one.stem == "change-plan")
    file = tmp_path / one.path
    file.parent.mkdir(parents=True)
    file.write_text(f"## {one.chapters[0]}\n\n{WORDS}\n## {one.chapters[1]}\n\nToo few.\n", encoding="utf-8")
    found = [missing.chapter for missing in missing_chapters(tmp_path) if missing.document == one]
    assert found == list(one.chapters[1:])
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        missing_chapters(tmp_path)


def test_each_document_of_the_table_has_a_code_of_its_own_and_an_owner() -> None:
    assert len({one.code for one in filing()}) == len({one.stem for one in filing()}) == len(filing())
    for one in filing():
        assert (one.owed_by == "manufacturer") <= bool(one.path)
