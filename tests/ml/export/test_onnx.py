"""Export of real PyTorch networks (small convolutions, no MONAI); slow because of the exporter's imports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.ml.export.onnx import certify, to_onnx
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.predictor import CalibratedPredictor, EnsemblePredictor, NetworkPredictor
from minivess.records.models.segresnet import SegResNetSpec
from tests.support.lazy_modules import lazily

with lazily("torch"):
    import torch

pytestmark = pytest.mark.verifies("SU-34")

SPEC = SegResNetSpec(patch=(8, 12, 12))


def _ensemble(seed: int) -> EnsemblePredictor:
    torch.manual_seed(seed)
    networks = [
        torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(4, 1, 3, padding=1))
        for _ in range(2)
    ]
    return EnsemblePredictor([NetworkPredictor(network, SPEC, "cpu") for network in networks])


def _patches(count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 1, (1, *SPEC.patch)).astype(np.float32) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.verifies("REQ-026", "RC-05")
def test_the_whole_calibrated_ensemble_is_exported_quietly_and_other_weights_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    record = to_onnx(_ensemble(0), 0.6, SPEC, path, patches=_patches())
    assert capfd.readouterr() == ("", "")
    assert record.onnx == digest_file(path)
    assert record.max_abs_difference <= 1e-4
    volume = np.random.default_rng(1).gamma(2, 2, (10, 20, 15))
    expected = CalibratedPredictor(_ensemble(0), 0.6).predict(volume)
    np.testing.assert_allclose(OnnxPredictor(path, SPEC).predict(volume), expected, atol=1e-4)

    for reference in (CalibratedPredictor(_ensemble(1), 0.6), CalibratedPredictor(_ensemble(0), 0.9)):
        copy = tmp_path / "copy.onnx"
        with pytest.raises(RefusedError, match="differs"):
            certify(path.read_bytes(), reference, SPEC, copy, patches=_patches())
        assert not copy.exists()


def test_patches_of_another_shape_or_none_are_refused(tmp_path: Path) -> None:
    reference = CalibratedPredictor(_ensemble(0), 1.0)
    for patches in ([], [np.zeros((1, 8, 8, 8), np.float32)]):
        with pytest.raises(UsageError):
            certify(b"", reference, SPEC, tmp_path / "model.onnx", patches=patches)
