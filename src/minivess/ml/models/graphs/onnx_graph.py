"""A PyTorch module as an ONNX graph of a static shape."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from minivess.ml.models.graphs.instance_norms import stable_instance_norms

if TYPE_CHECKING:
    import torch

OPSET = 20
"""ONNX operator set of exported graphs."""


def onnx_graph(module: torch.nn.Module, shape: Sequence[int], *, outputs: Sequence[str]) -> bytes:
    """Export by PyTorch's dynamo exporter, weights inside, from the input `patch` to named outputs.

    Instance normalisations are as accurate as PyTorch's (`ml.models.graphs.instance_norms`).

    Args:
        module: takes one tensor and gives one, or a tuple of several; it is moved to the CPU and put into evaluation mode.
        shape: of the input, float32.
        outputs: the names of the outputs.
    """
    import torch

    example = torch.zeros(tuple(shape), dtype=torch.float32)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.cpu().eval(),
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["patch"],
            output_names=list(outputs),
            external_data=False,
        )
    model = program.model_proto
    stable_instance_norms(model)
    data: bytes = model.SerializeToString()
    return data


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's prints, warnings and log lines to itself: libraries never print."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
