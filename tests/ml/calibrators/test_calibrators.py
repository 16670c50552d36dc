"""Every calibrator corrects overconfident logits, for arrays and tensors alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.calibrators.calibrator import Calibrator
from minivess.ml.calibrators.registry import CALIBRATORS
from minivess.ml.calibrators.temperature import negative_log_likelihood
from minivess.ml.inference.answers import to_logit, to_probability
from minivess.ml.inference.predictor import CalibratedPredictor, PatchPredictor
from minivess.records.models.networks.segresnet import SegResNetSpec
from tests.support.lazy_modules import lazily

with lazily("torch"):
    import torch

pytestmark = pytest.mark.verifies("SU-32")

rows = pytest.mark.parametrize("calibrator", CALIBRATORS.values(), ids=CALIBRATORS)
PATCH = (4, 8, 8)


class Half(PatchPredictor):
    """Sigmoid of half the patch."""

    def __init__(self) -> None:
        super().__init__(SegResNetSpec(patch=PATCH))

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_probability(patches / 2)


class Shift:
    """Adds its parameter."""

    def fit(self, logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        return 1.0

    def apply(self, logits: np.ndarray, parameter: float) -> np.ndarray:
        return logits + parameter


@pytest.mark.verifies("REQ-019")
@rows
def test_logits_that_are_three_times_too_large_become_more_likely(calibrator: Calibrator) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, 20_000).astype(np.float32)
    labels = rng.random(logits.size) < to_probability(logits)
    parameter = calibrator.fit(3 * logits, labels)
    corrected = calibrator.apply(3 * logits, parameter)
    assert corrected.dtype == np.float32
    assert negative_log_likelihood(corrected, labels) < negative_log_likelihood(3 * logits, labels)
    assert (np.diff(corrected[np.argsort(logits)]) >= 0).all()
    tensor = calibrator.apply(torch.from_numpy(3 * logits), parameter)
    np.testing.assert_allclose(tensor.numpy(), corrected, rtol=1e-6)


@pytest.mark.verifies("REQ-019")
def test_a_predictor_applies_the_named_calibrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALIBRATORS, "shift", Shift())
    patches = np.random.default_rng(0).normal(0, 2, (1, 1, *PATCH)).astype(np.float32)
    shifted = CalibratedPredictor(Half(), 0.5, "shift").forward(patches)
    np.testing.assert_allclose(to_logit(shifted), patches / 2 + 0.5, atol=1e-4)
    with pytest.raises(UsageError, match="no calibrator 'platt'"):
        CalibratedPredictor(Half(), 0.5, "platt")
