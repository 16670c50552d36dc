"""Learning rates, momentum and the moving average of weights, as functions of the step."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from pydantic import ValidationError

from minivess.ml.training import schedules
from minivess.records.models.training import TrainingSpec
from tests.support.lazy_modules import lazily
from tests.support.properties import given

with lazily("torch", "minivess.ml.training.optimisation"):
    import torch

    from minivess.ml.training import optimisation

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-368")]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("steps", [1, 10, 37, 150])
def test_one_cycle_is_that_of_pytorch(steps: int, name: str) -> None:
    training = TrainingSpec.model_validate({"steps": steps, "learning_rate": 0.01, "optimiser": name})
    ours, theirs = (optimisation.optimiser_of(training, torch.nn.Linear(1, 1).parameters()) for _ in range(2))
    schedule = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=0.01, total_steps=max(steps, 10))
    for step in range(1, steps + 1):
        assert optimisation.set_step(ours, training, step) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        one, other = ours.param_groups[0], theirs.param_groups[0]
        momentum = "betas" if name == "adamw" else "momentum"
        assert one[momentum] == pytest.approx(other[momentum], rel=1e-9)
        theirs.step()
        if step < max(steps, 10):
            schedule.step()


def test_a_warm_up_beside_one_cycle_is_refused() -> None:
    with pytest.raises(ValidationError, match="warm_up is for the other schedules"):
        TrainingSpec.model_validate({"steps": 10, "warm_up": 2})


@given(st.sampled_from(["one-cycle", "polynomial", "cosine", "constant"]), st.integers(2, 3000), st.data())
def test_rates_are_positive_and_never_above_the_stated_one(schedule: str, steps: int, data: st.DataObject) -> None:
    warm = data.draw(st.integers(0, 0 if schedule == "one-cycle" else steps - 1))
    training = TrainingSpec.model_validate({"steps": steps, "schedule": schedule, "warm_up": warm})
    chosen = {1, steps, max(1, warm), min(steps, warm + 1), data.draw(st.integers(1, steps))}
    rates = {step: schedules.learning_rate(training, step) for step in chosen}
    assert all(0 < rate <= training.learning_rate * (1 + 1e-9) for rate in rates.values())
    if schedule != "one-cycle":
        assert rates[min(steps, warm + 1)] == pytest.approx(training.learning_rate)
        if warm:
            assert rates[1] == pytest.approx(training.learning_rate / (warm + 1))


def test_the_decays_have_their_published_form() -> None:
    def rate(schedule: str, step: int) -> float:
        training = TrainingSpec.model_validate({"steps": 100, "schedule": schedule, "learning_rate": 1.0})
        return schedules.learning_rate(training, step)

    assert rate("polynomial", 51) == pytest.approx(0.5**0.9)
    assert rate("cosine", 51) == pytest.approx(0.5)
    assert rate("cosine", 26) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert rate("constant", 100) == 1.0


def test_the_average_follows_the_weights_and_counts_are_copied() -> None:
    network = torch.nn.BatchNorm1d(2)
    average = optimisation.Average(network, 0.5)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.num_batches_tracked.fill_(7)
    average.update(1)  # the decay is at most 2 / 11 after the first step
    assert average.state["weight"].tolist() == pytest.approx([1 + 2 * 9 / 11] * 2)
    average.update(1000)
    assert average.state["weight"].tolist() == pytest.approx([(1 + 2 * 9 / 11 + 3) / 2] * 2)
    assert int(average.state["num_batches_tracked"]) == 7
