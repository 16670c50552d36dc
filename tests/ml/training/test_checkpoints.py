"""Checkpoints: whole or passed over, and never of another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from minivess.records.models.training_run import Circumstances, RunPart, ValidationPoint
from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.training.checkpoints"):
    import torch

    from minivess.ml.training import checkpoints

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-370")]

RUN, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
WHERE = Circumstances(device="cpu", threads=2, memory_format="contiguous", torch="2.13.0")


def _made(step: int, run: str = RUN) -> checkpoints.Checkpoint:
    return checkpoints.Checkpoint(
        state=checkpoints.CheckpointState(
            run=run,
            step=step,
            parts=(RunPart(first_step=1, last_step=step, where=WHERE, seconds=1.5),),
            validations=(ValidationPoint(step=step, dice={"vessel": 0.5}, mean=0.5),),
            best_step=step,
            tracked="run-1",
        ),
        network={"a.weight": torch.full((2, 3), float(step)), "count": torch.tensor(step)},
        optimiser={"0.exp_avg": torch.ones(2, 3), "0.step": torch.tensor(float(step))},
        losses=tuple(1 / number for number in range(1, step + 1)),
        best={"a.weight": torch.zeros(2, 3)},
    )


def _equal(one: checkpoints.Checkpoint, other: checkpoints.Checkpoint) -> bool:
    groups = all(
        one_group.keys() == other_group.keys()
        and all(torch.equal(one_group[name], other_group[name]) for name in one_group)
        for one_group, other_group in (
            (one.network, other.network),
            (one.optimiser, other.optimiser),
            (one.average, other.average),
            (one.best, other.best),
        )
    )
    return groups and one.state == other.state and one.losses == other.losses


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    checkpoints.save_checkpoint(tmp_path, _made(3))
    found = checkpoints.load_checkpoint(tmp_path, RUN)
    assert found is not None
    assert _equal(found, _made(3))
    assert checkpoints.load_checkpoint(tmp_path, OTHER) is None
    checkpoints.remove_checkpoints(tmp_path)
    assert not list(tmp_path.iterdir())
    assert checkpoints.load_checkpoint(tmp_path, RUN) is None


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _turned(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def _other_step(data: bytes) -> bytes:
    return data.replace(b'\\"best_step\\":5', b'\\"best_step\\":1')


@pytest.mark.parametrize("change", [_cut, _turned, _other_step, lambda data: b"", lambda data: b"\xff" * 64])
def test_a_changed_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    for step in (4, 5):
        checkpoints.save_checkpoint(tmp_path, _made(step))
    newest = tmp_path / checkpoints.CHECKPOINT
    data = newest.read_bytes()
    assert change(data) != data
    newest.write_bytes(change(data))
    found = checkpoints.load_checkpoint(tmp_path, RUN)
    assert found is not None
    assert _equal(found, _made(4))
    (tmp_path / checkpoints.BEFORE).unlink()
    assert checkpoints.load_checkpoint(tmp_path, RUN) is None


def test_a_checkpoint_of_another_run_is_not_used_and_the_own_one_before_it_is(tmp_path: Path) -> None:
    checkpoints.save_checkpoint(tmp_path, _made(2))
    checkpoints.save_checkpoint(tmp_path, _made(9, OTHER))
    found = checkpoints.load_checkpoint(tmp_path, RUN)
    assert found is not None
    assert found.state.step == 2
