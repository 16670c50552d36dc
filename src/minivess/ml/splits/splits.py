"""Parts and folds of a data set in which nothing that belongs together is apart.

What belongs together (`checking.leakage.group`) is one group and moves as one. Test and calibration groups are named,
published or drawn; the rest trains, and is dealt to folds where folds are wanted. What is drawn is drawn by SHA-256 of
seed and subject and balanced by strata (`strata`), the same on every machine and library version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from minivess.foundation.digests import digest_json
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import root_of
from minivess.ml.splits import strata
from minivess.ml.splits.leakage import leaks
from minivess.ml.splits.published import Published
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import Groups, group, groups_of
from minivess.records.data.likeness import NearDuplicate, OverruledPair
from minivess.records.data.split import Fold, Part, Share, Split, SplitCase, SplitManifest, Stratum

_NO_ROOT = "sha256:" + 64 * "0"
_NAMED = 12


@implements("REQ-013", "RC-02")
def split(
    manifest: DatasetManifest, plan: Split, *, near: Iterable[NearDuplicate] = (), published: Published | None = None
) -> SplitManifest:
    """`assign` and `check_leakage` in one."""
    made = assign(manifest, plan, near=near, published=published)
    check_leakage(manifest, made)
    return made


@implements("REQ-013", "REQ-087")
def assign(
    manifest: DatasetManifest,
    plan: Split,
    *,
    near: Iterable[NearDuplicate] = (),
    not_copies: Iterable[OverruledPair] = (),
    published: Published | None = None,
) -> SplitManifest:
    """Assign every case to train, calibration or test, and training cases to folds. Does not look for leaks.

    Named subjects go where they are named; a number draws that many groups by seed; the rest is train. Of a published
    split only the parts that it lacks are drawn, from its training cases.

    Args:
        manifest: the data set.
        plan: what is wanted.
        near: images that show the same object; their cases stay together (`exceptions.apply`).
        not_copies: pairs that the plan states to be no copies; the split names them.
        published: a split made elsewhere.

    Raises:
        UsageError: an unknown subject, a subject named twice, too few groups, or an empty part.
    """
    pairs = tuple(near)
    groups = group(manifest, pairs)
    stratum = strata.strata(manifest.cases, plan.stratify_by)
    parts = _given(manifest, plan, published)
    for part, wanted in ((Part.TEST, plan.test), (Part.CALIBRATION, plan.calibration)):
        missing = published is None or part not in published.parts.values()
        if isinstance(wanted, int) and missing:
            _draw(groups, part, wanted, parts, (plan.seed, stratum))
    ids = {part: tuple(case.id for case in manifest.cases if parts.get(case.id, Part.TRAIN) is part) for part in Part}
    for part, members in ids.items():
        if not members:
            raise UsageError(f"no case is left for {part.value}", hint="name fewer subjects for the other parts")
    made = SplitManifest(
        dataset=manifest.root,
        seed=plan.seed,
        train=ids[Part.TRAIN],
        calibration=ids[Part.CALIBRATION],
        test=ids[Part.TEST],
        folds=_folds(groups, set(ids[Part.TRAIN]), plan, stratum, published),
        near=pairs,
        not_copies=tuple(not_copies),
        cases=tuple(SplitCase(id=case.id, image=case.image, label=case.label) for case in manifest.cases),
        plan=plan_digest(plan, published),
        root=_NO_ROOT,
    )
    return made.model_copy(update={"root": root_of(made)})


def plan_digest(plan: Split, published: Published | None = None) -> str:
    """Digest of everything a split follows from, besides the data set."""
    return digest_json([plan.model_dump(mode="json"), None if published is None else published.digest])


@implements("REQ-013", "REQ-086", "RC-02")
def check_leakage(manifest: DatasetManifest, split: SplitManifest) -> None:
    """Check that nothing that belongs together is in different parts or folds.

    Raises:
        RefusedError: something is (all pairs are named), the split is of another data set, or a case is in no part or
            in two.
    """
    if split.dataset != manifest.root:
        raise RefusedError("the split belongs to another version of the data", hint="run minivess data split again")
    assigned = [case for part in Part for case in split.part(part)]
    if sorted(assigned) != sorted(case.id for case in manifest.cases):
        raise RefusedError("the split does not hold every case exactly once", hint="run minivess data split again")
    held_out = [case for fold in split.folds for case in fold.held_out]
    if split.folds and sorted(held_out) != sorted(split.train):
        raise RefusedError("the folds do not hold every training case exactly once")
    found = leaks(manifest, split).across
    if found:
        more = f"; and {len(found) - _NAMED} more pairs" if len(found) > _NAMED else ""
        raise RefusedError("; ".join(map(str, found[:_NAMED])) + more, hint="keep them in one part")


def shares(manifest: DatasetManifest, split: SplitManifest, by: tuple[Stratum, ...]) -> tuple[Share, ...]:
    """What every part and every fold holds, for a person to look at."""
    stratum, groups = strata.strata(manifest.cases, by), groups_of(manifest, split)
    record = {case.id: case for case in manifest.cases}
    sets: list[tuple[str, tuple[str, ...]]] = [(part.value, split.part(part)) for part in Part]
    for number, fold in enumerate(split.folds, start=1):
        sets.append((f"fold {number}", fold.held_out))
        sets += [(f"fold {number}.{inner}", ids) for inner, ids in enumerate(fold.inner, start=1)]
    return tuple(_share(name, [record[case] for case in ids], stratum, groups) for name, ids in sets)


def _share(name: str, cases: list[CaseRecord], stratum: dict[str, str], groups: dict[str, str]) -> Share:
    counts = Counter(stratum[case.id] for case in cases)
    return Share(
        name=name,
        groups=len({groups[case.id] for case in cases}),
        subjects=len({case.subject for case in cases}),
        cases=len(cases),
        foreground=sum(case.foreground_fraction for case in cases) / len(cases),
        strata={} if set(stratum.values()) == {"all"} else {key: counts[key] for key in sorted(set(stratum.values()))},
    )


def _given(manifest: DatasetManifest, plan: Split, published: Published | None) -> dict[str, Part]:
    """Parts of the cases that are named or published; training cases of a published split may still be drawn."""
    if published is not None:
        return {case: part for case, part in published.parts.items() if part is not Part.TRAIN}
    parts: dict[str, Part] = {}
    for part, wanted in ((Part.TEST, plan.test), (Part.CALIBRATION, plan.calibration)):
        if not isinstance(wanted, int):
            _name(manifest, part, wanted, parts)
    return parts


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


def _draw(groups: Groups, part: Part, count: int, parts: dict[str, Part], chance: tuple[int, dict[str, str]]) -> None:
    if count < 1:
        raise UsageError(f"{part.value} needs at least one subject")
    free = [cases for cases in groups if not any(case.id in parts for case in cases)]
    if len(free) < count or (len(free) == count and part is Part.CALIBRATION):
        raise UsageError(
            f"{count} subjects for {part.value}, but {len(free)} are left to draw from",
            hint="ask for fewer, or add subjects; train needs one as well",
        )
    for cases in strata.draw(free, count, *chance):
        parts.update({case.id: part for case in cases})


def _folds(
    groups: Groups, train: set[str], plan: Split, stratum: dict[str, str], published: Published | None
) -> tuple[Fold, ...]:
    rest = [cases for cases in groups if cases[0].id in train]
    if published is not None and published.folds:
        given = {case: fold for case, fold in published.folds.items() if case in train}
        count = max(given.values())
        if plan.folds not in {0, count}:
            raise UsageError(f"the published split has {count} folds, and {plan.folds} are asked for")
        dealt = [
            tuple(part for cases in rest if (part := tuple(case for case in cases if given[case.id] == number)))
            for number in range(1, count + 1)
        ]
    elif plan.folds:
        dealt = list(_dealt(rest, plan.folds, plan.seed, stratum, "folds"))
    else:
        return ()
    folds = []
    for held in dealt:
        out = {case.id for cases in held for case in cases}
        inside = [cases for cases in rest if not any(case.id in out for case in cases)]
        inner = _dealt(inside, plan.inner_folds, plan.seed, stratum, "inner folds") if plan.inner_folds else ()
        folds.append(Fold(held_out=_ids(held), inner=tuple(_ids(one) for one in inner)))
    return tuple(folds)


def _dealt(
    groups: Iterable[strata.Group], folds: int, seed: int, stratum: dict[str, str], what: str
) -> tuple[Groups, ...]:
    members = tuple(groups)
    if len(members) < folds:
        raise UsageError(
            f"{folds} {what} of {len(members)} subjects (or sets of subjects that belong together)",
            hint=f"ask for at most {len(members)}",
        )
    return strata.deal(members, folds, seed, stratum)


def _ids(groups: Iterable[strata.Group]) -> tuple[str, ...]:
    return tuple(sorted(case.id for cases in groups for case in cases))
