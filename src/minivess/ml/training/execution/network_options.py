"""Options of training that change how a network is called, and not its weights: recomputed activations, outputs at coarser
levels, compilation.

The network itself stays what its adapter built: its tensors keep their names, and it answers as before outside training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.checkpoint import checkpoint

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.models.adapter import CoarserMap, expect_background
from minivess.ml.models.registry import adapter_of
from minivess.ml.training.execution.small_maps import small_maps_in_fp32
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits (n, outputs, *patch) and labels (n, 1, *patch) to a number."""

_HEADS = 0x4EAD5
"""Added to the seed of a member for the weights of its heads."""


class TrainedNetwork(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow PyTorch
    """What training calls: a network and, with deep supervision, a convolution of kernel 1 for each coarser level.

    In training it maps patches (n, channels, *patch) to a tuple of logits, the finest first; each further has half the
    resolution. Else the tuple has the logits of the network alone. The heads are no part of the network: they are in the
    checkpoint of a run and not in the weights that it leaves.

    Attributes:
        network: as its adapter built it.
        heads: one for each coarser level.
    """

    def __init__(
        self, network: torch.nn.Module, maps: Sequence[CoarserMap], task: SegmentationTask, *, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        convolution = torch.nn.Conv3d if len(task.axes) == 3 else torch.nn.Conv2d
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + _HEADS)
            self.heads = torch.nn.ModuleList(convolution(one.channels, task.outputs, 1) for one in maps)
        for head in self.heads:
            expect_background(head, task)
        self._maps: list[torch.Tensor] = []
        self._undo: list[Callable[[], None]] = []
        for one in reversed(maps):  # the decoder makes the coarsest first
            self._undo.append(one.module.register_forward_hook(self._keep).remove)

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Ask the network about patches."""
        self._maps.clear()
        logits = self.network(patches)
        coarser = tuple(head(found) for head, found in zip(self.heads, reversed(self._maps), strict=False))
        self._maps.clear()
        return (logits, *coarser)

    def compute_small_maps_in_fp32(self) -> None:
        """Leave bf16 where the convolutions of a CPU are wrong in it."""
        self._undo += small_maps_in_fp32(self)

    def recompute(self, blocks: Sequence[torch.nn.Module]) -> None:
        """Compute the activations inside blocks again in the backward pass, and keep their inputs alone."""
        for block in blocks:
            block.forward = _Recomputed(block)
            self._undo.append(lambda block=block: block.__dict__.pop("forward", None))  # type: ignore[misc]

    def release(self) -> torch.nn.Module:
        """The network, without anything that was added to it for training."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        return self.network

    def _keep(self, module: torch.nn.Module, inputs: Any, found: torch.Tensor) -> None:
        """A hook of the modules of coarser levels."""
        if self.training:
            self._maps.append(found)


class _Recomputed:
    """The forward pass of a block whose activations are computed again (Chen et al. 2016, arXiv 1604.06174).

    Running statistics of batch normalisation move once, in the first pass: PyTorch alone would move them twice.
    """

    def __init__(self, block: torch.nn.Module) -> None:
        self._block, self._plain = block, block.forward
        self._norms = [one for one in block.modules() if isinstance(one, _BatchNorm)]
        self._draws = any(isinstance(one, _DropoutNd) and one.p > 0 for one in block.modules())

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if not (self._block.training and torch.is_grad_enabled()):
            return self._plain(*inputs, **named)
        options: dict[str, Any] = {"context_fn": self._contexts} if self._norms else {}
        options |= {"use_reentrant": False, "preserve_rng_state": self._draws}
        return checkpoint(self._plain, *inputs, **options, **named)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _still(self._norms)


@contextmanager
def _still(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Normalise by the batch, as in training, and leave the running statistics as they are."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


@implements("REQ-367")
def prepared(
    network: torch.nn.Module,
    spec: NetworkSpec,
    training: TrainingSpec,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    *,
    seed: int = 0,
) -> TrainedNetwork:
    """A network with the options `checkpointing`, `deep_supervision` and `compile` of a training.

    Optimiser and checkpoint are of the module that is returned; the weights that a run leaves are those of its `network`.

    Args:
        network: as its adapter built it.
        spec: its specification.
        training: the options.
        task: channels, axes and classes.
        seed: draws the weights of heads.

    Raises:
        UsageError: the family does not support an option.
    """
    adapter = adapter_of(spec.architecture)
    for fault in adapter.option_faults(training):
        raise UsageError(fault, hint="remove the option, or choose another model.architecture")
    maps = adapter.coarser_maps(network) if training.deep_supervision else ()
    trained = TrainedNetwork(network, maps, task, seed=seed)
    if training.precision == "bf16":
        trained.compute_small_maps_in_fp32()
    if training.checkpointing:
        trained.recompute(adapter.recomputed_blocks(network))
    if training.compile:
        trained.compile(dynamic=False)
    return trained


def level_weights(levels: int) -> tuple[float, ...]:
    """Weights of the losses of so many levels, the finest first: 1, 1/2, 1/4, …, divided by their sum (Isensee et al. 2021)."""
    weights = [0.5**level for level in range(levels)]
    return tuple(weight / sum(weights) for weight in weights)


@implements("REQ-367")
def loss_of_levels(loss: Loss, outputs: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """The weighted mean of the losses of all levels.

    Args:
        loss: of one level.
        outputs: logits of each level, the finest first.
        labels: (n, 1, *patch) indices of classes; a coarser level has the nearest label of each of its voxels.
    """
    total = torch.zeros((), device=labels.device)
    for weight, logits in zip(level_weights(len(outputs)), outputs, strict=True):
        wanted = labels
        if logits.shape[2:] != labels.shape[2:]:
            wanted = torch.nn.functional.interpolate(labels, size=logits.shape[2:], mode="nearest-exact")
        total = total + weight * loss(logits, wanted)
    return total
