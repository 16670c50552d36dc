"""The explanation of a predicted mask: attributions by each method, each with its sanity check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.explain.grad_cam import grad_cam, layer_of
from minivess.ml.explain.integrated_gradients import complete_gradients, integrated_gradients
from minivess.ml.explain.sanity import randomisation_check
from minivess.ml.explain.target import ChosenPatch, MaskScore, choose_patch
from minivess.ml.inference.answers import class_indices, mask_of, probabilities_of
from minivess.ml.inference.predictor import NetworkPredictor
from minivess.ml.inference.tiling import sliding_window
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.records.evaluation.explanations import Attribution, MethodName
from minivess.records.sinks import Progress

RANDOMISED = 3
"""Networks whose weights are drawn anew."""
Build = Callable[[int], torch.nn.Module]
"""A network of the same build with weights that a seed draws."""


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Attributes:
        chosen: the patch and the predicted mask in it.
        maps: the attribution of each method, (*patch).
        attributions: how each was made, with its check, in the order of the maps.
        left_out: methods that gave the same value in all voxels.
    """

    chosen: ChosenPatch
    maps: Mapping[MethodName, NDArray[np.float32]]
    attributions: tuple[Attribution, ...]
    left_out: tuple[MethodName, ...] = ()


@implements("REQ-410", "REQ-411")
def explain(
    member: NetworkPredictor,
    build: Build,
    image: NDArray[Any],
    spacing: Spacing,
    *,
    number: int,
    layer: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Explanation:
    """Explain the mask of a class in the patch where it is largest.

    Args:
        member: a trained network with its preprocessing.
        build: makes the same network with other weights.
        image: raw, (z, y, x) or (y, x), channels last where there are several.
        spacing: micrometres along each spatial axis, where they are known.
        number: of the class, from 1.
        layer: of Grad-CAM++; None: the last convolution with several maps.
        seed: the randomised networks have the weights of the seeds after it.
        progress: called after each attribution.

    Raises:
        UsageError: the network predicts no voxel of the class, or there is no such layer.
        InputError: the image has other axes or channels.
    """
    values = member.preprocessor.apply(image, spacing)
    logits = sliding_window(
        values,
        member.spec.patch,
        member.logits,
        outputs=member.task.outputs,
        overlap=member.overlap,
        batch=member.batch,
    )
    predicted = class_indices(mask_of(probabilities_of(logits), member.task), member.task) == number
    chosen = choose_patch(values, predicted, member.spec.patch)
    patch = torch.from_numpy(chosen.values)[np.newaxis].to(member.device)
    output = 0 if member.task.one_class else number
    shown = layer_of(member.network, patch, layer, outputs=member.task.outputs)
    randomised = {one: build(one).to(member.device).eval() for one in range(seed + 1, seed + 1 + RANDOMISED)}

    def score(network: torch.nn.Module) -> torch.nn.Module:
        return MaskScore(network, output, chosen.mask).to(member.device)

    integrated = complete_gradients(score(member.network), patch)
    _hear(progress, 1)

    def by_gradients(network: torch.nn.Module) -> NDArray[np.float32]:
        return integrated_gradients(score(network), patch, steps=integrated.steps).attribution

    def by_maps(network: torch.nn.Module) -> NDArray[np.float32]:
        return grad_cam(score(network), network.get_submodule(shown), patch)

    gradients = Attribution(
        method="integrated-gradients",
        made=f"{integrated.steps} steps from the lowest value of each channel in the patch; summed over channels",
        completeness=integrated.completeness,
        check=randomisation_check(integrated.attribution, by_gradients, randomised, signed=True),
    )
    _hear(progress, 2)
    maps = by_maps(member.network)
    _hear(progress, 3)
    if np.ptp(maps) <= 0:
        return Explanation(chosen, {"integrated-gradients": integrated.attribution}, (gradients,), ("grad-cam++",))
    cam = Attribution(
        method="grad-cam++",
        made=f"layer {shown}, brought linearly to the grid of the patch",
        check=randomisation_check(maps, by_maps, randomised, signed=False),
    )
    _hear(progress, 4)
    return Explanation(chosen, {"integrated-gradients": integrated.attribution, "grad-cam++": maps}, (gradients, cam))


def _hear(progress: Progress | None, done: int) -> None:
    if progress is not None:
        progress("explaining", done, 4)
