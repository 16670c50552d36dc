"""Parts of a data set that share no subject, no acquisition and no image.

Cases that share any of the three are one group and stay together, also along a chain. What remains of chance is the
order of groups, taken from SHA-256 of seed and subject, so a split is the same on every machine and library version.
"""

from __future__ import annotations

import hashlib

from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.datasets.manifests import rooted
from minivess.records.dataset import CaseRecord, DatasetManifest
from minivess.records.split import Part, Split, SplitManifest

Groups = tuple[tuple[CaseRecord, ...], ...]


@implements("REQ-013", "RC-02")
def split(manifest: DatasetManifest, plan: Split) -> SplitManifest:
    """Assign every case to train, calibration or test.

    Named subjects go where they are named; a number draws that many groups (subjects, or sets of subjects that share an
    acquisition or an image) by seed; the rest is train.

    Raises:
        UsageError: an unknown subject, a subject named twice, too few groups, or an empty part.
        RefusedError: named subjects that belong together are in different parts.
    """
    groups = group(manifest)
    parts: dict[str, Part] = {}
    for part, wanted in ((Part.TEST, plan.test), (Part.CALIBRATION, plan.calibration)):
        if not isinstance(wanted, int):
            _name(manifest, part, wanted, parts)
    for part, wanted in ((Part.TEST, plan.test), (Part.CALIBRATION, plan.calibration)):
        if isinstance(wanted, int):
            _draw(groups, part, wanted, plan.seed, parts)
    ids = {part: tuple(case.id for case in manifest.cases if parts.get(case.id, Part.TRAIN) is part) for part in Part}
    for part, members in ids.items():
        if not members:
            raise UsageError(f"no case is left for {part.value}", hint="name fewer subjects for the other parts")
    fields = {"dataset": manifest.root, "seed": plan.seed} | {part.value: list(ids[part]) for part in Part}
    result = SplitManifest.model_validate(fields | {"root": rooted(fields)})
    check_leakage(manifest, result)
    return result


@implements("REQ-013", "RC-02")
def check_leakage(manifest: DatasetManifest, split: SplitManifest) -> None:
    """Check that no two cases of different parts share a subject, an acquisition or an image.

    Raises:
        RefusedError: they do (both cases are named), the split is of another data set, or a case is in no part or in
            two.
    """
    if split.dataset != manifest.root:
        raise RefusedError("the split belongs to another version of the data", hint="run minivess data split again")
    assigned = [case for part in Part for case in split.part(part)]
    if sorted(assigned) != sorted(case.id for case in manifest.cases):
        raise RefusedError("the split does not hold every case exactly once", hint="run minivess data split again")
    place = {case: part for part in Part for case in split.part(part)}
    for reason in ("subject", "acquisition", "image"):
        first: dict[str, CaseRecord] = {}
        for case in manifest.cases:
            other = first.setdefault(str(getattr(case, reason)), case)
            if place[other.id] is not place[case.id]:
                a, b = (f"{each.id} ({place[each.id].value})" for each in (other, case))
                raise RefusedError(f"{a} and {b} share {_named(reason, case)}", hint="keep them in one part")


def group(manifest: DatasetManifest) -> Groups:
    """Cases that must stay together: a union over shared subjects, acquisitions and identical images."""
    leader = list(range(len(manifest.cases)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for reason in ("subject", "acquisition", "image"):
        first: dict[str, int] = {}
        for index, case in enumerate(manifest.cases):
            other = first.setdefault(str(getattr(case, reason)), index)
            leader[find(index)] = find(other)
    groups: dict[int, list[CaseRecord]] = {}
    for index, case in enumerate(manifest.cases):
        groups.setdefault(find(index), []).append(case)
    return tuple(tuple(cases) for cases in groups.values())


def _named(reason: str, case: CaseRecord) -> str:
    return "one image" if reason == "image" else f"{reason} {getattr(case, reason)}"


def _name(manifest: DatasetManifest, part: Part, subjects: tuple[str, ...], parts: dict[str, Part]) -> None:
    known = {case.subject for case in manifest.cases}
    for subject in subjects:
        if subject not in known:
            raise UsageError(
                f"no case has the subject {subject!r}", hint=f"subjects are: {', '.join(sorted(known))}"[:300]
            )
        for case in manifest.cases:
            if case.subject == subject and parts.setdefault(case.id, part) is not part:
                raise UsageError(f"subject {subject} is named for calibration and for test")


def _draw(groups: Groups, part: Part, count: int, seed: int, parts: dict[str, Part]) -> None:
    if count < 1:
        raise UsageError(f"{part.value} needs at least one subject")

    def rank(cases: tuple[CaseRecord, ...]) -> bytes:
        return hashlib.sha256(f"{seed}:{min(case.subject for case in cases)}".encode()).digest()

    free = sorted((cases for cases in groups if not any(case.id in parts for case in cases)), key=rank)
    if len(free) < count or (len(free) == count and part is Part.CALIBRATION):
        raise UsageError(
            f"{count} subjects for {part.value}, but {len(free)} are left to draw from",
            hint="ask for fewer, or add subjects; train needs one as well",
        )
    for cases in free[:count]:
        parts.update({case.id: part for case in cases})
