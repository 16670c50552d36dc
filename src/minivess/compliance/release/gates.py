"""The release gates: those of `release/policy.yaml` and the built-in ones, judged on facts. Pure but for reading the policy.

A gate whose fact is not known fails. A gate passes when the exact figure is within its limit. Then the texts that a pack shows
(`number_text`) are within it too: rounding keeps the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from minivess.compliance.release.gating.bounds import UNKNOWN, bounded, first_of
from minivess.compliance.release.gating.denominators import COUNTED, DENOMINATORS
from minivess.compliance.release.gating.judges import JUDGES
from minivess.compliance.release.gating.waivers import with_waivers
from minivess.foundation.implements import implements
from minivess.records.device.gate_outcomes import GateOutcome, number_text
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import (
    BUILT_IN_KINDS,
    COUNTS,
    DOCUMENTS,
    PRETRAINING,
    SOURCE,
    CountGate,
    Gate,
    PretrainingGate,
    ReleasePolicy,
)
from minivess.records.device.source_state import Reason
from minivess.records.former_names import Hint

_SOURCE_MENDS: Mapping[Reason, str] = MappingProxyType(
    {
        "no repository": "put the source under version control: `git init`, `git add`, `git commit`",
        "no commit": "commit the source: `git add`, `git commit`",
        "uncommitted changes": "commit what differs or ignore it (`git status` lists it), then `minivess trace run`",
        "submodule not at its recorded commit": "`git submodule update --init --recursive`, or commit the new commit",
        "nested repository": "make it a submodule, ignore it or remove it",
        "link out of the tree": "replace the link by the file",
        "changes hidden from git": "`git update-index --no-assume-unchanged --no-skip-worktree FILE`",
        "loaded files without an origin": "`uv sync --locked`, or put what the tests load into the tree; `minivess trace run`",
    }
)


def load_policy(path: Path, *, say: Callable[[tuple[Hint, ...]], None] | None = None) -> ReleasePolicy:
    """Read `release/policy.yaml`. Names of version 0.1.0 are read as the present ones.

    Args:
        path: the file.
        say: takes a hint for each former name.

    Raises:
        InputError: the file is missing or malformed, with file, line and a hint.
    """
    from minivess.foundation.reading.strict_yaml import load_yaml  # YAML, which verification does not need
    from minivess.foundation.reading.yaml_records import validate_node
    from minivess.records.former_names import with_present_names

    shown = "release/policy.yaml"
    root = load_yaml(path, shown=shown)
    hints = with_present_names(root, shown=shown)
    if say is not None:
        say(hints)
    return validate_node(root, ReleasePolicy, shown=shown)


@implements("REQ-035", "RC-11")
def judge(policy: ReleasePolicy, facts: GateFacts) -> tuple[GateResult, ...]:
    """Judge every gate of the policy, in its order, and then each built-in gate that the policy does not list."""
    results = (_judge_one(gate, facts) for gate in gates_of(policy, started=bool(facts.starts)))
    return with_waivers(results, facts.waivers)


@implements("REQ-230")
def gates_of(policy: ReleasePolicy, *, started: bool = False) -> tuple[Gate, ...]:
    """The gates that are judged: those of the policy, and the built-in ones of which it lists none.

    Args:
        policy: the release policy.
        started: whether a member started from other weights than those of its seed.
    """
    listed = {gate.kind for gate in policy.gates}
    built_in: list[Gate] = [CountGate(kind=kind, id=kind) for kind in BUILT_IN_KINDS if kind not in listed]
    if started and PRETRAINING not in listed:
        built_in.append(PretrainingGate(kind=PRETRAINING, id=PRETRAINING))
    return (*policy.gates, *built_in)


@implements("REQ-218", "REQ-230", "RC-11")
def stopping(results: Iterable[GateResult], *, demo: bool) -> tuple[GateResult, ...]:
    """The gates that stop a release: those that fail and are not waived, in a demonstration all of them but `source`."""
    failing = (one for one in results if not one.passed and one.waived is None)
    return tuple(one for one in failing if not (demo and one.kind == SOURCE))


@implements("REQ-230")
def outcomes_of(results: Iterable[GateResult]) -> tuple[GateOutcome, ...]:
    """The results as a pack holds them: without the words for people, and with numbers as texts."""
    return tuple(
        GateOutcome(
            id=one.id,
            kind=one.kind,
            basis=one.basis,
            passed=one.passed,
            value=None if one.value is None else number_text(one.value),
            comparison=one.comparison,
            limit=number_text(one.limit),
            margin=None if one.margin is None else number_text(one.margin),
            waived=None if one.waived is None else one.waived.entry,
        )
        for one in results
    )


def _judge_one(gate: Gate, facts: GateFacts) -> GateResult:
    judged_by = JUDGES.get(gate.kind)
    if judged_by is not None:
        return judged_by(gate, facts)
    if not isinstance(gate, CountGate | PretrainingGate):
        raise TypeError(f"nothing judges a gate of the kind {gate.kind}")
    return _count(gate, facts)


def _count(gate: CountGate | PretrainingGate, facts: GateFacts) -> GateResult:
    title, offenders, mend = {
        "criteria": (
            "Unmet acceptance criteria",
            None if facts.unmet is None else list(facts.unmet),
            "train longer or on more groups, then register criteria and ask for a new look at the test set",
        ),
        "trace": (
            "Gaps in traceability",
            None if facts.gaps is None else list(facts.gaps),
            "close each gap that `minivess trace check` names",
        ),
        "risk": (
            "Unacceptable residual risks",
            None
            if facts.risks is None
            else [f"{risk.id} remains {facts.risks.level(risk)}" for risk in facts.risks.unacceptable()],
            "add or strengthen risk controls in risk/controls.yaml",
        ),
        "test-set": (
            "Looks at the sealed test set",
            None if facts.openings is None else [f"look {n + 1}" for n in range(facts.openings)],
            "seal a new test part; each further look makes the figures more optimistic",
        ),
        "runs": (
            "Training runs without a disposition",
            None if facts.undisposed is None else [f"entry {index}" for index in facts.undisposed],
            "close each run with `minivess model dispose`, or use it in the ensemble",
        ),
        PRETRAINING: (
            "Members of unknown training data",
            None
            if facts.members is None
            else [f"{one.weights[:19]}… ({one.trained_on.status})" for one in facts.starts if not one.trained_on.known],
            "get the declaration of the maker of the weights, start from the seed, or allow it with a reason in the policy",
        ),
        "scenarios": (
            "Scenarios without a pass",
            _not_passed(facts),
            "correct what fails, enable what is skipped, and run the scenarios again on this tree",
        ),
        DOCUMENTS: (
            "Missing chapters of documents",
            None if facts.chapters is None else list(facts.chapters),
            "write each chapter under a heading of its name, in the file that the message names",
        ),
        "lineage": (
            "Undelivered lineage events",
            None if facts.undelivered is None else [f"entry {index}" for index in facts.undelivered],
            "deliver the events that wait in the outbox",
        ),
        COUNTS: (
            "Counts that are 0",
            _empty(facts),
            "write, seal or run what there is none of: a release without it proves nothing",
        ),
        SOURCE: ("Reasons against a release from this source", _source_faults(facts), _source_mend(facts)),
    }[gate.kind]
    value = None if offenders is None else float(len(offenders))
    result = bounded(gate, facts, title, value, at_most=float(gate.at_most), mend=mend)
    if offenders == [] and result.of is not None and result.passed:
        result = result.model_copy(update={"message": _nothing_open(gate.kind, result.of, facts)})
    if gate.kind == "trace" and facts.justified:
        message = f"{result.message}; {len(facts.justified)} justified: {'; '.join(facts.justified)}"
        result = result.model_copy(update={"message": message})
    if result.passed or not offenders or gate.kind in {"test-set", "lineage"}:
        return result
    return result.model_copy(update={"message": f"{result.message}: {first_of(offenders)}"})


def _nothing_open(kind: str, count: int, facts: GateFacts) -> str:
    """The message of a gate that found nothing wrong in so many things."""
    whole = DENOMINATORS[kind]
    words = whole.words(count)
    every = words if count == 1 else f"All {words}"
    return {
        "criteria": f"{every} met",
        "risk": f"{every} acceptable",
        PRETRAINING: f"{every} started from the seed or from weights of declared training data",
        "scenarios": f"{every} passed",
        "trace": f"No gap in the traceability of {words}",
        "test-set": f"No look at the sealed test set; {whole.may_be_zero}",
        "runs": f"{every} used or with a disposition",
        DOCUMENTS: f"No chapter is missing: {whole.may_be_zero}",
        "lineage": f"{every} have their lineage event" if count != 1 else f"{every} has its lineage event",
        COUNTS: ", ".join(f"{number} {name}" for name, number in (counts_of(facts) or {}).items()),
        SOURCE: f"The source is one commit, and all loaded files belong to it or to locked packages: none of {words} "
        "against a release",
    }[kind]


@implements("REQ-230", "RC-98")
def counts_of(facts: GateFacts) -> dict[str, int] | None:
    """What must not be 0, in the order of the signing text; None while something of it is not known."""
    evaluation, risks, report = facts.evaluation, facts.risks, facts.report
    if evaluation is None or risks is None or report is None or facts.requirements is None:
        return None
    rest = facts.requirements, len(risks.risks), len(risks.controls), len(report.results)
    return dict(zip(COUNTED, (len(evaluation.tested), len(evaluation.groups), *rest), strict=True))


def _empty(facts: GateFacts) -> list[str] | None:
    counts = counts_of(facts)
    return None if counts is None else [f"no {name}" for name, count in counts.items() if count == 0]


@implements("REQ-218", "RC-92")
def _source_faults(facts: GateFacts) -> list[str] | None:
    """What is wrong with the source tree, a sentence for each reason against a release."""
    if facts.source is None:
        return None
    loaded = None if facts.report is None else facts.report.loaded
    named = "" if loaded is None else f": {'; '.join(loaded.refused[:3])}"
    faults = zip(facts.source.not_releasable, facts.source.faults(), strict=True)
    return [f"{words}{named}" if reason == "loaded files without an origin" else words for reason, words in faults]


def _source_mend(facts: GateFacts) -> str:
    reasons = () if facts.source is None else facts.source.not_releasable
    return "; ".join(_SOURCE_MENDS[reason] for reason in reasons) or UNKNOWN[SOURCE][1]


def _not_passed(facts: GateFacts) -> list[str] | None:
    """Names of what did not pass; None when nothing was run, for no result is no proof (IEC 62304 5.7.4)."""
    if facts.report is None or not facts.report.results:
        return None
    return [f"{item.name} ({item.outcome})" for item in facts.report.results if item.outcome != "passed"]
