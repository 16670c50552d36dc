"""Instance normalisation of an ONNX graph with the accuracy of PyTorch's.

ONNX Runtime 1.31 adds the voxels of a channel up one after another in single precision. Where a channel is nearly constant,
as in the dark corners of endoscopic pictures, the error of its mean is divided by a small deviation; where it has few large
values, the error of its variance is multiplied by them. Measured against double precision, the answer of one layer is off by
up to 4e-4, and PyTorch's by 2e-5. `stable_instance_norms` writes the same formula with operators that leave 6e-6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements

_DEFAULT_EPSILON = 1e-5
"""Of the operator (ONNX operators, InstanceNormalization)."""


@implements("REQ-289", "RC-137")
def stable_instance_norms(model: Any) -> None:
    """Write each instance normalisation of a graph as sums in two steps of values whose mean was taken off before.

    A shift of the input does not change a normalisation, so that the mean that is taken off first may be inexact; what is
    left of it is taken off with the exact sums. Sums of rows, and then of the rows, have a rounding error that grows with
    the square root of the number of voxels (Higham 1993, SIAM J. Sci. Comput. 14:783). PyTorch's group normalisation is
    exported as an instance normalisation of each group. One whose sizes are not static is left as it is: parity judges it.

    Args:
        model: an `onnx.ModelProto`, which is changed.
    """
    nodes: list[Any] = []
    sizes = _sizes(model)
    for node in model.graph.node:
        size = sizes.get(node.input[0]) if node.op_type == "InstanceNormalization" and not node.domain else None
        if size is None:
            nodes.append(node)
            continue
        steps = _written_out(node, size)
        nodes.extend(steps.nodes)
        model.graph.initializer.extend(steps.constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _sizes(model: Any) -> dict[str, tuple[int, ...]]:
    """The sizes of each value whose sizes are all static."""
    graph = model.graph
    made = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        size = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        if size and min(size) > 0:
            made[value.name] = size
    return made


class _Steps:
    """Nodes and constants under one name.

    Args:
        name: what their names begin with.
    """

    def __init__(self, name: str) -> None:
        self.name, self.nodes, self.constants = name, list[Any](), list[Any]()

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(array, f"{self.name}/{name}"))
        return f"{self.name}/{name}"

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: int | float) -> str:
        """The name of what an operator gives; an `output` without name is that of all steps."""
        from onnx import helper

        full = f"{self.name}/{output}" if output else self.name
        self.nodes.append(helper.make_node(operator, inputs, [full], full, **attributes))
        return full


def _written_out(node: Any, size: Sequence[int]) -> _Steps:
    """One instance normalisation of an input (n, channels, *grid) in steps."""
    values, scale, bias = node.input
    epsilon = next((one.f for one in node.attribute if one.name == "epsilon"), _DEFAULT_EPSILON)
    channels, voxels = size[0] * size[1], math.prod(size[2:])
    rows = _rows(voxels)
    steps = _Steps(node.output[0])

    along, over = (steps.constant(name, np.array([axis], np.int64)) for name, axis in (("along", 2), ("over", 1)))
    centred = steps.add("Sub", [values, steps.add("GlobalAveragePool", [values], "near_mean")], "centred")
    by_row = steps.constant("by_row", np.array([channels, rows, voxels // rows], np.int64))
    in_rows = steps.add("Reshape", [centred, by_row], "rows")
    mean_of_rows = steps.add("ReduceMean", [in_rows, along], "mean_of_rows", keepdims=0)
    mean = steps.add("ReduceMean", [mean_of_rows, over], "mean", keepdims=0)
    square_of_rows = steps.add("ReduceSumSquare", [in_rows, along], "square_of_rows", keepdims=0)
    square = steps.add("ReduceSum", [square_of_rows, over], "square", keepdims=0)
    mean_square = steps.add("Div", [square, steps.constant("voxels", np.array(voxels, np.float32))], "mean_square")
    variance = steps.add("Sub", [mean_square, steps.add("Mul", [mean, mean], "squared_mean")], "variance")

    flat = steps.add(
        "Reshape", [centred, steps.constant("flat", np.array([1, channels, voxels], np.int64))], "voxels_of"
    )
    images = steps.constant("images", np.array(size[:1], np.int64))
    scales, biases = (steps.add("Tile", [one, images], name) for one, name in ((scale, "scale"), (bias, "bias")))
    normed = steps.add("BatchNormalization", [flat, scales, biases, mean, variance], "normalised", epsilon=epsilon)
    steps.add("Reshape", [normed, steps.constant("sizes", np.array(size, np.int64))], "")
    return steps


def _rows(voxels: int) -> int:
    """Into how many rows of one length voxels are divided: the largest divisor up to their square root."""
    return max(rows for rows in range(1, math.isqrt(voxels) + 1) if voxels % rows == 0)
