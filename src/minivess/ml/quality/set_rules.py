"""Rules about the set: cases that do not go together, and cases that are one and the same."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from minivess.ml.cases.prepared import CASE
from minivess.ml.quality.case_measures import Measures
from minivess.ml.quality.set_findings import histogram, is_common
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.findings import Found
from minivess.records.data.groups import own_subjects

_ENOUGH = 8
_FAR = 6.0
_TOLD_ONCE = 3
"""From so many cases on, what is the same for all of them is reported once for the set."""


def findings(cases: Sequence[CaseRecord], measured: Mapping[str, Measures]) -> Iterator[Found]:
    """Everything the rules about measured sets notice; `measured` by case id."""
    known = [case for case in cases if case.id in measured]
    yield from _outliers(known, measured)
    yield from _contrast(known, measured)
    yield from _values(cases)
    yield from _notes(cases)
    yield from _doubts(cases)
    yield from _classes(known, measured)
    yield from _duplicates(cases)


def subjects(manifest: DatasetManifest) -> Iterator[Found]:
    """Whether every case is its own subject."""
    if (sentence := own_subjects(manifest)) is not None:
        yield Found("subjects-own", None, sentence)


def unlisted(cases: Sequence[CaseRecord], folder: Path) -> Iterator[Found]:
    """Prepared cases that the manifest does not know."""
    known = {case.id for case in cases}
    for path in sorted(folder.glob(f"*/{CASE}")):
        if path.parent.name not in known:
            yield Found("case-unlisted", None, f"{path.parent.name[:64]} is in the folder and not in the manifest")


def _outliers(cases: Sequence[CaseRecord], measured: Mapping[str, Measures]) -> Iterator[Found]:
    groups: dict[tuple[str, str], list[CaseRecord]] = defaultdict(list)
    for case in cases:
        groups[case.modality, case.source_dtype].append(case)
    for members in groups.values():
        if len(members) < _ENOUGH:
            continue
        medians = np.array([measured[case.id].quantiles.p50 for case in members])
        centre = float(np.median(medians))
        scale = 1.4826 * float(np.median(np.abs(medians - centre)))
        scale = max(scale, 0.02 * max(abs(centre), float(np.median([measured[case.id].deviation for case in members]))))
        odd = [
            (case.id, float(median))
            for case, median in zip(members, medians, strict=True)
            if scale > 0 and abs(median - centre) > _FAR * scale
        ]
        if is_common(len(odd), len(members)):
            message = f"{len(odd)} of {len(members)} cases are on another scale; medians: {histogram(medians.tolist())}"
            names = tuple(name for name, _ in odd)
            yield Found("intensity-outlier", None, message, others=names[:_TOLD_ONCE], cases=names)
        else:
            for name, median in odd:
                yield Found("intensity-outlier", name, f"median of {median:.4g}; the others' is {centre:.4g}")


def _contrast(cases: Sequence[CaseRecord], measured: Mapping[str, Measures]) -> Iterator[Found]:
    signs: dict[str, dict[str, float]] = defaultdict(dict)
    for case in cases:
        inside, outside = measured[case.id].inside, measured[case.id].outside
        if inside is not None and outside is not None and inside != outside:
            signs[case.modality][case.id] = math.copysign(1.0, inside - outside)
    for group in signs.values():
        usual = math.copysign(1.0, sum(group.values()))
        odd = [name for name, sign in group.items() if sign != usual]
        if odd and len(odd) * 4 <= len(group):
            for name in odd:
                word = "darker" if usual > 0 else "brighter"
                message = (
                    f"the mask is {word} than the rest; in {len(group) - len(odd)} of {len(group)} cases it is not"
                )
                yield Found("contrast-inverted", name, message)


def _values(cases: Sequence[CaseRecord]) -> Iterator[Found]:
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for case in cases:
        declared = {one.value for one in case.classes}
        few = len(case.label_values) <= len(declared) + 1
        if few and set(case.label_values) - {0} - declared:
            groups[case.label_values].append(case.id)
    for values, members in sorted(groups.items()):
        text = " and ".join(map(str, values))
        if len(members) >= _TOLD_ONCE:
            yield Found("mask-scaled", None, f"{len(members)} of {len(cases)} source masks hold {text}")
        else:
            for case_id in members:
                yield Found("mask-scaled", case_id, f"the source mask holds {text}")


def _notes(cases: Sequence[CaseRecord]) -> Iterator[Found]:
    groups: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        for note in case.notes:
            groups[note].append(case.id)
    for note, members in sorted(groups.items()):
        if len(members) >= _TOLD_ONCE:
            yield Found("read-with-notes", None, f"{note} ({len(members)} of {len(cases)} cases)")
        else:
            for case_id in members:
                yield Found("read-with-notes", case_id, note)


def _doubts(cases: Sequence[CaseRecord]) -> Iterator[Found]:
    """What reading found doubtful; a rule with one message in many cases is reported once."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        for doubt in case.doubts:
            groups[doubt.rule, doubt.message].append(case.id)
    for (rule, message), members in sorted(groups.items()):
        if len(members) >= _TOLD_ONCE:
            yield Found(rule, None, f"{message} ({len(members)} of {len(cases)} cases)")
        else:
            yield from (Found(rule, case_id, message) for case_id in members)


def _classes(cases: Sequence[CaseRecord], measured: Mapping[str, Measures]) -> Iterator[Found]:
    names = {one.value: one.name for case in cases for one in case.classes}
    if len(names) < 2:
        return
    voxels: Counter[int] = Counter()
    for case in cases:
        voxels.update(measured[case.id].class_voxels)
    total = sum(voxels.values())
    for value, name in sorted(names.items()):
        if not voxels[value]:
            yield Found("class-missing", None, f"{name} ({value}) is in none of {len(cases)} masks")
        elif voxels[value] < 0.01 * total:
            having = sum(value in measured[case.id].class_voxels for case in cases)
            share = 100 * voxels[value] / total
            yield Found(
                "class-balance", None, f"{name} ({value}) is {share:.2g} % of what is marked, in {having} cases"
            )


def _duplicates(cases: Sequence[CaseRecord]) -> Iterator[Found]:
    images: dict[str, CaseRecord] = {}
    masks: dict[str, CaseRecord] = {}
    for case in cases:
        other = images.setdefault(case.image, case)
        if other is not case:
            if other.subject != case.subject:
                message = f"the same image as {other.id}, said to be of another subject"
                yield Found("duplicate-image", case.id, message, others=(other.id,))
            else:
                yield Found("repeated-image", case.id, f"the same image as {other.id}", others=(other.id,))
        if not 0 < case.foreground_fraction < 1:
            continue
        same = masks.setdefault(case.label, case)
        if same is not case and same.image != case.image:
            rule = "duplicate-mask" if same.subject != case.subject else "repeated-mask"
            yield Found(rule, case.id, f"the same mask as {same.id}, for another image", others=(same.id,))
