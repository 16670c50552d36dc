"""How members are trained: the section `training` of the project file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from minivess.records.base import Record
from minivess.records.models.start import SEED, Start

Strength = Literal["none", "flips", "light", "medium", "strong"]
"""How much training images are changed at random. `flips`: flips and quarter turns alone."""

ChangeName = Literal[
    "rotation", "scale", "elastic", "flips", "quarter-turns", "blur", "bias-field", "noise", "low-resolution", "brightness",
    "contrast", "gamma", "histogram-shift",
]  # fmt: skip
"""A random change of training patches, in the order in which they are applied."""

Precision = Literal["fp32", "bf16", "fp16"]
LossName = Literal["dice-cross-entropy", "dice-focal", "tversky", "cldice", "dice-cross-entropy-cldice", "boundary"]
"""The losses that there are. `ml/losses/registry.py` has the function of each."""

ClassWeight = Annotated[float, Field(gt=0, le=1000)]
"""What a voxel of a class counts in the loss; one of the background counts 1."""

ClassWeights = Literal["equal", "balanced"] | Annotated[tuple[ClassWeight, ...], Field(min_length=1)]
"""How the weights of the classes are chosen."""

MemoryLayout = Literal["auto", "channels-last", "contiguous"]
Share = Annotated[float, Field(ge=0, lt=1)]


class Augmentation(Record):
    """Random changes of training patches."""

    strength: Strength = "light"
    """How much."""
    without: tuple[ChangeName, ...] = ()
    """Changes that would be wrong for these images, for example `flips` where a class is the left one of two."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, said: Any) -> Any:
        return {"strength": said} if isinstance(said, str) else said


class TrainingValidation(Record):
    """Validation on cases of the training part that training then does not learn from."""

    share: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    """Share of the independent groups of the training part; rounded down, so five groups are needed for one. 0: none."""
    every: Annotated[int, Field(ge=1)] | None = None
    """Optimiser steps from one validation to the next; by default a tenth of all steps, or more where validation takes long."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Training stops after so many validations in a row without a better one; by default it never stops early."""


class TrainingSpec(Record):
    """How members are trained. Bounded by steps, never by time, so that the same seed gives the same network."""

    members: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1)
    """One seed a member."""
    steps: Annotated[int, Field(ge=1)] = 150
    """Number of optimiser steps."""
    batch: Annotated[int, Field(ge=1)] = 2
    """Number of patches in a batch."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches in an optimiser step, over all devices."""
    learning_rate: Annotated[float, Field(gt=0)] = 4e-3
    """Highest learning rate of the schedule."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), or SGD with Nesterov momentum of 0.99."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Weight decay of the optimiser."""
    schedule: Literal["one-cycle", "polynomial", "cosine", "constant"] = "one-cycle"
    """How the learning rate changes."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """Steps in which the learning rate rises from 0; not with the one-cycle schedule, which has its own rise."""
    loss: LossName = "dice-cross-entropy"
    """What training minimises. `docs/guides/training.md` says which loss is for what."""
    class_weights: ClassWeights = "equal"
    """Weights of the classes in the loss: the same, by how rare they are in the training cases, or one number a class."""
    clip: Annotated[float, Field(gt=0)] | None = 12.0
    """Longest gradient: longer ones are shortened to it. None: no limit."""
    average: Share = 0.0
    """Decay of a moving average of the weights, which is then validated and kept; 0: no average."""
    deep_supervision: bool = False
    """Whether coarser levels of the network learn too, where the network has outputs for it."""
    checkpointing: bool = False
    """Whether activations are computed again instead of kept: less memory, more time."""
    precision: Precision = "fp32"
    """Arithmetic of the forward pass."""
    compile: bool = False
    """Whether PyTorch compiles the network."""
    memory_format: MemoryLayout = "auto"
    """How PyTorch lays out batches; `auto`: the faster in a short measurement, for runs of at least 100 steps."""
    augmentation: Augmentation = Augmentation()
    """Random changes of patches: a strength, or strength and exceptions."""
    validation: TrainingValidation = TrainingValidation()
    """Validation during training."""
    start: Annotated[Start, Field(exclude_if=lambda start: start == SEED)] = "seed"
    """What training starts from: `seed`, the digest of the weights of a run in the log, or a file of weights."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.members)) < len(self.members):
            raise ValueError("members names a seed twice: each member has its own seed")
        if self.warm_up >= self.steps and self.warm_up:
            raise ValueError(f"warm_up of {self.warm_up} steps leaves nothing of {self.steps} steps")
        if self.warm_up and self.schedule == "one-cycle":
            raise ValueError("warm_up is for the other schedules: the one-cycle schedule has its own rise")
        return self
