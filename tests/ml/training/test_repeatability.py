"""PyTorch's settings while kernels are repeatable, and afterwards."""

from __future__ import annotations

import pytest

from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.training.circumstances.repeatability"):
    import torch

    from minivess.ml.training.circumstances import repeatability

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-372")]


def test_kernels_are_deterministic_without_filling_new_tensors_and_settings_are_put_back() -> None:
    def settings() -> tuple[bool, bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    before = settings()
    assert before[2]
    with repeatability.repeatable(set()):
        assert settings() == (True, True, False)
    assert settings() == before
