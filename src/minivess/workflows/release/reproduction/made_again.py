"""Training, calibrating, exporting and evaluating again what a pack states, without a log and without keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.release.pack_files import text_of
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.ml.cases.prepared import LoadedCase, load_recorded
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part, SplitManifest
from minivess.records.device.project import Project
from minivess.records.evaluation.evaluation import ClassThresholds, EvaluationPlan, EvaluationRecord
from minivess.records.models.ensemble import EnsembleRecord
from minivess.records.models.exports.contract import Licences
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import Circumstances
from minivess.records.sinks import Progress

if TYPE_CHECKING:
    from minivess.ml.inference.predictor import EnsemblePredictor
    from minivess.ml.sampling.recorded_cases import RecordedCases
    from minivess.ml.training.validation import Validator

_MEMBERS = "data/models/members/"
_PROCEDURE = 2
"""Of training since 0.2.0."""
PARITY_CASES = TIMED_CASES = 4
"""As in `workflows.models.export`."""


@dataclass(frozen=True)
class Remade:
    """A released model that is made again in a folder.

    Attributes:
        release: the pack.
        project: the project file beside the data: how cases are read, and choices that the pack does not state.
        base: the folder of the project file.
        out: where everything is made.
        progress: hears about long work.
    """

    release: PackedRelease
    project: Project
    base: Path
    out: Path
    progress: Progress | None = None

    def read[R: Record](self, name: str, kind: type[R]) -> R:
        """A record of the pack, as a step of the pipeline wrote it."""
        return parse_json_record(text_of(self.release.files, name), kind, path=name)

    @cached_property
    def runs(self) -> tuple[RunRecord, ...]:
        """The members of the pack."""
        return tuple(self.read(name, RunRecord) for name in sorted(self.release.files) if name.startswith(_MEMBERS))

    @cached_property
    def manifest(self) -> DatasetManifest:
        """The cases of the pack."""
        return self.read("data/datasets/manifest.json", DatasetManifest)

    @cached_property
    def split(self) -> SplitManifest:
        """Their parts."""
        return self.read("data/datasets/split.json", SplitManifest)

    @cached_property
    def ensemble(self) -> EnsembleRecord:
        """The ensemble of the pack."""
        return self.read("data/models/ensemble.json", EnsembleRecord)

    @cached_property
    def calibration(self) -> CalibrationRecord:
        """The calibration of the pack."""
        return self.read("data/models/calibration.json", CalibrationRecord)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The independent group of each case."""
        return groups_of(self.manifest, self.split)

    @implements("REQ-577")
    def read_cases(self) -> dict[str, CaseRecord]:
        """Read the cases from their sources into the folder; gives what was read, by id.

        Raises:
            CasesRefusedError: a source is malformed.
        """
        from minivess.ml.cases.ingestion import read_cases, take_cases

        reading = read_cases(
            self.project.data, self.base, self.out / "prepared", self.out / "staged", progress=self.progress
        )
        return {case.id: case for case in take_cases(reading).cases}

    def cases(self, part: Part) -> Iterator[LoadedCase]:
        """The cases of a part, one at a time in memory, each as the pack says that it is."""
        records = {case.id: case for case in self.manifest.cases}
        return (self._case(records[name]) for name in self.split.part(part))

    def _case(self, record: CaseRecord) -> LoadedCase:
        return load_recorded(self.out / "prepared", record)

    @implements("REQ-577")
    def train(self, run: RunRecord) -> RunRecord:
        """Train a member again with its recorded configuration, cases and seed, on the CPU.

        Raises:
            UsageError: it started from other weights, or was trained by the procedure of version 0.1.0.
        """
        if run.start is not None:
            raise UsageError("it started from weights that are not in the pack")
        if run.procedure < _PROCEDURE:
            raise UsageError("it was trained by the procedure of version 0.1.0")
        import torch

        from minivess.ml.sampling.case_store import store_cases
        from minivess.ml.sampling.recorded_cases import RecordedCases
        from minivess.ml.training.execution.devices import choose_device
        from minivess.ml.training.member import train_member
        from minivess.ml.training.validation import validation_cases

        training = run.training
        if run.parts:
            where = run.parts[0].where
            torch.set_num_threads(where.threads)
            training = as_recorded(training, where)
        part, records = self.split.part(Part.TRAIN), {case.id: case for case in self.manifest.cases}
        held_out = validation_cases(
            {name: self.groups[name] for name in part}, run.training.validation.share, seed=self.split.seed
        )
        prepared = self.out / "prepared"
        learned = RecordedCases(prepared, tuple(records[name] for name in part if name not in held_out.cases))
        validated = RecordedCases(prepared, tuple(records[name] for name in part if name in held_out.cases))
        store = store_cases(
            learned(),
            self.out / "training-cases",
            patch=run.model.patch,
            task=run.task,
            preprocessing=run.preprocessing,
            progress=self.progress,
        )
        return train_member(
            store,
            run.model,
            training,
            seed=run.seed,
            out=self.out / "members" / f"seed-{run.seed}",
            task=run.task,
            preprocessing=run.preprocessing,
            validator=_validator(validated, run),
            note=held_out.note,
            images=tuple(records[name].image for name in part),
            choice=choose_device("cpu"),
        )

    def predictor(self, runs: tuple[RunRecord, ...]) -> EnsemblePredictor:
        """The ensemble of members that were made again."""
        from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor
        from minivess.ml.models.registry import adapter_of, build_network
        from minivess.ml.training.runs import weights_of

        members = []
        for run in runs:
            network = build_network(run.model, run.task, seed=run.seed)
            path = weights_of(self.out / "members" / f"seed-{run.seed}")
            adapter_of(run.model.architecture).load(network, path, expected=run.weights)
            members.append(NetworkPredictor(network, run.model, task=run.task, preprocessing=run.preprocessing))
        return EnsemblePredictor(members, self.ensemble.rule)

    def calibrate(self, predictor: EnsemblePredictor) -> CalibrationRecord:
        """Fit the calibration again."""
        from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate

        return calibrate(
            predictor,
            (
                CalibrationCase(one.record.id, one.image, one.label, one.record.physical_spacing)
                for one in self.cases(Part.CALIBRATION)
            ),
            split=self.split,
            groups=self.groups,
            target_recall=self.calibration.target_recall,
            confidence=self.project.calibration.confidence,
            seed=self.split.seed,
            progress=self.progress,
        )

    def export(self, predictor: EnsemblePredictor, calibration: CalibrationRecord) -> ExportRecord:
        """Export the ensemble again."""
        from itertools import chain, islice

        from minivess.ml.export.folder import ExportTerms, write_export
        from minivess.ml.export.parity import ParityImage
        from minivess.ml.inference.intended_use import derive_envelope

        known = chain(self.cases(Part.TRAIN), self.cases(Part.CALIBRATION))
        terms = ExportTerms(
            models=[self.ensemble.model] * len(self.ensemble.members),
            calibration=calibration,
            intended_use=derive_envelope(
                ((one.image, one.record.spacing) for one in known), self.manifest.cases[0].unit, self.ensemble.task
            ),
            licences=Licences(
                code=metadata("minivess").get("License-Expression") or "as the file LICENSE says",
                weights=self.project.export.weights_licence,
                data=self.manifest.licence,
            ),
            choice=self.project.export,
        )
        return write_export(
            predictor,
            terms,
            self.out / "export",
            images=(
                ParityImage(one.record.id, one.image, one.label, one.record.physical_spacing)
                for one in islice(self.cases(Part.CALIBRATION), PARITY_CASES)
            ),
            training=[(one.image, one.record.physical_spacing) for one in islice(self.cases(Part.TRAIN), TIMED_CASES)],
        )

    def evaluate(self, calibration: CalibrationRecord) -> EvaluationRecord:
        """Evaluate the export on the test cases by the registered plan of the pack. It is no look in a log."""
        from minivess.ml.evaluation.baseline import tune_thresholds
        from minivess.ml.evaluation.evaluate import evaluate
        from minivess.ml.inference.exported_model import ExportedModel

        packed, task = self.release.evaluation, self.ensemble.task
        plan = LookHistory.fold(self.release.entries).plan_of(packed.request)
        tuned = list(self.cases(Part.CALIBRATION))
        by_group = plan.conventions.statistics == "mean of groups"
        units = [self.groups[one.record.id] for one in tuned] if by_group else None
        baselines = tune_thresholds([(one.image, one.label) for one in tuned], units, task)
        del tuned
        records = {case.id: case for case in self.manifest.cases}
        made, _ = evaluate(
            ((one.record, one.image) for one in self.cases(Part.TEST)),
            ExportedModel.open(self.out / "export").predict,
            lambda name: self._case(records[name]).label,
            EvaluationPlan(
                analysis=plan,
                model=packed.model,
                data=packed.data,
                request=packed.request,
                task=task,
                thresholds=tuple(
                    ClassThresholds(baseline=baseline, conformal=calibration.threshold_of(one.name))
                    for one, baseline in zip(task.classes, baselines, strict=True)
                ),
                look=packed.look,
                looks=packed.looks,
                groups=self.groups,
            ),
            progress=self.progress,
        )
        return made


@implements("REQ-577")
def as_recorded(training: TrainingSpec, where: Circumstances) -> TrainingSpec:
    """The section `training` with the layout of memory that the run had: `auto` measures which one is faster on the machine.

    Args:
        training: of the run.
        where: its circumstances.
    """
    fields = {**training.model_dump(mode="json"), "memory_format": where.memory_format}
    return TrainingSpec.model_validate(fields)


def _validator(validated: RecordedCases, run: RunRecord) -> Validator | None:
    """What judges the network during training; None where no case is validated on."""
    from minivess.ml.preprocessing.preprocessor import Preprocessor
    from minivess.ml.training.validation import Validator

    if not validated.records:
        return None
    sizes = Preprocessor(run.preprocessing)
    grids = tuple(sizes.resampled(record.grid, record.physical_spacing) for record in validated.records)
    names = tuple(record.id for record in validated.records)
    return Validator(validated, names, run.model, run.task, run.preprocessing, grids)
