"""The model card: what the records contain of a model, its training, its data, its calibration and its limits.

The sections follow Mitchell et al. (2019, "Model cards for model reporting"). What no record contains is called not stated or not
recorded. The page and the card for Hugging Face are made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from minivess.compliance.facts.soup import SoupItem
from minivess.compliance.release.chain import JudgedChain
from minivess.foundation.implements import implements
from minivess.records.data.card import DataCard
from minivess.records.data.split import Part
from minivess.records.device.project import Project
from minivess.records.evaluation.comparison.evaluations import groups_to_show
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import MEASURES, heading_of
from minivess.records.evaluation.statistics.summaries import percent
from minivess.records.evaluation.subgroups.figures import SubgroupTable
from minivess.records.evaluation.subgroups.sections import cells_of, sections_of
from minivess.records.lengths import shown
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.model_card import ModelCardFacts
from minivess.records.models.training import TrainingSpec

NOT_STATED, NOT_RECORDED = "not stated", "not recorded"
COVERS_ENOUGH = 0.92
"""An interval with a lower simulated coverage is named among the limits."""
_LIBRARIES = ("torch", "monai", "numpy", "scipy", "scikit-image", "onnx", "onnxruntime")


class CardFact(NamedTuple):
    """One row of a section."""

    name: str
    value: str


class CalibrationRow(NamedTuple):
    """The expected calibration error in one place, before and after calibration."""

    place: str
    before: float
    after: float
    test: float | None
    """After calibration, on the sealed test set."""


class SubgroupRows(NamedTuple):
    """A table of subgroups as text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    basis: str
    """What its intervals and P values are."""


@dataclass(frozen=True)
class ModelCard:
    """What both cards show."""

    users: tuple[CardFact, ...]
    model: tuple[CardFact, ...]
    training: tuple[CardFact, ...]
    data: tuple[CardFact, ...]
    computing: tuple[CardFact, ...]
    calibration: tuple[CalibrationRow, ...]
    calibrated: tuple[str, ...]
    """What follows from these rows, in sentences."""
    subgroups: tuple[SubgroupRows, ...]
    """By each measure that a criterion limits; empty where no attribute divides the cases."""
    readers: tuple[str, ...]
    """The agreement of two readers beside that of the model, in sentences."""
    entries: dict[str, int]
    """The entry of the log in each role of the release that one entry is in."""
    sealed_first: bool
    """Whether the test part was sealed before the first member was trained."""
    limits: tuple[str, ...]


@dataclass(frozen=True)
class CardSources:
    """What a card is made from."""

    project: Project
    export: ExportRecord
    runs: Sequence[RunRecord]
    """The members, at least one."""
    calibration: CalibrationRecord
    evaluation: EvaluationRecord
    """On the sealed test set."""
    data: DataCard
    chain: JudgedChain
    """The entries of the log that the release rests on."""
    soup: Sequence[SoupItem]
    """The software of the device."""


@implements("REQ-397")
def model_card(known: CardSources) -> ModelCard:
    """Gather the card from the records of a release."""
    rows = tuple(_calibration_rows(known.calibration, known.evaluation))
    sections = sections_of(known.evaluation, known.chain.plan)
    entries = {role: body.index for role, body in known.chain.bodies.items()}
    return ModelCard(
        users=tuple(_users(known.project)),
        model=tuple(_model(known.export, known.runs, known.calibration)),
        training=tuple(_training(known.runs)),
        data=tuple(_data(known.data)),
        computing=tuple(_computing(known.runs, known.soup)),
        calibration=rows,
        calibrated=tuple(_calibrated(rows, known.calibration)),
        subgroups=tuple(_subgroups(table, known.evaluation) for table in sections.subgroups if table.rows),
        readers=tuple(one.words for one in sections.readers),
        entries=entries,
        sealed_first=all(entries["seal"] < run.begun for run in known.chain.members),
        limits=tuple(_limits(known)),
    )


def _users(project: Project) -> Iterator[CardFact]:
    stated = project.model_card or ModelCardFacts()
    yield CardFact("Intended use", project.device.intended_use)
    yield CardFact("Intended users", stated.intended_users or NOT_STATED)
    yield CardFact("Out of scope", stated.out_of_scope or NOT_STATED)
    yield CardFact("Possible harm", stated.ethics or NOT_STATED)


def _model(export: ExportRecord, runs: Sequence[RunRecord], calibration: CalibrationRecord) -> Iterator[CardFact]:
    task = export.task
    kind, unit = ("volumes", "voxels") if task.axes == "zyx" else ("pictures", "pixels")
    channels = "one channel" if task.channels == 1 else f"{task.channels} channels"
    classes = ", ".join(f"{one.value} {one.name}" for one in task.classes)
    yield CardFact("Task", f"Segmentation of {kind} with {channels} into classes: {classes}; 0 is background")
    yield CardFact("Architecture", "; ".join(_distinct(run.model.summary for run in runs)))
    yield CardFact("Parameters", "; ".join(_distinct(_parameters(run) for run in runs)))
    patches = _distinct(f"{' × '.join(map(str, run.model.patch))} {unit} ({', '.join(task.axes)})" for run in runs)
    yield CardFact("Patch", "; ".join(patches))
    yield CardFact("Preprocessing", _capital(export.preprocessing.words))
    rule = "mean of probabilities" if export.model is None else export.model.rule
    yield CardFact("Combination", f"{_counted(len(runs), 'member')}, {rule}, temperature {calibration.temperature:.3f}")
    licences = None if export.model is None else export.model.licences
    if licences is not None:
        yield CardFact("Licences", f"Code {licences.code}; weights {licences.weights}; data {licences.data}")


