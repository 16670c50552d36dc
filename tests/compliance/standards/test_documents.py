"""Documents count when every part that is asked of them says something under its heading."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from minivess.compliance.standards.collectors.documents import answered
from minivess.compliance.standards.evidence_names import evidence
from minivess.compliance.standards.required_documents import documents, unanswered

pytestmark = pytest.mark.verifies("REQ-112", "SU-21")

PARTS = ("Feedback", "Problem reports")
SAID = "Whoever reports something is answered within five days of work.\n"


def test_every_document_shows_evidence_that_the_source_tells() -> None:
    for one in documents():
        assert evidence()[one.evidence].found_in == "source"
        assert one.path in evidence()[one.evidence].meaning
        assert one.parts


def test_a_part_needs_a_heading_and_a_sentence() -> None:
    whole = f"# Plan\n\n## Feedback\n\n{SAID}\n## problem reports ##\n{SAID}"
    assert unanswered(PARTS, whole) == ()
    assert unanswered(PARTS, "") == PARTS
    assert unanswered(PARTS, whole.replace("## Feedback", "Feedback")) == ("Feedback",)
    assert unanswered(PARTS, f"## Feedback\n{SAID}## Problem reports\nTo be written.\n") == ("Problem reports",)


def test_what_stands_under_deeper_headings_counts_and_what_follows_does_not() -> None:
    assert unanswered(PARTS[:1], f"# Feedback\n## From users\n{SAID}") == ()
    assert unanswered(PARTS[:1], f"## Feedback\n# Other\n{SAID}") == PARTS[:1]
    assert unanswered(PARTS[:1], f"## Feedback\n## Other\n{SAID}") == PARTS[:1]


def test_headings_in_code_and_words_in_comments_do_not_count() -> None:
    assert unanswered(PARTS[:1], f"```\n## Feedback\n```\n{SAID}") == PARTS[:1]
    assert unanswered(PARTS[:1], f"## Feedback\n<!-- {SAID} -->\n") == PARTS[:1]


def test_a_document_shows_its_evidence_only_when_it_is_there_and_whole(tmp_path: Path) -> None:
    def shown(texts: dict[str, str]) -> set[str]:
        tree = Path(tempfile.mkdtemp(dir=tmp_path))
        for name, text in texts.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text, encoding="utf-8")
        return {one.evidence for one in documents() if answered(one, tree)}

    [plan] = [one for one in documents() if one.evidence == "maintenance-plan"]
    whole = "".join(f"## {part}\n{SAID}" for part in plan.parts)
    assert shown({}) == set()
    assert shown({plan.path: whole}) == {"maintenance-plan"}
    assert shown({plan.path: whole.replace("## End of support", "")}) == set()
    assert shown({"elsewhere.md": whole}) == set()
