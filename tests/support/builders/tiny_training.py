"""A tiny network that was trained on blobs beside bright lines, and a project with an ensemble of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import digest_bytes
from minivess.records.models.model import RunRecord
from minivess.records.models.task import SegmentationTask
from minivess.workflows.models import ensembles
from minivess.workflows.session import workspace_files
from minivess.workflows.session.recording import recorded
from tests.support.projects import ProjectFolder
from tests.support.tiny_networks import ADAPTER, TinySpec

if TYPE_CHECKING:
    import torch

SITE = """\
Metadata-Version: 2.1
Name: tiny-networks
Version: 1.0
"""


def blobs(seed: int, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """An image, the mask of its two blobs, and the bright line that is no blob."""
    from scipy import ndimage

    rng, grid = np.random.default_rng(seed), np.indices(shape)
    mask, line = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    for _ in range(2):
        middle, radius = [rng.integers(3, side - 3) for side in shape], rng.integers(2, 4)
        near = sum((axis - place) ** 2 for axis, place in zip(grid, middle, strict=True)) <= radius**2
        mask |= np.asarray(near, np.uint8)
    line[..., rng.integers(shape[-1])] = True
    image = ndimage.gaussian_filter(mask * 4.0, 0.7) + 2.0 * line + rng.normal(0, 0.7, shape)
    return image.astype(np.float32), mask, line & (mask == 0)


def trained(spec: TinySpec, task: SegmentationTask, *, steps: int = 40) -> torch.nn.Module:
    """A network that finds the blobs; several classes: the first one."""
    import torch

    network = ADAPTER.build(spec, task, seed=0)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    network.train()
    for step in range(steps):
        made = [blobs(4 * step + number, spec.patch) for number in range(4)]
        images = np.stack([(image - image.mean()) / image.std() for image, _, _ in made])
        x = torch.from_numpy(images)[:, np.newaxis].expand(-1, task.channels, *spec.patch)
        y = torch.from_numpy(np.stack([mask for _, mask, _ in made])).float()
        logits = network(x)[:, 0 if task.one_class else 1]
        probability = logits.sigmoid()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        loss = loss + 1 - 2 * (probability * y).sum() / (probability.sum() + y.sum())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def install(site: Path) -> None:
    """Write the metadata of a package with the family `tiny` into a folder where Python looks for packages."""
    info = site / "tiny_networks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(SITE, encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[minivess.models]\ntiny = tests.support.tiny_networks:ADAPTER\n", encoding="utf-8"
    )


def add_tiny_ensemble(project: ProjectFolder) -> None:
    """Record one trained member and its ensemble, as training does; the family must be installed."""
    from minivess.ml.models.weights import save_weights

    workspace, ada = project.workspace, project.signers["ada"]
    text = workspace.project_file.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith("model:"))
    said = "model: {architecture: tiny, patch: [8, 16, 16]}"
    workspace.project_file.write_text(text.replace(line, said), encoding="utf-8")
    with project.services() as services:
        plan = services.project
        spec = TinySpec(patch=(8, 16, 16))
        weights = save_weights(
            workspace.models / "members" / "seed-0" / "weights.safetensors",
            trained(spec, SegmentationTask()).state_dict(),
        )
        run = RunRecord(
            seed=0,
            model=plan.model,
            training=plan.training,
            data=digest_bytes(b"tiny cases"),
            weights=weights,
            steps=1,
            final_loss=0.5,
            device="cpu",
            seconds=0.1,
        )
        with recorded(services, "training", ada, context=services.context(seed=0, model=weights)) as record:
            workspace_files.write_json(workspace, "models/members/seed-0/run.json", run)
            record.output("models/members/seed-0/run.json", workspace.models / "members" / "seed-0" / "run.json")
            record.payload(architecture=plan.model.architecture, steps=1, final_loss=0.5)
        ensembles.combine(services, ada)
