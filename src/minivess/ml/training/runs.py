"""Finished members on disk: a folder with `weights.safetensors` and, written after it, `run.json`.

Without a `run.json` that fits what was asked, and weights that fit it, there is no member. PyTorch is imported only to
read weights.
"""

from __future__ import annotations

from pathlib import Path

from minivess.foundation.digests import Digest, digest_file
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import RECORD_LIMIT, read_json_record
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import AS_IT_IS, Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec

WEIGHTS, WEIGHTS_0_1_0 = "weights.safetensors", "weights.pt"
LAST, CURVES = "last.safetensors", "curves.json"
AUGMENTED, VALIDATED = "augmented.png", "validated.png"
RUN = "run.json"
PROCEDURE = 2
"""How training is done now; a member that was trained otherwise is not the one that is wanted."""


def weights_of(folder: Path) -> Path:
    """The file with the weights of a member; members of version 0.1.0 have a PyTorch zip file."""
    new, old = folder / WEIGHTS, folder / WEIGHTS_0_1_0
    return old if old.is_file() and not new.is_file() else new


@implements("REQ-048", "REQ-361")
def completed_run(
    out: Path,
    spec: ModelSpec,
    training: TrainingSpec,
    *,
    seed: int,
    data: Digest,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    preprocessing: Preprocessing = AS_IT_IS,
    smoke: bool = False,
) -> RunRecord | None:
    """The record of a whole earlier run of exactly this training, or None when there is none.

    A missing, malformed or half-written record, another specification, task or preprocessing, other cases, or weights
    that are not the recorded ones all mean None.
    """
    try:
        record = read_json_record(out / RUN, RunRecord, limit=RECORD_LIMIT)
        wanted = training.model_copy(update={"members": record.training.members})
        made = (record.seed, record.model, record.training, record.data, record.task, record.preprocessing)
        if made != (seed, spec, wanted, data, task, preprocessing) or record.smoke != smoke:
            return None
        if record.procedure != PROCEDURE or not (out / CURVES).is_file() or digest_file(out / CURVES) != record.curves:
            return None
        weights = weights_of(out)
        if not weights.is_file():
            return None
        from minivess.ml.models.weights import load_weights

        load_weights(weights, expected=record.weights)
    except (InputError, VerificationError):
        return None
    return record
