"""An exported model in MLflow: its ONNX flavour, with signature and input example."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minivess.foundation.implements import implements
from minivess.observability.tracking.mlflow_store import MlflowStore

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_REQUIREMENTS = ("numpy", "onnx", "onnxruntime")


@implements("REQ-362")
def log_onnx(store: MlflowStore, experiment: str, graphs: Mapping[str, Path], *, tags: dict[str, str]) -> str:
    """Make a run with the graphs of an exported model; returns its id.

    The input example holds random numbers: no image leaves the project. `mlflow.onnx.load_model("runs:/ID/NAME")` reads a
    graph back.

    Args:
        store: the tracking store.
        experiment: its name, by custom the device's.
        graphs: the files of the graphs, by the name that each has in the run.
        tags: of the run.

    Raises:
        CouldNotCheckError: the tracking store cannot be written.
    """
    with store.asked("keep the exported model") as client, tempfile.TemporaryDirectory() as folder:
        import mlflow.onnx
        import onnx

        run = str(client.create_run(store.experiment(client, experiment), run_name="export", tags=tags).info.run_id)
        for name, path in graphs.items():
            graph = onnx.load(str(path))
            mlflow.onnx.save_model(
                graph,
                str(Path(folder) / name),
                signature=_signature(graph),
                input_example=_example(graph),
                conda_env=_environment(),
                onnx_execution_providers=["CPUExecutionProvider"],
            )
            client.log_artifacts(run, str(Path(folder) / name), name)
        client.set_terminated(run, status="FINISHED")
    return run


def _signature(graph: Any) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(tensors: Any) -> Schema:
        return Schema([TensorSpec(_dtype(one), tuple(side or -1 for side in _sides(one)), one.name) for one in tensors])

    return ModelSignature(inputs=schema(graph.graph.input), outputs=schema(graph.graph.output))


def _environment() -> dict[str, Any]:
    """What the model needs, as MLflow writes it; stated, so that MLflow does not import the model to find out."""
    packages = [f"{one}=={version(one)}" for one in _REQUIREMENTS]
    dependencies = [f"python={platform.python_version()}", "pip", {"pip": packages}]
    return {"name": "model", "channels": ["conda-forge"], "dependencies": dependencies}


def _example(graph: Any) -> dict[str, Any]:
    """Random whole numbers for each input, which are short in JSON; an axis without a fixed size has one item."""
    draw = np.random.default_rng(0)
    return {
        one.name: np.rint(draw.standard_normal([side or 1 for side in _sides(one)])).astype(_dtype(one))
        for one in graph.graph.input
    }


def _sides(tensor: Any) -> list[int]:
    """The size of each axis; 0: not fixed."""
    return [int(axis.dim_value) for axis in tensor.type.tensor_type.shape.dim]


def _dtype(tensor: Any) -> np.dtype[Any]:
    import onnx

    found: np.dtype[Any] = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type))
    return found
