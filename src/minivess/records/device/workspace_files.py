"""The files of a workspace and the steps that make them, each in one table.

A step is a command. It reads files that earlier steps made. Readers and writers of files, the DVC stages and the hints of
errors take names, commands and order from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, record_at

StepName = Literal[
    "init", "people", "log", "ingest", "validate", "split", "seal", "card", "train", "ensemble", "calibrate", "export",
    "criteria", "policy", "request", "approve", "evaluate", "results", "release", "sign", "serve",
]  # fmt: skip
TrackedBy = Literal["", "git", "dvc"]


@dataclass(frozen=True)
class Stage:
    """What DVC knows of a step.

    Attributes:
        files: names of the files that make the stage stale when they change.
        settings: parts of the project file that make it stale when they change.
        command: what DVC runs, when that is not the command of the step.
    """

    files: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a project.

    Attributes:
        name: how other rows call it.
        command: what people type after `minivess`.
        title: what it does, in a few words.
        action: the entry that shows in the log that it was done; empty: no entry does.
        after: steps that come before it although it reads no file of theirs.
        stage: what DVC knows of it; None: it is no stage.
        optional: whether a release can do without it.
    """

    name: StepName
    command: str
    title: str
    action: str = ""
    after: tuple[StepName, ...] = ()
    stage: Stage | None = None
    optional: bool = False

    @property
    def line(self) -> str:
        """The command line."""
        return f"minivess {self.command}"


@dataclass(frozen=True)
class WorkspaceFile:
    """One file of a workspace, or several of a kind.

    Attributes:
        name: the file, as entries name it; `*` stands for a case or a member.
        made_by: the step that makes it.
        record_place: where the record of its JSON is (`record_at`); empty: it is no JSON, or belongs to another format.
        readers: the steps that read it.
        compared_with: what it is compared with when it is read: an output of the newest completed entry of the step, that
            entry's context, or digests in another file of this table; empty: nothing.
        path: where it is in the workspace, when that is not `name`.
        since: the first version whose entries name it, when that is not 0.1.0.
        tracked_by: who keeps it as an output of a DVC stage; empty: it is none.
        folder: what is kept as a whole instead of the file; empty: the file.
        former: where earlier versions put it, when that is another place.
    """

    name: str
    made_by: StepName
    record_place: str = ""
    readers: frozenset[StepName] = frozenset()
    compared_with: str = ""
    path: str = ""
    since: str = ""
    tracked_by: TrackedBy = ""
    folder: str = ""
    former: str = ""

    @property
    def record(self) -> type[Record] | None:
        """What the JSON in it is; None: it is no JSON, or belongs to another format."""
        return record_at(self.record_place) if self.record_place else None

    @property
    def place(self) -> str:
        """Where it is in the workspace."""
        return self.path or self.name

    @property
    def tracked_path(self) -> str:
        """What DVC calls it: the folder of several files, else the file."""
        return self.folder or self.place.partition("*")[0].rstrip("/")

    @property
    def step(self) -> Step:
        """The step that makes it."""
        return step_of(self.made_by)

    @property
    def action(self) -> str:
        """The action that makes it."""
        return self.step.action

    @property
    def command(self) -> str:
        """Makes it again."""
        return self.step.line

    def place_of(self, name: str) -> str:
        """Where the file of that name is in the workspace."""
        if "*" not in self.name:
            return self.place
        if not self.path:
            return name
        before, _, after = self.name.partition("*")
        return self.path.replace("*", name[len(before) : len(name) - len(after)], 1)

    def shown_in(self, root: Path, name: str) -> str:
        """Where the file of that name is in the workspace at `root`: its place, or where earlier versions put it, when it is
        there alone."""
        place = self.place_of(name)
        there = self.former and not (root / place).is_file() and (root / self.former).is_file()
        return self.former if there else place

    def matches(self, name: str) -> bool:
        """Whether this row is about a file of that name."""
        before, star, after = self.name.partition("*")
        return name == self.name or bool(star and name.startswith(before) and name.endswith(after))


