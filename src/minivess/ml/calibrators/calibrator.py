"""What a calibrator offers."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class Calibrator(Protocol):
    """Corrects logits by one fitted parameter, which the record of a calibration holds as `temperature`."""

    affine: bool
    """Whether `apply` is a x + b for each output, so that blending before and after it are the same. Then the exported graph
    does it patch by patch. Another calibrator is applied to blended images, in evaluation and service alike."""

    def fit(self, logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
        """The parameter for logits, their labels and how many voxels each represents (1 if None).

        Logits are of one class, of the shape of the labels (0 or 1); or (outputs, *shape), with labels that are indices.
        """

    def apply(self, logits: Any, parameter: float) -> Any:
        """Corrected logits, from an array or a PyTorch tensor of single precision, in the same precision."""
