"""What a rule about data found, in one form for terminals, JSON and pages: file, rule, found, expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from minivess.foundation.errors import Reason, RefusedError
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug
from minivess.records.data.validation import ChangedRule, Finding, Severity

EXAMPLES = 5
"""So many findings of a rule are shown at a terminal; JSON has them all."""
_LONGEST = 200


@dataclass(frozen=True)
class Found:
    """A finding before its severity is known.

    Attributes:
        rule: its rule.
        case: the case it is about; None: the set.
        message: what was found.
        plane: index along z of the plane that shows it.
        others: further cases, for example the other one of a pair.
        file: the file it is in, below the folder of the data.
        hint: what to do here, where that is more than the rule's.
        stops: whether there is no case without it: the file could not be read.
        cases: the cases of a finding about the set.
        value: the figure that breaks the rule, where it is one.
        measure: what the figure is.
    """

    rule: str
    case: str | None
    message: str
    plane: int | None = None
    others: tuple[str, ...] = ()
    file: str | None = None
    hint: str | None = None
    stops: bool = False
    cases: tuple[str, ...] = ()
    value: float | None = None
    measure: str = ""

    def graded(self, severity: Severity) -> Finding:
        """The finding with its severity; what stops always blocks. Long text is cut."""
        return Finding(
            rule=self.rule,
            severity=Severity.BLOCK if self.stops else severity,
            case=self.case,
            message=cut(self.message),
            plane=self.plane,
            others=self.others,
            file=None if self.file is None else cut(self.file),
            hint=None if not self.hint else cut(self.hint),
            cases=self.cases,
        )


def cut(text: str) -> str:
    """Text of at most 200 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class RuleText(Record):
    """What a rule is about, in words."""

    rule: Slug
    title: ShortText
    """What is wrong."""
    expected: ShortText
    """What the rule expects."""
    hint: ShortText
    """What to do."""


class RuleFindings(Record):
    """The findings of one rule with one severity."""

    rule: RuleText
    severity: Severity
    findings: Annotated[tuple[Finding, ...], Field(min_length=1)]


class DataCheck(Record):
    """What reading the cases of a project found."""

    dataset: Slug
    cases: int
    """Cases that the project names."""
    read: int
    """Cases that could be read."""
    groups: tuple[RuleFindings, ...] = ()
    """The findings by rule, gravest first."""
    changed: tuple[ChangedRule, ...] = ()
    """Rules whose severity the project changed."""

    @property
    def blocked(self) -> bool:
        """Whether any finding blocks."""
        return any(group.severity is Severity.BLOCK for group in self.groups)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in the order of the groups."""
        return tuple(finding for group in self.groups for finding in group.findings)


class CasesRefusedError(RefusedError):
    """Cases of a project cannot be taken. Each rule that blocks is a reason.

    Args:
        findings: every finding that blocks.
        cases: how many cases the project names.
        report: everything that was found, where the rules were looked up.
    """

    def __init__(self, findings: Sequence[Finding], cases: int, report: DataCheck | None = None) -> None:
        self.findings, self.report = tuple(findings), report
        hints = {} if report is None else {group.rule.rule: group.rule.hint for group in report.groups}
        rules: dict[str, list[Finding]] = {}
        for finding in findings:
            rules.setdefault(finding.rule, []).append(finding)
        reasons = [
            Reason(
                f"{_placed(of_rule[0])}{f', and {len(of_rule) - 1} more' if len(of_rule) > 1 else ''} (rule {rule})",
                of_rule[0].hint or hints.get(rule) or f"`minivess data check` explains the rule {rule}",
            )
            for rule, of_rule in rules.items()
        ]
        if len(findings) == 1:
            super().__init__(reasons[0].message, hint=reasons[0].hint)
            return
        counts = ", ".join(f"{rule} {len(of_rule)}" for rule, of_rule in sorted(rules.items()))
        super().__init__(
            f"{len(findings)} findings block the ingest of {cases} cases: {counts}",
            hint="`minivess data check` lists them",
            reasons=reasons,
        )


@implements("REQ-301")
def grouped(findings: Iterable[Finding], texts: Mapping[str, RuleText]) -> tuple[RuleFindings, ...]:
    """Findings by severity and rule: gravest first, then in the order of `texts`."""
    groups: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.rule), []).append(finding)
    order = {rule: place for place, rule in enumerate(texts)}
    keys = sorted(groups, key=lambda key: (-key[0].rank, order[key[1]]))
    return tuple(
        RuleFindings(rule=texts[rule], severity=severity, findings=tuple(groups[severity, rule]))
        for severity, rule in keys
    )


@implements("REQ-301")
def lines(groups: Iterable[RuleFindings], *, examples: int = EXAMPLES) -> Iterator[str]:
    """Findings as text, a block of lines for each rule.

    Args:
        groups: the findings.
        examples: how many of each rule are shown.
    """
    for group in groups:
        count = len(group.findings)
        number = "1 finding" if count == 1 else f"{count} findings"
        yield f"{group.severity.value}: {group.rule.title} (rule {group.rule.rule}, {number})"
        yield f"  expected: {group.rule.expected}"
        yield f"  hint: {group.rule.hint}"
        for finding in group.findings[:examples]:
            yield f"  - {sentence(finding)}"
        if count > examples:
            yield f"  - and {count - examples} more; --json lists all"


def sentence(finding: Finding) -> str:
    """One finding: its case, its file, what was found, and what to do here where that is more than the rule's."""
    return f"{_placed(finding)}{f' ({finding.hint})' if finding.hint else ''}"


def _placed(finding: Finding) -> str:
    places = [place for place in (finding.case, finding.file) if place is not None]
    return f"{', '.join(places)}: {finding.message}" if places else finding.message


def changes(changed: Iterable[ChangedRule]) -> Iterator[str]:
    """The rules whose severity a project changed, a line each."""
    for one in changed:
        yield f"{one.rule}: {one.severity.value} instead of {one.usual.value} ({one.reason or 'no reason'})"
