"""What training reaches on public images, seed by seed, and what a plain loop reaches with as many steps.

    uv run python benchmarks/training_figures.py rossa ROSSA
    uv run python benchmarks/training_figures.py hippocampus HIPPOCAMPUS --seeds 0 1 2
    uv run python benchmarks/training_figures.py vesselnn VESSELNN
    uv run python benchmarks/training_figures.py synthetic

The folders are those of the data sets: OCTA images of the retina (`train_manual` and `val`, each with `image` and `label`),
Task 4 of the Medical Segmentation Decathlon (`images` and `labels`), and the vesselNN data set (the same). The synthetic set is
made here: arteries and veins. Networks train on one thread of the CPU, without validation cases. Printed are the mean and the
worst Dice of the images that were not trained on, and the CPU seconds of preparing, training and saving.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from training_sets import SETS, DataSet, Load  # of this folder

from minivess.ml.inference.answers import class_indices, mask_of
from minivess.ml.measures.dice import dice
from minivess.ml.sampling.case_store import store_cases
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.training import TrainingSpec

_SPECIFICATION: TypeAdapter[NetworkSpec] = TypeAdapter(ModelSpec)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and judge each seed; 1 when one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETS)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--plain", action="store_true", help="train by a plain loop instead, with as many steps")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="a field of model or training")
    chosen = parser.parse_args(arguments)
    data = SETS[chosen.data]
    for one in chosen.set:
        name, _, value = one.partition("=")
        section = data.model if name in {"architecture", "filters", "levels", "patch", "features"} else data.training
        section[name] = eval(value, {})  # noqa: S307  the user's own
    learned, judged = data.parts(chosen.folder)
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    print(f"{chosen.data}: {len(learned)} cases to train on, {len(judged)} to judge; load {os.getloadavg()[0]:.1f}")
    print(f"  {data.model} {data.training}")
    missed, over = 0, []
    for seed in chosen.seeds:
        train = _plain if chosen.plain else _train
        begun = time.process_time()
        network = train(data, learned, seed)
        seconds = time.process_time() - begun
        figures = _judge(data, network, judged)
        means = {name: float(np.mean(values)) for name, values in figures.items()}
        worst = {name: float(np.min(values)) for name, values in figures.items()}
        over.append(means)
        short = not data.over_seeds and _short(data, means)
        short |= seconds > data.seconds or min(worst.values()) < data.worst
        missed += short
        said = ", ".join(f"{name} {means[name]:.3f} (worst {worst[name]:.3f})" for name in means)
        end = f"{seconds:.0f} CPU-s, load {os.getloadavg()[0]:.1f}{'; falls short' if short else ''}"
        print(f"  seed {seed}: {said}; {end}", flush=True)
    mean = {name: float(np.mean([one[name] for one in over])) for name in over[0]}
    print(
        f"  mean of {len(over)} seeds: {', '.join(f'{name} {value:.3f}' for name, value in mean.items())}", flush=True
    )
    missed += data.over_seeds and _short(data, mean)
    return int(missed > 0)


def _short(data: DataSet, means: dict[str, float]) -> bool:
    return any(means[name] < least for name, least in data.limits.items())


def _train(data: DataSet, learned: Sequence[Load], seed: int) -> Any:
    from minivess.ml.models.registry import build_network
    from minivess.ml.models.weights import fill, load_weights
    from minivess.ml.training.member import train_member

    spec, training = _SPECIFICATION.validate_python(data.model), TrainingSpec.model_validate(data.training)
    preprocessing = Preprocessing.of(data.task)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "member"
        store = store_cases(
            (load() for load in learned),
            Path(folder) / "cases",
            patch=spec.patch,
            task=data.task,
            preprocessing=preprocessing,
        )
        train_member(store, spec, training, seed=seed, out=out, task=data.task, preprocessing=preprocessing)
        network = build_network(spec, data.task, seed=seed)
        fill(network, load_weights(out / "weights.safetensors"))
    return network


def _plain(data: DataSet, learned: Sequence[Load], seed: int) -> Any:
    """What anybody would write: all images in memory, random patches, flips, Dice plus cross-entropy, AdamW, one cycle."""
    import torch

    from minivess.ml.inference.tiling import pad_to
    from minivess.ml.losses.dice_cross_entropy import dice_and_cross_entropy
    from minivess.ml.models.registry import build_network
    from minivess.ml.preprocessing.preprocessor import Preprocessor

    spec, training = _SPECIFICATION.validate_python(data.model), TrainingSpec.model_validate(data.training)
    preprocessor, rng = Preprocessor(Preprocessing.of(data.task)), np.random.default_rng(seed)
    held = [
        (
            pad_to(preprocessor.apply(case.image, None), spec.patch)[0],
            pad_to(class_indices(case.label, data.task), spec.patch)[0],
        )
        for case in (load() for load in learned)
    ]
    network = build_network(spec, data.task, seed=seed).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.learning_rate, total_steps=training.steps)
    for _ in range(training.steps):
        images, labels = [], []
        for _ in range(training.batch):
            image, label = held[int(rng.integers(len(held)))]
            start = [int(rng.integers(size - side + 1)) for size, side in zip(label.shape, spec.patch, strict=True)]
            place = tuple(slice(one, one + side) for one, side in zip(start, spec.patch, strict=True))
            axes = [axis for axis in range(-label.ndim, 0) if rng.random() < 0.5]
            images.append(np.flip(image[(slice(None), *place)], axes))
            labels.append(np.flip(label[place], axes)[None])
        batch = torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels).astype(np.float32))
        loss = dice_and_cross_entropy(network(batch[0]), batch[1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def _judge(data: DataSet, network: Any, judged: Sequence[Load]) -> dict[str, list[float]]:
    from minivess.ml.inference.predictor import NetworkPredictor

    predictor = NetworkPredictor(network, _SPECIFICATION.validate_python(data.model), "cpu", task=data.task)
    figures: dict[str, list[float]] = {one.name: [] for one in data.task.classes}
    for case in (load() for load in judged):
        answer, truth = (
            class_indices(mask, data.task) for mask in (mask_of(predictor.predict(case.image), data.task), case.label)
        )
        for number, one in enumerate(data.task.classes, start=1):
            figures[one.name].append(dice(answer == number, truth == number))
    return figures


if __name__ == "__main__":
    sys.exit(main())
