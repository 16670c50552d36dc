"""Steps of features/devices.feature."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CannotWriteError, MinivessError
from minivess.foundation.files import write_atomic
from minivess.ml.planning.memory import stated_memory
from minivess.ml.training.execution import devices, failures
from minivess.ml.training.execution.devices import DevicesAtHand, check_precision, choose_device
from minivess.ml.training.execution.failures import Moment, smaller_step
from minivess.ml.training.execution.places import Place, batches_of, check_shares
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat
from minivess.workflows.data.capabilities import capability_findings
from minivess.workflows.session.project_file import load_project
from tests.support import projects, training_jobs
from tests.support.command_line import run_here
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily(
    "torch",
    "minivess.ml.models.registry",
    "minivess.ml.training.checkpoints",
    "minivess.ml.training.execution.network_options",
):
    import torch

    from minivess.ml.models import registry
    from minivess.ml.training import checkpoints
    from minivess.ml.training.execution import network_options
with lazily("minivess.ml.training.execution.processes"):
    from minivess.ml.training.execution import processes

scenarios("devices.feature")

TRAINING = TrainingSpec(steps=100, learning_rate=0.004, batch=8)


@dataclass
class Story:
    """What the steps of one scenario tell each other."""

    error: MinivessError | None = None
    found: Any = None
    parts: dict[str, Any] = field(default_factory=dict)

    def ask(self, call: Any, *arguments: Any, **options: Any) -> None:
        """Call something that may refuse."""
        self.error = None
        try:
            self.found = call(*arguments, **options)
        except MinivessError as error:
            self.error = error


@pytest.fixture
def story() -> Story:
    return Story()


@then(parsers.re('it is refused with "(?P<message>.+)" and the hint "(?P<hint>.+)"'))
def refused(story: Story, message: str, hint: str) -> None:
    assert story.error is not None, story.found
    assert message in story.error.message
    assert hint in story.error.hint


# devices


@given(parsers.parse("a machine with {gpus:d} GPUs"))
def _machine(story: Story, gpus: int) -> None:
    missing = ("this PyTorch was built without support of GPUs", "install one with it, or use --device cpu")
    story.parts["machine"] = DevicesAtHand(("NVIDIA H200",) * gpus, threads=4, no_gpu=missing)


@given(parsers.parse("a machine with {gpus:d} GPUs, which compute in fp16 and not in bf16"))
def _older_machine(story: Story, gpus: int) -> None:
    story.parts["machine"] = DevicesAtHand(("NVIDIA H200",) * gpus, bf16=False)


@when(parsers.parse('"--device {stated} --devices {count:d}" is asked for'))
def _ask_for(story: Story, stated: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_driver", lambda: False)
    story.ask(choose_device, stated, processes=count, at_hand=story.parts["machine"])


@when(parsers.parse("{precision} is asked for on {device}"))
def _ask_for_precision(story: Story, precision: Any, device: str) -> None:
    machine = story.parts["machine"]
    story.ask(check_precision, choose_device(device, at_hand=machine), precision, at_hand=machine)


@given("a project of which nothing was trained")
def _untrained(story: Story, started_project: projects.ProjectFolder) -> None:
    story.parts["root"] = started_project.workspace.root
    story.parts["files"] = _digests(story.parts["root"])


def _digests(root: Path) -> dict[str, str]:
    return {str(path): digest_file(path) for path in root.rglob("*") if path.is_file()}


@when(parsers.parse('"minivess {arguments}" is run'))
def _run(story: Story, arguments: str) -> None:
    story.found = run_here(*arguments.split(), folder=story.parts["root"])


@then("it ends with 2, names the GPU and a hint, and the log is as it was")
def _nothing_done(story: Story) -> None:
    assert story.found.code == 2
    assert "GPU" in story.found.err.partition("hint: ")[0]
    assert "hint: " in story.found.err
    assert _digests(story.parts["root"]) == story.parts["files"]


@then(parsers.parse('training says "{sentence}"'))
def _says(story: Story, sentence: str) -> None:
    assert story.found.sentence == sentence


# processes


@given(parsers.parse("a step of {count:d} batches"))
def _step(story: Story, count: int) -> None:
    story.parts["batches"] = count


@when(parsers.parse("{count:d} processes share it"))
def _share(story: Story, count: int) -> None:
    story.ask(check_shares, count, batch=2, accumulate=story.parts["batches"])
    story.found = [list(batches_of(Place(rank, rank, count, count), story.parts["batches"])) for rank in range(count)]


@when(parsers.parse("{count:d} processes with batches of {batch:d} patches share it"))
def _share_unequally(story: Story, count: int, batch: int) -> None:
    story.ask(check_shares, count, batch=batch, accumulate=story.parts["batches"])


@then("process 0 takes the batches 0 and 3, process 1 takes 1 and 4, process 2 takes 2 and 5")
def _shared(story: Story) -> None:
    assert story.error is None
    assert story.found == [[0, 3], [1, 4], [2, 5]]


@given(parsers.parse("a training of {steps:d} steps with {accumulate:d} batches each, of a network with dropout"))
def _training(story: Story, steps: int, accumulate: int, tmp_path: Path) -> None:
    training = TrainingSpec(steps=steps, accumulate=accumulate, learning_rate=0.01, memory_format="contiguous")
    story.parts.update(training=training, folder=tmp_path)


@when("one process trains, and two processes train")
def _train_twice(story: Story) -> None:
    story.found = []
    for count in (1, 2):
        beats: list[Beat | Phase] = []
        fitting = training_jobs.fitting(story.parts["folder"], story.parts["training"], processes=count)
        fitted = processes.together(fitting, fitting.choice, heard=beats.append)
        steps = [beat for beat in beats if isinstance(beat, Beat)]
        assert [beat.step for beat in steps] == [1, 2, 3, 4]
        assert fitted.parts[0].where.processes == count
        weights = [value for tensor in fitted.last.values() for value in tensor.flatten().tolist()]
        story.found.append([*weights, *(beat.loss for beat in steps)])


@then(parsers.parse("the weights and the losses of both differ by at most {most:f}"))
def _equal(story: Story, most: float) -> None:
    one, two = story.found
    assert len(one) == len(two) > 4
    assert one == pytest.approx(two, abs=most, rel=0)


@given("a training in 2 processes")
def _two(story: Story) -> None:
    story.parts["choice"] = choose_device("cpu", processes=2)


@when(parsers.parse("one of them {trouble}"))
def _trouble(story: Story, trouble: str) -> None:
    story.parts["heard"] = []
    with pytest.raises((MinivessError, ZeroDivisionError)) as caught:
        processes.together(
            training_jobs.Count(trouble.removeprefix("is ")), story.parts["choice"], heard=story.parts["heard"].append
        )
    story.found = caught.value


@then(parsers.parse('training ends with "{message}", and no process is left'))
def _ended(story: Story, message: str) -> None:
    assert message in str(story.found)
    if isinstance(story.found, MinivessError):
        assert story.found.hint
    else:
        assert "training_jobs.py" in story.found.__notes__[0], "where it failed in the other process"
    assert story.parts["heard"] == [f"0 of 2: {number}" for number in range(3)]
    assert not multiprocessing.active_children()


# failures


@given("a training of seed 3 with the learning rate 0.004, at step 80 with patches of the cases a, b and a")
def _at_step_80(story: Story) -> None:
    story.parts["moment"] = Moment(3, 80, ("a", "b", "a"), 0.004)
    # the rise of many losses is judged without a last step that is high by chance
    story.parts["losses"] = [1.2] * 30


@when(parsers.re(r"the loss of the step is (?P<loss>\S+)"))
def _loss(story: Story, loss: str) -> None:
    story.ask(failures.check_finite, float(loss), story.parts["moment"], TRAINING)
    if story.error is None:
        story.ask(failures.check_divergence, [1.2] * 79 + [float(loss)], story.parts["moment"], TRAINING)


@when(
    parsers.re(
        r"the loss of the step and of (?P<before>\d+) steps before is (?P<loss>\S+), after losses of (?P<start>\S+)"
    )
)
def _losses(story: Story, before: str, loss: str, start: str) -> None:
    high = int(before) + 1
    losses = [float(start)] * (80 - high) + [float(loss)] * high
    story.ask(failures.check_divergence, losses, story.parts["moment"], TRAINING)


@then("the message names seed 3, step 80, the learning rate 0.004 and the cases a and b once")
def _names(story: Story) -> None:
    assert "(seed 3, step 80 with the learning rate 0.004, patches of a, b)" in str(story.error)


@then("training goes on")
def _goes_on(story: Story) -> None:
    assert story.error is None


@given(parsers.re(r"a (?P<network>\S+) with a patch of (?P<patch>[\d, ]+) and (?P<batch>\d+) patches a batch"))
def _network(story: Story, network: str, patch: str, batch: str) -> None:
    sides = tuple(int(side) for side in patch.split(", "))
    story.parts.update(spec=read_specification({"architecture": network, "patch": sides}), batch=int(batch))


@when(parsers.parse("the memory for training is {memory}"))
def _memory(story: Story, memory: str) -> None:
    story.found = smaller_step(story.parts["spec"], ONE_CLASS_OF_VOLUMES, story.parts["batch"], stated_memory(memory))


@then(parsers.re(r"(?P<fewer>\d+) patches of (?P<patch>[\d, ]+) are proposed"))
def _proposed(story: Story, fewer: str, patch: str) -> None:
    assert (story.found.batch, ", ".join(map(str, story.found.patch))) == (int(fewer), patch)


@given("a folder with the checkpoint of step 30, in which files of 100 kB or more cannot be written")
def _folder(story: Story, tmp_path: Path) -> None:
    story.parts["checkpoint"] = tmp_path / "checkpoint.safetensors"
    write_atomic(story.parts["checkpoint"], b"step 30")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A limit of the system on the files that this process writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@when("the checkpoint of step 40, of 1 MB, is written")
def _write(story: Story) -> None:
    path, data = story.parts["checkpoint"], bytes(1_000_000)
    try:
        with largest_file(100_000):
            write_atomic(path, data)
    except CannotWriteError as error:
        story.error = failures.checkpoint_not_written(error, path, size=len(data), step=40, kept=30)


@then("the message names the checkpoint of step 30, which is as before")
def _kept(story: Story) -> None:
    path = story.parts["checkpoint"]
    assert "the one of step 30 stays" in str(story.error)
    assert path.read_bytes() == b"step 30"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


# options of networks


@given(parsers.re(r"a project with the network (?P<network>\S+) and (?P<option>\w+): true"))
def _project(story: Story, network: str, option: str, started_project: projects.ProjectFolder) -> None:
    project = load_project(started_project.workspace.root)
    model = read_specification({"architecture": network, "patch": (32, 64, 64)})
    training = project.training.model_copy(update={option: True})
    story.parts["project"] = project.model_copy(update={"model": model, "training": training})


@when("its options are compared with what the network supports")
def _compare(story: Story) -> None:
    story.found = [one for one in capability_findings(story.parts["project"]) if one.rule == "capability-training"]


@then(parsers.parse('the rule capability-training finds "{message}"'))
def _finds(story: Story, message: str) -> None:
    assert [one.message for one in story.found] == ([] if message == "nothing" else [message])


@given(parsers.re(r"a small (?P<network>\w+)"))
def _small(story: Story, network: str) -> None:
    spec = read_specification({"architecture": network, "filters": 4, "levels": 4, "patch": (16, 32, 32)})
    plain, other = (registry.build_network(spec, seed=1) for _ in range(2))
    story.parts.update(spec=spec, plain=plain, other=other)


@when(parsers.parse("it is prepared for training with {option}"))
def _prepare(story: Story, option: str) -> None:
    training = TRAINING.model_copy(update={option: True})
    story.parts["trained"] = network_options.prepared(story.parts["other"], story.parts["spec"], training, seed=1)


def _patches(spec: NetworkSpec) -> Any:
    return torch.randn(2, 1, *spec.patch, generator=torch.Generator().manual_seed(0))


@then("its tensors have the names that they had, and it answers as before")
def _same(story: Story) -> None:
    plain, trained = story.parts["plain"], story.parts["trained"]
    assert list(trained.network.state_dict()) == list(plain.state_dict())
    patches = _patches(story.parts["spec"])
    with torch.no_grad():
        answers = trained.eval()(patches)
        assert len(answers) == 1
        assert torch.equal(answers[0], plain.eval()(patches))


@then("its gradients differ by at most 0.000001, with less memory")
def _gradients(story: Story) -> None:
    plain, trained = story.parts["plain"].train(), story.parts["trained"].train()
    patches = _patches(story.parts["spec"])
    kept = []
    for ask in (plain, lambda images: trained(images)[0]):
        with training_jobs.kept_for_backward() as sizes:
            ask(patches).square().mean().backward()
        kept.append(sum(sizes.values()))
    for one, two in zip(plain.parameters(), trained.network.parameters(), strict=True):
        assert float((one.grad - two.grad).abs().max()) <= 1e-6
    assert kept[1] < 0.6 * kept[0]


@then("it has logits of all, a half and a quarter of the resolution")
def _levels(story: Story) -> None:
    trained, spec = story.parts["trained"].train(), story.parts["spec"]
    outputs = trained(_patches(spec))
    assert [tuple(one.shape) for one in outputs] == [
        (2, 1, *(side // 2**level for side in spec.patch)) for level in range(3)
    ]
    labels = torch.ones(2, 1, *spec.patch)
    loss = network_options.loss_of_levels(lambda logits, wanted: logits.mean() + wanted.mean(), outputs, labels)
    means = [float(one.mean().detach()) for one in outputs]
    assert float(loss.detach()) == pytest.approx((4 * means[0] + 2 * means[1] + means[2]) / 7 + 1, abs=1e-5)
    loss.backward()
    assert all(head.weight.grad is not None for head in trained.heads)
    assert trained.release() is story.parts["other"]
    assert not any(one._forward_hooks for one in trained.network.modules())


@given(
    parsers.parse("a training of 4 steps with the clip {clip}, in which the gradient of step {step:d} is no number"),
    target_fixture="fitting",
)
def breaking(tmp_path: Path, clip: str, step: int) -> Any:
    training = TrainingSpec.model_validate(
        {
            "members": [3],
            "steps": 4,
            "batch": 1,
            "clip": None if clip == "none" else float(clip),
            "validation": {"share": 0},
        }
    )
    fitting = training_jobs.fitting(tmp_path, training)
    passed = []

    def broken(gradient: torch.Tensor) -> torch.Tensor:
        passed.append(gradient)
        return gradient * float("nan") if len(passed) == step else gradient

    next(iter(fitting.network.parameters())).register_hook(broken)
    return fitting


@when("it is trained")
def train_broken(story: Story, fitting: Any) -> None:
    story.ask(fitting, Place(0, 0, 1), lambda event: None)


@then("no member is left, and the weights of the last checkpoint are numbers")
def numbers(story: Story, fitting: Any) -> None:
    assert story.found is None
    kept = checkpoints.load_checkpoint(fitting.job.folder, fitting.job.run)
    assert kept is not None
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.network.values())


@given("a network of two convolutions with kernels of 3 that is prepared for bf16")
def _careful(story: Story) -> None:
    plain = torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Conv3d(4, 1, 3, padding=1))
    training = TrainingSpec.model_validate({"precision": "bf16"})
    story.parts["network"] = network_options.prepared(plain, UNetSpec(), training).train()


@when(parsers.parse("it answers a patch of {sides} voxels"))
def _answers_small(story: Story, sides: str) -> None:
    patch = torch.zeros(1, 1, *map(int, sides.split(", ")))
    with torch.autocast("cpu", torch.bfloat16):
        [story.found] = story.parts["network"](patch)


@then(parsers.re("its answer is in (?P<precision>fp32|bf16)"))
def _precision(story: Story, precision: str) -> None:
    assert story.found.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
