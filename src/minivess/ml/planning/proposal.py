"""All lines of a plan, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.models.levels import LevelsAdapter
from minivess.ml.models.registry import adapter_of
from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.ml.planning.measure_choice import measure_advice
from minivess.ml.planning.memory import image_memory, memory_in_words, predicted, training_memory
from minivess.ml.planning.network_size import Images, NetworkSize, network_size
from minivess.ml.planning.schedule import Choice, augmentation, normalisation, precision, remarks, steps
from minivess.ml.planning.spacing import Target, target_spacing
from minivess.records.lengths import in_micrometres
from minivess.records.models.networks.network import EncoderDecoderSpec, NetworkSpec
from minivess.records.models.plan import MemoryAtHand, Plan, PlannedLine, PlannedValue
from minivess.records.models.preprocessing import PreprocessingChoice
from minivess.records.models.training import ChangeName, TrainingSpec

STATED = "minivess.yaml states it"
_SIZES = {"patch": "model.patch", "levels": "model.levels", "filters": "model.filters", "batch": "training.batch"}
_AUGMENTATION = "training.augmentation"
_OF_SIZE = tuple(_SIZES.values())


@dataclass(frozen=True)
class Settings:
    """What the project file says.

    Attributes:
        model: the network.
        training: of the members.
        preprocessing: spacing and normalisation.
        stated: places of fields that the file states, for example `model.patch`; those a plan replaces are left out.
        replaced: places of fields that the file states and a plan replaces.
    """

    model: NetworkSpec
    training: TrainingSpec
    preprocessing: PreprocessingChoice
    stated: Collection[str] = ()
    replaced: Collection[str] = ()

    def value(self, place: str) -> PlannedValue:
        """The value in force: that of the file, or the default."""
        if place == "preprocessing.spacing":
            return Target(self.spacing, "").value
        if place == self.augmentation:
            return self.training.augmentation.strength
        section, _, name = place.partition(".")
        value: PlannedValue = getattr(getattr(self, section), name)
        return value

    @property
    def augmentation(self) -> str:
        """The place of the strength of augmentation: beside its exceptions where the file states any."""
        inner = f"{_AUGMENTATION}."
        nested = any(place.startswith(inner) for place in (*self.stated, *self.replaced))
        return f"{inner}strength" if nested else _AUGMENTATION

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """The target spacing in micrometres; None: images stay on their own grid."""
        stated = self.preprocessing.spacing
        return None if isinstance(stated, str) else in_micrometres(stated)


@implements("REQ-345")
def propose(data: DataFingerprint, settings: Settings, memory: MemoryAtHand, *, part: str) -> Plan:
    """A plan for cases, a machine and a project file.

    Args:
        data: the cases.
        settings: what the project file says.
        memory: at hand.
        part: the part of the data the cases are, in words.

    Raises:
        UsageError: what the file states does not fit the network, not even the smallest network fits the memory, or cases
            have spacings of different units.
    """
    fixed = frozenset(settings.stated)
    values, size = _values(data, settings, memory, fixed)
    alone = values if not fixed else _alone(data, settings, memory)
    lines = [_line(place, value, reason, settings, alone) for place, (value, reason) in values.items()]
    training = settings.training
    batch = size.batch if size is not None else training.batch
    held = _image_memory(data, settings.spacing if "preprocessing.spacing" in fixed else target_spacing(data).spacing)
    needed = training_memory(settings.model if size is None else size.spec, data.task, batch)
    return Plan(
        data=_words(data, part),
        memory=memory,
        predicted=needed,
        images=held,
        lines=(*lines, *_advice(data)),
        remarks=(*remarks(data), *_sides(data, settings), *_memory_remarks(settings.model, needed, held, memory)),
    )


_Values = dict[str, tuple[PlannedValue, str]]


def _alone(data: DataFingerprint, settings: Settings, memory: MemoryAtHand) -> _Values:
    """What a plan without stated fields would be; nothing where it is not possible."""
    try:
        return _values(data, settings, memory, frozenset())[0]
    except UsageError:
        return {}


def _values(
    data: DataFingerprint, settings: Settings, memory: MemoryAtHand, fixed: frozenset[str]
) -> tuple[_Values, NetworkSize | None]:
    """Each planned field with its reason, where the fields of `fixed` are as the file states them."""

    def held(place: str) -> bool:
        return place in fixed

    target = Target(settings.spacing, STATED) if held("preprocessing.spacing") else target_spacing(data)
    scale = normalisation(data)
    made: _Values = {
        "preprocessing.spacing": (target.value, target.reason),
        "preprocessing.normalisation": (scale.value, scale.reason),
    }
    if held("preprocessing.normalisation"):
        made["preprocessing.normalisation"] = (settings.preprocessing.normalisation, STATED)
    arithmetic = precision(memory)
    if arithmetic is not None and held("training.precision"):
        arithmetic = Choice(settings.training.precision, STATED)
    voxels = data.voxels * data.share_at(target.spacing)
    size, patch, batch = None, settings.model.patch, settings.training.batch
    adapter = adapter_of(settings.model.architecture) if predicted(settings.model) else None
    if isinstance(adapter, LevelsAdapter):
        stated = {name: settings.value(place) for name, place in _SIZES.items() if held(place)}
        images = Images(data.grid_at(target.spacing), _steps(data, target), voxels, _image_memory(data, target.spacing))
        bf16 = bool(memory.bf16) and arithmetic is not None and arithmetic.value == "bf16"
        size = network_size(images, data.task, adapter, memory, stated, bf16=bf16)
        patch, batch = size.spec.patch, size.batch
        found: dict[str, PlannedValue] = {
            "patch": size.spec.patch, "levels": size.spec.levels, "filters": size.spec.filters, "batch": size.batch,
        }  # fmt: skip
        for name, place in _SIZES.items():
            made[place] = (found[name], STATED if held(place) else size.reasons[name])
    count = steps(data, voxels=voxels, seen=batch * math.prod(patch), device=memory.device)
    made["training.steps"] = (
        (settings.training.steps, STATED) if held("training.steps") else (count.value, count.reason)
    )
    if arithmetic is not None:
        made["training.precision"] = arithmetic
    strength = augmentation(data)
    made[settings.augmentation] = (
        (settings.training.augmentation.strength, STATED)
        if held(settings.augmentation)
        else (strength.value, strength.reason)
    )
    return made, size


def _steps(data: DataFingerprint, target: Target) -> tuple[float, ...]:
    """The size of a voxel that the network gets."""
    if target.spacing is not None:
        return target.spacing
    middle = sorted(data.spacings)[len(data.spacings) // 2]
    return middle if data.unit == "um" else (1.0,) * len(middle)


def _line(place: str, value: PlannedValue, reason: str, settings: Settings, alone: _Values) -> PlannedLine:
    if place in settings.stated:
        free, why = alone.get(place, (None, ""))
        if free == value:
            return PlannedLine(place=place, value=value, state="same", reason=why)
        return PlannedLine(place=place, value=value, state="kept", instead=free, reason=STATED)
    before = settings.value(place)
    if place in settings.replaced:
        if before == value:
            return PlannedLine(place=place, value=value, state="same", reason=reason)
        return PlannedLine(place=place, value=value, state="proposed", instead=before, reason=reason)
    return PlannedLine(place=place, value=value, state="proposed", reason=reason)


def _advice(data: DataFingerprint) -> list[PlannedLine]:
    made: list[PlannedLine] = []
    several = len(data.task.classes) > 1
    for one in measure_advice(data):
        place = f"{one.measure} of {one.of_class}" if several else one.measure
        made.append(
            PlannedLine(place=place, value="use" if one.use else "leave out", state="advice", reason=one.reason)
        )
    return made


@implements("REQ-334")
def _sides(data: DataFingerprint, settings: Settings) -> list[str]:
    """A remark where a flip would put two classes in an order that no case has."""
    if data.side is None:
        return []
    augmentation = settings.training.augmentation
    turning: tuple[ChangeName, ...] = ("flips", "quarter-turns") if data.side.axis in "yx" else ("flips",)
    made = [name for name in turning if name not in augmentation.without and augmentation.strength != "none"]
    if not made:
        return []
    side = data.side
    return [
        f"{side.one} comes before {side.other} along {side.axis} in all {side.cases} examined cases: "
        f"consider training.augmentation without {' and '.join(made)}"
    ]


def _words(data: DataFingerprint, part: str) -> str:
    grid = " x ".join(map(str, data.grid_at(None)))
    cases = f"{data.cases} case{'' if data.cases == 1 else 's'}"
    subjects = f"{data.subjects} subject{'' if data.subjects == 1 else 's'}"
    return f"{part}: {cases} of {subjects}; {data.task.words}; median size {grid}"


def _image_memory(data: DataFingerprint, spacing: tuple[float, ...] | None) -> int:
    voxels = data.voxels / data.cases
    return image_memory(voxels=voxels, resampled=voxels * data.share_at(spacing), channels=data.task.channels)


def _memory_remarks(spec: NetworkSpec, needed: int | None, held: int, memory: MemoryAtHand) -> tuple[str, ...]:
    if not predicted(spec):
        kind = "sizes" if isinstance(spec, EncoderDecoderSpec) else "patch and batch"
        return (f"the memory of {spec.architecture} is not known: its {kind} are not planned",)
    if needed is None:
        return ("the memory of training with one patch a step is not known; two patches can take less",)
    total = needed + (held if memory.device == "cpu" else 0)
    if total > memory.size:
        return (f"training by this plan needs more memory than is at hand: {memory_in_words(total)}",)
    return ()