def _parameters(run: RunRecord) -> str:
    return NOT_RECORDED if run.parameters is None else f"{run.parameters:,} a member"


def _training(runs: Sequence[RunRecord]) -> Iterator[CardFact]:
    """The settings of the members; those that differ, one after the other."""
    rows: dict[str, list[str]] = {}
    for run in runs:
        for name, value in _settings(run):
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        yield CardFact(name, "; ".join(_distinct(values)))


def _settings(run: RunRecord) -> Iterator[tuple[str, str]]:
    spec = run.training
    if run.procedure == 1:
        yield "Loss", "Dice and cross-entropy"
        yield "Optimiser", f"AdamW, highest learning rate {spec.learning_rate:g}, one cycle"
        yield "Augmentation", "Flips and quarter turns"
    else:
        yield "Loss", _loss(spec)
        yield "Optimiser", _optimiser(spec)
        yield "Augmentation", _augmentation(spec)
    accumulated = "" if spec.accumulate == 1 else f", {spec.accumulate} batches a step"
    yield "Steps", f"{run.steps} with batches of {_counted(spec.batch, 'patch', 'patches')}{accumulated}"
    validated = (
        "No validation during training"
        if run.validation is None
        else f"Groups of the training part, share {spec.validation.share:g}"
    )
    yield "Validation", validated
    seed = "Values that the seed drew"
    yield "Start", seed if run.start is None else f"The weights {run.start.weights}"


def _loss(spec: TrainingSpec) -> str:
    weights = spec.class_weights
    said = weights if isinstance(weights, str) else ", ".join(f"{one:g}" for one in weights)
    return f"{spec.loss}, class weights {said}{', with deep supervision' if spec.deep_supervision else ''}"


def _optimiser(spec: TrainingSpec) -> str:
    name = {"adamw": "AdamW", "sgd": "SGD with Nesterov momentum"}[spec.optimiser]
    average = f", average of weights with decay {spec.average:g}" if spec.average else ""
    clip = "" if spec.clip is None else f", gradients up to a length of {spec.clip:g}"
    return (
        f"{name}, highest learning rate {spec.learning_rate:g}, {spec.schedule}, weight decay {spec.weight_decay:g}"
        f"{clip}{average}, {spec.precision}"
    )


def _augmentation(spec: TrainingSpec) -> str:
    without = spec.augmentation.without
    return f"Strength {spec.augmentation.strength}{f', without {", ".join(without)}' if without else ''}"


def _data(data: DataCard) -> Iterator[CardFact]:
    yield CardFact("Data set", f"{data.name}, {data.source}; licence {data.licence}; digest {data.root}")
    for one in data.parts:
        groups = f"{_counted(one.groups, 'independent group')}, {_counted(one.subjects, 'subject')}"
        yield CardFact(_PARTS[one.part], f"{_counted(one.cases, 'case')}, {groups}")
    facts = data.facts
    for name, value in (
        ("Population", facts.population),
        ("Demographics", facts.demographics),
        ("Annotation", facts.annotation_protocol),
        ("Known biases of the data", facts.biases),
        ("Known limits of the data", facts.limitations),
    ):
        yield CardFact(name, value or NOT_STATED)


_PARTS = {Part.TRAIN: "Training part", Part.CALIBRATION: "Calibration part", Part.TEST: "Sealed test part"}


def _computing(runs: Sequence[RunRecord], soup: Sequence[SoupItem]) -> Iterator[CardFact]:
    each = ", ".join(f"seed {run.seed}: {_duration(run.seconds)}" for run in runs)
    yield CardFact("Training time", f"{_duration(sum(run.seconds for run in runs))} ({each})")
    places = [part.where for run in runs for part in run.parts]
    machines = [
        f"{one.device}, {_counted(one.processes, 'process', 'processes')} of {_counted(one.threads, 'thread')}"
        for one in places
    ]
    yield CardFact("Hardware", "; ".join(_distinct(machines or [run.device for run in runs])))
    trained = _distinct(one.torch for one in places)
    yield CardFact("PyTorch of the training", "; ".join(trained) if trained else NOT_RECORDED)
    stopped = _distinct(name for one in places for name in one.not_repeatable)
    repeats = f"No: {', '.join(stopped)} without a deterministic kernel" if stopped else "On the same machine"
    yield CardFact("Repeatable", repeats if places else NOT_RECORDED)
    held = {item.name: item.version for item in soup}
    libraries = [f"{name} {held[name]}" for name in _LIBRARIES if name in held]
    yield CardFact(
        "Libraries", f"{', '.join(libraries) or 'none of its own'}; all {len(soup)} parts are in the SOUP list"
    )