MANIFEST, SPLIT, VALIDATION = "data/manifest.json", "data/split.json", "data/validation.json"
PROFILE, LEAKAGE, PREPARED = "data/profile.json", "data/leakage.json", "data/prepared/*/*"
NEAR_DUPLICATES = "data/near-duplicates.json"
PACKED_VALIDATION = "data/validation-without-pictures.html"
SEALED, VERSION = "data/sealed/manifest.json", "data/version.json"
CARD_PAGE, CROISSANT = "data/card.html", "data/croissant.json"
MEMBER_RUN, MEMBER_WEIGHTS = "models/members/*/run.json", "models/members/*/weights.safetensors"
START = "training/start"
"""How the entry of a training names the weights that it started from: an input that is no file of the workspace."""
ENSEMBLE, CALIBRATION = "models/ensemble.json", "models/calibration.json"
ONNX, EXPORT, INTENDED_USE = "models/model.onnx", "models/export.json", "models/intended-use.json"
GRAPHS, EXPORT_FOLDER = "models/graphs/*", "models/export"
CRITERIA, PLAN, EVALUATION = "evaluation/criteria.json", "evaluation/plan.json", "evaluation/evaluation.json"
PACKED_REPORT = "evaluation/report-without-pictures.html"
RESULTS = "evidence/verification/results.json"
COVERAGE = "verification/coverage.json"
"""How entries name the coverage of the tests."""

STEPS: tuple[Step, ...] = (
    Step("init", "init FOLDER", "start the project folder"),
    Step("people", "identity create ID --name NAME --role ROLE", "make keys for people", after=("init",)),
    Step("log", "audit start", "start the audit log", "log.created", after=("people",)),
    Step("ingest", "data ingest", "read the cases", "data.ingest", after=("log",), stage=Stage()),
    Step("validate", "data validate", "validate the cases", "data.validate", stage=Stage((MANIFEST,), ("data.rules",))),
    Step("split", "data split", "split the cases", "data.split", stage=Stage((MANIFEST, VALIDATION), ("split",))),
    Step("seal", "data seal", "seal the test part", "data.seal", stage=Stage((SPLIT,))),
    Step("card", "data card", "write the data card", "data.card", optional=True),
    Step(
        "train",
        "train",
        "train the members",
        "training",
        stage=Stage((PREPARED, SPLIT, VERSION), ("model", "training")),
    ),
    Step(
        "ensemble",
        "ensemble",
        "combine the members",
        "ensemble",
        stage=Stage((MEMBER_RUN,), ("model", "training")),
    ),
    Step(
        "calibrate",
        "calibrate",
        "calibrate the ensemble",
        "calibration",
        stage=Stage((PREPARED, SPLIT, MEMBER_RUN, ENSEMBLE), ("calibration", "split.seed")),
    ),
    Step(
        "export",
        "model export",
        "export the model",
        "model.export",
        stage=Stage((PREPARED, SPLIT, MEMBER_RUN, ENSEMBLE, CALIBRATION), ("model",)),
    ),
    Step("criteria", "test-set criteria", "register the acceptance criteria", "criteria.register", after=("log",)),
    Step("policy", "release policy", "register the release policy", "policy.register", after=("log",)),
    Step(
        "request",
        "test-set request --purpose WHY",
        "request a look at the test set",
        "test-set.request",
        after=("criteria", "policy"),
    ),
    Step("approve", "test-set approve REQUEST", "approve the request", "test-set.approve", after=("request",)),
    Step(
        "evaluate",
        "evaluate --test-set REQUEST",
        "evaluate on the test set",
        "evaluation",
        after=("approve",),
        stage=Stage((ONNX, CALIBRATION, VERSION), ("evaluation",), "data pipeline evaluate"),
    ),
    Step("results", "trace run", "run the scenarios", "scenarios", after=("log",)),
    Step(
        "release",
        "release build",
        "build the evidence pack",
        "release.build",
        stage=Stage((ONNX, EVALUATION), ("device",), "data pipeline release"),
    ),
    Step("sign", "release sign PACK", "sign the evidence pack", "release.sign", after=("release",)),
    Step("serve", "serve", "answer requests", after=("evaluate",), optional=True),
)
"""Every step of a project, in the order of the work."""


def _file(
    name: str,
    made_by: StepName,
    record_place: str = "",
    readers: str = "",
    compared_with: str = "output",
    **more: str,
) -> WorkspaceFile:
    return WorkspaceFile(name, made_by, record_place, frozenset(readers.split()), compared_with, **more)  # type: ignore[arg-type]


