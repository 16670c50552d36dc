"""The contract of a family of networks: how it is configured, built, asked, loaded and exported.

The rest of the pipeline knows networks through this contract alone. PyTorch and the libraries of networks are imported when
a network is built, so that the registry can be asked at little cost.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NamedTuple, TypeVar, get_args

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import Axes, Capabilities
from minivess.records.models.networks.network import PICTURE_PATCH, VOLUME_PATCH, NetworkSpec
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec

if TYPE_CHECKING:
    import torch

PRIOR = 0.1
"""Share of foreground a new network expects."""

Spec = TypeVar("Spec", bound=NetworkSpec)


@dataclass(frozen=True)
class SegmentationOutput:
    """What a network says about a batch of patches."""

    logits: torch.Tensor
    """(n, outputs, *patch), float32; `outputs` is 1 for one class, else the background and one for each class."""
    uncertainty: torch.Tensor | None = None
    """(n, 1, *patch), 0 (certain) or more, where the network has an own measure of it."""
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)
    """What else the network says about its answer."""

    @property
    def probabilities(self) -> torch.Tensor:
        """(n, outputs, *patch): the sigmoid of one logit, or the softmax over several."""
        if self.logits.shape[1] == 1:
            return self.logits.sigmoid()
        return self.logits.softmax(dim=1)


TrainingOption = Literal["checkpointing", "deep_supervision"]
"""Options of the section `training` that a family must support."""

_UNSUPPORTED: Mapping[TrainingOption, str] = {
    "checkpointing": "training.checkpointing: {} names no blocks whose activations can be computed again",
    "deep_supervision": "training.deep_supervision: {} has no outputs at coarser levels",
}


class CoarserMap(NamedTuple):
    """Features of a network at a coarser resolution than its answer."""

    module: torch.nn.Module
    """Whose output they are: (n, channels, *size)."""
    channels: int


class ModelAdapter(ABC, Generic[Spec]):  # noqa: UP046  type parameters of classes read poorly beside class variables
    """One family of networks. Adapters hold no state: a network is what `build` returns.

    A network maps float32 patches (n, channels, *patch) to float32 logits (n, outputs, *patch). A family that is asked
    otherwise (class by class, or slice by slice) does so inside its network's `forward`.
    """

    specification: ClassVar[type[NetworkSpec]]
    """The record of the family's configuration."""
    axes: ClassVar[tuple[str, ...]] = ("zyx", "yx")
    """The spatial axes the family is made for."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Packages that must be installed besides those of `minivess[ml]`."""

    supports: ClassVar[frozenset[TrainingOption]] = frozenset()
    """The options of training that the family supports, by `recomputed_blocks` and `coarser_maps`."""

    @property
    def takes(self) -> Capabilities:
        """The cases that the family takes: along its axes, in grey or in colour, with any classes."""
        return Capabilities(axes=tuple(axes for axes in get_args(Axes) if axes.removesuffix("c") in self.axes))

    @abstractmethod
    def divisor(self, spec: Spec) -> int:
        """What each side of a patch must be divisible by."""

    def smallest(self, spec: Spec) -> int:
        """The shortest side of a patch."""
        return 2 * self.divisor(spec)

    @abstractmethod
    def network(self, spec: Spec, task: SegmentationTask) -> torch.nn.Module:
        """A network whose weights are drawn by PyTorch's random state."""

    def patch_fault(self, spec: Spec, axes: str) -> str | None:
        """The sentence about a patch that the family cannot take along these axes; None when it fits."""
        divisor, smallest = self.divisor(spec), self.smallest(spec)
        if len(spec.patch) == len(axes) and all(side >= smallest and side % divisor == 0 for side in spec.patch):
            return None
        sides = ", ".join(str(smallest + step * divisor) for step in range(3))
        return (
            f"a patch of {spec.patch} does not fit {spec.architecture}: sides must be {sides}, … voxels, one for each of "
            f"{', '.join(axes)}"
        )

    def check(self, spec: Spec, task: SegmentationTask) -> None:
        """Check that a network of this specification can be built for the task. Nothing heavy is imported.

        Raises:
            UsageError: the family does not know such images, or the patch does not fit.
        """
        if task.axes not in self.axes:
            kind = "pictures (y, x)" if task.axes == "yx" else "volumes (z, y, x)"
            raise UsageError(f"{spec.architecture} does not take {kind}", hint="choose another model.architecture")
        if (fault := self.patch_fault(spec, task.axes)) is not None:
            divisor, smallest = self.divisor(spec), self.smallest(spec)
            usual = VOLUME_PATCH if task.axes == "zyx" else PICTURE_PATCH
            example = [max(smallest, math.ceil(side / divisor) * divisor) for side in usual]
            raise UsageError(fault, hint=f"choose for example model.patch: {example}")

    def build(self, spec: Spec, task: SegmentationTask, *, seed: int) -> torch.nn.Module:
        """Build a network with weights drawn by `seed`; the caller's random state is left as it was.

        Raises:
            UsageError: as `check` does, or a package is not installed.
        """
        self.check(spec, task)
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.network(spec, task)
        expect_background(network, task)
        return network

    def forward(self, network: torch.nn.Module, patches: torch.Tensor) -> SegmentationOutput:
        """Ask a network about patches (n, channels, *patch), already preprocessed."""
        return SegmentationOutput(logits=network(patches).float())

    @implements("REQ-367")
    def option_faults(self, training: TrainingSpec) -> tuple[str, ...]:
        """A sentence about each option of training that the family does not support. Nothing heavy is imported."""
        return tuple(
            text.format(self.specification.model_fields["architecture"].default)
            for option, text in _UNSUPPORTED.items()
            if getattr(training, option) and option not in self.supports
        )

    def recomputed_blocks(self, network: torch.nn.Module) -> tuple[torch.nn.Module, ...]:
        """The blocks, none inside another, of which training keeps the inputs alone with `training.checkpointing`.

        No later module may change the input of a block in place.
        """
        return ()

    def coarser_maps(self, network: torch.nn.Module) -> tuple[CoarserMap, ...]:
        """What `training.deep_supervision` makes outputs of: at half the resolution, at a quarter, and so on."""
        return ()

    def trainable_parameters(self, network: torch.nn.Module) -> int:
        """How many numbers training changes."""
        return sum(one.numel() for one in network.parameters() if one.requires_grad)

    def has_dropout(self, network: torch.nn.Module) -> bool:
        """Whether training sets values to zero at random, so that repeated answers can differ (Gal & Ghahramani 2016)."""
        from torch.nn.modules.dropout import _DropoutNd

        return any(isinstance(one, _DropoutNd) and one.p > 0 for one in network.modules())

    def load(self, network: torch.nn.Module, path: Path, *, expected: Digest | None = None) -> None:
        """Give a network the weights of a file; see `ml.models.weights.load_weights` for what is refused.

        Raises:
            InputError: the file holds tensors of other names or shapes.
        """
        from minivess.ml.models.weights import fill, load_weights

        fill(network, load_weights(path, expected=expected), path=path)

    def export(self, network: torch.nn.Module, spec: Spec, task: SegmentationTask) -> bytes:
        """The network as an ONNX graph from `patch` (1, channels, *patch) to `logits`, weights inside."""
        from minivess.ml.models.graphs.onnx_graph import onnx_graph

        return onnx_graph(network, (1, task.channels, *spec.patch), outputs=("logits",))


def expect_background(network: torch.nn.Module, task: SegmentationTask) -> None:
    """Set the bias of the last convolution so that every voxel starts with the probability `PRIOR` of foreground.

    Without it, the first of few steps go into learning that vessels are rare (Lin et al. 2017, arXiv 1708.02002, 4.1).
    On the hard synthetic setting SegResNet reached held-out Dice .875 in 60 steps with it, .847 without. Several classes
    share the probability. A network without such a convolution is left as it is.
    """
    import torch
    from torch.nn.modules.conv import _ConvNd

    heads = [one for one in network.modules() if isinstance(one, _ConvNd) and one.out_channels == task.outputs]
    if not heads or heads[-1].bias is None:
        return
    with torch.no_grad():
        if task.outputs == 1:
            heads[-1].bias.fill_(math.log(PRIOR / (1 - PRIOR)))
        else:
            heads[-1].bias[0] = math.log(1 - PRIOR)
            heads[-1].bias[1:] = math.log(PRIOR / len(task.classes))
