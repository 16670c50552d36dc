"""ONNX graphs of an ensemble: one for all members where they take the same patches, else one a member.

A graph takes one preprocessed patch (1, channels, *patch) and gives `logits` (1, outputs, *patch): of one graph the logits
of the members' combined probabilities, calibrated where the calibrator is affine; of a graph a member its own logits.
Preprocessing, tiling and the last sigmoid or softmax stay outside (`ml.preprocessing`, `ml.inference`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS
from minivess.ml.ensembles.registry import RULES
from minivess.ml.inference.answers import EPSILON, LARGEST_LOGIT
from minivess.ml.inference.onnx_predictor import LOGITS
from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor, PatchPredictor
from minivess.ml.models.graphs.onnx_graph import onnx_graph
from minivess.records.models.exports.choice import FurtherOutput
from minivess.records.models.exports.contract import AppliedCalibrator, GraphOutput
from minivess.records.models.task import SegmentationTask

if TYPE_CHECKING:
    import torch

AXES = {
    LOGITS: "batch, outputs, patch",
    "member_logits": "batch, members, outputs, patch",
    "disagreement": "batch, one, patch",
    "embedding": "batch, features",
}
"""The axes of each output."""


@dataclass(frozen=True)
class Graph:
    """A graph in single precision.

    Attributes:
        data: its bytes.
        source: the predictor that it repeats, patch by patch.
        members: how many networks are in it.
        outputs: what it gives.
    """

    data: bytes
    source: PatchPredictor
    members: int
    outputs: tuple[GraphOutput, ...]


def on_cpu(ensemble: EnsemblePredictor) -> EnsemblePredictor:
    """A copy whose networks are on the CPU, where they are compared.

    Raises:
        UsageError: a member is no PyTorch network.
    """
    members = []
    for member in ensemble.members:
        if not isinstance(member, NetworkPredictor):
            raise UsageError("only ensembles of PyTorch networks can be exported")
        preprocessing = member.preprocessor.preprocessing
        network = copy.deepcopy(member.network)
        copied = NetworkPredictor(network, member.spec, "cpu", task=member.task, preprocessing=preprocessing)
        copied.overlap = member.overlap
        members.append(copied)
    return EnsemblePredictor(members, ensemble.rule)


@implements("REQ-026", "REQ-343")
def graphs_of(
    ensemble: EnsemblePredictor, calibrator: AppliedCalibrator, further: Sequence[FurtherOutput] = ()
) -> list[Graph]:
    """Export an ensemble by the dynamo exporter at a static shape.

    Args:
        ensemble: of networks on the CPU.
        calibrator: how its logits are calibrated.
        further: outputs beside the logits.

    Raises:
        UsageError: a further output is asked of members that take other patches or grids.
    """
    networks = [member.network for member in ensemble.members if isinstance(member, NetworkPredictor)]
    if ensemble.by_patch:
        module = _combined(networks, ensemble, calibrator, further)
        return [Graph(_exported(module, ensemble, further), ensemble, len(networks), _outputs(further))]
    if further:
        raise UsageError(
            f"members that take other patches or grids have no output {further[0]}", hint="leave out export.outputs"
        )
    return [
        Graph(_exported(network, member, ()), member, 1, _outputs(()))
        for network, member in zip(networks, ensemble.members, strict=True)
    ]


def checked_opset(graph: bytes) -> int:
    """The default-domain operator set of a graph that onnx.checker accepts.

    Raises:
        InputError: it is malformed.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(graph)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and protobuf raise unrelated types
        raise InputError("onnx.checker finds it malformed") from error
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def _outputs(further: Sequence[FurtherOutput]) -> tuple[GraphOutput, ...]:
    return tuple(GraphOutput.model_validate({"name": name, "axes": AXES[name]}) for name in (LOGITS, *further))


def _exported(module: torch.nn.Module, predictor: PatchPredictor, further: Sequence[FurtherOutput]) -> bytes:
    return onnx_graph(module, (1, predictor.task.channels, *predictor.spec.patch), outputs=(LOGITS, *further))


