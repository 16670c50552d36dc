"""Grad-CAM++ (Chattopadhay, Sarkar, Howlader & Balasubramanian 2018, arXiv 1710.11063) for segmentation, in 2D and 3D.

The score is that of a mask instead of a class of the whole image (as Seg-Grad-CAM, Vinogradova, Dibrov & Myers 2020, arXiv
2002.11434). The weight of a feature map is the sum over its voxels of alpha times the positive gradient, where alpha is
g^2 / (2 g^2 + g^3 sum(A)).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.conv import _ConvNd

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements


def layer_of(network: torch.nn.Module, patch: torch.Tensor, name: str | None = None, *, outputs: int) -> str:
    """The name of the layer that is shown: the last convolution that runs with more maps than the network has outputs.

    Args:
        network: whose layer.
        patch: (1, channels, *patch), which is sent through the network to see the order of its layers.
        name: of a module of the network; None: the last such convolution.
        outputs: of the network.

    Raises:
        UsageError: there is no such layer.
    """
    held = {place: module for place, module in network.named_modules() if place}
    if name is not None:
        choose(held, name, what="layer")
        return name
    order: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, place=place: order.append(place))
        for place, module in held.items()
        if isinstance(module, _ConvNd) and module.out_channels > outputs
    ]
    try:
        with torch.no_grad():
            network(patch)
    finally:
        for hook in hooks:
            hook.remove()
    if not order:
        raise UsageError("the network has no convolution with several maps", hint="name a layer")
    return order[-1]


@implements("REQ-410")
def grad_cam(score: torch.nn.Module, layer: torch.nn.Module, patch: torch.Tensor) -> NDArray[np.float32]:
    """The map of a patch, (*patch), 0 or more, brought linearly from the grid of the layer to that of the patch.

    Args:
        score: patches (n, channels, *patch) to (n,).
        layer: a module inside it whose output is (n, maps, *size).
        patch: (1, channels, *patch).

    Raises:
        UsageError: the output of the layer does not reach the score, or has other axes.
    """
    held: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        held.append(output)
        return output.clone()  # later modules may change their input in place

    hook = layer.register_forward_hook(keep)
    try:
        value = score(patch.detach().requires_grad_()).sum()
    finally:
        hook.remove()
    if len(held) != 1 or held[0].ndim != patch.ndim:
        raise UsageError("the layer gives no maps along the axes of the patch", hint="name a convolution")
    maps = held[0]
    (gradient,) = torch.autograd.grad(value, maps, allow_unused=True)
    if gradient is None:
        raise UsageError("the layer does not reach the logits of this class", hint="name another layer")
    axes = tuple(range(2, maps.ndim))
    maps, gradient = maps.detach().double(), gradient.double()
    below = 2 * gradient**2 + gradient**3 * maps.sum(dim=axes, keepdim=True)
    alpha = torch.where(below != 0, gradient**2 / torch.where(below != 0, below, torch.ones_like(below)), 0.0)
    weights = (alpha * gradient.relu()).sum(dim=axes, keepdim=True)
    shown = (weights * maps).sum(dim=1, keepdim=True).relu()
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[shown.ndim]
    resized = torch.nn.functional.interpolate(shown, patch.shape[2:], mode=mode, align_corners=False)
    found: NDArray[np.float32] = resized[0, 0].float().cpu().numpy()
    return found
