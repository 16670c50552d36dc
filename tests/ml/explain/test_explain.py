"""Attributions: equal to what is computed by hand, about the network, and refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.records.data.dataset import LabelClass
from minivess.records.evaluation.explanations import FORMAT, ExplanationRecord, SanityCheck
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings, strategies

with lazily(
    "torch",
    "minivess.ml.explain.explanation",
    "minivess.ml.explain.grad_cam",
    "minivess.ml.explain.integrated_gradients",
    "minivess.ml.explain.picture",
    "minivess.ml.explain.sanity",
    "minivess.ml.explain.target",
    "minivess.ml.inference.predictor",
    "tests.support.builders.tiny_training",
    "tests.support.tiny_networks",
):
    import torch

    from minivess.ml.explain import explanation, grad_cam, integrated_gradients, picture, sanity, target
    from minivess.ml.inference import predictor
    from tests.support import tiny_networks
    from tests.support.builders import tiny_training

pytestmark = pytest.mark.verifies("REQ-410")

DIGEST = f"sha256:{'0' * 64}"
PICTURES = SegmentationTask(axes="yx")
VOLUMES = SegmentationTask()
TWO = SegmentationTask(axes="yx", channels=2, classes=(LabelClass(value=1, name="a"), LabelClass(value=2, name="b")))
SIZES = {"yx": (24, 32), "zyx": (10, 16, 16)}


def explained(task: SegmentationTask, *, seed: int = 0) -> tuple[explanation.Explanation, NDArray[np.bool_]]:
    """The first class of a case, and where its line is in the patch that is explained."""
    patch = SIZES[task.axes]
    spec = tiny_networks.TinySpec(patch=patch)
    member = predictor.NetworkPredictor(
        tiny_training.trained(spec, task), spec, "cpu", task=task, preprocessing=Preprocessing.of(task)
    )
    image, _, line = tiny_training.blobs(999, tuple(side + 4 for side in patch))
    wide = image if task.channels == 1 else np.stack([image] * task.channels, axis=-1)
    found = explanation.explain(
        member, lambda one: tiny_networks.ADAPTER.build(spec, task, seed=one), wide, None, number=1, seed=seed
    )
    start = found.chosen.start
    return found, line[tuple(slice(low, low + side) for low, side in zip(start, patch, strict=True))]


@pytest.mark.verifies("REQ-411")
@pytest.mark.parametrize("task", [PICTURES, VOLUMES, TWO], ids=["pictures", "volumes", "two-classes"])
def test_a_trained_network_is_explained_by_what_it_learned(task: SegmentationTask) -> None:
    found, line = explained(task)
    integrated, cam = found.maps["integrated-gradients"], found.maps["grad-cam++"]
    mask = found.chosen.mask
    assert integrated.shape == cam.shape == mask.shape
    assert cam.min() >= 0
    assert np.clip(integrated, 0, None)[mask].mean() > 5 * np.clip(integrated, 0, None)[line & ~mask].mean()
    assert found.attributions[0].completeness is not None
    assert found.attributions[0].completeness <= 0.05
    for one in found.attributions:
        assert len(one.check.correlations) == 3
    assert found.attributions[0].check.passed


def test_the_same_seed_gives_the_same_maps() -> None:
    first, second = explained(PICTURES)[0], explained(PICTURES)[0]
    assert first.attributions == second.attributions
    assert np.array_equal(first.maps["grad-cam++"], second.maps["grad-cam++"])


def test_integrated_gradients_of_a_linear_network_are_exact() -> None:
    network = torch.nn.Conv2d(2, 1, 1, bias=True)
    with torch.no_grad():
        network.weight[:] = torch.tensor([2.0, -3.0]).reshape(1, 2, 1, 1)
    mask = np.zeros((4, 5), np.bool_)
    mask[1:3, 2] = True
    patch = torch.rand(1, 2, 4, 5)
    found = integrated_gradients.integrated_gradients(target.MaskScore(network, 0, mask), patch, steps=4)
    moved = (patch - patch.amin(dim=(2, 3), keepdim=True))[0].numpy()
    wanted = mask * (2 * moved[0] - 3 * moved[1])
    assert found.attribution == pytest.approx(wanted, abs=1e-5)
    assert found.completeness < 1e-4


@pytest.mark.parametrize("axes", [2, 3])
def test_grad_cam_is_that_of_its_formula(axes: int) -> None:
    convolution = (torch.nn.Conv2d, torch.nn.Conv3d)[axes - 2]
    torch.manual_seed(0)
    network = torch.nn.Sequential(convolution(1, 3, 3, padding=1), torch.nn.ReLU(inplace=True), convolution(3, 1, 1))
    mask = np.zeros((6,) * axes, np.bool_)
    mask[(slice(2, 5),) * axes] = True
    patch = torch.randn(1, 1, *mask.shape)
    found = grad_cam.grad_cam(target.MaskScore(network, 0, mask), network[0], patch)
    maps = network[0](patch)[0].detach().double().numpy()
    slope = network[2].weight.detach().double().numpy().ravel()
    gradient = np.stack([one * mask * (value > 0) for one, value in zip(slope, maps, strict=True)])
    below = 2 * gradient**2 + gradient**3 * maps.sum(axis=tuple(range(1, axes + 1)), keepdims=True)
    alpha = np.divide(gradient**2, below, out=np.zeros_like(below), where=below != 0)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=tuple(range(1, axes + 1)))
    wanted = np.maximum(np.tensordot(weights, maps, axes=1), 0)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_a_coarser_layer_is_brought_to_the_grid_of_the_patch() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.Upsample(scale_factor=2), torch.nn.Conv2d(4, 1, 1)
    )
    found = grad_cam.grad_cam(
        target.MaskScore(network, 0, np.ones((8, 8), np.bool_)), network[0], torch.rand(1, 1, 8, 8)
    )
    assert found.shape == (8, 8)


def test_the_last_layer_that_runs_is_shown() -> None:
    class Backwards(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.last = torch.nn.Conv2d(4, 1, 1), torch.nn.Conv2d(4, 4, 3, padding=1)
            self.first = torch.nn.Conv2d(1, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.last(self.first(x)))

    patch = torch.rand(1, 1, 8, 8)
    assert grad_cam.layer_of(Backwards(), patch, outputs=1) == "last"
    assert grad_cam.layer_of(Backwards(), patch, "first", outputs=1) == "first"
    with pytest.raises(UsageError, match="'lst'"):
        grad_cam.layer_of(Backwards(), patch, "lst", outputs=1)
    with pytest.raises(UsageError, match="no convolution"):
        grad_cam.layer_of(torch.nn.Identity(), patch, outputs=1)


@pytest.mark.verifies("REQ-411")
def test_a_map_of_the_edges_of_the_image_fails_the_check() -> None:
    patch = np.random.default_rng(0).normal(0, 1, (20, 20)).astype(np.float32)

    def edges(network: torch.nn.Module) -> NDArray[np.float32]:
        return np.hypot(*np.gradient(patch)).astype(np.float32)

    check = sanity.randomisation_check(
        edges(torch.nn.Identity()), edges, {1: torch.nn.Identity(), 2: torch.nn.Identity()}, signed=False
    )
    assert check.correlations == pytest.approx((1.0, 1.0))
    assert not check.passed


@pytest.mark.verifies("REQ-411")
def test_correlations_of_other_sign_do_not_cancel() -> None:
    assert not SanityCheck(seeds=(1, 2), correlations=(0.5, -0.5)).passed
    assert SanityCheck(seeds=(1, 2), correlations=(0.2, -0.2)).passed
    with pytest.raises(ValueError, match="each randomised"):
        SanityCheck(seeds=(1, 2), correlations=(0.5,))


@given(seed=strategies.integers(0, 2**16), distinct=strategies.integers(2, 40))
@settings(max_examples=30)
def test_the_rank_correlation_is_that_of_scipy(seed: int, distinct: int) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    one, other = (rng.integers(0, distinct, (6, 7)).astype(np.float32) for _ in range(2))
    if np.ptp(one) and np.ptp(other):
        assert sanity.rank_correlation(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel())[0])
    assert sanity.rank_correlation(one, np.zeros_like(one)) == 0


def test_a_map_that_is_the_same_everywhere_is_refused() -> None:
    flat = np.ones((4, 4), np.float32)
    with pytest.raises(UsageError, match="same in all voxels"):
        sanity.randomisation_check(flat, lambda _: flat, {1: torch.nn.Identity()}, signed=False)
    with pytest.raises(UsageError, match="randomised network"):
        sanity.randomisation_check(flat, lambda _: flat, {}, signed=False)


@given(seed=strategies.integers(0, 2**16), axes=strategies.sampled_from([2, 3]))
@settings(max_examples=30)
def test_the_patch_has_the_most_voxels_of_the_mask(seed: int, axes: int) -> None:
    rng = np.random.default_rng(seed)
    grid, patch = rng.integers(4, 12, axes), tuple(int(side) for side in rng.integers(2, 5, axes))
    mask = rng.random(grid) < 0.2
    mask.flat[0] = True
    image = rng.random((2, *grid)).astype(np.float32)
    chosen = target.choose_patch(image, mask, patch)
    window = tuple(slice(low, low + side) for low, side in zip(chosen.start, patch, strict=True))
    assert np.array_equal(chosen.mask, mask[window])
    assert np.array_equal(chosen.values, image[(slice(None), *window)])
    corners = np.ndindex(*(int(size) - side + 1 for size, side in zip(grid, patch, strict=True)))
    sums = [
        np.count_nonzero(mask[tuple(slice(low, low + side) for low, side in zip(corner, patch, strict=True))])
        for corner in corners
    ]
    assert np.count_nonzero(chosen.mask) == max(sums)


def test_an_image_smaller_than_the_patch_is_reflected_and_an_empty_mask_refused() -> None:
    mask = np.zeros((4, 5), np.bool_)
    with pytest.raises(UsageError, match="nothing to explain"):
        target.choose_patch(np.zeros((1, 4, 5), np.float32), mask, (6, 6))
    mask[0, 0] = True
    chosen = target.choose_patch(np.zeros((1, 4, 5), np.float32), mask, (6, 6))
    assert chosen.values.shape == (1, 6, 6)
    assert min(chosen.start) <= 0


@pytest.mark.verifies("REQ-412")
@pytest.mark.parametrize("task", [PICTURES, VOLUMES], ids=["pictures", "volumes"])
def test_the_picture_is_the_same_bytes_twice(task: SegmentationTask) -> None:
    found, _ = explained(task)
    record = ExplanationRecord(
        format=FORMAT,
        model=DIGEST,
        member=0,
        weights=DIGEST,
        case="case-1",
        part="calibration",
        image=DIGEST,
        of_class="vessel",
        start=found.chosen.start,
        patch=found.chosen.mask.shape,
        voxels=int(found.chosen.mask.sum()),
        attributions=found.attributions,
        libraries={"captum": "0.9.0"},
    )
    assert ExplanationRecord.model_validate_json(record.model_dump_json()) == record
    spacing = (2.0, 1.0, 1.0)[-len(task.axes) :]
    made = picture.picture(record, found, spacing)
    assert made.startswith(b"\x89PNG")
    assert made == picture.picture(record, found, spacing)
    failed = record.attributions[0].model_copy(
        update={"check": SanityCheck(seeds=(1,), correlations=(0.9,), absolute=(0.9,))}
    )
    marked = record.model_copy(update={"attributions": (failed, *record.attributions[1:])})
    assert picture.picture(marked, found, spacing) != made
