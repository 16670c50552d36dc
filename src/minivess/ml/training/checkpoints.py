"""Checkpoints of a run: whole or not there, compared with their digest, and the one before is kept.

A checkpoint is one safetensors file of tensors; its header holds the rest as JSON. Nothing in it is code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import Field, ValidationError

from minivess.foundation.digests import Digest
from minivess.foundation.files import writing_atomic
from minivess.foundation.implements import implements
from minivess.ml.models.weight_files import State
from minivess.ml.models.weights import weights_digest
from minivess.records.base import Record
from minivess.records.models.training_run import RunPart, ValidationPoint

CHECKPOINT, BEFORE = "checkpoint.safetensors", "checkpoint-before.safetensors"
_STATE, _DIGEST = "minivess", "digest"


class CheckpointState(Record):
    """What a checkpoint says besides its tensors."""

    run: Digest
    """Of everything that the run follows from. A checkpoint of another run is not used."""
    step: int
    """Steps that were made."""
    parts: tuple[RunPart, ...]
    """The parts of the run so far, the last one up to this step."""
    validations: tuple[ValidationPoint, ...] = ()
    best_step: int | None = None
    scaler: dict[str, float] = Field(default={})
    """State of the loss scaling of fp16."""
    tracked: str | None = None
    """The id of the run in the sink."""


@dataclass
class Checkpoint:
    """A run after some step."""

    state: CheckpointState
    network: State
    """Weights, on the CPU or where they are trained."""
    optimiser: Mapping[str, torch.Tensor]
    """By `<number of the parameter>.<name of the value>`."""
    losses: tuple[float, ...]
    average: State = field(default_factory=dict)
    """The moving average of the weights; empty where there is none."""
    best: State = field(default_factory=dict)
    """The weights of the best validation; empty before the first."""

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        tensors: list[State] = [self.network, self.optimiser, self.average, self.best]
        return sum(int(value.nbytes) for state in tensors for value in state.values()) + 8 * len(self.losses)


_GROUPS = ("network", "optimiser", "average", "best")


@implements("REQ-370")
def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all; the one that was the newest stays as the one before.

    Raises:
        CannotWriteError: the disk is full or out of reach; the checkpoints are as they were.
    """
    from safetensors.torch import save

    tensors = {
        f"{group}/{name}": value.detach().cpu().contiguous().clone()
        for group in _GROUPS
        for name, value in getattr(checkpoint, group).items()
    }
    tensors["losses"] = torch.tensor(checkpoint.losses, dtype=torch.float64)
    stated = checkpoint.state.model_dump_json()
    header = {_STATE: stated, _DIGEST: _digest(tensors, stated)}
    newest, before = folder / CHECKPOINT, folder / BEFORE
    with writing_atomic(folder / f"{CHECKPOINT}.new") as stream:
        stream.write(save(tensors, header))
    if newest.exists():
        newest.replace(before)
    (folder / f"{CHECKPOINT}.new").replace(newest)


@implements("REQ-370")
def load_checkpoint(folder: Path, run: Digest) -> Checkpoint | None:
    """The newest whole checkpoint of a run; None when there is none.

    A file that is damaged, cut short, changed or of another run is passed over.
    """
    for name in (CHECKPOINT, BEFORE):
        found = _read(folder / name)
        if found is not None and found.state.run == run:
            return found
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a folder, whole and half."""
    for path in (folder / CHECKPOINT, folder / BEFORE, *folder.glob(f"*{CHECKPOINT}.new*")):
        path.unlink(missing_ok=True)


def _read(path: Path) -> Checkpoint | None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
        if _digest(tensors, header[_STATE]) != header[_DIGEST]:
            return None
        state = CheckpointState.model_validate_json(header[_STATE])
        losses = tuple(tensors.pop("losses").tolist())
    except (SafetensorError, OSError, KeyError, ValidationError):
        return None
    groups: dict[str, dict[str, torch.Tensor]] = {group: {} for group in _GROUPS}
    for name, value in tensors.items():
        group, _, rest = name.partition("/")
        if group in groups:
            groups[group][rest] = value
    return Checkpoint(state=state, losses=losses, **groups)


def _digest(tensors: State, stated: str) -> Digest:
    """Of the tensors and the JSON beside them."""
    words = torch.frombuffer(bytearray(stated.encode("utf-8")), dtype=torch.uint8)
    return weights_digest({**tensors, _STATE: words})
