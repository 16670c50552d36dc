"""Patches that a family cannot be trained on are refused before any library of networks is loaded."""

from __future__ import annotations

import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.models.registry import adapter_of
from minivess.records.models.networks.swinunetr import SwinUNETRSpec
from minivess.records.models.task import SegmentationTask

pytestmark = pytest.mark.verifies("REQ-320")


def test_a_swinunetr_needs_two_positions_at_its_coarsest_level() -> None:
    adapter = adapter_of("swinunetr")
    adapter.check(SwinUNETRSpec(patch=(32, 32, 64)), SegmentationTask())
    with pytest.raises(UsageError, match="one side must be 64 or more"):
        adapter.check(SwinUNETRSpec(patch=(32, 32, 32)), SegmentationTask())
    with pytest.raises(UsageError, match="sides must be 32, 64, 96"):
        adapter.check(SwinUNETRSpec(patch=(32, 48, 64)), SegmentationTask())
