"""The one way to read the files that one command made and a later one reads.

Each file (`records.device.workspace_files`) is compared with the log: with the output that the newest completed entry of
the action that makes it names, or with a file that is compared so. No file is compared with a digest that it contains
itself. A file is read once, into memory: the bytes that were digested are the bytes that are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import RECORD_LIMIT, parse_json_record, read_json_record
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import Part, SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.data.version import DataVersion
from minivess.records.device.registration import SealTerms
from minivess.records.device.workspace_files import (
    CALIBRATION,
    EXPORT,
    FILES,
    INTENDED_USE,
    MANIFEST,
    ONNX,
    SEALED,
    SPLIT,
    START,
    VALIDATION,
    VERSION,
    Step,
    StepName,
    WorkspaceFile,
    file_of,
    first_missing,
)
from minivess.records.log.entry import Context, Entry, EntryBody, Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.start import StartRecord
from minivess.records.models.task import SegmentationTask, task_of
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

if TYPE_CHECKING:
    from minivess.ml.cases.prepared import LoadedCase

_GRAPH_LIMIT = 2 << 30
_SHOWN = 19
"""Characters of a digest in a message."""


class BoundInputs:
    """The files of a workspace, each compared with the log when it is read.

    Args:
        workspace: the project folder.
        entries: the log, from its first entry on.

    Every reading method raises:
        UsageError: the file was not made yet; the hint names the command.
        VerificationError: the file is not the one the log names, or does not fit the others; the message names it.
        InputError: it is malformed or too large.
    """

    def __init__(self, workspace: Workspace, entries: Iterable[Entry]) -> None:
        self._workspace = workspace
        self._outputs: dict[str, dict[str, tuple[str, int]]] = {}
        self._contexts: dict[str, Context] = {}
        self._seals: dict[str, EntryBody] = {}
        self._sealed_splits: dict[str, int] = {}
        self._done: set[str] = set()
        self._members: tuple[Artifact, ...] = ()
        self._started: set[str] = set()
        actions = {row.action for row in FILES}
        for entry in entries:
            body = entry.body
            if body.outcome is not Outcome.COMPLETED:
                continue
            self._done.add(body.action)
            if body.action not in actions:
                continue
            made = {output.name: (output.digest, body.index) for output in body.outputs}
            before = self._outputs.get(body.action, {}) if body.action == "training" else {}  # one entry a member
            self._outputs[body.action] = {**before, **made}
            self._contexts[body.action] = body.context
            if body.action == "training" and any(one.name == START for one in body.inputs):
                self._started |= {one.digest for one in body.outputs if one.name.endswith("/run.json")}
            elif body.action == "ensemble":
                self._members = tuple(one for one in body.inputs if one.name.endswith("/run.json"))
            if body.action == "data.seal" and SEALED in made:
                self._seals.setdefault(made[SEALED][0], body)
                for one in body.inputs:
                    if one.name == SPLIT:
                        self._sealed_splits.setdefault(one.digest, body.index)

    @classmethod
    def of(cls, services: WorkspaceReader) -> BoundInputs:
        """The files of an open workspace, and the log as it is now."""
        return cls(Workspace(services.workspace), services.log.entries())

    def knows(self, name: str) -> bool:
        """Whether the log says what the file must be."""
        return name in self._outputs.get(file_of(name).action, {})

    def index_of(self, name: str) -> int | None:
        """The index of the newest completed entry that made a file; None: there is none."""
        made = self._outputs.get(file_of(name).action, {}).get(name)
        return None if made is None else made[1]

    @implements("REQ-197")
    def first_missing(self, step: StepName) -> Step:
        """The first step before another that the log has not; the step itself when the log has all of them."""
        return first_missing(step, lambda one: not one.action or one.action in self._done)

    def recorded(self, name: str) -> Artifact:
        """What the log says that a file must be.

        Raises:
            UsageError: no completed entry made it.
        """
        row = file_of(name)
        digest, _ = self._outputs.get(row.action, {}).get(name, ("", 0))
        if not digest:
            raise UsageError(
                f"the log has no completed {row.action} that made {name}", hint=self.first_missing(row.made_by).line
            )
        return Artifact(name=name, digest=digest)

    @implements("REQ-180")
    def read(self, name: str) -> bytes:
        """The bytes of a file that the log names."""
        row = file_of(name)
        self.recorded(name)
        shown = row.shown_in(self._workspace.root, name)
        path = self._workspace.root / shown
        if not path.is_file():
            raise VerificationError(f"{shown} is missing", hint=f"restore it, or run `{row.command}` again")
        data = read_limited(path, limit=_GRAPH_LIMIT if name == ONNX else RECORD_LIMIT)
        compare(row, shown, digest_bytes(data), self._outputs[row.action][name])
        return data

    def record[R: Record](self, name: str, kind: type[R]) -> R:
        """A JSON record that the log names."""
        return parse_json_record(self.read(name), kind, path=name, hint=file_of(name).command)

    def made[R: Record](self, name: str, kind: type[R]) -> R | None:
        """A JSON record, or None while it is not there or the log does not name it."""
        root = self._workspace.root
        there = self.knows(name) and (root / file_of(name).shown_in(root, name)).is_file()
        return self.record(name, kind) if there else None

    @cached_property
    def manifest(self) -> DatasetManifest:
        """The ingested cases."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(MANIFEST, DatasetManifest)
        if made.root != root_of(made) or made.root != self._contexts["data.ingest"].data:
            raise VerificationError(
                f"the root digest in {MANIFEST} does not match its cases", hint="minivess data ingest"
            )
        return made

    @cached_property
    def task(self) -> SegmentationTask:
        """Channels, axes and classes of the ingested cases, which are the same in all of them."""
        return task_of(self.manifest)

    @cached_property
    def validation(self) -> ValidationReport:
        """What validation found about these cases."""
        made = self.record(VALIDATION, ValidationReport)
        if made.dataset != self.manifest.root:
            raise VerificationError(f"{VALIDATION} was made for other cases", hint="minivess data validate")
        return made

    @cached_property
    def split(self) -> SplitManifest:
        """The split of these cases."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(SPLIT, SplitManifest)
        if made.root != root_of(made):
            raise VerificationError(
                f"the root digest in {SPLIT} does not match its content", hint="minivess data split"
            )
        if made.dataset != self.manifest.root:
            raise VerificationError(
                f"{SPLIT} was made for other cases than those in {MANIFEST}",
                hint="ingest the cases again as they were when they were split",
            )
        return made

    @cached_property
    def seal(self) -> SealManifest:
        """The public manifest of the sealed test part of this split."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(SEALED, SealManifest)
        if made.root != root_of(made):
            raise VerificationError(f"the root digest in {SEALED} does not match its content", hint="restore it")
        if made.split != self.split.root:
            raise VerificationError(f"{SEALED} was made for another split than {SPLIT}", hint="restore both")
        return made

    @cached_property
    def sealing(self) -> tuple[int, DataSealed] | None:
        """The entry that sealed the test part as it is now, and what it fixed; None while nothing is sealed.

        Sealing again what is sealed changes nothing: the first entry counts.
        """
        body = self._seals.get(self.recorded(SEALED).digest) if self.knows(SEALED) else None
        if body is None:
            return None
        try:
            return body.index, DataSealed.model_validate(body.payload)
        except ValidationError:
            raise VerificationError(f"entry {body.index} (data.seal) does not say what such an entry must") from None

    def sealed_at(self, split: str) -> int | None:
        """The entry that first sealed the test part of a split, by the digest of its file; None when none did."""
        return self._sealed_splits.get(split)

    @property
    def terms(self) -> SealTerms | None:
        """What the seal fixed for every look; None while nothing is sealed, and for seals of version 0.1.0."""
        return None if self.sealing is None else self.sealing[1].terms

    @cached_property
    def version(self) -> dict[str, str]:
        """The digests of the data that later entries name: fields of their context."""
        context = self._contexts.get(file_of(VERSION).action)
        path = self._workspace.root / VERSION
        if context is None or not path.is_file():
            raise UsageError(f"{VERSION} is not there yet", hint=self.first_missing("seal").line)
        version = read_json_record(path, DataVersion, shown=VERSION, hint="restore it")
        if (version.split, version.dvc) != (context.data, context.dvc):
            raise VerificationError(f"{VERSION} does not match the entry of the sealing", hint="restore it")
        return {"data": version.split, "dvc": version.dvc}

    @cached_property
    def calibration(self) -> CalibrationRecord:
        """The calibration of the ensemble."""
        return self.record(CALIBRATION, CalibrationRecord)

    @property
    def runs(self) -> tuple[Artifact, ...]:
        """The run records of the members of the newest ensemble, as its entry names them."""
        return self._members

    @cached_property
    def starts(self) -> tuple[StartRecord, ...]:
        """The weights that members of the newest ensemble started from, where they are not drawn by seed."""
        found = []
        for one in self._members:
            if one.digest not in self._started:
                continue
            if self.recorded(one.name) != one:
                raise VerificationError(f"{one.name} was made again after the ensemble", hint="minivess ensemble")
            if (start := self.record(one.name, RunRecord).start) is None:
                raise VerificationError(
                    f"{one.name} does not state the weights that its entry names", hint="minivess train"
                )
            found.append(start)
        return tuple(found)

    @cached_property
    @implements("REQ-341")
    def model(self) -> Artifact:
        """What the log names the exported model by: the record of the export; before 0.2.0 the graph.

        Raises:
            UsageError: no completed entry exported a model.
        """
        graph = self.recorded(ONNX)
        row = file_of(EXPORT)
        made, stated = self._outputs[row.action].get(EXPORT), self._contexts[row.action].model
        return Artifact(name=EXPORT, digest=made[0]) if made is not None and made[0] == stated else graph

    @cached_property
    def export(self) -> ExportRecord:
        """The record of the export."""
        return self.record(EXPORT, ExportRecord)

    @implements("REQ-341")
    def export_folder(self) -> Path:
        """The folder of the exported model. Its record is compared with the log; whoever opens it compares the graphs.

        Exports of before, which no record describes as a whole, are compared file by file.
        """
        _ = self.export
        return (self._workspace.root / file_of(EXPORT).shown_in(self._workspace.root, EXPORT)).parent

    @property
    def conformal_thresholds(self) -> dict[str, float | None]:
        """The conformal threshold of each class, by its name: of the exported model; before 0.2.0 of the calibration."""
        if self.export.model is not None:
            return dict(self.export.model.conformal.thresholds)
        return {one.name: self.calibration.threshold_of(one.name) for one in self.export.task.classes}

    @cached_property
    @implements("REQ-181", "REQ-341")
    def intended_use(self) -> IntendedUse:
        """Bounds of the intended use, as the export derived them.

        Exports of version 0.1.0 did not: then they are derived from the prepared cases, which are compared with the log.
        """
        if self.export.model is not None:
            return self.export.model.intended_use
        if self.knows(INTENDED_USE):
            return self.record(INTENDED_USE, IntendedUse)
        from minivess.ml.inference.intended_use import derive_envelope

        known = self.cases(Part.TRAIN, Part.CALIBRATION)
        return derive_envelope(((case.image, case.record.spacing) for case in known), self.manifest.cases[0].unit)

    def case_record(self, identifier: str) -> CaseRecord:
        """What the log says of a case."""
        for one in self.manifest.cases:
            if one.id == identifier:
                return one
        raise VerificationError(f"{MANIFEST} has no case {identifier}", hint="minivess data ingest")

    def cases(self, *parts: Part) -> Iterator[LoadedCase]:
        """The prepared cases of parts of the split, in order, one at a time in memory."""
        from minivess.ml.cases.prepared import load_recorded

        for part in parts:
            for identifier in self.split.part(part):
                yield load_recorded(self._workspace.prepared, self.case_record(identifier))


