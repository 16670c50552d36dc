"""One member: trained from its first step, on from a checkpoint, or already there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from minivess.foundation.digests import Digest, digest_file
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import make_folder, write_text_atomic
from minivess.foundation.implements import implements
from minivess.ml.augmentation.patches import Patches
from minivess.ml.augmentation.picture import augmentation_picture
from minivess.ml.models.registry import adapter_of, build_network
from minivess.ml.models.weights import save_weights, weights_digest
from minivess.ml.sampling.case_store import CaseStore
from minivess.ml.training.checkpoints import Checkpoint, load_checkpoint, remove_checkpoints
from minivess.ml.training.circumstances.machines import circumstances
from minivess.ml.training.circumstances.memory_formats import PROBE_FROM, faster_layout, layout_of, usual_layout
from minivess.ml.training.execution.devices import DeviceChoice, choose_device, fabric_of
from minivess.ml.training.execution.places import Place, check_shares, torchrun_place
from minivess.ml.training.execution.processes import together
from minivess.ml.training.job import Fitted, Job
from minivess.ml.training.loop import Fit, Listen
from minivess.ml.training.runs import AUGMENTED, CURVES, LAST, PROCEDURE, RUN, VALIDATED, WEIGHTS, completed_run
from minivess.ml.training.starts import LoadedStart
from minivess.ml.training.validation import Validator
from minivess.ml.training.validation_picture import validation_patches
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.start import StartRecord
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat, Circumstances
from minivess.records.sinks import RunListener

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@implements("REQ-048", "REQ-370", "REQ-371")
def train_member(
    store: CaseStore,
    spec: ModelSpec,
    training: TrainingSpec,
    *,
    seed: int,
    out: Path,
    task: SegmentationTask,
    preprocessing: Preprocessing,
    validator: Validator | None = None,
    note: str | None = None,
    start: LoadedStart | None = None,
    images: Sequence[Digest] = (),
    workers: int | None = None,
    checkpoint_every: int | None = None,
    elsewhere: bool = False,
    entry: int | None = None,
    smoke: bool = False,
    choice: DeviceChoice | None = None,
    listener: RunListener | None = None,
) -> RunRecord:
    """Train the member of one seed, go on with a run that was killed, or return the record of a finished run.

    Args:
        store: the preprocessed cases to learn from.
        spec: the network.
        training: the section `training`; its other members do not matter.
        seed: draws the initial weights, the patches and their changes.
        out: the member's folder.
        task: channels, axes and classes.
        preprocessing: what the images of the store went through.
        validator: judges the network from time to time, on cases that are not in the store.
        note: why there is no validator.
        start: the weights of `training.start`; None: the values that the seed draws.
        images: digests of the images of the training part, for the record.
        workers: processes that draw patches; None: by device and processors. Their number changes no weight.
        checkpoint_every: steps from one checkpoint to the next; None: about a minute.
        elsewhere: go on with a run that began on another device, with another number of threads or processes, in another
            layout, or with another PyTorch. The weights then differ from those of a run without a break.
        entry: index of the log's entry that announced the training.
        smoke: whether this is a trial run that is never released.
        choice: the devices; by default those of `auto`.
        listener: hears of the run; of a finished one it hears nothing.

    Raises:
        UsageError: the patch or an option of training does not fit the network, the device does not compute in the precision, or
            the batches of a step cannot be shared by the processes.
        InputError: the weights to start from do not fit the network.
        RefusedError: the loss became NaN or infinite or stayed high, or the run began elsewhere.
        CouldNotCheckError: memory ran out, a process died, or the disk is full or out of reach.
    """
    earlier = completed_run(
        out, spec, training, seed=seed, data=store.digest, task=task, preprocessing=preprocessing, smoke=smoke
    )
    if earlier is not None:
        return earlier
    place = torchrun_place()
    choice = choice or (choose_device() if place is None else choose_device(place=place))
    processes = choice.processes if place is None else place.world
    check_shares(processes, batch=training.batch, accumulate=training.accumulate)
    (out / RUN).unlink(missing_ok=True)
    make_folder(out)
    job = Job(
        spec=spec,
        task=task,
        preprocessing=preprocessing,
        training=training,
        seed=seed,
        store=store,
        folder=out,
        validator=validator,
        note=note,
        start=None if start is None else weights_digest(start.state),
        workers=workers,
        checkpoint_every=checkpoint_every,
        entry=entry,
        smoke=smoke,
    )
    checkpoint = load_checkpoint(out, job.run)
    if checkpoint is None:
        remove_checkpoints(out)
    network = build_network(spec, task, seed=seed)
    parameters = adapter_of(spec.architecture).trainable_parameters(network)
    started = None if start is None else start.give(network)
    if listener is not None:
        resumes = None if checkpoint is None else checkpoint.state.tracked
        job = replace(job, tracked=listener.started(f"member-{seed}", _parameters(job), resumes))
        listener.phase("prepare")
    try:
        fitting = Fitting(job, network, choice, goes_on=checkpoint is not None, elsewhere=elsewhere)
        fitted = together(fitting, choice, heard=partial(_hear, listener))
        if listener is not None:
            listener.phase("save")
        pictures = _pictures(job, network, fitted)
        record = _save(job, fitted, started, tuple(images), parameters)
    except BaseException:
        if listener is not None:
            listener.failed()
        raise
    if listener is not None:
        for name in (CURVES, *pictures):
            listener.artifact(out / name)
        figures = {f"dice of {name}": value for name, value in (record.validation or {}).items() if value is not None}
        listener.finished({"final_loss": record.final_loss, "seconds": record.seconds, **figures})
    remove_checkpoints(out)
    return record


def _pictures(job: Job, network: torch.nn.Module, fitted: Fitted) -> list[str]:
    """Draw augmented patches, and validation cases with reference and answer; returns the names of the files."""
    augmentation_picture(_shown(job), job.folder / AUGMENTED)
    if job.validator is None:
        return [AUGMENTED]
    network.load_state_dict(dict(fitted.best))
    augmentation_picture(validation_patches(job.validator, network, device="auto"), job.folder / VALIDATED)
    return [AUGMENTED, VALIDATED]


def _shown(job: Job) -> Iterator[Patches]:
    """Patches of the first steps, one after the other."""
    for step in count(1):
        images, labels = job.patches.batch(step, 0, job.training.batch)
        for image, label in zip(images, labels, strict=True):
            yield image, label[0].astype(np.uint8)


@dataclass(frozen=True)
class Fitting:
    """What each of the processes does; it can be sent to them.

    Attributes:
        job: what the run follows from.
        network: with the weights to start from.
        choice: the devices.
        goes_on: whether it goes on from the checkpoint in the folder.
        elsewhere: whether it may go on where it did not begin.
    """

    job: Job
    network: torch.nn.Module
    choice: DeviceChoice
    goes_on: bool
    elsewhere: bool

    def __call__(self, place: Place, report: Listen) -> Fitted:
        """Make the steps that are left, of which this process takes its batches."""
        job = self.job
        fabric = fabric_of(self.choice, job.training.precision, place)
        checkpoint = load_checkpoint(job.folder, job.run) if self.goes_on else None
        chosen = _layout(job, self.network, fabric, checkpoint) if place.writes else ""
        layout = layout_of(fabric.broadcast(chosen), job.task)
        if checkpoint is not None and not self.elsewhere:
            refuse_elsewhere(checkpoint.state.parts[-1].where, circumstances(fabric, layout.name))
        return Fit(job, self.network, fabric, layout, checkpoint).run(report)


def _hear(listener: RunListener | None, event: Beat | Phase) -> None:
    """Hand what a process reports to the listener."""
    if listener is None:
        return
    if isinstance(event, Beat):
        listener.beat(event)
    else:
        listener.phase(event)


def _layout(job: Job, network: torch.nn.Module, fabric: Fabric, checkpoint: Checkpoint | None) -> str:
    if job.training.memory_format != "auto":
        return job.training.memory_format
    if checkpoint is not None:
        return checkpoint.state.parts[-1].where.memory_format
    if job.training.steps < PROBE_FROM:
        return usual_layout(job.task)
    shape = (job.training.batch, job.task.channels, *job.spec.patch)
    key = (job.spec, job.training.precision)
    return faster_layout(network, job.task, shape, fabric.device, key, autocast=fabric.autocast)


@implements("REQ-373")
def refuse_elsewhere(before: Circumstances, now: Circumstances) -> None:
    """Refuse to go on where the weights would not be those of a run without a break."""
    then, here = (one.model_dump(exclude={"not_repeatable"}) for one in (before, now))
    for name, value in here.items():
        if then[name] != value:
            words = name.replace("_", " ")
            raise RefusedError(
                f"this run began with {words} {then[name]}, and would continue with {words} {value}: "
                "the weights would be others than those of a run without a break",
                hint="continue where it began, or allow it with `minivess train --elsewhere`; the record then says so",
            )


def _save(
    job: Job, fitted: Fitted, started: StartRecord | None, images: tuple[Digest, ...], parameters: int
) -> RunRecord:
    """Write weights and curves, and after them the record."""
    out, curves = job.folder, fitted.curves
    weights, last = save_weights(out / WEIGHTS, fitted.best), None
    (out / LAST).unlink(missing_ok=True)
    if fitted.best is not fitted.last:
        last = save_weights(out / LAST, fitted.last)
    write_text_atomic(out / CURVES, curves.model_dump_json(indent=2) + "\n")
    best = next((point.dice for point in curves.validations if point.step == curves.best_step), None)
    record = RunRecord(
        seed=job.seed,
        model=job.spec,
        training=job.training,
        data=job.store.digest,
        weights=weights,
        steps=len(curves.losses),
        final_loss=fitted.final_loss,
        device=fitted.parts[-1].where.device,
        seconds=round(sum(part.seconds for part in fitted.parts), 3),
        mlflow_run=job.tracked,
        task=job.task,
        preprocessing=job.preprocessing,
        start=started,
        cases=images,
        procedure=PROCEDURE,
        last=last,
        validation=best,
        parts=fitted.parts,
        curves=digest_file(out / CURVES),
        smoke=job.smoke,
        parameters=parameters,
    )
    write_text_atomic(out / RUN, record.model_dump_json(indent=2) + "\n")
    return record


def _parameters(job: Job) -> dict[str, int | float | str]:
    """What a run is made with, for the sink: each field by its name, sections joined by a dot."""
    stated = {**job.spec.model_dump(mode="json"), **job.training.model_dump(mode="json", exclude={"members"})}
    return {**_flat(stated), "seed": job.seed, "cases": len(job.store.names)}


def _flat(fields: Mapping[str, object]) -> dict[str, int | float | str]:
    made: dict[str, int | float | str] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            made |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        elif isinstance(value, int | float | str):
            made[name] = value
        elif isinstance(value, list) and all(isinstance(one, int) for one in value):
            made[name] = "x".join(map(str, value)) or "none"
        else:
            made[name] = "none" if value is None else json.dumps(value)
    return made
