"""The glossary explains the project's own words, and contains no word that the project does not use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minivess.records.people.roles import Role

pytestmark = pytest.mark.verifies("SI-01")

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+?) \| (.+) \|$", re.MULTILINE)
OWN = frozenset(
    {
        "action table", "anchor", "attestation", "baseline", "blast radius", "checkpoint", "custodian run", "disposition",
        "drill", "envelope", "evidence pack", "gap", "gate", "grant", "justification", "laxer", "look", "near duplicate",
        "odometer", "receipt", "registration", "remembered checkpoint", "seal", "serving log", "split view", "standing",
        "suspect", "test-set access count", "tree", "trust file", "witness", "workspace", "yardstick",
    }
)  # fmt: skip
"""Words that a reader of the product, its pages or its code meets in a meaning of our own."""
USED_IN = ("src/**/*.py", "templates/**/*.j2", "docs/**/*.md", "features/*.feature", "*.md", "tests/yardstick/*.py")


def rows() -> dict[str, str]:
    return dict(ROW.findall(GLOSSARY.read_text(encoding="utf-8").partition("|---|---|")[2]))


def test_each_own_word_is_in_the_glossary() -> None:
    assert set(rows()) >= OWN


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
def test_each_role_is_in_the_glossary(role: Role) -> None:
    assert role.value.replace("-", " ") in rows()


def test_the_words_are_sorted_and_each_has_one_line() -> None:
    found = [word for word, _ in ROW.findall(GLOSSARY.read_text(encoding="utf-8"))][1:]
    assert found == sorted(found, key=str.casefold)
    assert len(found) == len(set(found))


def test_each_word_of_the_glossary_is_used() -> None:
    texts = "\n".join(
        path.read_text(encoding="utf-8")
        for pattern in USED_IN
        for path in ROOT.glob(pattern)
        if path != GLOSSARY and "__pycache__" not in path.parts
    ).casefold()
    used = " ".join(re.sub(r"[-_\s]+", " ", texts).split())
    unused = [word for word in rows() if re.sub(r"[-_\s]+", " ", word.partition(" (")[0].casefold()) not in used]
    assert unused == []
