"""Steps of features/losses.feature."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError, UsageError
from minivess.records.models.training import LossName
from minivess.workflows.session.project_file import load_project
from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.losses.registry"):
    import torch

    from minivess.ml.losses import registry

scenarios("losses.feature")

PROJECT = """\
device: {name: d, version: 1.0.0, manufacturer: m, intended_use: u, safety_class: B}
data: {name: d, licence: l, source: s, synthetic: {subjects: 4, seed: 3, shape: [12, 40, 40]}}
evaluation: {criteria: [{measure: dice, at_least: 0.5}]}
"""
SHAPES = {"pictures": (12, 16), "volumes": (4, 10, 12)}
STEPS, RATE = 12, 1.0


@dataclass
class Scene:
    """Logits that change, and the labels that they are to become."""

    logits: torch.Tensor
    labels: torch.Tensor
    weights: tuple[float, ...] | None = None

    def follow(self, name: str, *, steps: int = STEPS) -> torch.Tensor:
        """The logits after steps of one length against the sign of the gradient."""
        logits, loss = self.logits.clone().requires_grad_(), registry.loss_of(name, weights=self.weights)
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(loss(logits, self.labels), logits)
            logits = (logits - RATE * gradient.sign()).detach().requires_grad_()
        return logits.detach()


def marked(logits: torch.Tensor) -> torch.Tensor:
    """The index of the class of each voxel: (n, 1, *patch)."""
    return (logits > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1, keepdim=True)


@given(parsers.re(r"undecided answers for (?P<axes>\w+) with (?P<classes>\d) class(?:es)?"), target_fixture="scene")
def undecided(axes: str, classes: str) -> Scene:
    shape, number = SHAPES[axes], int(classes)
    labels = torch.zeros((2, 1, *shape))
    labels[..., 3:6, 2:-2] = 1
    labels[1, ..., -4:-2, 4:-6] = number
    return Scene(torch.zeros((2, 1 if number == 1 else number + 1, *shape)), labels)


@when(parsers.parse('the loss "{name}" is followed downhill'), target_fixture="reached")
def follow(scene: Scene, name: str) -> torch.Tensor:
    return marked(scene.follow(name))


@then(parsers.parse("at least {percent:d} % of the voxels of each class get their class"))
def truth(scene: Scene, reached: torch.Tensor, percent: int) -> None:
    for number in range(int(scene.labels.max()) + 1):
        right = (reached == number)[scene.labels == number].float().mean()
        assert float(right) >= percent / 100, number


@given(parsers.parse('a project file whose loss is "{name}"'))
def project_with_loss(tmp_path: Path, name: str) -> None:
    (tmp_path / "minivess.yaml").write_text(f"{PROJECT}training: {{loss: {name}}}\n", encoding="utf-8")


@when("the project file is read", target_fixture="refusal")
def read(tmp_path: Path) -> InputError:
    with pytest.raises(InputError) as refused:
        load_project(tmp_path)
    return refused.value


@then(parsers.parse('it is refused, and the message names "{place}" and all losses'))
def refused(refusal: InputError, place: str) -> None:
    said = f"{refusal} {refusal.hint}"
    assert place in said
    assert [name for name in get_args(LossName) if f"'{name}'" not in said] == []


@when(parsers.parse("the class weights are {stated}"))
def weigh(scene: Scene, stated: str) -> None:
    scene.weights = tuple(float(one) for one in stated.split(" and "))


@then(parsers.parse("training is refused, because there is {words}"))
def refused_weights(scene: Scene, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        scene.follow("dice-cross-entropy", steps=1)
    assert words in str(refused.value)


@then("the first step of training changes class 2 more than with equal weights")
def heavier(scene: Scene) -> None:
    places = (scene.labels == 2).expand_as(scene.logits)

    def slope(weights: tuple[float, ...] | None) -> float:
        logits, loss = scene.logits.clone().requires_grad_(), registry.loss_of("dice-cross-entropy", weights=weights)
        (gradient,) = torch.autograd.grad(loss(logits, scene.labels), logits)
        return float(gradient[places].abs().sum())

    assert slope(scene.weights) > 1.5 * slope(None)


@given("answers that mark everything, for patches without any class", target_fixture="scene")
def full() -> Scene:
    return Scene(torch.full((2, 1, *SHAPES["volumes"]), 3.0), torch.zeros((2, 1, *SHAPES["volumes"])))


@then("nothing is marked")
def nothing(reached: torch.Tensor) -> None:
    assert int(reached.sum()) == 0


@given(parsers.parse("patches in which class 1 has {few:d} voxels and class 2 has {many:d}"), target_fixture="scene")
def rare_and_common(few: int, many: int) -> Scene:
    labels = torch.zeros((2, 1, *SHAPES["volumes"]))
    labels.view(-1)[:few], labels.view(-1)[-many:] = 1, 2
    return Scene(torch.nn.functional.one_hot(labels[:, 0].long(), 3).movedim(-1, 1) * 20.0, labels)


@when("one of the two classes is missed", target_fixture="missed")
def miss(scene: Scene) -> list[torch.Tensor]:
    def without(number: int) -> torch.Tensor:
        logits = scene.logits.clone()
        here = scene.labels[:, 0] == number
        logits[:, 0][here], logits[:, number][here] = 20.0, 0.0
        return logits

    return [without(1), without(2)]


@then(parsers.parse('the loss "{name}" rises by the same for either'))
def same_rise(scene: Scene, missed: list[torch.Tensor], name: str) -> None:
    loss = registry.loss_of(name)
    small, large = (float(loss(one, scene.labels)) for one in missed)
    assert small == pytest.approx(large, rel=1e-4)
    assert small > 0.4


@given("volumes with three objects of 30 voxels and with bright vessels", target_fixture="benchmark")
def rare_objects() -> Path:
    return Path(__file__).parents[3] / "benchmarks" / "training_rare_objects.py"


@when("a network is trained by the defaults", target_fixture="measured")
def train(benchmark: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(benchmark), "0"], capture_output=True, text=True, check=False)


@then("it finds at least 80 % of the objects of other volumes, and most of what it marks are objects")
def found(measured: subprocess.CompletedProcess[str]) -> None:
    assert measured.returncode == 0, measured.stdout + measured.stderr
