"""The model of a Bento: it runs in a process of its own, and answers several requests at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.watch import Watch
from minivess.ml.inference.watched import Prediction
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.records.log.stage_times import Stage

_AGAIN = 3


class Asked(NamedTuple):
    """What the model is asked for, as it goes from process to process.

    Attributes:
        image: (z, y, x) or (y, x), channels last where there are several.
        spacing: micrometres along each spatial axis; None: of no known size.
        disagreement: whether that of the members is asked for.
    """

    image: NDArray[np.generic]
    spacing: Spacing
    disagreement: bool


class Answered(NamedTuple):
    """What the model said: as `Prediction`, with the seconds of each stage by its name."""

    probabilities: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None
    seconds: dict[str, float]


@implements("REQ-473", "RC-198")
class BentoModel:
    """The exported model in a Bento.

    Args:
        folder: with the record and the graphs.
        expected: the digest of the model that the Bento states.

    Raises:
        VerificationError: the files are those of another model.
    """

    def __init__(self, folder: Path, expected: Digest) -> None:
        self._model = ExportedModel.open(folder, expected=expected)

    def answer_all(self, batch: Sequence[Asked]) -> list[Answered]:
        """Answer the requests of a batch, each as it is answered alone."""
        return [self._answer(Asked(*one)) for one in batch]

    def _answer(self, asked: Asked) -> Answered:
        watch = Watch()
        found = self._model.predict_watched(asked.image, asked.spacing, watch, disagreement=asked.disagreement)
        seconds = {stage: value for stage, value in watch.times.model_dump().items() if value}
        return Answered(found.probabilities, found.disagreement, seconds)


class Batching(Protocol):
    """Takes a list of requests, to be joined with those of others; BentoML's proxy of the process with the model."""

    def predict(self, batch: list[Any]) -> list[Any]: ...


@implements("REQ-473")
class RemotePredictor:
    """A predictor whose work is done in the process with the model.

    Args:
        model: answers batches.
    """

    def __init__(self, model: Batching) -> None:
        self._model = model

    def predict_watched(
        self, image: NDArray[np.generic], spacing: Spacing, watch: Watch, *, disagreement: bool = False
    ) -> Prediction:
        """Probabilities of a raw image of any real type, and the disagreement of the members where it is asked for.

        Time in the other process counts to its stages, and the time of the way and of waiting to inference.
        """
        with watch.stage(Stage.INFERENCE):
            (told,) = self._asked([tuple(Asked(image, spacing, disagreement))])
        answered = Answered(*told)
        for name, seconds in answered.seconds.items():
            if name != Stage.INFERENCE.value:
                watch.move(seconds, of=Stage.INFERENCE, to=Stage(name))
        return Prediction(answered.probabilities, answered.disagreement)

    def _asked(self, batch: list[Any]) -> list[Any]:
        """Ask the other process, again when the connection was lost.

        It closes connections that were idle for some seconds, and BentoML's client does not see this before it uses them. To
        ask again is safe: the model only computes.
        """
        for _ in range(_AGAIN):
            try:
                return self._model.predict(batch)
            except Exception as error:
                if not _lost(error):
                    raise
        return self._model.predict(batch)


def _lost(error: Exception) -> bool:
    """Whether a connection of BentoML's client was lost: an error of aiohttp, which BentoML has loaded then."""
    library = sys.modules.get("aiohttp")
    return library is not None and isinstance(error, library.ClientConnectionError)
