"""Steps of `features/networks.feature`."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError
from minivess.ml.models.adapter import ModelAdapter
from minivess.ml.models.registry import adapter_of, build_network
from minivess.ml.training.runs import WEIGHTS, weights_of
from minivess.records.data.dataset import LabelClass
from minivess.records.models.networks import specifications
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.task import SegmentationTask
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily(
    "torch",
    "onnxruntime",
    "safetensors.torch",
    "minivess.ml.models.weights",
    "tests.support.builders.weight_files",
):
    import onnxruntime
    import safetensors.torch
    import torch

    from minivess.ml.models import weights
    from tests.support.builders import weight_files

scenarios("networks.feature")

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "extending.md"
TWO_CLASSES = SegmentationTask(
    channels=2, classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein"))
)
PATCH = (4, 8, 8)


class StubSpec(NetworkSpec):
    """A stand-in."""

    architecture: Literal["stub"] = "stub"


def by_class() -> torch.nn.Module:
    """Asked for one class at a time, by a number beside the patch; the background is what no class claims."""

    class ByClass(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.prompts = torch.nn.Embedding(2, 2)

        def one(self, patches: Any, number: int) -> Any:
            weights_of_class = self.prompts(torch.tensor(number)).reshape(1, 2, 1, 1, 1)
            return (patches * weights_of_class).sum(dim=1, keepdim=True)

        def forward(self, patches: Any) -> Any:
            asked = [self.one(patches, number) for number in range(2)]
            return torch.cat([-torch.maximum(*asked), *asked], dim=1)

    return ByClass()


def by_slice() -> torch.nn.Module:
    """Asked for one picture at a time: the slices of a volume are a batch of pictures."""

    class BySlice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.picture = torch.nn.Conv2d(2, 3, 3, padding=1)

        def forward(self, patches: Any) -> Any:
            n, channels, depth, height, width = patches.shape
            pictures = patches.transpose(1, 2).reshape(n * depth, channels, height, width)
            return self.picture(pictures).reshape(n, depth, 3, height, width).transpose(1, 2)

    return BySlice()


NETWORKS = {"class by class": by_class, "slice by slice": by_slice}


class StubAdapter(ModelAdapter[StubSpec]):
    """The adapter of a stand-in."""

    specification = StubSpec

    def __init__(self, way: str) -> None:
        self.way = way

    def divisor(self, spec: StubSpec) -> int:
        return 1

    def network(self, spec: StubSpec, task: SegmentationTask) -> torch.nn.Module:
        return NETWORKS[self.way]()


@pytest.fixture
def facts() -> dict[str, Any]:
    return {}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder where Python looks for packages."""
    monkeypatch.syspath_prepend(tmp_path)
    specifications.foreign_adapter.cache_clear()
    yield tmp_path
    specifications.foreign_adapter.cache_clear()


@given('an installed package with the family "threshold" of the guide to extensions')
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (declared,) = re.findall(r"```toml\n\[project.entry-points.\"minivess.models\"\]\n(.*?)```", guide, re.DOTALL)
    module = ModuleType("my_networks")
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)  # noqa: S102  the example of the guide, which is in this tree
    monkeypatch.setitem(sys.modules, "my_networks", module)
    info = site / "my_networks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-networks\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[minivess.models]\n" + declared.replace('"', ""), encoding="utf-8")
    importlib.invalidate_caches()


@when(parsers.parse('a project file with "model: {said}" is read'))
def read(facts: dict[str, Any], said: str) -> None:
    facts["spec"] = read_specification(yaml.safe_load(said))


@then("the specification is the record of that family")
def its_record(facts: dict[str, Any]) -> None:
    spec = facts["spec"]
    assert type(spec).__name__ == "ThresholdSpec"
    assert (spec.architecture, spec.patch) == ("threshold", PATCH)


@then("a network of two classes in volumes of two channels answers with three logits a voxel")
def its_network(facts: dict[str, Any]) -> None:
    spec = facts["spec"]
    network = build_network(spec, TWO_CLASSES, seed=3)
    answer = adapter_of(spec.architecture).forward(network, torch.zeros(1, 2, *PATCH))
    assert answer.logits.shape == (1, 3, *PATCH)
    background = float(answer.probabilities[:, 0].detach().mean())
    assert background == pytest.approx(0.9, abs=1e-5), "a new network expects little foreground"


@given(parsers.parse("a family whose network is asked {way}"))
def stub(facts: dict[str, Any], way: str) -> None:
    facts["adapter"] = StubAdapter(way)


