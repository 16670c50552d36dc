"""The steps of a training run: from its first step, or on from a checkpoint to the very weights of a run without a break.

Everything random is a function of (seed, step): patches, their changes, and what the network draws. So a step needs nothing
of the steps before but the state in a checkpoint. Lightning Fabric carries devices, processes and precision.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, cast

import torch

from minivess.foundation.errors import CannotWriteError
from minivess.foundation.implements import implements
from minivess.ml.losses.class_weights import class_weights
from minivess.ml.losses.registry import loss_of
from minivess.ml.models.weight_files import State
from minivess.ml.sampling.feeding import Feed, Request, worker_count
from minivess.ml.sampling.patches import PatchSource
from minivess.ml.training.checkpoints import CHECKPOINT, Checkpoint, CheckpointState, save_checkpoint
from minivess.ml.training.circumstances.interruption import Interruption
from minivess.ml.training.circumstances.machines import circumstances, device_name, memory_held
from minivess.ml.training.circumstances.memory_formats import Layout
from minivess.ml.training.circumstances.repeatability import repeatable
from minivess.ml.training.execution.failures import (
    Moment,
    check_divergence,
    check_finite,
    checkpoint_not_written,
    explained,
    validating,
)
from minivess.ml.training.execution.network_options import loss_of_levels, prepared
from minivess.ml.training.execution.places import Place, batches_of
from minivess.ml.training.job import Fitted, Job
from minivess.ml.training.optimisation import Average, optimiser_of, set_step
from minivess.ml.training.validation import steps_between
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat, Circumstances, RunPart, TrainingCurves, ValidationPoint

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_CHECKPOINT_S = 60.0
_CHECKPOINT_SHARE = 100
"""A checkpoint is written at most so often that this takes a hundredth of the time."""
_MEMORY_S = 1.0

Listen = Callable[[Beat | Phase], None]


class Fit:
    """A run in progress.

    Args:
        job: what it follows from.
        network: with the weights to start from.
        fabric: devices, processes and precision; already launched.
        layout: of batches in memory.
        checkpoint: where the run goes on; None: at its first step.
    """

    def __init__(
        self,
        job: Job,
        network: torch.nn.Module,
        fabric: Fabric,
        layout: Layout,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._job, self._fabric, self._layout = job, fabric, layout
        weights = class_weights(job.training.class_weights, job.store.voxels, job.task)
        self._loss = loss_of(job.training.loss, weights=weights)
        self._network = network
        self._judged = copy.deepcopy(network) if job.validator is not None else None
        self._place = Place(fabric.global_rank, fabric.local_rank, fabric.world_size)
        self._trained = prepared(network, job.spec, job.training, job.task, seed=job.seed)
        self._trained.to(memory_format=layout.format).train()
        self._optimiser = optimiser_of(job.training, self._trained.parameters())
        self._module, self._stepping = fabric.setup(self._trained, self._optimiser)
        self._average = Average(network, job.training.average) if job.training.average else None
        self._losses: list[float] = []
        self._validations: list[ValidationPoint] = []
        self._parts: tuple[RunPart, ...] = ()
        self._best: State = {}
        self._best_step: int | None = None
        self._step, self._kept_step = 0, None if checkpoint is None else checkpoint.state.step
        self._moment = Moment(job.seed, 0)
        if checkpoint is not None:
            self._restore(checkpoint)
        self._first, self._begun = self._step + 1, time.perf_counter()
        self._saved, self._saving = time.perf_counter(), 0.0
        self._memory, self._memory_at = 0, -math.inf
        self._not_repeatable: set[str] = set()

    @implements("REQ-048", "REQ-370")
    def run(self, listen: Listen) -> Fitted:
        """Make the steps that are left.

        Args:
            listen: called after each step, and with each phase that begins.

        Raises:
            RefusedError: the loss became NaN or infinite, or stayed far above its start.
            CouldNotCheckError: memory ran out, or the disk is full.
            KeyboardInterrupt: the user or the system ended the run; a checkpoint was written first.
        """
        job = self._job
        try:
            return self._run(listen)
        except (OSError, MemoryError, RuntimeError) as error:
            reason = explained(
                error, self._moment, job.training, job.spec, device=device_name(self._fabric.device), task=job.task
            )
            if reason is error:
                raise
            raise reason from error
        finally:
            self._trained.release()

    def _run(self, listen: Listen) -> Fitted:
        job = self._job
        source = job.patches
        with (
            repeatable(self._not_repeatable),
            Interruption() as interruption,
            Feed(source, self._requests(), workers=self._workers()) as feed,
        ):
            listen("train")
            while self._step < job.training.steps and not self._stopped_early():
                self._step += 1
                rate = self._make_step(feed, source)
                point = None
                if self._due():
                    listen("validate")
                    point = self._validate()
                    listen("train")
                listen(self._beat(rate, feed, point))
                ends = self._of_all(float(interruption.asked)) > 0
                if self._should_save() or ends:
                    listen("save")
                    self._save()
                    listen("train")
                if ends:
                    raise KeyboardInterrupt
        return self._finished()

    def _workers(self) -> int:
        if self._job.workers is not None:
            return self._job.workers
        return worker_count(self._fabric.device.type, processes=self._fabric.world_size)

    def _requests(self) -> Iterator[Request]:
        job = self._job
        size = job.training.batch
        for step in range(self._first, job.training.steps + 1):
            for number in batches_of(self._place, job.training.accumulate):
                yield Request(step, number * size, size)

    def _make_step(self, feed: Feed, source: PatchSource) -> float:
        """One optimiser step over all its batches; returns the learning rate."""
        job, fabric, step = self._job, self._fabric, self._step
        rate = set_step(self._optimiser, job.training, step)
        own = batches_of(self._place, job.training.accumulate)
        total = 0.0
        for number in own:
            asked = partial(source.cases_of, step, number * job.training.batch, job.training.batch)
            self._moment = Moment(job.seed, step, asked, rate)
            torch.manual_seed(_step_seed(job.seed, step, number))
            images, labels = (torch.from_numpy(array).to(fabric.device, non_blocking=True) for array in next(feed))
            with fabric.no_backward_sync(self._module, enabled=number != own[-1]):
                outputs = self._module(images.to(memory_format=self._layout.format))
                loss = loss_of_levels(self._loss, outputs, labels)
                value = float(loss.detach())
                check_finite(value, self._moment, job.training)
                fabric.backward(loss / len(own))
            total += value / len(own)
        self._moment = Moment(job.seed, step, partial(_cases_of, source, step, own, job.training.batch), rate)
        length = self._clip()
        if (
            job.training.precision != "fp16"
        ):  # there an infinite gradient lowers the scale of the loss, and the step is left out
            check_finite(length, self._moment, job.training, of="gradient")
        self._stepping.step()
        self._optimiser.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update(step)
        self._losses.append(self._of_all(total))
        check_divergence(self._losses, self._moment, job.training)
        return rate

    def _clip(self) -> float:
        """Shorten a gradient that is too long; returns the length that it had."""
        most = self._job.training.clip
        if most is None:
            gradients = [one.grad for one in self._trained.parameters() if one.grad is not None]
            return float(torch.nn.utils.get_total_norm(gradients))
        length = self._fabric.clip_gradients(self._module, self._stepping, max_norm=most, error_if_nonfinite=False)
        return float(cast("torch.Tensor", length))

    def _of_all(self, value: float) -> float:
        """The mean of a number over all processes."""
        if self._place.world == 1:
            return value
        placed = torch.tensor(value, dtype=torch.float64, device=self._fabric.device)
        return float(cast("torch.Tensor", self._fabric.all_reduce(placed, reduce_op="mean")))

    def _kept(self) -> State:
        """The weights that are validated and kept: the moving average where there is one."""
        return self._network.state_dict() if self._average is None else self._average.state

    def _due(self) -> bool:
        validator, steps = self._job.validator, self._job.training.steps
        if validator is None:
            return False
        return self._step % steps_between(self._job.training, validator.patches) == 0 or self._step == steps

    def _validate(self) -> ValidationPoint | None:
        validator, judged = self._job.validator, self._judged
        if validator is None or judged is None:
            return None
        found = None
        if self._place.writes:
            judged.load_state_dict(self._kept())
            with validating(self._step, validator.names):
                found = validator.judge(judged, self._step, device=str(self._fabric.device))
        point = cast("ValidationPoint", self._fabric.broadcast(found))
        best = max((one.mean for one in self._validations if one.mean is not None), default=-math.inf)
        self._validations.append(point)
        if self._best_step is None or (point.mean is not None and point.mean > best):
            self._best, self._best_step = _on_cpu(self._kept()), self._step
        return point

    def _stopped_early(self) -> bool:
        patience = self._job.training.validation.patience
        if patience is None or self._best_step is None:
            return False
        return sum(1 for one in self._validations if one.step > self._best_step) >= patience

    def _should_save(self) -> bool:
        if self._step == self._job.training.steps:
            return False
        if self._job.checkpoint_every is not None:
            return self._step % self._job.checkpoint_every == 0
        return time.perf_counter() - self._saved >= max(_CHECKPOINT_S, _CHECKPOINT_SHARE * self._saving)

    def _save(self) -> None:
        if not self._place.writes:
            return
        begun, checkpoint = time.perf_counter(), self._checkpoint()
        try:
            save_checkpoint(self._job.folder, checkpoint)
        except CannotWriteError as error:
            raise checkpoint_not_written(
                error, self._job.folder / CHECKPOINT, size=checkpoint.size, step=self._step, kept=self._kept_step
            ) from error
        self._kept_step = self._step
        self._saved = time.perf_counter()
        self._saving = self._saved - begun

    def _checkpoint(self) -> Checkpoint:
        numbers = {parameter: number for number, parameter in enumerate(_parameters(self._optimiser))}
        return Checkpoint(
            state=CheckpointState(
                run=self._job.run,
                step=self._step,
                parts=self._parts_so_far(),
                validations=tuple(self._validations),
                best_step=self._best_step,
                scaler={name: float(value) for name, value in self._fabric._precision.state_dict().items()},
                tracked=self._job.tracked,
            ),
            network=self._trained.state_dict(),
            optimiser={
                f"{numbers[parameter]}.{name}": torch.as_tensor(value)
                for parameter, values in self._optimiser.state.items()
                for name, value in values.items()
            },
            losses=tuple(self._losses),
            average={} if self._average is None else self._average.state,
            best=self._best,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        self._trained.load_state_dict(dict(checkpoint.network))
        if self._average is not None:
            for name, value in checkpoint.average.items():
                self._average.state[name].copy_(value)
        parameters = _parameters(self._optimiser)
        values: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in checkpoint.optimiser.items():
            number, _, field = name.partition(".")
            like = parameters[int(number)]
            # in the layout of the weights: other layouts take other paths through PyTorch, with other rounding
            placed = torch.empty_like(like, dtype=value.dtype).copy_(value) if value.shape == like.shape else value
            values.setdefault(int(number), {})[field] = placed
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": values})
        if state.scaler:
            self._fabric._precision.load_state_dict(state.scaler)
        self._losses, self._validations = list(checkpoint.losses), list(state.validations)
        self._parts, self._step = state.parts, state.step
        self._best, self._best_step = dict(checkpoint.best), state.best_step

    def _circumstances(self) -> Circumstances:
        return circumstances(self._fabric, self._layout.name, tuple(sorted(self._not_repeatable)))

    def _parts_so_far(self) -> tuple[RunPart, ...]:
        if self._step < self._first:
            return self._parts
        now = RunPart(
            first_step=self._first,
            last_step=self._step,
            where=self._circumstances(),
            seconds=round(time.perf_counter() - self._begun, 3),
            entry=self._job.entry,
        )
        return (*self._parts, now)

    def _beat(self, rate: float, feed: Feed, point: ValidationPoint | None) -> Beat:
        now = time.perf_counter()
        spent = max(now - self._begun, 1e-9)
        made, steps = self._step - self._first + 1, self._job.training.steps
        if now - self._memory_at >= _MEMORY_S:
            self._memory, self._memory_at = memory_held(self._fabric.device), now
        return Beat(
            member=self._job.seed,
            step=self._step,
            steps=steps,
            loss=self._losses[-1],
            learning_rate=rate,
            steps_per_second=made / spent,
            seconds_left=spent / made * (steps - self._step),
            device=device_name(self._fabric.device),
            memory=self._memory,
            waited=min(1.0, feed.waited / spent),
            validation=point,
        )

    def _finished(self) -> Fitted:
        last = _on_cpu(self._kept())
        validator = self._job.validator
        curves = TrainingCurves(
            losses=tuple(self._losses),
            validated_on=() if validator is None else validator.names,
            validations=tuple(self._validations),
            best_step=self._best_step,
            stopped_early=self._step < self._job.training.steps,
            note=self._job.note,
        )
        return Fitted(self._best or last, last, curves, self._parts_so_far())


def _cases_of(source: PatchSource, step: int, batches: Sequence[int], size: int) -> tuple[str, ...]:
    """Cases of the patches in some batches of a step."""
    return tuple(name for number in batches for name in source.cases_of(step, number * size, size))


def _on_cpu(state: State) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    """The parameters in the order in which the optimiser counts them."""
    return [one for group in optimiser.param_groups for one in group["params"]]


def _step_seed(seed: int, step: int, number: int) -> int:
    """What PyTorch draws from for a batch of a step, whichever process takes it."""
    return int.from_bytes(sha256(f"step {seed} {step} {number}".encode()).digest()[:7])
