"""Judging the clauses of a filing by the files of a verified pack.

A clause is met in the pack when every part that answers it is there, no chapter of these documents is missing, every row of the
catalogues of standards that it rests on is met in the pack's trace, and the log has the entries. The trace was made before the
pack was signed: evidence of the release itself is there when the verification shows it. What the manufacturer owns is never met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser

from minivess.compliance.release.layout import DATA
from minivess.compliance.release.pack_files import bytes_of, lines_of, record_of, text_of
from minivess.compliance.standards.filing import FilingDocument, filing
from minivess.compliance.standards.filing_clauses import FilingClause, filing_clauses
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.attested import Attested
from minivess.records.device.filing_index import INDEX_FORMAT, Answer, Filing, FilingIndex, IndexRow
from minivess.records.items.trace_data import ClauseCoverage, TraceData
from minivess.records.verdict import Verdict

_ENTRIES, _TRACE, _ATTESTED = (
    f"{DATA}{name}" for name in ("audit/entries.jsonl", "traceability/data/trace.json", "release/attested.json")
)
_TAG = "tagmanifest-sha512.txt"
_SIGNATURES = "signatures/"
_NUMBER = re.compile(r"^[0-9.]+\s+")
_HEADINGS = frozenset({"h2", "h3", "h4"})
_NOTES = f"{DATA}documents/release-notes.html"
_BY_VERIFICATION = frozenset({"release-record", "release-signed", "sbom"})
"""Evidence of a release that holds when every check of its pack passed (`collectors.releases`)."""
_EXCUSABLE = "trace-complete"
"""Evidence that a justified gap can make; then the row is justified and not met."""
_MOST = 5
"""How many entries of an action are listed, the newest."""


@dataclass(frozen=True)
class PackParts:
    """What of a verified pack answers clauses; each part is read once."""

    files: Mapping[str, bytes]
    verified_twice: bool = False
    """Whether both verifiers accept the pack."""

    @cached_property
    def released(self) -> frozenset[str]:
        """Names of evidence of the release itself, which the trace in the pack cannot have: it was made before."""
        twice = {"pack-verified"} if self.verified_twice else set()
        attested = record_of(self.files, _ATTESTED, Attested) if _ATTESTED in self.files else None
        notes = text_of(self.files, _NOTES) if _NOTES in self.files else ""
        listed = attested is not None and all(one.id in notes for one in attested.anomalies)
        return _BY_VERIFICATION | twice | ({"anomalies-listed"} if listed and notes else set())

    @cached_property
    def coverage(self) -> Mapping[str, ClauseCoverage]:
        """How the rows of the catalogues of standards stand, by id."""
        if _TRACE not in self.files:
            return {}
        return {one.id: one for one in record_of(self.files, _TRACE, TraceData).coverage}

    @cached_property
    def missing(self) -> tuple[str, ...] | None:
        """Chapters that the manufacturer owes; None: the pack does not say."""
        return record_of(self.files, _ATTESTED, Attested).missing_chapters if _ATTESTED in self.files else None

    @cached_property
    def entries(self) -> Mapping[str, tuple[int, ...]]:
        """The indices of completed entries by action."""
        found: dict[str, list[int]] = {}
        for line in lines_of(self.files, _ENTRIES):
            body = json.loads(line)["body"]
            if body["outcome"] == "completed":
                found.setdefault(body["action"], []).append(body["index"])
        return {action: tuple(indices) for action, indices in found.items()}

    def sections(self, page: str) -> Mapping[str, str]:
        """The anchors of a page's headings, by title in small letters."""
        reader = _Headings()
        reader.feed(text_of(self.files, page))
        return reader.found


@implements("REQ-592")
def filing_index(
    of: Filing,
    files: Mapping[str, bytes],
    verdict: Verdict,
    *,
    verified_twice: bool,
    device: str,
    version: str,
    name: str,
) -> FilingIndex:
    """The index of a filing.

    Args:
        of: which filing.
        files: of a pack that was verified, by name.
        verdict: on these files.
        verified_twice: whether the other verifier accepts them too.
        device: its name.
        version: its version.
        name: of the pack, without a suffix.

    Raises:
        VerificationError: the verdict is about a failed check, or a file of the pack is malformed.
    """
    if verdict.first_failure is not None or not verdict.checks:
        raise VerificationError("the pack is not verified, so that it answers no clause")
    parts = PackParts(files, verified_twice)
    return FilingIndex(
        format=INDEX_FORMAT,
        filing=of,
        device=device,
        version=version,
        pack=name,
        tag_manifest=digest_bytes(bytes_of(files, _TAG)),
        verdict="; ".join([verdict.state.value, *verdict.reservations]),
        keys=verdict.trust,
        rows=tuple(_row(clause, parts) for clause in filing_clauses(of)),
    )


