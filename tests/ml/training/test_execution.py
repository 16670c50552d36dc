"""Devices, processes, options and failures of training for real. Slow: libraries of networks are imported."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat
from tests.support import training_jobs
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily(
    "torch",
    "minivess.ml.models.registry",
    "minivess.ml.training.checkpoints",
    "minivess.ml.training.execution.network_options",
    "minivess.ml.training.execution.processes",
):
    import torch

    from minivess.ml.models import registry
    from minivess.ml.training import checkpoints
    from minivess.ml.training.execution import network_options, processes

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.slow]

PICTURES = SegmentationTask(axes="yx")
FAMILIES: dict[str, dict[str, object]] = {
    "segresnet": {"filters": 4},
    "unet": {"filters": 4},
    "dynunet": {"filters": 4},
    "swinunetr": {"depth": 1, "dropout": 0.1},
    "resnet34-unet": {"depth": 3, "width": 4},
}


@pytest.mark.verifies("REQ-367")
@pytest.mark.parametrize("name", FAMILIES)
def test_recomputed_activations_give_the_same_gradients_statistics_and_names(name: str) -> None:
    spec = read_specification({"architecture": name, "patch": (64, 64), **FAMILIES[name]})
    training = TrainingSpec(checkpointing=True)
    plain, other = (registry.build_network(spec, PICTURES, seed=1).train() for _ in range(2))
    names = list(plain.state_dict())
    trained = network_options.prepared(other, spec, training, PICTURES).train()
    patches = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = []
    for ask in (plain, trained):
        torch.manual_seed(5)  # of dropout
        with training_jobs.kept_for_backward() as sizes:
            answer = ask(patches)
            (answer if ask is plain else answer[0]).square().mean().backward()
        kept.append(sum(sizes.values()))
    assert kept[1] < 0.7 * kept[0]
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None)
        assert one.grad is None or float((one.grad - two.grad).abs().max()) <= 1e-6
    for one, two in zip(plain.buffers(), other.buffers(), strict=True):
        assert torch.equal(one, two), "running statistics move once"
    assert list(other.state_dict()) == names
    assert all("forward" not in one.__dict__ for one in trained.release().modules())


@pytest.mark.verifies("REQ-367")
def test_a_compiled_network_gives_the_same_gradients_and_has_the_same_names() -> None:
    spec = read_specification({"architecture": "dynunet", "filters": 2, "patch": (16, 16)})
    plain, other = (registry.build_network(spec, PICTURES, seed=1).train() for _ in range(2))
    training = TrainingSpec(compile=True, deep_supervision=True)
    trained = network_options.prepared(other, spec, training, PICTURES).train()
    patches = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        for one in (plain, trained):
            one.zero_grad()
        plain(patches).square().mean().backward()
        outputs = trained(patches)
        assert [tuple(one.shape[2:]) for one in outputs] == [(16, 16), (8, 8)]
        outputs[0].square().mean().backward()
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, atol=1e-5)
    assert list(other.state_dict()) == list(plain.state_dict())


@contextmanager
def little_memory(spare: int) -> Iterator[None]:
    """A limit of the system on what this process maps: so many bytes more than now."""
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.verifies("REQ-366")
def test_a_step_that_memory_does_not_allow_names_one_that_it_does(tmp_path: Path) -> None:
    training = TrainingSpec(steps=3, batch=20_000, memory_format="contiguous")
    fitting = training_jobs.fitting(tmp_path, training)
    with pytest.raises(CouldNotCheckError) as caught, little_memory(300_000_000):
        processes.together(fitting, fitting.choice, heard=lambda beat: None)
    assert "the memory of cpu ran out at training.batch: 20000" in caught.value.message
    assert "seed 3, step 1 with the learning rate" in caught.value.message
    assert "patches of case-1)" in caught.value.message
    assert "use training.batch: 10000 and training.accumulate: 2;" in caught.value.hint


@pytest.mark.verifies("REQ-366", "RC-150")
def test_a_network_whose_loss_is_no_number_names_the_cases_and_leaves_no_hooks(tmp_path: Path) -> None:
    fitting = training_jobs.fitting(tmp_path, TrainingSpec(steps=3, memory_format="contiguous"))
    with torch.no_grad():
        fitting.network[0].weight.fill_(float("nan"))
    with pytest.raises(RefusedError, match=r"the loss is nan \(seed 3, step 1 .*, patches of case-1\)"):
        processes.together(fitting, fitting.choice, heard=lambda beat: None)


@pytest.mark.verifies("REQ-364")
def test_bf16_trains_in_bf16_and_keeps_weights_in_fp32(tmp_path: Path) -> None:
    losses: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for precision, heard in losses.items():
        stated = {"steps": 3, "memory_format": "contiguous", "precision": precision}
        fitting = training_jobs.fitting(tmp_path / precision, TrainingSpec.model_validate(stated))
        events: list[Beat | Phase] = []
        fitted = processes.together(fitting, fitting.choice, heard=events.append)
        heard.extend(event.loss for event in events if isinstance(event, Beat))
        assert {tensor.dtype for tensor in fitted.last.values()} == {torch.float32}
    assert losses["fp32"] == pytest.approx(losses["bf16"], rel=0.02)
    assert losses["fp32"] != losses["bf16"]


@pytest.mark.verifies("REQ-367", "REQ-370")
def test_a_deeply_supervised_run_goes_on_with_its_heads_and_leaves_the_network_alone(tmp_path: Path) -> None:
    spec = read_specification({"architecture": "dynunet", "filters": 2, "patch": (8, 16, 16)})
    training = TrainingSpec(steps=4, deep_supervision=True, checkpointing=True, memory_format="contiguous")

    def fit(folder: str, *, broken_at: int | None = None, goes_on: bool = False) -> Any:
        fitting = training_jobs.fitting(tmp_path / folder, training, spec=spec, goes_on=goes_on)
        (tmp_path / folder).mkdir(exist_ok=True)

        def hear(event: Beat | Phase) -> None:
            if isinstance(event, Beat) and event.step == broken_at:
                raise InterruptedError

        return processes.together(fitting, fitting.choice, heard=hear)

    whole = fit("whole")
    with pytest.raises(InterruptedError):
        fit("broken", broken_at=3)
    resumed = fit("broken", goes_on=True)
    assert [part.first_step for part in resumed.parts] == [1, 3]
    assert list(resumed.last) == list(registry.build_network(spec, seed=3).state_dict())
    assert all(torch.equal(value, resumed.last[name]) for name, value in whole.last.items())


@pytest.mark.verifies("REQ-365", "REQ-370")
def test_processes_that_are_asked_to_end_write_a_checkpoint_first(tmp_path: Path) -> None:
    training = TrainingSpec(steps=100_000, accumulate=2, memory_format="contiguous")
    fitting = training_jobs.fitting(tmp_path, training, processes=2)
    beats: list[Beat] = []

    def hear(event: Beat | Phase) -> None:
        if not isinstance(event, Beat):
            return
        beats.append(event)
        if event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        processes.together(fitting, fitting.choice, heard=hear)
    found = checkpoints.load_checkpoint(tmp_path, fitting.job.run)
    assert found is not None
    assert found.state.step == beats[-1].step == len(found.losses)
    assert found.state.parts[-1].where.processes == 2


COMMAND = """
import sys
from pathlib import Path
from minivess.ml.training.execution.devices import choose_device
from minivess.ml.training.execution.places import torchrun_place
from minivess.ml.training.execution.processes import follow, leading, together
from tests.support.training_jobs import Count

