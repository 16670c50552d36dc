"""A trial run (`minivess train --smoke`): whether training works here with this project, in about a minute.

It appends no entry, needs no key and is not tracked. Its folder is `models/smoke`, its record is marked, and neither ensemble
nor release takes it.
"""

from __future__ import annotations

import math
import shutil
from functools import cached_property

from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import sqlite_file
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import RECORD_LIMIT
from minivess.foundation.settings import load_settings
from minivess.ml.cases.manifests import root_of
from minivess.records.data.dataset import DatasetManifest
from minivess.records.device.workspace_files import MANIFEST
from minivess.records.models.model import RunRecord
from minivess.records.models.training import TrainingSpec
from minivess.workflows.models.listening import Hear, listeners_of
from minivess.workflows.models.training import training_data
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.services import open_reader

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


class FilesWithoutLog(BoundInputs):
    """Manifest and split of a project as they are. Cases are compared with the manifest, and the split with it."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, ())

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        path = self._workspace.root / name
        if not path.is_file():
            raise UsageError(f"{name} is not there", hint="split the cases first, or fetch it with git and `dvc pull`")
        return read_limited(path, limit=RECORD_LIMIT)

    @cached_property
    def manifest(self) -> DatasetManifest:
        """The ingested cases."""
        made = self.record(MANIFEST, DatasetManifest)
        if made.root != root_of(made):
            raise VerificationError(f"the root digest in {MANIFEST} does not match its cases", hint="restore it")
        return made


@implements("REQ-361")
def inputs_of(workspace: Workspace) -> BoundInputs:
    """The files of a project, compared with its log; where the log is not, as on machines of continuous integration, as they are.

    Raises:
        VerificationError: the log has an entry that does not hold.
        CouldNotCheckError: the log is out of reach.
    """
    database = sqlite_file(load_settings(workspace.root).database_url)
    if database is not None and not database.exists():
        return FilesWithoutLog(workspace)
    with open_reader(workspace.root) as reader:
        return BoundInputs.of(reader)


@implements("REQ-361", "RC-149")
def try_out(workspace: Workspace, *, hear: Hear | None = None) -> RunRecord:
    """Read cases, train, validate, save and load, in the folder `models/smoke`; what was there is replaced.

    Args:
        workspace: the project; it needs no log.
        hear: shows the events of the run to a person.

    Raises:
        UsageError: the cases are not prepared or not split yet, or the patch does not fit the network.
        VerificationError: a case is not the one that the log names.
        RefusedError: the loss became NaN or infinite.
        CouldNotCheckError: the memory or the disk is full.
    """
    project, inputs = load_project(workspace.root), inputs_of(workspace)
    task = inputs.task
    from minivess.ml.models.registry import adapter_of, build_network
    from minivess.ml.sampling.case_store import store_cases
    from minivess.ml.training.member import train_member
    from minivess.ml.training.runs import WEIGHTS

    data = training_data(inputs, workspace.prepared, project.training.validation.share, most=(CASES, VALIDATED))
    folder = workspace.models / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    training = trial_of(project.training)
    preprocessing = data.preprocessing(project.preprocessing, task)
    validator = data.validator(project.model, task, preprocessing)
    copies = folder / "cases"
    try:
        run = train_member(
            store_cases(data.learned(), copies, patch=project.model.patch, task=task, preprocessing=preprocessing),
            project.model,
            training,
            seed=training.members[0],
            out=folder,
            task=task,
            preprocessing=preprocessing,
            validator=validator,
            note=data.note,
            smoke=True,
            listener=listeners_of(folder, hear=hear),
        )
    finally:
        shutil.rmtree(copies, ignore_errors=True)
    network = build_network(project.model, task, seed=run.seed)
    adapter_of(project.model.architecture).load(network, folder / WEIGHTS, expected=run.weights)
    return run
