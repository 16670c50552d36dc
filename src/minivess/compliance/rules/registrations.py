"""What was fixed in the log before looks at the test set, and the rule that nothing of it becomes laxer: pure folds.

`Registrations` is a value: `extend` takes one entry after the other, and `check` says whether the next one may be appended.
Appending, verification and workflows ask the same `check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import Reason, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.device.registration import PolicyRegistered, SealTerms
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.device.strictness import laxer_plan, laxer_policy
from minivess.records.evaluation.evaluation import AnalysisPlan, level_of_all, level_of_look
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.looks import CriteriaRegistered, LookApproved, LookRequested
from minivess.records.people.approval import UnsealRequest

SEALED, SPLIT = "data/sealed/manifest.json", "data/split.json"
ACTIONS = frozenset({"data.seal", "criteria.register", "policy.register", "test-set.request", "test-set.approve"})
"""The actions that change a registration, or are checked against it."""


@dataclass(frozen=True)
class Seal:
    """The first entry of a sealed test part: sealing again what is sealed changes nothing."""

    index: int
    manifest: str
    """Digest of its manifest file."""
    split: str | None
    """Digest of the file of its split."""
    said: DataSealed


@dataclass(frozen=True)
class Registrations:
    """What was registered, and what looks were judged by. The first entry of anything counts."""

    plans: Mapping[str, AnalysisPlan] = field(default_factory=dict)
    """By digest."""
    policies: Mapping[str, ReleasePolicy] = field(default_factory=dict)
    """By digest."""
    seals: Mapping[str, Seal] = field(default_factory=dict)
    """By digest of the manifest file."""
    current: str | None = None
    """The seal that was completed last."""
    requests: Mapping[str, UnsealRequest] = field(default_factory=dict)
    looked: tuple[tuple[int, str], ...] = ()
    """Index and request of each approval."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Registrations:
        """Read the registrations from entries in order.

        Raises:
            VerificationError: an entry does not say what such an entry must.
        """
        made = cls()
        for entry in entries:
            made = made.extend(entry.body)
        return made

    def extend(self, body: EntryBody) -> Registrations:
        """The registrations after one more entry.

        Raises:
            VerificationError: the entry does not say what such an entry must.
        """
        if body.action not in ACTIONS or body.outcome != Outcome.COMPLETED:
            return self
        after = self
        match _payload(body):
            case DataSealed() as sealed:
                after = self._with_seal(body, sealed)
            case CriteriaRegistered(plan=AnalysisPlan() as plan):
                after = replace(self, plans={digest_of(plan): plan, **self.plans})
            case PolicyRegistered(policy=policy):
                after = replace(self, policies={digest_of(policy): policy, **self.policies})
            case LookRequested(request=request):
                after = replace(self, requests={request.id: request, **self.requests})
            case LookApproved(grant=grant):
                after = replace(self, looked=(*self.looked, (body.index, grant.request)))
        return after

    def _with_seal(self, body: EntryBody, sealed: DataSealed) -> Registrations:
        manifest = _named(body.outputs, SEALED)
        if manifest is None:
            return self
        seal = Seal(body.index, manifest, _named(body.inputs, SPLIT), sealed)
        return replace(self, seals={manifest: seal, **self.seals}, current=manifest)

    @property
    def holders(self) -> Mapping[str, tuple[str, ...]]:
        """Who holds the data key of each sealed test part, by the root of its manifest; the first seal of a root counts."""
        newest_first = ((seal.said.root, seal.said.approvers) for seal in self.seals.values())
        return {root: approvers for root, approvers in newest_first if root is not None}

    @property
    def seal(self) -> Seal | None:
        """The seal in force; None while nothing is sealed."""
        return None if self.current is None else self.seals[self.current]

    @property
    def terms(self) -> SealTerms | None:
        """What the seal in force fixes; None while nothing is sealed, and for seals of version 0.1.0."""
        return None if self.seal is None else self.seal.said.terms

    def allowed(self, data: str) -> int | None:
        """How many looks the seal of test data allows, by the root of its manifest; None where it does not say."""
        for seal in self.seals.values():
            if seal.said.root == data and seal.said.terms is not None:
                return seal.said.terms.looks
        return None

    @implements("REQ-183")
    def level(self, data: str, look: int) -> float:
        """The level of every interval of a look at test data, by the root of its manifest."""
        total = self.allowed(data)
        return level_of_look(look) if total is None else level_of_all(total)

    def judged_by(self) -> tuple[UnsealRequest, ...]:
        """The requests of all looks at the test data in force, in order."""
        seal = self.seal
        if seal is None:
            return ()
        asked = [(index, self.requests[name]) for index, name in self.looked if name in self.requests]
        if seal.said.root is not None:
            return tuple(one for _, one in asked if one.data == seal.said.root)
        return tuple(one for index, one in asked if index > seal.index)

    @implements("REQ-185", "RC-66")
    def laxer_than_looks(self, *, plan: AnalysisPlan | None = None, policy: ReleasePolicy | None = None) -> list[str]:
        """What is laxer in a plan or a policy than what looks at the test data in force were judged by."""
        found: list[str] = []
        for request in self.judged_by():
            old_plan, old_policy = self.plans.get(request.plan), self.policies.get(request.policy or "")
            if plan is not None and old_plan is not None:
                found += laxer_plan(old_plan, plan)
            if policy is not None and old_policy is not None:
                found += laxer_policy(old_policy, policy)
        return list(dict.fromkeys(found))

    @implements("REQ-182", "REQ-184", "REQ-185", "RC-66")
    def check(self, body: EntryBody) -> None:
        """Say whether a completed entry may be appended next, as far as registrations decide it.

        Raises:
            RefusedError: it may not; the message names why.
            VerificationError: the entry does not say what such an entry must.
        """
        if body.action not in ACTIONS or body.outcome != Outcome.COMPLETED:
            return
        reasons = list(self._reasons(body, _payload(body)))
        if reasons:
            hint = _HINTS.get(body.action, "")
            raise RefusedError("; ".join(reasons), hint=hint, reasons=[Reason(one, hint) for one in reasons])

    def _reasons(self, body: EntryBody, said: Any) -> Iterator[str]:
        match said:
            case DataSealed():
                yield from self._of_seal(body, said)
            case CriteriaRegistered(plan=AnalysisPlan() as plan):
                yield from _spelled_out("analysis plan", plan, body.payload["plan"])
                yield from self._of_plan(plan)
            case PolicyRegistered(policy=policy):
                yield from _spelled_out("release policy", policy, body.payload["policy"])
                yield from _laxer("release policy", self.laxer_than_looks(policy=policy))
            case LookRequested(request=request):
                yield from self._of_request(request)

    def _of_seal(self, body: EntryBody, said: DataSealed) -> Iterator[str]:
        manifest, split = _named(body.outputs, SEALED), _named(body.inputs, SPLIT)
        before = self.seals.get(manifest or "")
        if before is not None:
            if (before.said.root or said.root, before.said.terms) != (said.root, said.terms):
                yield f"this test part was sealed at entry {before.index}, and its terms remain"
            return
        if said.root is None or said.terms is None or manifest is None:
            yield "the entry of a seal names its manifest, the root of that, and its terms"
        for seal in self.seals.values():
            if split is not None and seal.split == split:
                yield f"the test part of this split was sealed at entry {seal.index} already"

    def _of_plan(self, plan: AnalysisPlan) -> Iterator[str]:
        terms = self.terms
        if terms is not None and plan.looks.total > terms.looks:
            yield f"the analysis plan allows {plan.looks.total} looks in all, and the seal {terms.looks}"
        if terms is not None and plan.conventions.bootstrap_unit != terms.unit:
            yield f"the analysis plan resamples by {plan.conventions.bootstrap_unit}, and the seal by {terms.unit}"
        if terms is not None and plan.conventions.statistics != terms.statistics:
            yield f"the analysis plan has the statistics {plan.conventions.statistics!r}, and the seal {terms.statistics!r}"
        yield from _laxer("analysis plan", self.laxer_than_looks(plan=plan))

    def _of_request(self, request: UnsealRequest) -> Iterator[str]:
        plan, policy = self.plans.get(request.plan), self.policies.get(request.policy or "")
        if request.inputs is None:
            yield "the request does not name the input files of the evaluation"
        if policy is None:
            yield "the request names no release policy that is in the log"
        else:
            yield from _laxer("release policy", self.laxer_than_looks(policy=policy))
        if plan is not None:
            yield from self._of_plan(plan)


_HINTS = {
    "data.seal": "restore data/sealed; other test cases need a new project",
    "criteria.register": "put it back as it was registered; a laxer plan needs other test cases, sealed in a new project",
    "policy.register": "put it back as it was registered; a laxer policy needs other test cases, sealed in a new project",
    "test-set.request": "a release manager registers the policy: minivess release policy; a laxer plan or policy needs other "
    "test cases",
}


def _spelled_out(what: str, read: Record, written: Any) -> Iterator[str]:
    """Digests are of what is written: a field that is left out would be another one for each reader."""
    if read.model_dump(mode="json") != written:
        yield f"the {what} does not spell out every field"


def _laxer(what: str, found: list[str]) -> Iterator[str]:
    if found:
        yield f"the test set was looked at, and this {what} is laxer than that of the look: {', '.join(found)}"


def _named(artifacts: Iterable[Any], name: str) -> str | None:
    return next((one.digest for one in artifacts if one.name == name), None)


def _payload(body: EntryBody) -> Any:
    try:
        return PAYLOADS[body.action].model_validate(body.payload)
    except ValidationError:
        raise VerificationError(f"entry {body.index} ({body.action}) does not say what such an entry must") from None
