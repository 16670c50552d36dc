"""What is evaluated, released and served: an exported graph on ONNX Runtime, without PyTorch or MONAI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.ml.inference.answers import logits_of, probabilities_of
from minivess.ml.inference.predictor import Patched, PatchPredictor
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

GRAPH_LIMIT = 2 << 30
"""The largest graph, in bytes."""

LOGITS = "logits"
"""The output of a graph that gives logits."""
DISAGREEMENT = "disagreement"
"""The output that says how much the members disagree."""


class OnnxPredictor(PatchPredictor):
    """An exported graph on ONNX Runtime; imports neither PyTorch nor MONAI.

    The file is read once: what was digested is what runs.

    Args:
        graph: the `.onnx` file, or its bytes.
        spec: what it was exported for; its patch is needed alone.
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
        spec: Patched,
        *,
        expected: Digest | None = None,
        threads: int = 0,
        task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__(spec, task, preprocessing)
        import onnxruntime

        path = graph if isinstance(graph, Path) else None
        data = read_limited(graph, limit=GRAPH_LIMIT) if isinstance(graph, Path) else graph
        self.digest: Digest = digest_bytes(data)
        if expected is not None and self.digest != expected:
            name = "" if path is None else f" {path.name}"
            raise VerificationError(
                f"the ONNX graph{name} is {self.digest[:19]}…, not {expected[:19]}… as recorded",
                hint="restore the released model file, or export again",
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen types without a common base
            raise InputError("is no ONNX graph this runtime can load", path=path) from error
        inputs = self._session.get_inputs()
        self.outputs = tuple(one.name for one in self._session.get_outputs())
        """The names of its outputs."""
        shape = [1, task.channels, *spec.patch]
        self._gives_logits = LOGITS in self.outputs
        known = self._gives_logits or len(self.outputs) == 1
        if len(inputs) != 1 or list(inputs[0].shape) != shape or not known:
            raise InputError(f"is no graph from one ({', '.join(map(str, shape))}) input to logits", path=path)
        self._input = inputs[0].name

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities, one patch a run (the graph is static)."""
        answered = self._first(patches)
        return probabilities_of(answered, axis=1) if self._gives_logits else answered

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits. Graphs of version 0.1.0 gave probabilities."""
        answered = self._first(patches)
        return answered if self._gives_logits else logits_of(answered, axis=1)

    def output(self, name: str, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """A named output for each patch, one after the other along the first axis.

        Raises:
            UsageError: the graph has no such output.
        """
        if name not in self.outputs:
            raise UsageError(
                f"the model has no output {name}",
                hint=f"it has {', '.join(self.outputs)}; ask for it in export.outputs",
            )
        return np.concatenate([self._session.run([name], {self._input: patch[np.newaxis]})[0] for patch in patches])

    @property
    def gives_disagreement(self) -> bool:
        """Whether the graph has that output."""
        return self._gives_logits and DISAGREEMENT in self.outputs

    def spread(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits and disagreement of patches, from one run of the graph each.

        Raises:
            UsageError: the graph has no such output.
        """
        if not self.gives_disagreement:
            return super().spread(patches)
        names = [LOGITS, DISAGREEMENT]
        return np.concatenate(
            [np.concatenate(self._session.run(names, {self._input: patch[np.newaxis]}), axis=1) for patch in patches]
        )

    def _first(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.output(LOGITS if self._gives_logits else self.outputs[0], patches)
