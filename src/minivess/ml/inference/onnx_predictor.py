"""What is evaluated, released and served: an exported graph on ONNX Runtime, without PyTorch or MONAI."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import logits_of, probabilities_of
from minivess.ml.inference.batching import BatchCut, Batching
from minivess.ml.inference.predictor import Patched, PatchPredictor
from minivess.ml.inference.thread_pool import session_options
from minivess.ml.inference.watch import Watch
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

BATCHES = (1, 2, 4, 8)
"""Numbers of patches that `OnnxPredictor.choose_batch` tries."""
_BATCH, _WORTH = 4, 0.95
"""Patches at a time before a measurement, and how much faster each must be for more of them."""
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
        threads: threads of ONNX Runtime; 0: as many as the process may use processors.
        shared: whether it shares its threads with the other graphs of the process.
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
        shared: bool = False,
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
        options = session_options(threads=threads, shared=shared)
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen types without a common base
            raise InputError("is no ONNX graph this runtime can load", path=path) from error
        inputs = self._session.get_inputs()
        self.outputs = tuple(one.name for one in self._session.get_outputs())
        """The names of its outputs."""
        shape = [task.channels, *spec.patch]
        first, *others = list(inputs[0].shape) if len(inputs) == 1 and inputs[0].shape else [0]
        self.any_batch = not isinstance(first, int)
        """Whether the graph takes several patches at a time."""
        if self.any_batch:
            self.batch = _BATCH
        self._gives_logits = LOGITS in self.outputs
        known = self._gives_logits or len(self.outputs) == 1
        if (not self.any_batch and first != 1) or others != shape or not known:
            raise InputError(f"is no graph from one ({', '.join(map(str, (1, *shape)))}) input to logits", path=path)
        self._input = inputs[0].name
        self._batching: Batching | None = None

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities; a graph of one patch runs once for each."""
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
        return self._run([name], patches)[0]

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
        return np.concatenate(self._run([LOGITS, DISAGREEMENT], patches), axis=1)

    @implements("REQ-434")
    def choose_batch(self, *, seconds: float = 1.0, elapsed: Callable[[], float] = time.perf_counter) -> int:
        """Measure how many patches at a time take the least time each, and use so many; a graph of one patch keeps to one.

        Args:
            seconds: no further size is tried once so much time went by.
            elapsed: seconds that never run backwards.
        """
        if not self.any_batch:
            return self.batch
        begun, best = elapsed(), float("inf")
        for size in BATCHES:
            patches = np.zeros((size, self.task.channels, *self.spec.patch), np.float32)
            self.logits(patches)
            before = elapsed()
            self.logits(patches)
            each = (elapsed() - before) / size
            if each < best * _WORTH:
                best, self.batch = each, size
            if elapsed() - begun > seconds:
                break
        return self.batch

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """As of `PatchPredictor`, for pictures, with as many patches in a batch as were found fastest. The tiles of a volume fill
        batches by themselves."""
        if self.batch > 1 and len(self.task.axes) == 2:
            self._batching = Batching(self._together, most=self.batch, cut=cut)

    def joining(self, watch: Watch) -> AbstractContextManager[None]:
        """As of `PatchPredictor`."""
        return nullcontext() if self._batching is None else self._batching.joining(watch)

    def _together(self, names: tuple[str, ...], patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        given: list[NDArray[np.float32]] = self._session.run(list(names), {self._input: patches})
        return given

    def _run(self, names: list[str], patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Outputs for all patches."""
        if self.any_batch:
            return (self._together if self._batching is None else self._batching.run)(tuple(names), patches)
        each = [self._session.run(names, {self._input: patch[np.newaxis]}) for patch in patches]
        return [np.concatenate(one) for one in zip(*each, strict=True)]

    def _first(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.output(LOGITS if self._gives_logits else self.outputs[0], patches)