place = torchrun_place()
choice = choose_device("cpu", place=place)
if not place.writes:
    follow(choice)
else:
    heard = []
    with leading(choice):
        results = [together(Count(), choice, heard=heard.append) for _ in range(2)]
    Path(sys.argv[1]).write_text(f"{results} {heard} {choice.sentence}", encoding="utf-8")
"""


@pytest.mark.verifies("REQ-364", "REQ-365")
def test_under_torchrun_process_0_is_the_command_and_hands_its_work_out(tmp_path: Path) -> None:
    script, said = tmp_path / "command.py", tmp_path / "said.txt"
    script.write_text(COMMAND, encoding="utf-8")
    root = Path(__file__).parents[3]
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*started, str(script), str(said)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    heard = [f"0 of 2: {number}" for number in range(3)]
    assert said.read_text(encoding="utf-8").startswith(f"{['result of 0'] * 2} {heard * 2} Training on the CPU in 2")


@pytest.mark.verifies("REQ-366")
def test_processes_end_when_the_command_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from minivess.ml.training.execution.devices import choose_device\n"
        "from minivess.ml.training.execution.processes import together\n"
        "from tests.support.training_jobs import Wait\n"
        "if __name__ == '__main__':\n"
        "    together(Wait(), choose_device('cpu', processes=2), heard=lambda pid: print(pid, flush=True))\n",
        encoding="utf-8",
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    pids = [int(pid) for pid in command.stdout.readline().split()]
    command.kill()
    command.wait()
    command.stdout.close()
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        threading.Event().wait(0.2)
    assert len(pids) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
