"""An ensemble of trained members."""

from __future__ import annotations

from minivess.records.base import Record
from minivess.records.models.model import AppliedPreprocessing, Task
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import AS_IT_IS
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES

MEAN = "mean of the members' probabilities"


class EnsembleMember(Record):
    """One member as the ensemble uses it."""

    seed: int
    weights: str


class EnsembleRecord(Record):
    """Which members are combined, and how."""

    model: ModelSpec
    rule: str = MEAN
    """The name of a rule of `ml.ensembles`."""
    members: tuple[EnsembleMember, ...]
    task: Task = ONE_CLASS_OF_VOLUMES
    preprocessing: AppliedPreprocessing = AS_IT_IS
