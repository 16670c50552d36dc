"""Whether a release is inside the plan of changes of the release before: each bound with its evidence, and the worst decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from minivess.compliance.changes.continuation import check_continues
from minivess.compliance.changes.differences import measures_of
from minivess.compliance.changes.packed_release import CHECKPOINT, ENTRIES, EVALUATION, PackedRelease
from minivess.compliance.changes.plan_facts import FIXED, modifications_between
from minivess.compliance.release.pack_files import bytes_of, lines_of, record_of
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.records.changes.change_plan import (
    WORST,
    ChangeJudgement,
    ChangePlan,
    DataBounds,
    JudgedBound,
    PerformanceBound,
    Verdict,
)
from minivess.records.changes.difference import Measures
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.split import Part, SplitManifest
from minivess.records.device.gate_outcomes import GateOutcomes
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.margins import Margin
from minivess.records.evaluation.measures import heading_of, measure_of
from minivess.records.evaluation.subgroups.figures import subgroups
from minivess.records.verdict import WITH_OWN_KEYS

PLAN = "data/release/change-plan.json"
"""The plan of a release in its pack."""
_DESCRIPTION, _PROTOCOL, _IMPACT = "description of modifications", "modification protocol", "impact assessment"
_NEW: Verdict = "outside: new submission"


@implements("REQ-580", "RC-244")
def judge_change(old: PackedRelease, new: PackedRelease, *, verdicts: tuple[str, str]) -> ChangeJudgement:
    """Judge a release by the plan in the pack of the release before.

    Args:
        old: the release whose plan counts.
        new: the release that is judged.
        verdicts: what the verification of each came to.
    """
    first, second = verdicts
    plan = record_of(old.files, PLAN, ChangePlan) if PLAN in old.files else None
    bounds = tuple(_no_plan() if plan is None else _bounds(plan, old, new, verdicts))
    return ChangeJudgement(
        old=old.compared(first),
        new=new.compared(second),
        plan=None if plan is None else digest_bytes(old.files[PLAN]),
        verdict=worst(bounds),
        bounds=bounds,
    )


@implements("RC-244")
def worst(bounds: tuple[JudgedBound, ...]) -> Verdict:
    """The worst verdict of some bounds; without any bound nothing is inside."""
    return max((one.verdict for one in bounds), key=WORST.index, default=_NEW)


def _no_plan() -> Iterator[JudgedBound]:
    yield _judged("plan", _DESCRIPTION, "the pack of the release before has a plan", "it has none", _NEW)


def _bounds(
    plan: ChangePlan, old: PackedRelease, new: PackedRelease, verdicts: tuple[str, str]
) -> Iterator[JudgedBound]:
    yield _same_plan(old, new)
    yield from _fixed(plan, old, new)
    yield from _modifications(plan, old, new)
    yield _verified(verdicts)
    yield _log(old, new)
    yield _looks(plan, new)
    yield _gates(new)
    yield from _data(plan.data, old, new)
    figures = measures_of(
        old, new, margins=tuple(Margin(measure=one.measure, loss=one.margin) for one in plan.performance if one.margin)
    )
    for one in plan.performance:
        yield from _performance(one, new, figures)


def _judged(
    bound: str,
    part: str,
    limit: str,
    found: str,
    verdict: Verdict,
    *,
    entries: tuple[int, ...] = (),
    files: tuple[bytes, ...] = (),
) -> JudgedBound:
    return JudgedBound.model_validate(
        {
            "bound": bound,
            "part": part,
            "limit": limit,
            "found": found,
            "verdict": verdict,
            "entries": entries,
            "digests": tuple(digest_bytes(one) for one in files),
        }
    )


def _same_plan(old: PackedRelease, new: PackedRelease) -> JudgedBound:
    mine, other = old.files[PLAN], new.files.get(PLAN)
    found = "the same plan" if other == mine else "no plan" if other is None else "another plan"
    files = (mine,) if other is None else (mine, other)
    return _judged(
        "plan", _DESCRIPTION, "the plan of the release before", found, "inside" if other == mine else _NEW, files=files
    )


@implements("REQ-581")
def _fixed(plan: ChangePlan, old: PackedRelease, new: PackedRelease) -> Iterator[JudgedBound]:
    for name in plan.kept:
        limit = "unchanged"
        try:
            before, now = FIXED[name](old), FIXED[name](new)
        except MinivessError as error:
            yield _judged(name, _DESCRIPTION, limit, f"not known: {error.message}", _NEW)
            continue
        same = before == now
        yield _judged(
            name,
            _DESCRIPTION,
            limit,
            "unchanged" if same else f"{before} before, {now} now",
            "inside" if same else _NEW,
        )


@implements("REQ-581")
def _modifications(plan: ChangePlan, old: PackedRelease, new: PackedRelease) -> Iterator[JudgedBound]:
    planned = {kind: one.id for one in plan.modifications for kind in one.kinds}
    limit = f"one of {', '.join(planned)}"
    try:
        shown = modifications_between(old, new)
    except MinivessError as error:
        yield _judged("modifications", _DESCRIPTION, limit, f"not known: {error.message}", _NEW)
        return
    if not shown:
        yield _judged("modifications", _DESCRIPTION, limit, "none", "inside")
    for kind, words in shown.items():
        found = f"{words} ({f'planned as {planned[kind]}' if kind in planned else 'not planned'})"
        yield _judged(f"modification: {kind}", _DESCRIPTION, limit, found, "inside" if kind in planned else _NEW)


def _verified(verdicts: tuple[str, str]) -> JudgedBound:
    """The old pack must be verified; the new one too, but for signatures that it may still wait for."""
    first, second = verdicts
    states = [one.removesuffix(WITH_OWN_KEYS) for one in verdicts]
    holds = states[0] == "VERIFIED" and states[1] in {"VERIFIED", "NOT VERIFIED: release signatures"}
    found = f"before: {first}; now: {second}"
    return _judged(
        "verification",
        _PROTOCOL,
        "both packs hold; the new one may wait for signatures",
        found,
        "inside" if holds else "outside",
    )


def _log(old: PackedRelease, new: PackedRelease) -> JudgedBound:
    limit = "the log continues that of the release before"
    try:
        words, verdict = check_continues(old.files, lines_of(new.files, ENTRIES), "the log of the new pack"), "inside"
    except MinivessError as error:
        words, verdict = error.message, "outside"
    files = tuple(one.files[CHECKPOINT] for one in (old, new) if CHECKPOINT in one.files)
    return _judged("log", _PROTOCOL, limit, words, "inside" if verdict == "inside" else "outside", files=files)


def _looks(plan: ChangePlan, new: PackedRelease) -> JudgedBound:
    looks = LookHistory.fold(new.entries).looks()
    entries = tuple(one.opening.index for one in looks)
    inside = len(looks) <= plan.looks_at_most
    return _judged(
        "looks",
        _PROTOCOL,
        f"at most {plan.looks_at_most}",
        str(len(looks)),
        "inside" if inside else "outside",
        entries=entries,
    )


def _gates(new: PackedRelease) -> JudgedBound:
    name, limit = "data/release/gates.json", "every release gate passes"
    try:
        outcomes = record_of(new.files, name, GateOutcomes).root
    except MinivessError as error:
        return _judged("gates", _PROTOCOL, limit, f"not known: {error.message}", "outside")
    failed = [one.id for one in outcomes if not one.passed]
    found = f"{len(outcomes) - len(failed)} of {len(outcomes)} pass" + (
        f"; failed: {', '.join(failed)}" if failed else ""
    )
    return _judged("gates", _PROTOCOL, limit, found, "outside" if failed else "inside", files=(new.files[name],))


@implements("REQ-582")
def _data(bounds: DataBounds, old: PackedRelease, new: PackedRelease) -> Iterator[JudgedBound]:
    try:
        (before, parts_before), (now, parts_now) = _cases(old), _cases(new)
    except MinivessError as error:
        yield _judged("data", _PROTOCOL, "data of both packs", f"not known: {error.message}", _NEW)
        return
    added = sorted(now.keys() - before.keys())
    removed = sorted(before.keys() - now.keys())
    changed = sorted(name for name in now.keys() & before.keys() if now[name][:2] != before[name][:2])
    files = tuple(bytes_of(one.files, "data/datasets/manifest.json") for one in (old, new))
    test = {name for name, part in parts_before.items() if part == "test"}
    same = test == {name for name, part in parts_now.items() if part == "test"} and not test & set(changed)
    yield _judged(
        "test part",
        _PROTOCOL,
        "unchanged",
        "unchanged" if same else "other cases",
        "inside" if same else _NEW,
        files=files,
    )
    rows = (
        ("cases added", bounds.added_at_most, len(added)),
        ("cases removed", bounds.removed_at_most, len(removed)),
        ("cases changed", 0, len(changed)),
    )
    for name, limit, count in rows:
        yield _judged(
            name, _PROTOCOL, f"at most {limit}", str(count), "inside" if count <= limit else "outside", files=files
        )
    elsewhere = Counter(
        parts_now.get(name, "none") for name in added if parts_now.get(name) not in {*bounds.parts, None}
    )
    moved = [name for name in now.keys() & before.keys() if parts_now.get(name) != parts_before.get(name)]
    found = "; ".join(
        [
            *(f"{count} added to {part}" for part, count in elsewhere.items()),
            *([f"{len(moved)} moved"] if moved else []),
        ]
    )
    yield _judged(
        "parts",
        _PROTOCOL,
        f"cases are added to {', '.join(bounds.parts) or 'no part'}, none moves",
        found or "kept",
        "outside" if found else "inside",
    )
    allowed = set(bounds.modalities) or {one[2] for one in before.values()}
    strange = sorted({now[name][2] for name in added} - allowed)
    yield _judged(
        "modalities",
        _IMPACT,
        ", ".join(sorted(allowed)),
        ", ".join(strange) or "no other",
        _NEW if strange else "inside",
    )


def _cases(release: PackedRelease) -> tuple[dict[str, tuple[str, str, str]], dict[str, str]]:
    """Of each case image, mask and modality; and its part."""
    manifest = record_of(release.files, "data/datasets/manifest.json", DatasetManifest)
    split = record_of(release.files, "data/datasets/split.json", SplitManifest)
    parts = {case: part.value for part in Part for case in split.part(part)}
    return {one.id: (one.image, one.label, one.modality or "not stated") for one in manifest.cases}, parts


@implements("REQ-582", "RC-245")
def _performance(bound: PerformanceBound, new: PackedRelease, figures: Measures) -> Iterator[JudgedBound]:
    record, files = new.evaluation, (new.files[EVALUATION],)
    classes = [bound.of_class] if bound.of_class is not None else list(record.by_class)
    for of_class in classes:
        name = heading_of(bound.measure, record.unit) + ("" if of_class is None else f", {of_class}")
        if bound.margin is not None:
            yield _margin(name, bound, of_class, figures, files)
        if bound.at_least is not None or bound.at_most is not None:
            held = record.by_class.get(of_class)
            interval = None if held is None else held.aggregates.get(bound.measure)
            value = None if interval is None else getattr(interval, bound.statistic)
            yield _limited(f"{name}, {bound.statistic}", (bound.at_least, bound.at_most), value, files)
        yield from _subgroups(name, bound, of_class, record, files)


def _margin(
    name: str, bound: PerformanceBound, of_class: str | None, figures: Measures, files: tuple[bytes, ...]
) -> JudgedBound:
    limit = f"non-inferior with a margin of {bound.margin:g}"
    if figures.paired is None:
        return _judged(f"{name}, change", _IMPACT, limit, f"not paired: {figures.not_paired}", "outside", files=files)
    rows = [one for one in figures.paired.measures if (one.measure, one.of_class) == (bound.measure, of_class)]
    judged = rows[0].non_inferiority if rows else None
    if judged is None or judged.margin != bound.margin:
        return _judged(f"{name}, change", _IMPACT, limit, "the evaluations do not have it", "outside", files=files)
    paired = rows[0].paired
    shown = "" if paired is None else f"{paired.difference.mean:+.4f} ({paired.difference.words(4)}); "
    verdict: Verdict = "inside" if judged.verdict == "non-inferior" else "outside"
    entries = tuple(one.entry for one in (figures.paired.first, figures.paired.second) if one.entry is not None)
    return _judged(
        f"{name}, change",
        _IMPACT,
        limit,
        f"{shown}{judged.verdict}: {judged.why}",
        verdict,
        entries=entries,
        files=files,
    )


def _subgroups(
    name: str, bound: PerformanceBound, of_class: str | None, record: EvaluationRecord, files: tuple[bytes, ...]
) -> Iterator[JudgedBound]:
    limits = (bound.subgroups_at_least, bound.subgroups_at_most)
    if limits == (None, None):
        return
    row = measure_of(bound.measure)
    rows = [one for one in subgroups(record, bound.measure, seed=0, of_class=of_class).rows if one.mean is not None]
    means = [(one.mean, f"{one.attribute} {one.value}") for one in rows if one.mean is not None]
    if not means:
        yield _judged(
            f"{name}, subgroups", _IMPACT, _words(limits), "no attribute divides the cases", "outside", files=files
        )
        return
    value, where = (min if row is None or row.higher_is_better else max)(means)
    yield _limited(f"{name}, worst of {len(means)} subgroups ({where})"[:200], limits, value, files)


def _limited(
    name: str, limits: tuple[float | None, float | None], value: float | None, files: tuple[bytes, ...]
) -> JudgedBound:
    least, most = limits
    inside = value is not None and (least is None or value >= least) and (most is None or value <= most)
    found = "not defined" if value is None else f"{value:.4f}"
    return _judged(name, _IMPACT, _words(limits), found, "inside" if inside else "outside", files=files)


def _words(limits: tuple[float | None, float | None]) -> str:
    least, most = limits
    said = [*([] if least is None else [f"at least {least:g}"]), *([] if most is None else [f"at most {most:g}"])]
    return ", ".join(said)
