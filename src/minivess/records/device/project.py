"""The project file, `minivess.yaml`: one screen that says what the device is and what it is made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.data.source import Data
from minivess.records.data.split import Split
from minivess.records.device.witnesses import WitnessPolicy
from minivess.records.evaluation.evaluation import FAILURE_DICE, MOST_RESAMPLES, Criterion, Looks
from minivess.records.evaluation.margins import Margin
from minivess.records.evaluation.measures import DICE, FORMER, MEASURES, USUAL, MeasureName, measure_of
from minivess.records.lengths import StatedLength
from minivess.records.models.exports.choice import ExportChoice
from minivess.records.models.model_card import ModelCardFacts
from minivess.records.models.networks.specifications import DEFAULT, ModelSpec
from minivess.records.models.preprocessing import PreprocessingChoice
from minivess.records.models.training import TrainingSpec


class Device(Record):
    """The medical device software under release."""

    name: Slug
    """The name of the device, also in file names."""
    version: Slug
    """The version under release."""
    manufacturer: ShortText
    """The legal manufacturer."""
    intended_use: Statement
    """What the device is for. The service and the pack show this text."""
    safety_class: Literal["A", "B", "C"]
    """The software safety class (IEC 62304 4.3)."""


class Calibration(Record):
    """What the conformal threshold must reach."""

    target_recall: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """The recall that the conformal threshold must reach."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """The confidence of that guarantee."""


def unplanned(limited: Iterable[str], measures: Collection[str]) -> list[str]:
    """Measures that are limited and not computed. Dice and what follows from it always is."""
    present = (FORMER.get(name, name) for name in limited)
    return [name for name in present if name in MEASURES and name not in {DICE, *measures}]


class Evaluation(Record):
    """How the test set is judged."""

    tolerance: StatedLength | None = None
    """Surface tolerance of the normalised surface distance, with its unit: `2 µm`, `0.5 mm` or `2 px`. All distances of the
    evaluation are in this unit. Default: twice the smallest spacing, as the median over the cases."""
    bootstrap: Annotated[int, Field(ge=100, le=MOST_RESAMPLES)] = 2000
    """Number of bootstrap resamples."""
    measures: Annotated[tuple[MeasureName, ...], Field(min_length=1, exclude_if=lambda value: value == USUAL)] = USUAL
    """What is computed of each case, in any order. Dice always is. Criteria and gates can limit these."""
    failure_dice: Annotated[float, Field(gt=0, le=1, exclude_if=lambda value: value == FAILURE_DICE)] = FAILURE_DICE
    """A case with a lower Dice has failed. The share of groups with a failed case gets an exact upper bound."""
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    """The acceptance criteria."""
    margins: Annotated[tuple[Margin, ...], Field(exclude_if=lambda value: not value)] = ()
    """The loss in a measure that does not matter when the model replaces another one (`minivess model compare`)."""
    looks: Looks = Looks()
    notes: Statement | None = None
    """A further paragraph of the analysis plan, for the approver."""

    @implements("REQ-380", "RC-154")
    @model_validator(mode="after")
    def _criteria_are_computed(self) -> Self:
        if former := [name for name in self.measures if name in FORMER]:
            raise ValueError(f"`measures` names {former[0]}: write {FORMER[former[0]]}")
        if len(set(self.measures)) < len(self.measures):
            raise ValueError("`measures` names a measure twice")
        for what, rows in (("criterion limits", self.criteria), ("margin is of", self.margins)):
            if lacking := unplanned((one.measure for one in rows), self.measures):
                raise ValueError(f"a {what} {lacking[0]}, which is not computed: add it to `measures`")
        if len({one.measure for one in self.margins}) < len(self.margins):
            raise ValueError("`margins` names a measure twice")
        return self

    @implements("REQ-324", "RC-136")
    @model_validator(mode="after")
    def _unit_is_stated(self) -> Self:
        limited = [*(one.measure for one in self.criteria), *(one.measure for one in self.margins)]
        named = (row for name in limited if (row := measure_of(name)) is not None)
        distance = next((row.name for row in named if row.is_distance), None)
        if distance is not None and self.tolerance is None:
            raise ValueError(
                f"a criterion or margin limits {distance}: state its unit by `tolerance`, for example `tolerance: 2 µm`"
            )
        return self


class DocumentFacts(Record):
    """What documents state about the device that no record contains."""

    udi_di: Annotated[str | None, StringConstraints(pattern=r"^[A-Za-z0-9+*/.$%-]{6,40}$")] = None
    """The device identifier of the UDI (UDI-DI) of this version."""
    basic_udi_di: Annotated[str | None, StringConstraints(pattern=r"^[A-Za-z0-9+*/.$%-]{6,40}$")] = None
    """The Basic UDI-DI (MDR, Annex VI C)."""
    contact: ShortText | None = None
    """Where users report problems."""
    id_prefix: Slug | None = None
    """How document ids begin. Default: the name of the device."""
    formats: Annotated[tuple[Literal["docx", "pdf"], ...] | None, Field(exclude_if=lambda formats: formats is None)] = (
        None
    )
    """The formats of documents beside pages. Default: all that the installation can make."""


class Project(Record):
    """All sections of `minivess.yaml`."""

    device: Device
    source: str = "."
    """Folder with requirements/, risk/, features/, templates/ and the lock file, relative to the project file."""
    data: Data
    split: Split = Split()
    model: ModelSpec = DEFAULT
    preprocessing: Annotated[PreprocessingChoice, Field(exclude_if=lambda choice: choice == PreprocessingChoice())] = (
        PreprocessingChoice()
    )
    training: TrainingSpec = TrainingSpec()
    calibration: Calibration = Calibration()
    export: Annotated[ExportChoice, Field(exclude_if=lambda choice: choice == ExportChoice())] = ExportChoice()
    evaluation: Evaluation
    model_card: Annotated[ModelCardFacts | None, Field(exclude_if=lambda facts: facts is None)] = None
    """What people state about the model, for its card."""
    documents: Annotated[DocumentFacts | None, Field(exclude_if=lambda facts: facts is None)] = None
    """What documents state beside the records: UDI, contact, document ids."""
    witnesses: WitnessPolicy | None = None
    """The witnesses that must cosign the log's checkpoints before a release."""

    @implements("REQ-339", "RC-142")
    @model_validator(mode="after")
    def _known_classes(self) -> Self:
        known = [one.name for one in self.data.declared]
        for criterion in self.evaluation.criteria:
            if criterion.of_class is not None and (len(known) < 2 or criterion.of_class not in known):
                several = ", ".join(known) if len(known) > 1 else "there is one class, so leave `of_class` out"
                raise ValueError(
                    f"evaluation.criteria names the class {criterion.of_class!r}; data.classes has: {several}"
                )
        if len(set(known)) < len(known):
            raise ValueError("data.classes has two classes of one name")
        return self