@implements("REQ-180", "RC-65")
def compare(row: WorkspaceFile, shown: str, found: str, recorded: tuple[str, int]) -> None:
    """Compare the digest of a file with the one in the log, and the index of the entry that has it.

    Raises:
        VerificationError: they differ; the message names the file and the entry.
    """
    expected, index = recorded
    if found != expected:
        raise VerificationError(
            f"{shown} is not the file that entry {index} ({row.action}) recorded: "
            f"{found[:_SHOWN]}… instead of {expected[:_SHOWN]}…",
            hint=f"restore it, or run `{row.command}` again",
        )


@contextmanager
def refused_on_record(services: Services, action: str, signer: Signer) -> Iterator[None]:
    """Write an entry of `action` when an input in the block does not verify or is refused, and raise the error again.

    For checks that come before the action itself is announced.
    """
    try:
        yield
    except (VerificationError, RefusedError):
        with recorded(services, action, signer, instant=True):
            raise


@contextmanager
def hint_of_first_missing(services: WorkspaceReader, step: StepName) -> Iterator[None]:
    """Let a refusal in the block name the first step before `step` that was not done, when there is one."""
    try:
        yield
    except RefusedError as error:
        missing = BoundInputs.of(services).first_missing(step)
        if missing.name != step:
            error.hint = missing.line
        raise
