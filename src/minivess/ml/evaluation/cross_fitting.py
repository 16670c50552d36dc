"""Calibration and thresholds for each case, fitted on the cases of other groups alone.

Cross-fitting lets the calibration part be evaluated: no case is judged with what was fitted on its own group (Stone 1974,
Journal of the Royal Statistical Society B 36:111; Chernozhukov et al. 2018, The Econometrics Journal 21:C1). The groups are
divided into at most five folds. For each fold, temperature, conformal thresholds and the intensity thresholds of the baseline are
fitted on all other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.evaluation.baseline import tune_thresholds
from minivess.ml.inference.predictor import CalibratedPredictor, PatchPredictor
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate
from minivess.records.data.split import SplitManifest
from minivess.records.evaluation.evaluation import ClassThresholds
from minivess.records.sinks import Progress

MOST_FOLDS = 5


class CrossFit(NamedTuple):
    """What the cases of the calibration part are judged with."""

    predictor: CrossFittedPredictor
    thresholds: dict[str, tuple[ClassThresholds, ...]]
    """Of each case: one for each class, in the order of the task."""


class RememberedLogits(PatchPredictor):
    """Another predictor, whose logits of each image are computed once and kept in a folder.

    Args:
        base: the predictor.
        folder: for one `.npy` file an image.
    """

    def __init__(self, base: PatchPredictor, folder: Path) -> None:
        super().__init__(base.spec, base.task, base.preprocessor.preprocessing)
        self.batch, self.overlap, self._base, self._folder = base.batch, base.overlap, base, folder

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """The base's probabilities of patches."""
        return self._base.forward(patches)

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """The base's logits of patches."""
        return self._base.logits(patches)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        """The base's logits (outputs, *grid) of a raw image, mapped from the file."""
        path = self._folder / f"{key_of(image)}.npy"
        if not path.is_file():
            np.save(path, self._base.logit(image, spacing, watch))
        kept: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return kept


class CrossFittedPredictor:
    """Calibrates the logits of each image as it was fitted on other groups.

    Args:
        base: gives the logits.
        temperatures: of each image, by its key.
    """

    def __init__(self, base: PatchPredictor, temperatures: Mapping[str, float]) -> None:
        self._base, self._temperatures = base, temperatures

    def predict(self, image: NDArray[np.generic], spacing: Spacing = None) -> NDArray[np.float32]:
        """Probabilities (outputs, *grid) of a raw image of the calibration part; spacing in micrometres.

        Raises:
            UsageError: the image is none of those that were fitted for.
        """
        temperature = choose(self._temperatures, key_of(image), what="image of the calibration part")
        return CalibratedPredictor(self._base, temperature).predict(image, spacing)


def key_of(image: NDArray[Any]) -> str:
    """A name for an image, which follows from its shape, type and values."""
    plain = np.ascontiguousarray(image)
    return sha256(f"{plain.shape} {plain.dtype.str} ".encode() + plain.tobytes()).hexdigest()


@implements("REQ-423")
def folds_of(groups: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Divide cases into folds so that the cases of a group are in one fold.

    Args:
        groups: the independent group of each case.

    Returns:
        The cases of each fold: one fold a group up to five groups, else five folds with about as many groups each.

    Raises:
        UsageError: there are fewer than two groups.
    """
    names = sorted(set(groups.values()))
    if len(names) < 2:
        raise UsageError(
            f"cross-fitting needs at least two independent groups, and there is {len(names)}",
            hint="give `split.calibration` more subjects",
        )
    count = min(MOST_FOLDS, len(names))
    folds = {name: place % count for place, name in enumerate(names)}
    return tuple(tuple(case for case in groups if folds[groups[case]] == number) for number in range(count))


@implements("REQ-423", "RC-167")
def cross_fit(
    predictor: PatchPredictor,
    cases: Sequence[CalibrationCase],
    *,
    split: SplitManifest,
    groups: Mapping[str, str],
    target_recall: float,
    confidence: float,
    seed: int,
    folder: Path,
    progress: Progress,
) -> CrossFit:
    """Fit what each case is judged with on the cases of the other folds.

    Args:
        predictor: the model, calibrated or not.
        cases: of the calibration part, in memory or mapped.
        split: says which cases are the calibration part.
        groups: the independent group of each case.
        target_recall: recall that the conformal threshold must reach.
        confidence: of the stronger conformal statement.
        seed: draws the sample of voxels.
        folder: an empty folder for the logits of the cases.
        progress: called for each fold.

    Raises:
        UsageError: there are fewer than two groups.
        InputError: nothing can be fitted on the other folds, for example because they have no foreground.
    """
    remembered = RememberedLogits(predictor, folder)
    folds = folds_of({case.id: groups[case.id] for case in cases})
    temperatures: dict[str, float] = {}
    thresholds: dict[str, tuple[ClassThresholds, ...]] = {}
    for number, fold in enumerate(folds):
        others = [case for case in cases if case.id not in fold]
        fitted = calibrate(
            remembered,
            others,
            split=split.model_copy(update={"calibration": tuple(case.id for case in others)}),
            groups=groups,
            target_recall=target_recall,
            confidence=confidence,
            seed=seed,
        )
        pairs = [(case.image, case.label) for case in others]
        baselines = tune_thresholds(pairs, [groups[case.id] for case in others], predictor.task)
        tuned = tuple(
            ClassThresholds(baseline=baseline, conformal=fitted.threshold_of(one.name))
            for one, baseline in zip(predictor.task.classes, baselines, strict=True)
        )
        temperatures |= {key_of(case.image): fitted.temperature for case in cases if case.id in fold}
        thresholds |= dict.fromkeys(fold, tuned)
        progress("fitting on other groups", number + 1, len(folds))
    return CrossFit(CrossFittedPredictor(remembered, temperatures), _same_for_all(thresholds))


def _same_for_all(thresholds: dict[str, tuple[ClassThresholds, ...]]) -> dict[str, tuple[ClassThresholds, ...]]:
    """Thresholds without the conformal one of a class that some folds have too few groups for: a class has conformal masks in all
    cases, or in none."""
    guaranteed = [
        all(one.conformal is not None for one in of_class) for of_class in zip(*thresholds.values(), strict=True)
    ]
    return {
        case: tuple(
            one if has else one.model_copy(update={"conformal": None})
            for one, has in zip(of_case, guaranteed, strict=True)
        )
        for case, of_case in thresholds.items()
    }