_LEARNING = "train calibrate export"
FILES: tuple[WorkspaceFile, ...] = (
    _file(
        MANIFEST, "ingest", "data.dataset:DatasetManifest",
        f"validate split seal card {_LEARNING} request approve evaluate serve release",
        tracked_by="git",
    ),
    _file(PREPARED, "ingest", "", f"validate split seal card {_LEARNING} evaluate serve", MANIFEST),
    _file(VALIDATION, "validate", "data.validation:ValidationReport", "split seal card release", tracked_by="git"),
    _file(PACKED_VALIDATION, "validate", "", "", "", since="0.2.0"),
    _file(NEAR_DUPLICATES, "validate", "data.likeness:NearSearch", "split", since="0.2.0"),
    _file(PROFILE, "validate", "data.profile:DatasetProfile", "card", ""),
    _file(
        SPLIT, "split", "data.split:SplitManifest", f"seal card {_LEARNING} request approve evaluate serve release",
        tracked_by="git",
    ),
    _file(LEAKAGE, "split", "data.leakage:LeakageReport", "", ""),
    _file(SEALED, "seal", "data.seal:SealManifest", "request approve evaluate release"),
    _file("data/sealed/*.sealed", "seal", "", "evaluate", SEALED),
    _file(
        VERSION, "seal", "data.version:DataVersion", f"{_LEARNING} request approve evaluate serve", "context",
        tracked_by="git",
    ),
    _file(CARD_PAGE, "card", "", "", ""),
    _file(CROISSANT, "card", "", "", ""),
    _file(MEMBER_RUN, "train", "models.model:RunRecord", "ensemble calibrate export release", tracked_by="dvc"),
    _file(MEMBER_WEIGHTS, "train", "", "calibrate export", ENSEMBLE, since="0.2.0", tracked_by="dvc"),
    _file(ENSEMBLE, "ensemble", "models.ensemble:EnsembleRecord", "calibrate export", tracked_by="dvc"),
    _file(CALIBRATION, "calibrate", "models.model:CalibrationRecord", "export request evaluate serve release", tracked_by="dvc"),
    _file(
        ONNX, "export", "", "request evaluate serve release",
        path=f"{EXPORT_FOLDER}/model.onnx", former=ONNX, tracked_by="dvc", folder=EXPORT_FOLDER,
    ),
    _file(
        EXPORT, "export", "models.exports.export:ExportRecord", "request evaluate serve release",
        path=f"{EXPORT_FOLDER}/export.json", former=EXPORT, tracked_by="dvc", folder=EXPORT_FOLDER,
    ),
    _file(
        GRAPHS, "export", "", "", EXPORT,
        path=f"{EXPORT_FOLDER}/graphs/*", since="0.2.0", tracked_by="dvc", folder=EXPORT_FOLDER,
    ),
    _file(INTENDED_USE, "export", "models.intended_use:IntendedUse", "", since="0.2.0"),
    _file(CRITERIA, "criteria", "device.project:Evaluation", "", "", path="evidence/evaluation/criteria.json"),
    _file(PLAN, "criteria", "evaluation.evaluation:AnalysisPlan", "", "", path="evidence/evaluation/plan.json"),
    _file(
        EVALUATION, "evaluate", "evaluation.evaluation:EvaluationRecord", "release",
        path="evidence/evaluation/evaluation.json", tracked_by="git",
    ),
    _file(
        PACKED_REPORT, "evaluate", "", "", "",
        path="evidence/evaluation/report-without-pictures.html", since="0.2.0",
    ),
    _file(
        COVERAGE, "results", "items.coverage:CoverageReport", "", "",
        path="evidence/verification/coverage.json", since="0.2.0",
    ),
    _file(RESULTS, "results", "items.trace:ResultReport", "release", ""),
)  # fmt: skip
"""Every file that one command makes and a later one reads, and the records people read. The project file is bound by the
request (`configuration`), the release policy by `policy.register`."""


@cache
def step_of(name: StepName) -> Step:
    """A step by its name."""
    return next(step for step in STEPS if step.name == name)


def file_of(name: str) -> WorkspaceFile:
    """The row of a file.

    Args:
        name: as entries name it, or where it is in the workspace.

    Raises:
        UsageError: the table has no such file.
    """
    for row in FILES:
        if row.matches(name) or name == row.place:
            return row
    raise UsageError(f"{name} is no input in the table")


@cache
def steps_before(name: StepName) -> tuple[Step, ...]:
    """The steps that must be done before a step, in the order of the work."""
    direct = {*step_of(name).after, *(row.made_by for row in FILES if name in row.readers)}
    needed = {before.name for one in direct for before in steps_before(one)} | direct
    return tuple(step for step in STEPS if step.name in needed)


@implements("REQ-197")
def first_missing(name: StepName, done: Callable[[Step], bool]) -> Step:
    """The first step that must be done before a step and was not; the step itself when all were.

    Args:
        name: the step.
        done: whether a step was done.
    """
    return next((step for step in steps_before(name) if not done(step)), step_of(name))
