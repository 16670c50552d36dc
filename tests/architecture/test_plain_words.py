"""Rendered pages, help, messages and docs use plain words: `plain_words.txt` lists those that they do not use."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from minivess.cli import reference
from minivess.cli.main import app
from minivess.compliance.documents.documents import documents
from minivess.compliance.documents.dossier import gather
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.start_page import index_page
from tests.support.builders.release_builder import TEMPLATES, make_release

pytestmark = pytest.mark.verifies("SI-01")

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("plain_words.txt")
DOCS = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts),
]
MARKUP = re.compile(r"<(script|style|code|pre)\b.*?</\1>|<[^>]+>", re.DOTALL)
QUOTED = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
TREE = ("requirements", "risk", "features", "src", "docs", "tests", "release", "templates")
WRONG = (
    "trace check --source missing",
    "trace impact REQ-99999",
    "trace matrix --out matrix.pdf",
    "trace import missing.xyz",
    "trace standards --status green",
    "audit log",
    "audit show 0",
    "audit verify missing",
    "audit compare a b --trust c",
    "release verify missing.zip",
    "release build",
    "data ingest",
    "data split",
    "data seal",
    "data card",
    "data synthesise out --stenosis-degree 7",
    "identity list",
    "identity rotate ada",
    "test-set status",
    "test-set request --purpose why",
    "train",
    "model export",
    "model promote x --stage heaven --reason why",
    "serve",
    "risk report",
    "risk drill RC-99",
    "witness serve missing vkey",
    "init .",
)


def words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The words that are not used, and the phrases in which they are."""
    banned, _, allowed = LIST.read_text(encoding="utf-8").partition("[allowed]")
    return _any_of(banned), _any_of(allowed)


def _any_of(text: str) -> re.Pattern[str]:
    rows = [line.partition(" | ") for line in text.splitlines() if line and not line.startswith("#")]
    assert all(reason.strip() for _, _, reason in rows)
    found = sorted((word.strip() for row in rows for word in row[0].split(",")), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, found))})\b", re.IGNORECASE)


def offences(name: str, text: str) -> Iterator[str]:
    """Each use of a word in a text, with the words around it."""
    banned, allowed = words()
    plain = allowed.sub(" ", " ".join(text.split()))
    for found in banned.finditer(plain):
        yield f"{name}: …{plain[max(0, found.start() - 50) : found.end() + 40]}…"


def read(page: str) -> str:
    """What a browser shows of a page, without code."""
    return unescape(MARKUP.sub(" ", page))


def test_the_list_finds_a_word_and_leaves_an_allowed_phrase() -> None:
    assert list(offences("page", "Nobody knows.")) == ["page: …Nobody knows.…"]
    assert list(offences("page", "They can be told apart; something is missing.")) == []


def test_the_pages_of_a_pack_use_plain_words(tmp_path: Path) -> None:
    dossier = gather(make_release(tmp_path).inputs())
    renderer = Renderer(TEMPLATES)
    pages = {**documents(renderer, dossier), "index.html": index_page(renderer, dossier, [], "the signing text")}
    assert [line for name, page in pages.items() for line in offences(name, read(page))] == []


def test_the_pages_of_the_trace_use_plain_words(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in TREE:  # a copy without git: the subjects of old commits stay as they are
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("uv.lock", "pyproject.toml", "sdp.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree / name)
    result = CliRunner().invoke(app, ["trace", "site", str(tmp_path / "pages"), "--source", str(tree)])
    assert result.exit_code == 0, result.output
    pages = sorted((tmp_path / "pages").rglob("*.html"))
    assert len(pages) > 20
    found = [line for path in pages for line in offences(path.name, read(path.read_text(encoding="utf-8")))]
    assert found == []


def test_help_and_reference_pages_use_plain_words() -> None:
    pages = reference.pages()
    assert [line for name, page in pages.items() for line in offences(name, QUOTED.sub(" ", page))] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_docs_use_plain_words(page: Path) -> None:
    assert list(offences(page.name, QUOTED.sub(" ", page.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("call", WRONG)
def test_error_messages_use_plain_words(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "profile"))
    result = CliRunner().invoke(app, call.split())
    message = result.output
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        message += f" {result.exception} {getattr(result.exception, 'hint', '')}"
    assert message.strip()
    assert list(offences(call, message)) == []