def _calibration_rows(calibration: CalibrationRecord, evaluation: EvaluationRecord) -> Iterator[CalibrationRow]:
    tested = evaluation.classes
    yield CalibrationRow("all voxels", calibration.ece_before, calibration.ece_after, evaluation.ece)
    yield CalibrationRow("border", calibration.band_ece_before, calibration.band_ece_after, evaluation.band_ece)
    for name, one in calibration.classes.items():
        found = tested.get(name)
        yield CalibrationRow(f"{name}, all voxels", one.ece_before, one.ece_after, None if found is None else found.ece)
        border = None if found is None else found.band_ece
        yield CalibrationRow(f"{name}, border", one.band_ece_before, one.band_ece_after, border)


def _calibrated(rows: Sequence[CalibrationRow], calibration: CalibrationRecord) -> Iterator[str]:
    worse = [row for row in rows if row.after > row.before]
    for row in worse:
        yield f"Calibration made the error larger ({row.place}): {row.before:.3f} before, {row.after:.3f} after."
    if not worse:
        yield "Calibration made no error of the calibration part larger."
    yield (
        f"The temperature was fitted on the same cases ({calibration.unit}), so the errors after calibration there are too "
        "small for new cases."
    )
    yield "On the sealed test set the error before calibration is not measured: it was evaluated with calibrated probabilities."


def _subgroups(table: SubgroupTable, evaluation: EvaluationRecord) -> SubgroupRows:
    """The cells of a table, with the simulated coverage of each interval."""
    header, *rows = cells_of(table, evaluation)
    covers = [None if one.interval is None else one.interval.coverage for one in table.rows]
    shown = [(*row, "–" if found is None else percent(found)) for row, found in zip(rows, covers, strict=True)]
    return SubgroupRows((*header, "simulated coverage"), tuple(shown), table.basis)


def _limits(known: CardSources) -> Iterator[str]:
    project, calibration = known.project, known.calibration
    yield (
        f"The figures apply to images like those of the data set: {_modalities(known.data)}, {known.data.name}. They do not "
        "apply to other modalities, spacings or populations."
    )
    if known.export.model is not None:
        use = known.export.model.intended_use
        sizes = [" × ".join(map(str, one)) for one in use.shape]
        yield (
            f"The service refuses images outside these bounds: spacing {shown(use.spacing[0], use.unit)} to "
            f"{shown(use.spacing[1], use.unit)}, size {sizes[0]} to {sizes[1]}."
        )
    stated = project.model_card
    if stated is not None and stated.limitations is not None:
        yield stated.limitations
    if calibration.classes:
        without = {f" of {name}": one.note for name, one in calibration.classes.items() if one.threshold is None}
    else:
        without = {"": calibration.note} if calibration.threshold is None else {}
    for name, note in without.items():
        yield f"There is no conformal mask{name}: {note}"
    yield from _limits_of_figures(project, known.evaluation)
    unknown = [run.seed for run in known.runs if run.start is not None and run.start.trained_on.status != "declared"]
    if unknown:
        seeds = ", ".join(map(str, unknown))
        yield f"The training data of the weights that members {seeds} started from are not fully declared."


def _limits_of_figures(project: Project, evaluation: EvaluationRecord) -> Iterator[str]:
    for of_class, figures in evaluation.by_class.items():
        place = "" if of_class is None else f" of {of_class}"
        for name, interval in figures.aggregates.items():
            if interval.n < len(evaluation.tested) and name in MEASURES:
                left = len(evaluation.tested) - interval.n
                yield f"{_title(name, evaluation)}{place} is undefined in {_counted(left, 'case')} of the test set."
            if interval.coverage is not None and interval.coverage < COVERS_ENOUGH:
                yield (
                    f"The interval of {_title(name, evaluation)}{place} covers {percent(interval.coverage)} in its "
                    f"simulation, for a nominal {percent(interval.level)}."
                )
    for criterion in project.evaluation.criteria:
        row = MEASURES.get(criterion.measure)
        limit = None if row is None else criterion.at_least if row.higher_is_better else criterion.at_most
        if row is None or limit is None:
            continue
        for of_class in evaluation.by_class:
            if criterion.of_class not in {None, of_class}:
                continue
            found = groups_to_show(evaluation, criterion.measure, limit, of_class=of_class)
            if found is not None and found.needed is not None and found.needed > found.groups:
                side = "at least" if found.at_least else "at most"
                place = "" if of_class is None else f" of {of_class}"
                yield found.sentence(f"{_title(row.name, evaluation)}{place} of {side} {limit:g}")


def _title(name: str, evaluation: EvaluationRecord) -> str:
    row = MEASURES.get(name)
    return heading_of(name, evaluation.unit) if row is None else row.short_heading(evaluation.unit)


def _modalities(data: DataCard) -> str:
    return ", ".join(_distinct(one.modality for one in data.acquisitions))


def _distinct(values: Iterator[str] | Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _counted(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or f'{word}s'}"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
