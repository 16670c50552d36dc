"""What is evaluated, released and served: the exported graph on ONNX Runtime, without PyTorch or MONAI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import read_limited
from minivess.ml.inference.answers import logits_of, probabilities_of
from minivess.ml.inference.predictor import PatchPredictor
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.specifications import ModelSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

_GRAPH_LIMIT = 2 << 30

LOGITS = "logits"
"""The output of a graph that gives calibrated logits."""


class OnnxPredictor(PatchPredictor):
    """The exported graph (whole calibrated ensemble) on ONNX Runtime; imports neither PyTorch nor MONAI.

    The file is read once: what was digested is what runs.

    Args:
        graph: the `.onnx` file, or its bytes.
        spec: the specification it was exported for.
        expected: the digest the file must have, when it is known.
        threads: threads of ONNX Runtime; 0 lets it choose.
        task: channels, axes and classes it was exported for.
        preprocessing: what images go through.

    Raises:
        InputError: there is no such file, it is no ONNX graph, or it takes inputs of another shape.
        VerificationError: the file has another digest.
    """

    batch = 1

    def __init__(
        self,
        graph: Path | bytes,
        spec: ModelSpec,
        *,
        expected: Digest | None = None,
        threads: int = 0,
        task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__(spec, task, preprocessing)
        import onnxruntime

        path = graph if isinstance(graph, Path) else None
        data = read_limited(graph, limit=_GRAPH_LIMIT) if isinstance(graph, Path) else graph
        self.digest: Digest = digest_bytes(data)
        if expected is not None and self.digest != expected:
            raise VerificationError(
                f"the ONNX graph is {self.digest[:19]}…, not {expected[:19]}… as recorded",
                hint="restore the released model file, or export again",
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen types without a common base
            raise InputError("is no ONNX graph this runtime can load", path=path) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = [1, task.channels, *spec.patch]
        if len(inputs) != 1 or list(inputs[0].shape) != shape or len(outputs) != 1:
            raise InputError(f"is no graph from one ({', '.join(map(str, shape))}) input to one output", path=path)
        self._input = inputs[0].name
        self._gives_logits = outputs[0].name == LOGITS

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, one patch a run (the graph is static)."""
        answered = self._run(patches)
        return probabilities_of(answered, axis=1) if self._gives_logits else answered

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated logits. Graphs of version 0.1.0 gave probabilities."""
        answered = self._run(patches)
        return answered if self._gives_logits else logits_of(answered, axis=1)

    def _run(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([self._session.run(None, {self._input: patch[np.newaxis]})[0] for patch in patches])