@when("it is asked about patches of two classes in volumes of two channels")
def ask(facts: dict[str, Any]) -> None:
    adapter, spec = facts["adapter"], StubSpec(patch=PATCH)
    facts["network"] = adapter.build(spec, TWO_CLASSES, seed=0).eval()
    facts["patches"] = torch.randn(2, 2, *PATCH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        facts["answer"] = adapter.forward(facts["network"], facts["patches"])


@then("it answers with three logits a voxel, as many patches as were given")
def answered(facts: dict[str, Any]) -> None:
    assert facts["answer"].logits.shape == (2, 3, *PATCH)
    total = facts["answer"].probabilities.sum(dim=1)
    assert torch.allclose(total, torch.ones(2, *PATCH), atol=1e-6)


@then("the graph that is exported of it gives the same logits")
def exported(facts: dict[str, Any]) -> None:
    graph = facts["adapter"].export(facts["network"], StubSpec(patch=PATCH), TWO_CLASSES)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"patch": facts["patches"][:1].numpy()})
    np.testing.assert_allclose(logits, facts["answer"].logits[:1].numpy(), atol=1e-5)


CHANGES: dict[str, Any] = {
    'without the tensor "bias"': lambda state: {name: state[name] for name in state if name != "bias"},
    'with another tensor "more"': lambda state: {**state, "more": torch.zeros(1)},
    'with "weight" of another shape': lambda state: {**state, "weight": torch.zeros(2, 2)},
}


@given(parsers.parse("the weights of a network, {changed}"))
def changed_weights(facts: dict[str, Any], changed: str) -> None:
    state = torch.nn.Linear(2, 3).state_dict()
    facts["state"] = CHANGES[changed]({name: torch.zeros_like(tensor) for name, tensor in state.items()})


@when("they are given to a network of that family")
def give(facts: dict[str, Any]) -> None:
    facts["network"] = torch.nn.Linear(2, 3)
    facts["before"] = weights.weights_digest(facts["network"].state_dict())
    with pytest.raises(InputError) as caught:
        weights.fill(facts["network"], facts["state"])
    facts["error"] = caught.value


@then(parsers.parse('they are refused, and the message has "{words}"'))
def refused(facts: dict[str, Any], words: str) -> None:
    assert words in facts["error"].message
    assert facts["error"].hint


@then("the network has the weights that it had")
def unchanged(facts: dict[str, Any]) -> None:
    assert weights.weights_digest(facts["network"].state_dict()) == facts["before"]


@given(parsers.parse("named tensors of the type {kind}"))
def named_tensors(facts: dict[str, Any], kind: str) -> None:
    dtype = getattr(torch, kind)
    values = torch.arange(6).reshape(2, 3)
    facts["state"] = {"one": values.to(dtype), "scalar": torch.tensor(3).to(dtype), "turned": values.T.to(dtype)}


@when("they are saved and read again")
def saved(facts: dict[str, Any], tmp_path: Path) -> None:
    facts["path"] = tmp_path / WEIGHTS
    facts["digest"] = weights.save_weights(facts["path"], facts["state"])
    facts["again"] = weights.load_weights(facts["path"], expected=facts["digest"])


@then("the file is a safetensors file")
def is_safetensors(facts: dict[str, Any]) -> None:
    assert set(safetensors.torch.load_file(facts["path"])) == set(facts["state"])


@then("names, shapes, types and the digest of the tensors are the same")
def same_tensors(facts: dict[str, Any]) -> None:
    before, after = facts["state"], facts["again"]
    assert set(before) == set(after)
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        assert torch.equal(after[name], tensor)
    assert weights.weights_digest(after) == weights.weights_digest(before) == facts["digest"]


@given("a member folder with a PyTorch file of weights")
def old_member(facts: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(weight_files.torch_file(weight_files.STATE))
    facts["folder"] = tmp_path


@when("its weights are read")
def read_member(facts: dict[str, Any]) -> None:
    digest = weights.weights_digest(weight_files.STATE)
    facts["again"] = weights.load_weights(weights_of(facts["folder"]), expected=digest)


@then("they are the tensors that were saved")
def as_saved(facts: dict[str, Any]) -> None:
    assert all(torch.equal(facts["again"][name], tensor) for name, tensor in weight_files.STATE.items())


@given(parsers.re("a file of weights (?P<how>.+)"))
def damaged(facts: dict[str, Any], how: str, tmp_path: Path) -> None:
    facts["path"], facts["ran"] = tmp_path / "foreign.bin", tmp_path / "ran"
    facts["path"].write_bytes(weight_files.DAMAGED[how](facts["ran"]))


@when("it is read as weights")
def read_damaged(facts: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        weights.load_weights(facts["path"])
    facts["error"] = caught.value


@then(parsers.parse('it is refused, and the message has its name and "{words}"'))
def refused_by_name(facts: dict[str, Any], words: str) -> None:
    assert "foreign.bin" in str(facts["error"])
    assert words in str(facts["error"])
    assert facts["error"].hint


@then("no code of the file was run")
def nothing_ran(facts: dict[str, Any]) -> None:
    assert not facts["ran"].exists()
