"""The validation report as one page that needs nothing else: verdict, findings by severity and rule with a picture of
every offender, and the profile of the set.

One file, which a person can mail. Its size and the time it takes do not grow with the number of cases beyond a limit: each
rule shows pictures of its first findings, lists further ones in words, and counts the rest, which `validation.json` names.
Each picture is in the page once, however many findings show it. Pictures are copies of images: when cases are sealed,
`without_pictures` takes theirs out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import unescape
from itertools import groupby
from typing import Any

from jinja2 import Environment

from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.duplicates.search_limits import LIMITS
from minivess.ml.quality.pages import profile_figures
from minivess.ml.quality.pages.case_pictures import fullest_plane, outline_colours, thumbnail
from minivess.ml.quality.pages.environment import environment_of
from minivess.ml.quality.rule_catalogue import RULES, Rule
from minivess.ml.quality.survey import Survey
from minivess.records.data.profile import DatasetProfile
from minivess.records.data.validation import Finding, Severity, ValidationReport
from minivess.records.sinks import Progress

_SIZES = ((40, 288), (150, 208))
_SMALLEST = 144
MOST_PICTURES = 240
"""Pictures in the page."""
_FEWEST, _MOST = 4, 24
"""Findings of a rule that have pictures: the page's pictures are shared among the rules within these limits."""
_OPEN = 6
"""Findings with pictures that are shown without a click; browsers draw the others when they are opened."""
LISTED = 300
"""Findings of a rule that are listed in words."""
"""Size of a picture by how many there are, so that a page of hundreds still opens at once."""
_WORDS = {
    Severity.BLOCK: ("blocks", "failed"),
    Severity.WARNING: ("warning", "open"),
    Severity.NOTE: ("note", "stated"),
}
_HEADINGS = {Severity.BLOCK: "What blocks", Severity.WARNING: "Warnings", Severity.NOTE: "Notes"}
_IMAGE = re.compile(r'(<image [^>]*data-case="([^"]*)"[^>]*?) href="data:[^"]*"')
_WITHDRAWN = '<p class="withdrawn" hidden></p>'


@dataclass(frozen=True)
class Picture:
    """One picture of the page: `plane` of a volume, None for a flat image."""

    id: str
    case: str
    plane: int | None
    width: int
    height: int
    data: str


