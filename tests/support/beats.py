"""What a training run says after a step, for tests of listeners."""

from __future__ import annotations

from minivess.records.models.training_run import Beat


def beat(step: int, loss: float = 1.0, *, steps: int = 10, learning_rate: float = 0.004) -> Beat:
    """The message of one step."""
    return Beat(
        member=1,
        step=step,
        steps=steps,
        loss=loss,
        learning_rate=learning_rate,
        steps_per_second=2.0,
        seconds_left=(steps - step) / 2,
        device="cpu",
        memory=1 << 20,
        waited=0.1,
    )
