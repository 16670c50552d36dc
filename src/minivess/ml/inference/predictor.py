"""Predictors: a network, an ensemble, a calibrated ensemble. The exported graph's is in `onnx_predictor.py`.

Every predictor maps patches to probabilities (`forward`) and images to probabilities (`predict`). Images are
preprocessed, tiled, and blended **as logits**: blending is linear, so dividing by a temperature before or after it is the
same, and the exported graph (calibrated patch by patch) repeats the calibrated ensemble. PyTorch is imported by
`NetworkPredictor` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS, TEMPERATURE_SCALING
from minivess.ml.ensembles.registry import RULES
from minivess.ml.inference.answers import (
    log_probabilities_of,
    logits_of,
    logits_of_log,
    overwrite_by_probabilities,
    probabilities_of,
)
from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.tiling import OVERLAP, Forward, sliding_window
from minivess.ml.inference.watch import Watch
from minivess.ml.inference.watched import Prediction
from minivess.ml.preprocessing.preprocessor import Preprocessor, Spacing
from minivess.records.log.stage_times import Stage
from minivess.records.models.ensemble import MEAN
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

if TYPE_CHECKING:
    import torch


class Predictor(Protocol):
    """Anything that turns an image into probabilities."""

    def predict(self, image: NDArray[np.generic], spacing: Spacing = None) -> NDArray[np.float32]:
        """Probabilities (outputs, *grid) of a raw image of any real type, on its own grid."""


class Patched(Protocol):
    """Anything that takes patches of one size: the specification of a network, or the record of an export."""

    @property
    def patch(self) -> tuple[int, ...]:
        """In voxels (z, y, x) or pixels (y, x)."""


class PatchPredictor(ABC):
    """A predictor defined by what it says about patches of `spec.patch`.

    Args:
        spec: the network, or anything else that has a patch.
        task: channels, axes and classes.
        preprocessing: what images go through; by default they stay on their grid, with intensities on the scale of each.
    """

    batch = 4
    """Patches a call of `forward` during tiling."""
    overlap = OVERLAP
    """The share of a patch that neighbours share during tiling."""

    def __init__(
        self,
        spec: Patched,
        task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.spec = spec
        self.task = task
        self.preprocessor = Preprocessor(preprocessing or Preprocessing.of(task))

    @abstractmethod
    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (n, outputs, *patch) for preprocessed patches (n, channels, *patch), both float32."""

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, outputs, *patch) for the same patches; see `ml.inference.answers`."""
        return logits_of(self.forward(patches), axis=1)

    @property
    @implements("REQ-432")
    def gives_disagreement(self) -> bool:
        """Whether it can say how much its members disagree."""
        return False

    def spread(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits and, after them, the disagreement of the members: (n, outputs + 1, *patch).

        Raises:
            UsageError: it has no members that could disagree.
        """
        raise UsageError("this predictor has no members that could disagree", hint="see `gives_disagreement`")

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        """Logits (outputs, *grid) of a raw image: preprocessed, tiled, blended, on its grid.

        Args:
            image: (z, y, x) or (y, x), with channels last where there are several.
            spacing: micrometres along each spatial axis; needed where the preprocessing resamples.
            watch: is told how the work goes on.

        Returns:
            An array that the caller may overwrite, or that is read-only.

        Raises:
            InputError: the image has other axes or channels, is empty, or holds NaN or infinity.
        """
        return self._blended(image, spacing, watch or Watch(), self.logits, self.task.outputs)

    def logit_and_spread(self, image: NDArray[np.generic], spacing: Spacing, watch: Watch) -> NDArray[np.float32]:
        """Logits (outputs, *grid) of a raw image and, after them, the disagreement of the members: (outputs + 1, *grid).

        Raises:
            UsageError: see `gives_disagreement`.
        """
        return self._blended(image, spacing, watch, self.spread, self.task.outputs + 1)

    def _blended(
        self, image: NDArray[np.generic], spacing: Spacing, watch: Watch, forward: Forward, outputs: int
    ) -> NDArray[np.float32]:
        with watch.stage(Stage.PREPROCESSING):
            preprocessed = self.preprocessor.apply(image, spacing)
        with watch.stage(Stage.INFERENCE):
            blended = sliding_window(
                preprocessed,
                self.spec.patch,
                forward,
                outputs=outputs,
                overlap=self.overlap,
                batch=self.batch,
                told=watch.tiles,
            )
        with watch.stage(Stage.POSTPROCESSING):
            return self.preprocessor.restore(blended, self.preprocessor.grid(image))

    def predict(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        """Probabilities (outputs, *grid) of a raw image; see `logit`."""
        watch = watch or Watch()
        logit = self.logit(image, spacing, watch)
        with watch.stage(Stage.POSTPROCESSING):
            own = logit.flags.writeable and not np.may_share_memory(logit, image)
            return overwrite_by_probabilities(logit) if own else probabilities_of(logit)

    def predict_watched(
        self, image: NDArray[np.generic], spacing: Spacing, watch: Watch, *, disagreement: bool = False
    ) -> Prediction:
        """Probabilities (outputs, *grid) of a raw image, and the disagreement of the members where it is asked for.

        Raises:
            UsageError: see `gives_disagreement`.
        """
        with self.joining(watch):
            if not disagreement:
                return Prediction(self.predict(image, spacing, watch))
            both = self.logit_and_spread(image, spacing, watch)
        with watch.stage(Stage.POSTPROCESSING):
            return Prediction(overwrite_by_probabilities(both[:-1]), both[-1])

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """From now on, let patches of requests that are under way at the same time go through the graph together, where it
        takes several and that is faster.

        Args:
            cut: is notified of each batch: its requests, and why it was run.
        """
        return  # only graphs take several

    def joining(self, watch: Watch) -> AbstractContextManager[None]:
        """While a request is under way whose patches may join those of others; see `join_requests`."""
        return nullcontext()


class NetworkPredictor(PatchPredictor):
    """One PyTorch network.

    Args:
        network: as its adapter built it; put into evaluation mode.
        spec: its specification.
        device: a PyTorch device name; "auto" takes a GPU if there is one.
        task: channels, axes and classes.
        preprocessing: what images go through.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        spec: Patched,
        device: str = "auto",
        *,
        task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__(spec, task, preprocessing)
        import torch

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self._format = memory_format(task)
        self.network = network.to(device, memory_format=self._format).eval()

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sigmoid or softmax of the network's logits."""
        return probabilities_of(self.logits(patches), axis=1)

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network says."""
        import torch

        with torch.inference_mode():
            # PyTorch convolves a single small volume on the CPU by its slowest algorithm: measured 6 times slower than as
            # one of two.
            alone = len(patches) == 1 and patches.ndim == 5 and self.device == "cpu"
            batch = np.concatenate([patches, patches]) if alone else patches
            tensor = torch.from_numpy(batch).to(self.device, memory_format=self._format)
            made: NDArray[np.float32] = self.network(tensor)[: len(patches)].float().cpu().numpy()
        return made


def memory_format(task: SegmentationTask) -> torch.memory_format:
    """How PyTorch lays out batches: channels last for volumes, where it is faster; not for pictures, where it is slower."""
    import torch

    return torch.channels_last_3d if len(task.axes) == 3 else torch.contiguous_format


@implements("REQ-018")
class EnsemblePredictor(PatchPredictor):
    """Its members' probabilities, combined by a rule: patch by patch, or on whole images where patches or grids differ.

    Args:
        members: at least one, all for one task.
        rule: the name of a rule in `ml.ensembles`.

    Raises:
        UsageError: there is no member, members are for different tasks, or there is no such rule.
    """

    def __init__(self, members: Sequence[PatchPredictor], rule: str = MEAN) -> None:
        if not members:
            raise UsageError("an ensemble needs at least one member", hint="train one first: minivess train")
        first = members[0]
        if any(member.task != first.task for member in members):
            raise UsageError("the members of an ensemble must be for one task")
        super().__init__(first.spec, first.task, first.preprocessor.preprocessing)
        self.batch, self.overlap = first.batch, first.overlap
        self.members = tuple(members)
        self.rule = rule
        self._rule = choose(RULES, rule, what="ensemble rule")

    @property
    def by_patch(self) -> bool:
        """Whether all members take the same patches, so that the ensemble is one graph."""
        return len({(one.spec.patch, one.preprocessor.preprocessing) for one in self.members}) == 1

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """The members' probabilities, combined."""
        return probabilities_of(self.logits(patches), axis=1)

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of the members' combined probabilities."""
        return self._combined((member.logits(patches) for member in self.members), axis=1)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        """The logits of the combined members; see `by_patch`."""
        if self.by_patch:
            return super().logit(image, spacing, watch)
        return self._combined((member.logit(image, spacing, watch) for member in self.members), axis=0)

    def _combined(self, logits: Iterable[NDArray[np.float32]], *, axis: int) -> NDArray[np.float32]:
        found = self._rule.combine(log_probabilities_of(one, axis=axis) for one in logits)
        return logits_of_log(found, outputs=self.task.outputs, axis=axis)

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """As of `PatchPredictor`, for each member."""
        for member in self.members:
            member.join_requests(cut)

    @contextmanager
    def joining(self, watch: Watch) -> Iterator[None]:
        """As of `PatchPredictor`, for all members."""
        with ExitStack() as joined:
            for member in self.members:
                joined.enter_context(member.joining(watch))
            yield

    @property
    def gives_disagreement(self) -> bool:
        """Whether there are several members, or a graph that says how much its own disagree."""
        return len(self.members) > 1 or self.members[0].gives_disagreement

    def spread(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits and disagreement of patches; see `gives_disagreement`."""
        if len(self.members) == 1:
            return self.members[0].spread(patches)
        answers = [member.logits(patches) for member in self.members]
        return np.concatenate([self._combined(answers, axis=1), _spread(answers, axis=1)], axis=1)

    def logit_and_spread(self, image: NDArray[np.generic], spacing: Spacing, watch: Watch) -> NDArray[np.float32]:
        """Logits and disagreement on the grid of the image; see `gives_disagreement`."""
        if self.by_patch:
            return super().logit_and_spread(image, spacing, watch)
        answers = [member.logit(image, spacing, watch) for member in self.members]
        return np.concatenate([self._combined(answers, axis=0), _spread(answers, axis=0)])


def _spread(answers: Sequence[NDArray[np.float32]], *, axis: int) -> NDArray[np.float32]:
    """The standard deviation of the probabilities of members' logits, the largest over the outputs, whose axis stays with
    one value."""
    probabilities = [probabilities_of(one, axis=axis) for one in answers]
    deviation = np.std(probabilities, axis=0, dtype=np.float64).max(axis=axis, keepdims=True)
    return np.asarray(deviation, np.float32)


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
        super().__init__(base.spec, base.task, base.preprocessor.preprocessing)
        self.batch, self.overlap = base.batch, base.overlap
        self.base = base
        self.temperature = temperature
        self._calibrator = choose(CALIBRATORS, calibrator, what="calibrator")

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of patches."""
        return probabilities_of(self.logits(patches), axis=1)

    def logits(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated logits of patches."""
        calibrated: NDArray[np.float32] = self._calibrator.apply(self.base.logits(patches), self.temperature)
        return calibrated

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        """The base's blended logits, calibrated."""
        logit = self.base.logit(image, spacing, watch)
        calibrated: NDArray[np.float32] = self._calibrator.apply(logit, self.temperature)
        return calibrated

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """As of what is calibrated."""
        self.base.join_requests(cut)

    def joining(self, watch: Watch) -> AbstractContextManager[None]:
        """As of what is calibrated."""
        return self.base.joining(watch)

    @property
    def gives_disagreement(self) -> bool:
        """Whether what is calibrated has members that can disagree."""
        return self.base.gives_disagreement

    def spread(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated logits of patches, and the disagreement of the members as they are."""
        return self._calibrated(self.base.spread(patches), axis=1)

    def logit_and_spread(self, image: NDArray[np.generic], spacing: Spacing, watch: Watch) -> NDArray[np.float32]:
        """Calibrated logits of the image, and the disagreement of the members as they are."""
        return self._calibrated(self.base.logit_and_spread(image, spacing, watch), axis=0)

    def _calibrated(self, both: NDArray[np.float32], *, axis: int) -> NDArray[np.float32]:
        """The logits before the last output, calibrated; the last one is the disagreement."""
        logits, spread = np.split(both, [-1], axis=axis)
        return np.concatenate([self._calibrator.apply(logits, self.temperature), spread], axis=axis)