def _combined(
    networks: Sequence[torch.nn.Module],
    ensemble: EnsemblePredictor,
    calibrator: AppliedCalibrator,
    further: Sequence[FurtherOutput],
) -> torch.nn.Module:
    """The members, their combination, and the calibration where it is inside, as one module."""
    import torch

    task, rule = ensemble.task, RULES[ensemble.rule]
    deepest = _deepest(networks[0], (2, task.channels, *ensemble.spec.patch)) if "embedding" in further else ""

    class Combined(torch.nn.Module):  # type: ignore[misc]
        """Members in, named outputs out."""

        def __init__(self) -> None:
            super().__init__()
            self.members = torch.nn.ModuleList(networks)

        def forward(self, patch: Any) -> Any:
            features: list[Any] = []
            hook = None
            if deepest:
                module = self.members[0].get_submodule(deepest)
                hook = module.register_forward_hook(lambda _module, _inputs, answer: features.append(answer))
            answers = [member(patch) for member in self.members]
            if hook is not None:
                hook.remove()
            logits = _logits(rule.combine_tensors([_log_probabilities(answer, task) for answer in answers]), task)
            if calibrator.inside:
                logits = CALIBRATORS[calibrator.method].apply(logits, calibrator.parameter)
            made = {
                LOGITS: lambda: logits,
                "member_logits": lambda: torch.stack(answers, dim=1),
                "disagreement": lambda: _disagreement(answers, task),
                "embedding": lambda: features[0].flatten(2).mean(dim=2),
            }
            given = tuple(made[name]() for name in (LOGITS, *further))
            return given if further else logits

    return Combined()


def _disagreement(answers: Sequence[Any], task: SegmentationTask) -> Any:
    """The standard deviation of the members' probabilities, of the output where it is largest: (n, 1, *patch)."""
    import torch

    probabilities = torch.stack([one.sigmoid() if task.one_class else one.softmax(dim=1) for one in answers])
    return probabilities.std(dim=0, correction=0).amax(dim=1, keepdim=True)


def _log_probabilities(logits: Any, task: SegmentationTask) -> Any:
    """As `ml.inference.answers.log_probabilities_of`, on tensors (n, outputs, *patch).

    PyTorch exports `logsigmoid` as the logarithm of a sigmoid, which ONNX Runtime 1.31 gives an absolute error of 1e-7:
    too much for the logarithm of a small one. Written with an exponential, the logarithm itself has that error.
    """
    import torch

    if not task.one_class:
        return logits.log_softmax(dim=1)
    rest = torch.log1p(torch.exp(-logits.abs()))
    return torch.cat([(-logits).clamp(max=0) - rest, logits.clamp(max=0) - rest], dim=1)


def _logits(logarithms: Any, task: SegmentationTask) -> Any:
    """As `ml.inference.answers.logits_of_log`, on tensors."""
    if not task.one_class:
        return logarithms.clamp(min=math.log(EPSILON))
    return (logarithms[:, 1:] - logarithms[:, :1]).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)


def _deepest(network: torch.nn.Module, shape: Sequence[int]) -> str:
    """The name of the last module whose answer has the fewest voxels: the end of the encoder.

    Raises:
        UsageError: no module inside the network gives features on a grid.
    """
    import torch

    sizes: dict[str, int] = {}
    names = {module: name for name, module in network.named_modules() if name}

    def note(module: torch.nn.Module, _inputs: Any, answer: Any) -> None:
        if isinstance(answer, torch.Tensor) and answer.ndim == len(shape):
            sizes[names[module]] = answer[0, 0].numel()

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with torch.inference_mode():
            network(torch.zeros(tuple(shape)))
    finally:
        for hook in hooks:
            hook.remove()
    if not sizes:
        raise UsageError("the network has no output embedding", hint="leave it out of export.outputs")
    fewest = min(sizes.values())
    return [name for name, size in sizes.items() if size == fewest][-1]
