"""The specification of a SegResNet."""

from __future__ import annotations

from typing import Literal

from minivess.records.models.networks.network import EncoderDecoderSpec


class SegResNetSpec(EncoderDecoderSpec):
    """SegResNet (Myronenko 2018, arXiv 1810.11654), without the variational branch."""

    architecture: Literal["segresnet"] = "segresnet"
    """The family."""
