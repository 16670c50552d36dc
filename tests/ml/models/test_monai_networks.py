"""MONAI's networks are the same whether its optional packages were hidden from it or not."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from minivess.ml.models.monai_networks import hidden

pytestmark = pytest.mark.verifies("SU-29", "REQ-320")

PROGRAM = """
import hashlib, sys
import torch
if sys.argv[1] == "whole":
    import monai
from minivess.ml.models.registry import build_network
from minivess.records.models.networks.specifications import read_specification
from minivess.records.models.task import SegmentationTask
for architecture in ("segresnet", "unet", "dynunet", "swinunetr"):
    size = {"depth": 1, "dropout": 0.1} if architecture == "swinunetr" else {"filters": 4}
    spec = read_specification({"architecture": architecture, "patch": [64, 64], **size})
    made = build_network(spec, SegmentationTask(axes="yx"), seed=3).eval()
    digest = hashlib.sha256()
    for name, weight in made.state_dict().items():
        digest.update(name.encode() + weight.numpy().tobytes())
    torch.manual_seed(1)
    digest.update(made(torch.rand(1, 1, 64, 64)).detach().numpy().tobytes())
    print(architecture, digest.hexdigest())
print("mlflow" in sys.modules, "torchvision" in sys.modules)
"""


def _networks(how: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_networks_are_the_same_with_and_without_the_optional_packages() -> None:
    *alone, loaded = _networks("networks")
    *whole, all_loaded = _networks("whole")
    assert (len(alone), alone) == (4, whole)
    assert (loaded, all_loaded) == ("False False", "True True")


def test_a_package_is_hidden_in_one_thread_and_for_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("seldom_here", "seldom_there"):
        (tmp_path / f"{name}.py").write_text("answer = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found: list[int] = []
    with hidden("seldom_here", "seldom_there"):
        with pytest.raises(ModuleNotFoundError, match="seldom_here is hidden"):
            importlib.import_module("seldom_here")
        other = threading.Thread(target=lambda: found.append(importlib.import_module("seldom_there").answer))
        other.start()
        other.join()
    assert (found, importlib.import_module("seldom_here").answer) == ([1], 1)