@dataclass(frozen=True)
class _Shown:
    """A finding with its pictures; `missing` names cases that have none."""

    finding: Finding
    pictures: tuple[Picture, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    """The findings of one rule."""

    name: str
    rule: Rule
    severity: Severity
    count: int
    shown: tuple[_Shown, ...]
    """The first findings, with pictures."""
    listed: tuple[Finding, ...]
    """Further findings, in words."""
    wide: bool


@implements("REQ-083", "REQ-309")
def page(
    report: ValidationReport,
    profile: DatasetProfile | None,
    surveyed: Survey,
    *,
    when: datetime,
    progress: Progress | None = None,
) -> str:
    """The report as HTML.

    Args:
        report: what was found.
        profile: what the set is like; None when no case could be read.
        surveyed: the set the report is about.
        when: time of the validation.
        progress: hears about the pictures.
    """
    by_rule = [list(findings) for _, findings in groupby(report.findings, key=lambda one: one.rule)]
    share = max(_FEWEST, min(_MOST, MOST_PICTURES // max(1, sum(any(one.case for one in group) for group in by_rule))))
    album = _Album(surveyed, [one for group in by_rule for one in group[:share]])
    groups = list(_groups(by_rule, share, album, progress))
    by_severity = [
        (severity, _HEADINGS[severity], [group for group in groups if group.severity is severity])
        for severity in reversed(Severity)
    ]
    quiet = [(name, rule) for name, rule in RULES.items() if name not in {group.name for group in groups}]
    cases = surveyed.manifest.cases
    outlines = tuple(dict.fromkeys(pair for case in cases for pair in outline_colours(case)))
    deep = any(len(case.grid) == 3 for case in cases)
    counts = {severity.value: sum(f.severity is severity for f in report.findings) for severity in Severity}
    return (
        page_environment()
        .get_template("validation.html.j2")
        .render(
            report=report,
            manifest=surveyed.manifest,
            profile=profile,
            charts=None if profile is None else profile_figures.charts(profile),
            groups=groups,
            by_severity=[part for part in by_severity if part[2]],
            quiet=quiet,
            rules=RULES,
            counts=counts,
            words=_WORDS,
            pictures=album.pictures,
            outlines=outlines if len(outlines) > 1 else (),
            voxel="voxel" if deep else "pixel",
            deep=deep,
            offenders=len({finding.case for finding in report.findings if finding.case}),
            open=_OPEN,
            compared=len(surveyed.measures),
            limits=LIMITS,
            when=when,
        )
    )


def without_pictures(
    text: str, cases: Iterable[str] | None = None, *, reason: str = "when the test part was sealed"
) -> str:
    """A page without the pictures of some cases; everything that is said of them stays.

    Args:
        text: the page.
        cases: ids whose pictures go, because the cases are being sealed; default: all.
        reason: when or why they are taken out, in the page's words.
    """
    gone = set()
    wanted = None if cases is None else set(cases)

    def emptied(match: re.Match[str]) -> str:
        if wanted is not None and unescape(match[2]) not in wanted:
            return match[0]
        gone.add(match[2])
        return match[1]

    text = _IMAGE.sub(emptied, text)
    if gone:
        count = "picture of 1 case was" if len(gone) == 1 else f"pictures of {len(gone)} cases were"
        text = text.replace(_WITHDRAWN, f'<p class="withdrawn">The {count} taken out of this page {reason}.</p>')
    return text


class _Album:
    """Pictures, each made once."""

    def __init__(self, surveyed: Survey, findings: Iterable[Finding]) -> None:
        self._surveyed = surveyed
        wanted = {(one.case, one.plane) for one in findings} | {
            (other, None) for one in findings for other in one.others
        }
        self._size = next((size for most, size in _SIZES if len(wanted) <= most), _SMALLEST)
        self._made: dict[tuple[str, int | None], Picture | None] = {}

    @property
    def pictures(self) -> list[Picture]:
        """All that were made, in order."""
        return [picture for picture in self._made.values() if picture is not None]

    @property
    def full(self) -> bool:
        """Whether the page takes no further picture."""
        return len(self._made) >= MOST_PICTURES

    def picture(self, case_id: str, plane: int | None) -> Picture | None:
        """The picture of a case, None when it cannot be read or the page is full."""
        if (case_id, plane) in self._made:
            return self._made[case_id, plane]
        if self.full:
            return None
        found: Picture | None = None
        if case_id in self._surveyed.measures:
            try:
                case = load_case(self._surveyed.folder, case_id)
            except (InputError, VerificationError):  # changed since it was measured: the next validation says so
                case = None
            if case is not None:
                volume = len(case.record.grid) == 3
                shown = (fullest_plane(case.label) if plane is None else plane) if volume else None
                data = thumbnail(case, self._size, plane=shown)
                width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
                name = f"picture-{len(self._made)}"
                found = Picture(name, case_id, shown, width, height, base64.b64encode(data).decode("ascii"))
        self._made[case_id, plane] = found
        return found


def _groups(by_rule: list[list[Finding]], share: int, album: _Album, progress: Progress | None) -> Iterator[_Group]:
    done, total = 0, sum(min(share, len(findings)) for findings in by_rule)
    for findings in by_rule:
        shown = []
        for finding in findings[:share]:
            if progress is not None:
                progress("pictures", done, total)
            done += 1
            cases = [(finding.case, finding.plane)] if finding.case else []
            cases += [(other, None) for other in finding.others]
            made = [(case, album.picture(case, plane)) for case, plane in cases]
            shown.append(
                _Shown(
                    finding,
                    tuple(picture for _, picture in made if picture is not None),
                    tuple(case for case, picture in made if picture is None and not album.full),
                )
            )
        wide = any(len(one.pictures) > 1 or any(p.plane is not None for p in one.pictures) for one in shown)
        name = findings[0].rule
        yield _Group(
            name=name,
            rule=RULES[name],
            severity=findings[0].severity,
            count=len(findings),
            shown=tuple(shown),
            listed=tuple(findings[share : share + LISTED]),
            wide=wide,
        )
    if progress is not None:
        progress("pictures", total, total)


@cache
def page_environment() -> Environment:
    """What renders the pages about data: `templates/data`, with the style of the documents."""
    environment = environment_of("data")
    environment.filters.update(plural=_plural, moment=_moment, figure=profile_figures.figure)
    return environment


def _plural(count: int, word: str, several: str = "") -> str:
    return f"{count:,} {word if count == 1 else several or word + 's'}".replace(",", "\u202f")


def _moment(value: datetime) -> Any:
    return f"{value:%Y-%m-%d %H:%M} UTC"
