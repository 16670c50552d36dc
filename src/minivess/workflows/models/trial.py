"""A trial run (`minivess train --smoke`): whether training works here with this project, in about a minute.

It appends no entry, needs no key and is not tracked. Its folder is `models/smoke`, its record is marked, and neither ensemble
nor release takes it.
"""

from __future__ import annotations

import math
import shutil

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.preprocessing.preprocessor import fit_preprocessing
from minivess.records.data.split import Part
from minivess.records.models.model import RunRecord
from minivess.records.models.training import TrainingSpec
from minivess.workflows.models.listening import Hear, listeners_of
from minivess.workflows.models.training import held_out_of
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

FOLDER = "smoke"
"""Below `models`."""
PATCHES = 16
CASES, VALIDATED = 6, 2
"""How many cases are learned from and validated on at most."""


@implements("REQ-361", "RC-149")
def trial_of(training: TrainingSpec) -> TrainingSpec:
    """The training of a trial run: that of the project with one member, 16 patches and one validation at the end.

    Two steps at least are made. Network, batch, loss, optimiser, augmentation and precision stay: what breaks with them
    breaks here.
    """
    steps = max(2, math.ceil(PATCHES / (training.batch * training.accumulate)))
    validation = training.validation.model_copy(update={"every": steps, "patience": None})
    changed = {"members": training.members[:1], "steps": steps, "validation": validation}
    return training.model_copy(update={**changed, "warm_up": min(training.warm_up, steps - 1)})


@implements("REQ-361", "RC-149")
def try_out(services: WorkspaceReader, *, hear: Hear | None = None) -> RunRecord:
    """Read cases, train, validate, save and load, in the folder `models/smoke`; what was there is replaced.

    Raises:
        UsageError: the cases are not prepared or not split yet, or the patch does not fit the network.
        VerificationError: a case is not the one that the log names.
        RefusedError: the loss became NaN or infinite.
        CouldNotCheckError: the memory or the disk is full.
    """
    inputs, project = BoundInputs.of(services), services.project
    task, workspace = inputs.task, Workspace(services.workspace)
    from minivess.ml.models.registry import adapter_of, build_network
    from minivess.ml.sampling.case_store import store_cases
    from minivess.ml.sampling.recorded_cases import RecordedCases
    from minivess.ml.training.member import train_member
    from minivess.ml.training.runs import WEIGHTS
    from minivess.ml.training.validation import Validator

    held_out = held_out_of(services, inputs)
    part = inputs.split.part(Part.TRAIN)
    learned, validated = (
        RecordedCases(workspace.prepared, tuple(map(inputs.case_record, names[:most])))
        for names, most in (([name for name in part if name not in held_out.cases], CASES), (held_out.cases, VALIDATED))
    )
    if not learned.records:
        raise UsageError("the training part has no case", hint="minivess data split")
    folder = workspace.models / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    training = trial_of(project.training)
    preprocessing = fit_preprocessing(
        project.preprocessing,
        task,
        ((case.image, case.label) for case in learned()),
        modality=learned.records[0].modality,
    )
    validator = None
    if validated.records:
        names = tuple(record.id for record in validated.records)
        validator = Validator(validated, names, project.model, task, preprocessing)
    run = train_member(
        store_cases(learned(), folder / "cases", patch=project.model.patch, task=task, preprocessing=preprocessing),
        project.model,
        training,
        seed=training.members[0],
        out=folder,
        task=task,
        preprocessing=preprocessing,
        validator=validator,
        note=held_out.note,
        smoke=True,
        listener=listeners_of(services, folder, hear=hear),
    )
    network = build_network(project.model, task, seed=run.seed)
    adapter_of(project.model.architecture).load(network, folder / WEIGHTS, expected=run.weights)
    return run
