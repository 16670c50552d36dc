"""The measurement by which a layout in memory is chosen."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from minivess.records.models.training import Precision, TrainingSpec
from tests.support import training_jobs
from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.training.execution.devices", "minivess.ml.training.execution.places"):
    import torch

    from minivess.ml.training.execution import devices, places

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-369")]


@pytest.mark.parametrize(("precision", "computed"), [("fp32", "torch.float32"), ("bf16", "torch.bfloat16")])
def test_the_layout_is_measured_in_the_precision_of_the_run(
    tmp_path: Path, precision: Precision, computed: str
) -> None:
    steps, noted = 100, list[str]()
    training = TrainingSpec.model_validate(
        {"members": [3], "steps": steps, "batch": 1, "precision": precision, "validation": {"share": 0}}
    )
    fitting = training_jobs.fitting(tmp_path, training)

    def output(module: torch.nn.Module, inputs: object, found: torch.Tensor) -> None:
        noted.append(str(found.dtype))

    fitting.network.register_forward_hook(output)  # copies of the network have it too
    replace(fitting, job=replace(fitting.job, checkpoint_every=steps))(places.ALONE, lambda event: None)
    assert len(noted) > steps, "no layout was measured"
    assert set(noted) == {computed}


@pytest.mark.verifies("REQ-364")
def test_the_library_of_devices_writes_nothing_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("lightning_fabric")
    logger.setLevel(logging.INFO)
    logger.addHandler(caplog.handler)
    try:
        devices.fabric_of(devices.choose_device("cpu"), "bf16")
    finally:
        logger.removeHandler(caplog.handler)
    assert caplog.messages == []
