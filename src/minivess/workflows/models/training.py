"""Train every member of the ensemble, each as one recorded action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.losses.class_weights import check_stated
from minivess.ml.preprocessing.preprocessor import Preprocessor, fit_preprocessing
from minivess.ml.training.execution.devices import DeviceChoice, check_precision, choose_device
from minivess.ml.training.execution.places import ALONE, check_shares, torchrun_place
from minivess.ml.training.execution.processes import follow, leading
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.data.version import TrainedOn
from minivess.records.device.workspace_files import SPLIT
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.models import Training
from minivess.records.models.model import RunRecord
from minivess.workflows.models.listening import Hear, listeners_of, steps_of, tracker_of
from minivess.workflows.models.starts import images_of, load_start, start_input
from minivess.workflows.models.watching import training_job
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

if TYPE_CHECKING:
    from minivess.ml.sampling.recorded_cases import RecordedCases
    from minivess.ml.training.validation import Validator
    from minivess.records.models.networks.specifications import ModelSpec
    from minivess.records.models.preprocessing import Preprocessing, PreprocessingChoice
    from minivess.records.models.task import SegmentationTask


@implements("REQ-364", "REQ-365")
@contextmanager
def devices_of(stated: str, count: int) -> Iterator[DeviceChoice | None]:
    """The devices that train inside; None in a process that torchrun started to follow process 0, after it has.

    Args:
        stated: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        count: devices that train together, with one process each.

    Raises:
        UsageError: the device is not there.
    """
    place = torchrun_place() or ALONE
    choice = choose_device(stated, processes=count, place=place)
    if place.writes:
        with leading(choice):
            yield choice
    else:
        follow(choice)
        yield None


@implements("REQ-017", "REQ-180")
@follows("train")
def train(
    services: Services,
    signer: Signer,
    *,
    elsewhere: bool = False,
    choice: DeviceChoice | None = None,
    hear: Hear | None = None,
) -> list[RunRecord]:
    """Train every member; each is one recorded action, one MLflow run and one folder under models/members.

    A member that was trained before in exactly this way, and whose training is in the log, is kept. One whose training was
    killed goes on where it was.

    Args:
        services: the workspace.
        signer: whoever trains.
        elsewhere: whether a run may go on that began on another device or with another number of threads.
        choice: the devices; by default those of `auto`.
        hear: shows the events of the runs to a person; by default the progress of the services shows the steps.

    Raises:
        UsageError: the devices do not compute in the precision of the training, or cannot share its steps.
        RefusedError: another process trains this project.
    """
    with training_job(Workspace(services.workspace)):
        return _train(
            services,
            signer,
            elsewhere=elsewhere,
            choice=choice or choose_device(),
            hear=hear or steps_of(services.progress),
        )


def _train(services: Services, signer: Signer, *, elsewhere: bool, choice: DeviceChoice, hear: Hear) -> list[RunRecord]:
    workspace, project = Workspace(services.workspace), services.project
    inputs = BoundInputs.of(services)
    with refused_on_record(services, "training", signer):
        check_precision(choice, project.training.precision)
        together = (torchrun_place() or choice).processes
        check_shares(together, batch=project.training.batch, accumulate=project.training.accumulate)
        version, task = inputs.version, inputs.task
        check_stated(project.training.class_weights, len(task.classes))
        start = load_start(services, inputs)
    from minivess.ml.sampling.case_store import store_cases
    from minivess.ml.training.member import train_member
    from minivess.ml.training.runs import CURVES, LAST, RUN, WEIGHTS, completed_run

    data = training_data(inputs, workspace.prepared, project.training.validation.share)
    with refused_on_record(services, "training", signer):
        preprocessing = data.preprocessing(project.preprocessing, task)
        store = store_cases(
            data.learned(),
            workspace.training_cases,
            patch=project.model.patch,
            task=task,
            preprocessing=preprocessing,
            progress=services.progress,
        )
    validator = data.validator(project.model, task, preprocessing)
    recorded_outputs = {
        output.digest
        for entry in services.log.entries()
        if entry.body.action == "training" and entry.body.outcome is Outcome.COMPLETED
        for output in entry.body.outputs
    }
    runs = []
    for seed in project.training.members:
        folder = workspace.models / "members" / f"seed-{seed}"
        kept = completed_run(
            folder,
            project.model,
            project.training,
            seed=seed,
            data=store.digest,
            task=task,
            preprocessing=preprocessing,
        )
        if kept is not None and digest_file(folder / RUN) in recorded_outputs:
            runs.append(kept)
            continue
        if kept is not None:
            with refused_on_record(services, "training", signer):
                refuse_unannounced(kept, services.log.entries(actions={"training"}))
        with recorded(
            services,
            "training",
            signer,
            inputs=[inputs.recorded(SPLIT), *start_input(services)],
            context=services.context(seed=seed, **version),
        ) as record:
            trained_on = TrainedOn(name=project.data.name, dvc=version["dvc"], split=version["data"])
            run = train_member(
                store,
                project.model,
                project.training,
                seed=seed,
                out=folder,
                task=task,
                preprocessing=preprocessing,
                validator=validator,
                note=data.note,
                start=start,
                images=images_of(inputs, Part.TRAIN),
                elsewhere=elsewhere,
                choice=choice,
                entry=record.started,
                listener=listeners_of(folder, hear=hear, tracker=tracker_of(services, trained_on)),
            )
            record.context(model=run.weights, device=run.device, mlflow_run=run.mlflow_run)
            for name in (WEIGHTS, RUN, CURVES, *([] if run.last is None else [LAST])):
                record.output(f"models/members/seed-{seed}/{name}", folder / name)
            record.payload(**dict(Training.of(run)))
        runs.append(run)
    return runs


@implements("REQ-425", "RC-170")
def refuse_unannounced(run: RunRecord, entries: Iterable[Entry]) -> None:
    """Refuse a finished member whose parts are not announced in the log.

    A process that ends between the last file of a member and its entry leaves such a folder with announced parts. The entry is
    then written without training again.

    Args:
        run: the record in the folder of a member that no completed entry names.
        entries: of trainings.

    Raises:
        RefusedError: a part names no entry that announced a training with the seed of the run.
    """
    announced = {
        entry.body.index
        for entry in entries
        if entry.body.outcome is Outcome.STARTED and entry.body.context.seed == run.seed
    }
    if not run.parts or any(part.entry not in announced for part in run.parts):
        raise RefusedError(
            f"models/members/seed-{run.seed} is a finished member whose training this log did not announce",
            hint="move the folder away; `minivess train` then trains the member",
        )


class TrainingData(NamedTuple):
    """The cases of the training part: those that are learned from, and those that are validated on."""

    learned: RecordedCases
    validated: RecordedCases
    note: str | None
    """Why none is validated on."""

    def preprocessing(self, choice: PreprocessingChoice, task: SegmentationTask) -> Preprocessing:
        """What images go through, fitted on the cases that are learned from."""
        pairs = ((case.image, case.label) for case in self.learned())
        return fit_preprocessing(choice, task, pairs, modality=self.learned.records[0].modality)

    def validator(self, spec: ModelSpec, task: SegmentationTask, preprocessing: Preprocessing) -> Validator | None:
        """What judges networks; None where no case is validated on."""
        from minivess.ml.training.validation import Validator

        records, sizes = self.validated.records, Preprocessor(preprocessing)
        if not records:
            return None
        grids = tuple(sizes.resampled(record.grid, record.physical_spacing) for record in records)
        names = tuple(record.id for record in records)
        return Validator(self.validated, names, spec, task, preprocessing, grids)


@implements("REQ-180", "REQ-371")
def training_data(
    inputs: BoundInputs, folder: Path, share: float, *, most: tuple[int | None, int | None] = (None, None)
) -> TrainingData:
    """The cases of the training part. Those that are validated on are the same for each member.

    Args:
        inputs: manifest and split.
        folder: `data/prepared`.
        share: of the independent groups, for validation.
        most: how many cases are learned from and validated on at most; None: all.

    Raises:
        UsageError: there is no case to learn from.
    """
    from minivess.ml.sampling.recorded_cases import RecordedCases
    from minivess.ml.training.validation import validation_cases

    part, groups = inputs.split.part(Part.TRAIN), groups_of(inputs.manifest, inputs.split)
    held_out = validation_cases({name: groups[name] for name in part}, share, seed=inputs.split.seed)
    left = tuple(name for name in part if name not in held_out.cases)
    learned, validated = (
        RecordedCases(folder, tuple(map(inputs.case_record, names[:limit])))
        for names, limit in zip((left, held_out.cases), most, strict=True)
    )
    if not learned.records:
        raise UsageError("training needs cases", hint="the training part of the split is empty")
    return TrainingData(learned, validated, held_out.note)
