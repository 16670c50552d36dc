"""Train one ensemble member with Lightning Fabric: bounded by steps, repeatable by seed, whole or absent.

A loss of `ml.losses` (Dice plus binary cross-entropy), AdamW with a one-cycle schedule (Smith & Topin 2017, arXiv
1708.07120), channels last. A member without a whole earlier run (`runs.py`) is trained from its first step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from minivess.foundation.choices import choose
from minivess.foundation.digests import Digest
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.ml.inference.predictor import memory_format
from minivess.ml.losses.registry import DICE_CROSS_ENTROPY, LOSSES
from minivess.ml.models.registry import build_network
from minivess.ml.models.weights import save_weights
from minivess.ml.training.case_store import TrainingCase, cases_digest
from minivess.ml.training.patches import PatchSampler
from minivess.ml.training.runs import RUN, WEIGHTS, completed_run
from minivess.ml.training.starts import LoadedStart
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import Beat
from minivess.records.sinks import Progress, RunListener


class Fitted(NamedTuple):
    """What a fit leaves besides the changed network: the mean loss of the last tenth of its steps, and the device."""

    final_loss: float
    device: str


@implements("REQ-048")
def train_member(
    cases: Sequence[TrainingCase],
    spec: ModelSpec,
    training: TrainingSpec,
    *,
    seed: int,
    out: Path,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    preprocessing: Preprocessing | None = None,
    start: LoadedStart | None = None,
    images: Sequence[Digest] = (),
    listener: RunListener | None = None,
    progress: Progress | None = None,
) -> RunRecord:
    """Train the member of one seed, or return the record of an earlier run of exactly this training.

    Args:
        cases: raw images and masks of the training part.
        spec: the network.
        training: steps, batch and learning rate; its other members do not matter.
        seed: draws the initial weights and the patches. The same seed gives the same network on the same machine, with
            the same number of PyTorch threads.
        out: the member's folder.
        task: channels, axes and classes.
        preprocessing: what images go through; by default they stay on their grid.
        start: the weights of `training.start`; None: the values that the seed draws.
        images: digests of the images of the cases, for the record.
        listener: called during the run, but not when an earlier run is returned.
        progress: called after each step.

    Raises:
        UsageError: there are no cases, or the patch does not fit the network.
        InputError: a case is malformed, none has foreground, or the weights to start from do not fit the network.
        RefusedError: the loss became NaN or infinite.
        CouldNotCheckError: the disk is full or out of reach.
    """
    data, applied = cases_digest(cases), preprocessing or Preprocessing.of(task)
    earlier = completed_run(out, spec, training, seed=seed, data=data, task=task, preprocessing=applied)
    if earlier is not None:
        return earlier
    (out / RUN).unlink(missing_ok=True)
    mlflow_run = None
    if listener is not None:
        mlflow_run = listener.started(
            f"member-{seed}",
            {
                **_parameters(spec),
                "seed": seed,
                "steps": training.steps,
                "batch": training.batch,
                "learning_rate": training.learning_rate,
                "cases": len(cases),
            },
        )
    try:
        begun = time.perf_counter()
        network = build_network(spec, task, seed=seed)
        started = None if start is None else start.give(network)
        sampler = PatchSampler(cases, spec.patch, seed=seed, task=task, preprocessing=applied)
        fitted = fit(network, sampler, training, seed=seed, listener=listener, progress=progress)
        weights = save_weights(out / WEIGHTS, network.state_dict())
        record = RunRecord(
            seed=seed,
            model=spec,
            training=training,
            data=data,
            weights=weights,
            steps=training.steps,
            final_loss=fitted.final_loss,
            device=fitted.device,
            seconds=round(time.perf_counter() - begun, 3),
            mlflow_run=mlflow_run,
            task=task,
            preprocessing=applied,
            start=started,
            cases=tuple(images),
        )
        write_text_atomic(out / RUN, record.model_dump_json(indent=2) + "\n")
    except BaseException:
        if listener is not None:
            listener.failed()
        raise
    if listener is not None:
        listener.finished({"final_loss": record.final_loss, "seconds": record.seconds})
    return record


def fit(
    network: torch.nn.Module,
    sampler: PatchSampler,
    training: TrainingSpec,
    *,
    seed: int,
    loss: str = DICE_CROSS_ENTROPY,
    listener: RunListener | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Change a network's weights in `training.steps` optimiser steps, on a GPU if there is one.

    The network ends on the CPU, in evaluation mode. Lightning Fabric is imported here (it takes many seconds).

    Raises:
        UsageError: `ml.losses` has no loss of that name.
        RefusedError: the loss became NaN or infinite.
    """
    measure_loss = choose(LOSSES, loss, what="loss")
    from lightning_fabric import Fabric

    steps = training.steps
    losses: list[float] = []
    begun = time.perf_counter()
    with _deterministic(seed):
        fabric = Fabric(accelerator="auto", devices=1)
        layout = memory_format(sampler.task)
        network.to(memory_format=layout).train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=training.learning_rate, total_steps=max(steps, 10)
        )
        module, optimiser = fabric.setup(network, optimiser)
        for step in range(1, steps + 1):
            images, labels = (torch.from_numpy(array).to(fabric.device) for array in sampler.batch(training.batch))
            rate = float(schedule.get_last_lr()[0])
            batch_loss = measure_loss(module(images.to(memory_format=layout)), labels)
            value = float(batch_loss.detach())
            if not math.isfinite(value):
                raise RefusedError(
                    f"training with seed {seed} diverged: the loss is {value} at step {step}",
                    hint="lower training.learning_rate",
                )
            fabric.backward(batch_loss)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            losses.append(value)
            if listener is not None:
                listener.beat(
                    Beat(
                        member=seed,
                        step=step,
                        steps=steps,
                        loss=value,
                        learning_rate=rate,
                        steps_per_second=step / max(time.perf_counter() - begun, 1e-9),
                        seconds_left=(time.perf_counter() - begun) / step * (steps - step),
                        device=str(fabric.device.type),
                        memory=0,
                        waited=0,
                    )
                )
            if progress is not None:
                progress(f"training member {seed}", step, steps)
        device = _device_name(fabric.device)
    network.to("cpu").eval()
    last = losses[-max(1, steps // 10) :]
    return Fitted(final_loss=math.fsum(last) / len(last), device=device)


def _parameters(spec: ModelSpec) -> dict[str, int | float | str]:
    """The fields of a specification as run parameters; sizes are joined by `x`."""
    fields: dict[str, int | float | str | tuple[int, ...]] = spec.model_dump()
    return {name: "x".join(map(str, value)) if isinstance(value, tuple) else value for name, value in fields.items()}


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Deterministic kernels and a seeded PyTorch, for a while; afterwards everything is as before."""
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)
            torch.backends.cudnn.benchmark = benchmark
