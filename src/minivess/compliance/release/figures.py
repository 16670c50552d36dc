"""The figures of a release, computed again from the counts of its cases and compared with what file and log state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.release.chain import JudgedChain
from minivess.compliance.release.earlier_entries import payload_of
from minivess.compliance.release.gate_facts import EVALUATION
from minivess.compliance.release.pack_files import EXPORT, export_of, json_of, record_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import DatasetManifest, LabelClass
from minivess.records.data.groups import groups_of
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.evaluation.acceptance_criteria import Judgement, judge
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.recomputation import NOT_STATED, first_difference, parts_of, recomputed
from minivess.records.evaluation.statistics.summaries import ClassFigures, Interval
from minivess.records.log.payloads.looks import LookRequested
from minivess.records.models.model import CalibrationRecord, fewest_groups
from minivess.records.models.task import SegmentationTask

MANIFEST, SPLIT, SEALED = "data/datasets/manifest.json", "data/datasets/split.json", "data/datasets/sealed.json"
CALIBRATION = "data/models/calibration.json"


@implements("REQ-231", "RC-98")
def check_figures(files: Mapping[str, bytes], chain: JudgedChain) -> EvaluationRecord:
    """Compute the evaluation of a release again.

    Args:
        files: of the pack, by name.
        chain: the entries that the release rests on.

    Returns:
        The evaluation, with its figures as they follow from the counts.

    Raises:
        VerificationError: the evaluation is of other cases, groups or another look than the log says, or a figure differs
            in the file or in the entry; names the first one with both sides.
    """
    record = record_of(files, EVALUATION, EvaluationRecord)
    if record.format is None:
        raise VerificationError(f"{EVALUATION} has no counts of its cases: version 0.1.0 wrote it")
    stated = json_of(files, EVALUATION)
    if stated["conventions"] != record.conventions.model_dump(mode="json") or "look" not in stated:
        raise VerificationError(f"{EVALUATION} leaves out a convention or the number of its look")
    _compare(EVALUATION, _identity(record), _expected(chain), by="by the log")
    groups = _check_cases(files, record, chain)
    task = export_of(files).task
    _check_classes(files, record, task)
    _check_calibration(files, groups, chain, task)
    difference = first_difference(record, chain.plan)
    if difference is not None:
        raise VerificationError(f"{EVALUATION}: {difference.sentence}")
    exact = record.model_copy(update=dict(recomputed(record, chain.plan)))
    _check_entry(exact, chain)
    return exact


def outcomes_in(record: EvaluationRecord, chain: JudgedChain) -> tuple[Judgement, ...]:
    """The evaluation by the registered acceptance criteria, in their order."""
    return tuple(judge(record, chain.plan.criteria))


def look_numbers(chain: JudgedChain) -> dict[str, int]:
    """The number of each look at its test data, from 1 on, by request."""
    found: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for look in chain.looks:
        if look.request is not None:
            asked = payload_of(look.request, LookRequested).request
            counts[asked.data] += 1
            found[asked.id] = counts[asked.data]
    return found


def _identity(record: EvaluationRecord) -> dict[str, object]:
    return {
        "model": record.model,
        "data": record.data,
        "request": record.request,
        "look": record.look,
        "looks": record.looks,
    }


def _expected(chain: JudgedChain) -> dict[str, object]:
    terms = chain.seal.terms
    return {
        "model": chain.model,
        "data": chain.request.data,
        "request": chain.request.id,
        "look": look_numbers(chain).get(chain.request.id),
        "looks": None if terms is None else terms.looks,
    }


def _check_cases(files: Mapping[str, bytes], record: EvaluationRecord, chain: JudgedChain) -> Mapping[str, str]:
    """Compare the cases with the sealed ones, and their groups and subjects with the data set and the terms of the seal.

    Returns:
        The group of each case of the data set.
    """
    sealed = {file.case for file in record_of(files, SEALED, SealManifest).files}
    _compare(EVALUATION, {"cases": _listed(record.tested)}, {"cases": _listed(sealed)}, by=f"in {SEALED}")
    manifest, split = record_of(files, MANIFEST, DatasetManifest), record_of(files, SPLIT, SplitManifest)
    subjects = {case.id: case.subject for case in manifest.cases}
    attributes = {case.id: case.attributes for case in manifest.cases}
    try:
        groups = groups_of(manifest, split)
    except KeyError as error:
        raise VerificationError(f"{SPLIT} names a case {error} that {MANIFEST} has not") from None
    if chain.seal.terms is not None and digest_of(groups) != chain.seal.terms.groups:
        raise VerificationError(
            f"the cases of {MANIFEST} and {SPLIT} are in other groups than the seal of entry "
            f"{chain.bodies['seal'].index} fixed"
        )
    for case in record.cases:
        name = case.case
        stated = {"subject": case.subject, "group": getattr(case, "group", None)}
        known = {"subject": subjects.get(name), "group": groups.get(name)}
        _compare(f"{EVALUATION}: case {name}", stated, known, by=f"by {MANIFEST}")
        held = case.attributes if isinstance(case, CaseCounts) else {}
        told = {one: held.get(one, NOT_STATED) for one in attributes.get(name, {})}
        _compare(f"{EVALUATION}: case {name}.attributes", told, attributes.get(name, {}), by=f"by {MANIFEST}")
    return groups


@implements("REQ-338", "RC-141")
def _check_classes(files: Mapping[str, bytes], record: EvaluationRecord, task: SegmentationTask) -> None:
    """Compare the classes of the rows with those of the exported model, and these with the classes of the data set.

    One class has no name in the rows, and may have another one in the data set.
    """
    stated = _listed({row.of_class or "" for row in record.cases})
    _compare(EVALUATION, {"classes": stated}, {"classes": _listed(_named(task))}, by=f"in {EXPORT}")
    manifest = record_of(files, MANIFEST, DatasetManifest)
    known = _several(task.classes)
    for case in manifest.cases:
        if _several(case.classes) != known:
            raise VerificationError(f"{MANIFEST}: case {case.id} has other classes than the exported model")


def _named(task: SegmentationTask) -> list[str]:
    """The names of several classes; empty for one class."""
    return [] if task.one_class else [one.name for one in task.classes]


def _several(classes: Iterable[LabelClass]) -> list[tuple[int, str]]:
    """Value and name of each of several classes in order; empty for one class."""
    found = sorted((one.value, one.name) for one in classes)
    return found if len(found) > 1 else []


@implements("REQ-247", "REQ-338", "RC-106")
def _check_calibration(
    files: Mapping[str, bytes], groups: Mapping[str, str], chain: JudgedChain, task: SegmentationTask
) -> None:
    """Compare the groups of the calibration with the sealed ones, and refuse a guarantee that so few groups cannot give.

    The classes that it has thresholds of are those of the exported model.

    Seals of before counted cases; calibrations under them do not say their groups.
    """
    terms = chain.seal.terms
    if terms is None or terms.statistics == "mean of cases":
        return
    made, split = record_of(files, CALIBRATION, CalibrationRecord), record_of(files, SPLIT, SplitManifest)
    sealed = {name: groups.get(name) for name in split.calibration}
    stated = {"cases": _listed(made.cases)} | {f"group of {name}": one for name, one in (made.groups or {}).items()}
    known = {"cases": _listed(sealed)} | {f"group of {name}": one for name, one in sealed.items()}
    _compare(CALIBRATION, stated, known, by=f"by {SPLIT}")
    _compare(CALIBRATION, {"classes": _listed(made.classes)}, {"classes": _listed(_named(task))}, by=f"in {EXPORT}")
    number, fewest = len(set(sealed.values())), fewest_groups(made.target_recall)
    thresholds = [made.threshold, *(one.threshold for one in made.classes.values())]
    if any(one is not None for one in thresholds) and number < fewest:
        raise VerificationError(
            f"{CALIBRATION} has a conformal threshold for recall {made.target_recall:g} from {number} groups, "
            f"and that needs {fewest}"
        )


def _check_entry(record: EvaluationRecord, chain: JudgedChain) -> None:
    """Compare the figures with those that the entry of the evaluation states."""
    said, where = chain.evaluated, f"the evaluation of entry {chain.bodies['evaluation'].index}"
    stated: dict[str, object] = {"cases": said.cases, "look": said.look, "baseline_dice": _six(said.baseline_dice)}
    computed: dict[str, object] = {
        "cases": len(record.tested),
        "look": record.look,
        "baseline_dice": _six(record.baseline.mean),
    }
    stated |= dict(_texts(said.aggregates)) | dict(_class_texts(said.classes))
    computed |= dict(_texts(record.aggregates)) | dict(_class_texts(record.classes))
    for number, outcome in enumerate(said.criteria):
        stated[f"criterion {number + 1}"] = f"{digest_of(outcome.criterion)}, {_six(outcome.value)}, {outcome.met}"
    for number, one in enumerate(outcomes_in(record, chain)):
        computed[f"criterion {number + 1}"] = f"{digest_of(one.criterion)}, {_six(one.value)}, {one.met}"
    _compare(where, stated, computed, by="by the counts of its cases")


def _texts(aggregates: Mapping[str, Interval]) -> Iterator[tuple[str, object]]:
    for name, interval in aggregates.items():
        for part, value in parts_of(interval).items():
            yield f"{name}.{part}", value


def _class_texts(classes: Mapping[str, ClassFigures]) -> Iterator[tuple[str, object]]:
    for name, one in classes.items():
        intervals = {**one.aggregates, "baseline": one.baseline}
        if one.conformal_recall is not None:
            intervals["conformal_recall"] = one.conformal_recall
        yield from ((f"class {name}, {part}", value) for part, value in _texts(intervals))
        yield from (
            (f"class {name}, {part}", _six(value)) for part, value in (("ece", one.ece), ("band_ece", one.band_ece))
        )


def _six(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _compare(where: str, stated: Mapping[str, object], known: Mapping[str, object], *, by: str) -> None:
    for name in dict.fromkeys([*known, *stated]):
        pair = stated.get(name, NOT_STATED), known.get(name, NOT_STATED)
        if pair[0] != pair[1]:
            raise VerificationError(f"{where}: {name} is {pair[0]}, and {pair[1]} {by}")
