"""Static quantisation of a graph to 8 bits with ONNX Runtime: QDQ form, ranges from patches of training cases.

Weights are signed with one scale a channel, activations have one scale a tensor (Jacob et al. 2018, arXiv 1712.05877).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTISED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators whose inputs and weights have 8 bits; normalisation and everything else stays in single precision."""


def quantise(graph: Path, patches: Iterable[NDArray[np.float32]], made: Path) -> None:
    """Write the graph with weights and activations of 8 bits.

    Args:
        graph: in single precision, from one input (1, channels, *patch).
        patches: preprocessed patches (channels, *patch) of training cases, from which the ranges of activations are taken.
        made: where the new graph goes.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    name = onnx.load_model(str(graph)).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """One patch at a time."""

        def __init__(self) -> None:
            self._left: Iterator[NDArray[np.float32]] = iter(patches)

        def get_next(self) -> dict[str, Any] | None:
            patch = next(self._left, None)
            return None if patch is None else {name: np.ascontiguousarray(patch[np.newaxis], np.float32)}

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantize_static(
            str(graph),
            str(made),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(QUANTISED),
            extra_options={"ActivationSymmetric": False},
        )
    finally:
        logging.disable(before)
