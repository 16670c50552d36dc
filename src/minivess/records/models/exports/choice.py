"""What the project file says of the export."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record, ShortText

BackendName = Literal["onnxruntime fp32", "onnxruntime int8"]
FP32: BackendName = "onnxruntime fp32"
INT8: BackendName = "onnxruntime int8"
"""How a graph is run: ONNX Runtime in single precision, or with weights and activations of 8 bits."""

FurtherOutput = Literal["member_logits", "disagreement", "embedding"]
"""Outputs beside the logits.

`member_logits`: the logits of each member before they are combined, (1, members, outputs, *patch). `disagreement`: the
standard deviation of the members' probabilities, the largest over the outputs, (1, 1, *patch). `embedding`: the deepest
features of the first member, averaged over their voxels, (1, features)."""


class ExportChoice(Record):
    """How the model is exported."""

    outputs: tuple[FurtherOutput, ...] = ()
    """Outputs of the graph beside the logits."""
    backends: Annotated[tuple[BackendName, ...], Field(min_length=1)] = ("onnxruntime fp32",)
    """The backends that are measured. The fastest one that is certified runs the model. With `onnxruntime int8` it is
    certified by the masks of whole calibration cases; the calibration errors that the record of the calibration states are
    of single precision."""
    weights_licence: ShortText = "as the licence of the data allows"
    """The licence of the trained weights."""

    @property
    def measured(self) -> tuple[BackendName, ...]:
        """All backends that are measured: single precision always is, because it certifies the graphs themselves."""
        return (FP32, *(one for one in self.backends if one != FP32))
