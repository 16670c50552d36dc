"""The looks of a log, and the files that evaluations under them wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from minivess.compliance.rules.looks import EVALUATION, LookHistory
from minivess.foundation.implements import implements
from minivess.records.evaluation.comparison.evaluations import ComparedEvaluation, RegisteredMargins
from minivess.records.log.entry import Entry, Outcome


@dataclass(frozen=True)
class LoggedEvaluations:
    """The looks of a log, and the files that evaluations under them wrote."""

    history: LookHistory
    files: Mapping[str, str]
    """The request by the digest of each file."""

    @classmethod
    def of(cls, history: LookHistory, entries: Iterable[Entry]) -> Self:
        """Those of the completed evaluations among some entries."""
        done = (one.body for one in entries if (one.body.action, one.body.outcome) == (EVALUATION, Outcome.COMPLETED))
        files = {made.digest: str(body.payload["request"]) for body in done for made in body.outputs}
        return cls(history, files)

    def look_of(self, digest: str) -> int | None:
        """The entry from which the look counts under which a file was written; None for any other file."""
        request = self.files.get(digest)
        found = (look.opening.index for look in self.history.looks() if look.opening.request == request)
        return None if request is None else next(found, None)

    @implements("REQ-317")
    def margins_of(self, *files: ComparedEvaluation) -> RegisteredMargins | None:
        """The margins of the plan by which the latest look of some evaluations was judged.

        They were fixed before that look, when the figures of one of the models were not known. The plan is the one that the
        request named, and its first registration counts.

        Returns:
            None where an evaluation has no look, the log has no such plan, or it has no margin.
        """
        if any(one.entry is None for one in files):
            return None
        newest = max(files, key=lambda one: one.entry or 0)
        requested = self.history.requests.get(self.files.get(newest.file, ""))
        plan = None if requested is None else self.history.plans.get(requested.request.plan)
        if plan is None or not plan.plan.margins or plan.index > (newest.entry or 0):
            return None
        losses: dict[str, float] = {}
        for one in plan.plan.margins:
            losses[one.measure] = min(one.loss, losses.get(one.measure, one.loss))
        return RegisteredMargins(losses, plan.index)
