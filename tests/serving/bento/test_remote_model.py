"""The model in the other process is asked again when the connection was lost, and not otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minivess.ml.inference.watch import Watch
from minivess.serving.bento.remote_model import RemotePredictor
from tests.support.lazy_modules import lazily

with lazily("aiohttp"):
    import aiohttp

pytestmark = pytest.mark.verifies("SU-176", "REQ-473")

IMAGE = np.zeros((2, 2), np.float32)


class Failing:
    """Fails so many times before it answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.asked = error, times, 0

    def predict(self, batch: list[Any]) -> list[Any]:
        """Fail, or answer with the image itself."""
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return [(image[None], None, {}) for image, *_ in batch]


def test_a_lost_connection_is_asked_again() -> None:
    model = Failing(aiohttp.ServerDisconnectedError(), 3)
    found = RemotePredictor(model).predict_watched(IMAGE, None, Watch())
    assert (found.probabilities.shape, model.asked) == ((1, 2, 2), 4)


def test_a_connection_that_stays_lost_is_an_error() -> None:
    model = Failing(aiohttp.ServerDisconnectedError(), 99)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        RemotePredictor(model).predict_watched(IMAGE, None, Watch())
    assert model.asked == 4


def test_another_error_is_not_asked_again() -> None:
    model = Failing(ValueError("no"), 1)
    with pytest.raises(ValueError, match="no"):
        RemotePredictor(model).predict_watched(IMAGE, None, Watch())
    assert model.asked == 1