@implements("REQ-592", "RC-251")
def lacks_of(clause: FilingClause, parts: PackParts) -> tuple[str, ...]:
    """What a pack lacks of the answer to a clause, each in words."""
    lacks: list[str] = []
    for part in clause.answered_by:
        lacks += _answer(part, parts)[1]
    lacks += _open(clause.rests_on, parts)
    lacks += [f"the log has no completed {action}" for action in clause.entries if action not in parts.entries]
    return tuple(dict.fromkeys(lacks))


def _row(clause: FilingClause, parts: PackParts) -> IndexRow:
    found = (_answer(part, parts)[0] for part in clause.answered_by)
    answers = [answer for answer in found if answer is not None]
    for action in clause.entries:
        answers += [_entry(action, index, parts) for index in parts.entries.get(action, ())[-_MOST:]]
    lacks = lacks_of(clause, parts)
    met = "your own process" if clause.owner == "user" else "met in the pack"
    return IndexRow(
        id=clause.id,
        edition=clause.edition,
        clause=clause.clause,
        label=clause.label,
        state="not met" if lacks else met,
        reason="; ".join(lacks),
        answers=tuple(answers),
        note=clause.note,
    )


def _answer(part: str, parts: PackParts) -> tuple[Answer | None, list[str]]:
    """The answer of a part, and what it lacks."""
    stem, _, section = part.partition("#")
    document = next((one for one in filing() if one.stem == stem), None)
    if document is None:
        place = part if part.startswith(_SIGNATURES) else f"{DATA}{part}"
        there = place in parts.files
        return (Answer(kind="file", title=part, place=place), []) if there else (None, [f"the pack has no {part}"])
    page = f"{DATA}documents/{document.name}"
    if page not in parts.files:
        return None, [f"the pack has no document “{document.title}”"]
    lacks = list(_missing(document, parts))
    if not section:
        return Answer(kind="document", title=document.title, place=page), lacks
    lacks = [one for one in lacks if f"“{section}”" in one]  # of other sections nothing is asked
    anchor = parts.sections(page).get(section.casefold())
    if anchor is None:
        return None, [*lacks, f"the document “{document.title}” has no section “{section}”"]
    title = f"{document.title}: {section}"
    return Answer(kind="section", title=title, place=f"{page}#{anchor}"), lacks


def _missing(document: FilingDocument, parts: PackParts) -> Iterator[str]:
    if not document.path:
        return
    if parts.missing is None:
        yield f"the pack does not say which chapters of “{document.title}” are missing"
    else:
        yield from (one for one in parts.missing if one.startswith(f"{document.title}: "))


def _open(rows: Iterable[str], parts: PackParts) -> Iterator[str]:
    """Rows of the catalogues that are not met. A row that does not bind the class or level of the device is left out."""
    for name in rows:
        if not parts.coverage:
            yield "the pack does not say how the clauses of standards stand"
            return
        one = parts.coverage.get(name)
        if one is not None and one.status != "met" and not _shown_since(one, parts):
            why = one.reason or one.next or ", ".join(one.missing)
            yield f"{one.standard} {one.clause} is {one.status}{': ' if why else ''}{why}"


def _shown_since(one: ClauseCoverage, parts: PackParts) -> bool:
    """Whether all that an open row lacked is evidence of the release itself, and is there."""
    missing = frozenset(one.missing)
    return one.status == "open" and bool(missing) and missing <= parts.released and _EXCUSABLE not in one.evidence


def _entry(action: str, index: int, parts: PackParts) -> Answer:
    proof = f"{DATA}audit/proofs/{index}.tlog-proof"
    return Answer(kind="entry", title=f"entry {index} ({action})", place=proof if proof in parts.files else _ENTRIES)


class _Headings(HTMLParser):
    """Reads the anchors of headings."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._anchor: str | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a heading."""
        if tag in _HEADINGS:
            self._anchor, self._words = dict(attrs).get("id"), []

    def handle_data(self, data: str) -> None:
        """Keep the words of a heading."""
        if self._anchor is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End a heading."""
        if tag in _HEADINGS and self._anchor is not None:
            title = _NUMBER.sub("", " ".join("".join(self._words).split()))
            self.found.setdefault(title.casefold(), self._anchor)
            self._anchor = None
