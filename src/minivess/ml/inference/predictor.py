"""Predictors: a network, an ensemble, a calibrated ensemble. The exported graph's is in `onnx_predictor.py`.

Every predictor maps patches to probabilities (`forward`) and volumes to probabilities (`predict`). Volumes are
normalised, tiled, and blended **as logits**: blending is linear, so dividing by a temperature before or after it is the
same, and the exported graph (calibrated patch by patch) repeats the calibrated ensemble. PyTorch is imported by
`NetworkPredictor` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS, TEMPERATURE_SCALING
from minivess.ml.ensembles.registry import RULES
from minivess.ml.inference.normalisation import normalise
from minivess.ml.inference.tiling import sliding_window
from minivess.records.models.ensemble import MEAN
from minivess.records.models.specifications import ModelSpec

if TYPE_CHECKING:
    import torch

EPSILON = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken, in NumPy and in the exported graph."""


class Predictor(Protocol):
    """Anything that turns a volume into foreground probabilities."""

    def predict(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """Probabilities (z, y, x) of a raw volume (z, y, x) of any real type."""


def to_logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logit of probabilities, clipped to `EPSILON` from 0 and 1."""
    clipped = np.clip(probability.astype(np.float32), np.float32(EPSILON), np.float32(1 - EPSILON))
    logit: NDArray[np.float32] = np.log(clipped) - np.log1p(-clipped)
    return logit


def to_probability(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logistic function, without overflow."""
    small = np.exp(-np.abs(logit))
    probability: NDArray[np.float32] = np.where(logit >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
    return probability


class PatchPredictor(ABC):
    """A predictor defined by what it says about patches of `spec.patch`."""

    batch = 4
    """Patches a call of `forward` during tiling."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    @abstractmethod
    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities for normalised patches, both float32 of shape (n, 1, z, y, x)."""

    def logit(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """Logits (z, y, x) of a raw volume: normalised, tiled with an overlap of a quarter, blended.

        Raises:
            InputError: the volume has not three axes, is empty, or holds NaN or infinity.
        """
        return sliding_window(
            normalise(volume), self.spec.patch, lambda patches: to_logit(self.forward(patches)), batch=self.batch
        )

    def predict(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """Probabilities (z, y, x) of a raw volume; see `logit`."""
        return to_probability(self.logit(volume))


class NetworkPredictor(PatchPredictor):
    """One PyTorch network.

    Args:
        network: one channel in, one logit out; put into evaluation mode.
        spec: its specification.
        device: a PyTorch device name; "auto" takes a GPU if there is one.
    """

    def __init__(self, network: torch.nn.Module, spec: ModelSpec, device: str = "auto") -> None:
        super().__init__(spec)
        import torch

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.network = network.to(device, memory_format=torch.channels_last_3d).eval()

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sigmoid of the network's logits."""
        import torch

        with torch.inference_mode():
            tensor = torch.from_numpy(patches).to(self.device, memory_format=torch.channels_last_3d)
            probability: NDArray[np.float32] = torch.sigmoid(self.network(tensor).float()).cpu().numpy()
        return probability


@implements("REQ-018")
class EnsemblePredictor(PatchPredictor):
    """Its members' probabilities, combined by a rule, patch by patch.

    Args:
        members: at least one.
        rule: the name of a rule in `ml.ensembles`.

    Raises:
        UsageError: there is no member, members take patches of different sizes, or there is no such rule.
    """

    def __init__(self, members: Sequence[PatchPredictor], rule: str = MEAN) -> None:
        if not members:
            raise UsageError("an ensemble needs at least one member", hint="train one first: minivess train")
        if len({member.spec.patch for member in members}) != 1:
            raise UsageError("the members of an ensemble must take patches of one size")
        super().__init__(members[0].spec)
        self.members = tuple(members)
        self.rule = rule
        self._rule = choose(RULES, rule, what="ensemble rule")

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """The members' probabilities, combined."""
        return self._rule.combine(member.forward(patches) for member in self.members)


@implements("REQ-019", "RC-09")
class CalibratedPredictor(PatchPredictor):
    """Another predictor's logits, calibrated: by default divided by a temperature (Guo et al. 2017, arXiv 1706.04599).

    Args:
        base: what is calibrated.
        temperature: the parameter that was fitted.
        calibrator: the name of a calibrator in `ml.calibrators`.

    Raises:
        UsageError: the temperature is not a positive number, or there is no such calibrator.
    """

    def __init__(self, base: PatchPredictor, temperature: float, calibrator: str = TEMPERATURE_SCALING) -> None:
        if not (np.isfinite(temperature) and temperature > 0):
            raise UsageError(f"a temperature must be a positive number, not {temperature}")
        super().__init__(base.spec)
        self.base = base
        self.temperature = temperature
        self._calibrator = choose(CALIBRATORS, calibrator, what="calibrator")

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of patches."""
        return to_probability(self._calibrator.apply(to_logit(self.base.forward(patches)), self.temperature))

    def logit(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """The base's blended logits, calibrated."""
        calibrated: NDArray[np.float32] = self._calibrator.apply(self.base.logit(volume), self.temperature)
        return calibrated
