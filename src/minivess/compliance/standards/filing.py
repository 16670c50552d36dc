"""The documents of a filing: which there are, who owes each, and which chapters a text of the manufacturer must have.

The list is data (`catalogues/filing.csv`). `minivess` owes what is computed from records; the manufacturer owes texts, which
stand in the source tree and are shown in the document of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from minivess.compliance.standards.required_documents import documents, unanswered
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import read_table

Owner = Literal["minivess", "manufacturer"]
TEXT_LIMIT = 1 << 20
"""Bytes of one text of the manufacturer."""
_COLUMNS = ("name", "code", "title", "about", "owed_by", "subject", "path", "chapters")


@dataclass(frozen=True)
class FilingDocument:
    """One document of a filing."""

    stem: str
    """The name of its files, without a suffix."""
    code: str
    """The last part of its document id."""
    title: str
    about: str
    """What it is for, in one sentence."""
    owed_by: Owner
    subject: str
    """What has to be approved for it beside its text: `requirements`, `risk` or `problems`; empty: nothing."""
    path: str
    """The text of the manufacturer in the source tree (Markdown); empty: none is asked for."""
    chapters: tuple[str, ...]
    """Headings that the text must have, each with words below it."""

    @property
    def name(self) -> str:
        """The file name of its page."""
        return f"{self.stem}.html"

    @property
    def subjects(self) -> tuple[str, ...]:
        """What people approve of it."""
        return tuple(one for one in (self.path, self.subject) if one)


@dataclass(frozen=True)
class MissingChapter:
    """A chapter that is owed and not written."""

    document: FilingDocument
    chapter: str
    """Empty: the whole text is missing."""

    @property
    def words(self) -> str:
        """In a sentence, with who owes it and where."""
        owed = f" with the chapters {', '.join(self.document.chapters)}" if self.document.chapters else ""
        what = f"the chapter “{self.chapter}”" if self.chapter else f"the text{owed}"
        return f"{self.document.title}: {what} is missing; the manufacturer owes it in {self.document.path}"


@cache
def filing() -> tuple[FilingDocument, ...]:
    """Every document, in the order in which a reader needs them.

    Raises:
        CouldNotCheckError: the table in this installation is damaged.
    """
    known = {one.path: one.parts for one in documents()}
    return read_table(
        "minivess.compliance.standards", "catalogues/filing.csv", _COLUMNS, lambda row: _document(row, known)
    )


@implements("REQ-503", "RC-208")
def missing_chapters(source: Path) -> tuple[MissingChapter, ...]:
    """What the manufacturer still owes of the texts in a source tree, in the order of the documents.

    Raises:
        InputError: a text is not UTF-8 or larger than `TEXT_LIMIT`.
    """
    found: list[MissingChapter] = []
    for one in filing():
        if not one.path:
            continue
        text = text_of(source, one)
        if text is None:
            found.append(MissingChapter(one, ""))
        else:
            found.extend(MissingChapter(one, chapter) for chapter in unanswered(one.chapters, text))
    return tuple(found)


def has_text(source: Path, document: FilingDocument) -> bool:
    """Whether the manufacturer wrote a text for a document."""
    return bool(document.path) and (source / document.path).is_file()


def text_of(source: Path, document: FilingDocument) -> str | None:
    """The text of the manufacturer for a document; None where there is none.

    Raises:
        InputError: it is not UTF-8 or larger than `TEXT_LIMIT`.
    """
    if not has_text(source, document):
        return None
    try:
        return read_limited(source / document.path, limit=TEXT_LIMIT).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", path=document.path, hint="save it as UTF-8") from None


def _document(row: dict[str, str], known: Mapping[str, tuple[str, ...]]) -> FilingDocument:
    owner = row["owed_by"]
    if owner not in get_args(Owner):
        raise ValueError(f"no one is called `{owner}`")
    chapters = tuple(one for one in row["chapters"].split(";") if one) or known.get(row["path"], ())
    return FilingDocument(
        row["name"],
        row["code"],
        row["title"],
        row["about"],
        cast("Owner", owner),
        row["subject"],
        row["path"],
        chapters,
    )
