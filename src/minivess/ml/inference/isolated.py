"""Prediction in a process of its own, which is handed images and nothing else.

The process has no data key, no passphrase and no label: it is started with a few harmless environment variables, gets the
folder of the exported model and its digest, then one image after the other through a socket, and answers probabilities. It
cannot write a byte to any file (RLIMIT_FSIZE is 0) and leaves no core dump. It runs as the same user, so that the
operating system, not this module, keeps it from other processes' memory; `foundation.processes.private_memory` asks for that.

    to the process:   {"digest"}
                      then for each image {"shape", "dtype", "spacing"} and its bytes
    from the process: {"ready": true} then for each image {"shape"} and float32 bytes, or {"error", "message", "hint"}

The messages are those of `foundation.processes.piped`.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.processes.piped import PipedProcess, fill, read_message, write_message
from minivess.foundation.processes.private_memory import write_no_file
from minivess.ml.inference.exported_model import ExportedModel, read_export
from minivess.ml.preprocessing.preprocessor import Preprocessor, Spacing

_ERRORS: dict[str, type[MinivessError]] = {
    one.__name__: one for one in (InputError, RefusedError, VerificationError, CouldNotCheckError)
}


@implements("REQ-093")
class IsolatedPredictor:
    """An exported model in a process of its own.

    Args:
        folder: of the export.
        digest: the digest the model must have.

    Raises:
        InputError, VerificationError: as `ExportedModel.open`.
        CouldNotCheckError: the process does not start.
    """

    def __init__(self, folder: Path, *, digest: str) -> None:
        self.record, self.digest = read_export(folder, expected=digest)
        self._preprocessor = Preprocessor(self.record.preprocessing)
        self._process = PipedProcess("minivess.ml.inference.isolated", "prediction", folder=folder)
        try:
            self._ask({"digest": digest})
        except BaseException:
            self.close()
            raise

    def predict(self, image: NDArray[np.generic], spacing: Spacing = None) -> NDArray[np.float32]:
        """Probabilities (outputs, *grid) of a raw image; spacing in micrometres.

        Raises:
            InputError, RefusedError: as the predictor.
            CouldNotCheckError: the process ended.
        """
        plain = np.ascontiguousarray(image)
        known = None if spacing is None else list(spacing)
        answer = self._ask({"shape": plain.shape, "dtype": plain.dtype.str, "spacing": known}, _bytes(plain))
        shape = tuple(int(size) for size in answer["shape"])
        if shape != (self.record.task.outputs, *self._preprocessor.grid(image)):
            raise CouldNotCheckError("the prediction process answered another shape")
        answered = np.empty(shape, "<f4")
        self._process.receive(_bytes(answered))
        return answered

    def close(self) -> None:
        """End the process; may be called again."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, message: dict[str, Any], body: memoryview | bytes = b"") -> dict[str, Any]:
        answer = self._process.ask(message, body)
        if "error" in answer:
            kind = _ERRORS.get(str(answer["error"]), CouldNotCheckError)
            raise kind(str(answer["message"]), hint=str(answer["hint"]))
        return answer


def _bytes(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """What the process does: open the model, then answer image after image until the pipe is closed."""
    write_no_file()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        plan = read_message(asked)
        if plan is None:
            return
        predictor = ExportedModel.open(Path(), expected=str(plan["digest"]))
        write_message(answers, {"ready": True})
        while (image := read_message(asked)) is not None:
            volume = np.empty(tuple(image["shape"]), str(image["dtype"]))
            fill(asked, _bytes(volume))
            probabilities = np.ascontiguousarray(predictor.predict(volume, image["spacing"]), dtype="<f4")
            write_message(answers, {"shape": probabilities.shape}, _bytes(probabilities))
    except MinivessError as error:
        write_message(answers, {"error": type(error).__name__, "message": error.message, "hint": error.hint})


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
