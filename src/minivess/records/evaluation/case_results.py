"""Results of single cases, as statistical acceptance criteria are judged by."""

from __future__ import annotations

from typing import Literal

from minivess.records.base import Record, ShortText, Slug


class CaseResult(Record):
    """One case: whose it is, what was measured, and the attributes that strata are made of (scanner, site, ...)."""

    case: ShortText
    of_class: ShortText | None = None
    """The class that was measured against everything else; None: there is one class."""
    subject: ShortText
    group: ShortText | None = None
    """The independent group of the case; None: its subject is its group."""
    values: dict[Slug, float | None]
    """None where a measure is undefined."""
    attributes: dict[Slug, str]

    @property
    def unit(self) -> str:
        """What statistics count: the independent group."""
        return self.subject if self.group is None else self.group


class StratumVerdict(Record):
    """What came out in one stratum."""

    stratum: dict[str, str]
    cases: int
    groups: int
    """Independent groups."""
    value: float | None
    """The statistic, or its bound; None when it is undefined."""
    met: bool
    why: str
    """Why it is not met; empty when it is."""
    basis: str = ""
    """How the value was made, with groups, cases, nominal and simulated coverage."""

    @property
    def words(self) -> str:
        """The verdict for people, with stratum, value and how it was made."""
        where = ", ".join(f"{key} {value}" for key, value in self.stratum.items())
        verdict = "met" if self.met else f"not met: {self.why}"
        value = "" if self.value is None or not self.met else f", {self.value:.4f} ({self.basis})"
        return f"{f'{where}: ' if where else ''}{verdict}{value}"


class CriterionVerdict(Record):
    """What came out of a criterion: met only when it is in every stratum."""

    criterion: str
    verdict: Literal["passed", "failed"]
    strata: tuple[StratumVerdict, ...]
