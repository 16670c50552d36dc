"""The files that later commands read again, in one table, and the one way to read them.

Each file is compared with what the log says of it: with the output that the newest completed entry of the action that
makes it names, or with a file that is compared so. No file is compared with a digest that it contains itself. What was
digested is what is used: a file is read once, into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.json_records import first_error
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import Part, SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.data.version import DataVersion
from minivess.records.device.registration import SealTerms
from minivess.records.log.entry import Context, Entry, EntryBody, Outcome
from minivess.records.log.payloads import DataSealed
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

if TYPE_CHECKING:
    from minivess.ml.cases.prepared import LoadedCase

Reader = Literal["split", "seal", "training", "calibration", "export", "evaluation", "service", "release"]
_LIMIT = 64 << 20
_GRAPH_LIMIT = 2 << 30
_SHOWN = 19
"""Characters of a digest in a message."""


@dataclass(frozen=True)
class BoundInput:
    """One row of the table.

    Attributes:
        name: the file, as entries name it; `*` stands for a case or a member.
        action: the action that makes it.
        command: makes it again.
        readers: who reads it.
        by: what it is compared with: an output of the action's newest completed entry, that entry's context, or digests
            in another file of this table.
        path: where it is in the workspace, when that is not `name`.
        since: the first version whose entries name it, when that is not 0.1.0.
    """

    name: str
    action: str
    command: str
    readers: frozenset[Reader]
    by: str = "output"
    path: str = ""
    since: str = ""

    @property
    def place(self) -> str:
        """Where it is in the workspace."""
        return self.path or self.name


def _row(name: str, action: str, command: str, readers: str, *, by: str = "output", **more: str) -> BoundInput:
    return BoundInput(name, action, f"minivess {command}", frozenset(readers.split()), by, **more)  # type: ignore[arg-type]


MANIFEST, SPLIT, VALIDATION = "data/manifest.json", "data/split.json", "data/validation.json"
SEALED, VERSION = "data/sealed/manifest.json", "data/version.json"
ENSEMBLE, CALIBRATION = "models/ensemble.json", "models/calibration.json"
ONNX, EXPORT, INTENDED_USE = "models/model.onnx", "models/export.json", "models/intended-use.json"
EVALUATION = "evaluation/evaluation.json"

_LEARNING = "training calibration export"
TABLE: tuple[BoundInput, ...] = (
    _row(MANIFEST, "data.ingest", "data ingest", f"split seal {_LEARNING} evaluation service"),
    _row("data/prepared/*/*", "data.ingest", "data ingest", f"seal {_LEARNING} evaluation service", by=MANIFEST),
    _row(VALIDATION, "data.validate", "data validate", "split seal"),
    _row(SPLIT, "data.split", "data split", f"seal {_LEARNING} evaluation service"),
    _row(SEALED, "data.seal", "data seal", "evaluation"),
    _row("data/sealed/*.sealed", "data.seal", "data seal", "evaluation", by=SEALED),
    _row(VERSION, "data.seal", "data seal", f"{_LEARNING} evaluation service", by="context"),
    _row("models/members/*/run.json", "training", "train", "calibration export"),
    _row("models/members/*/weights.pt", "training", "train", "calibration export", by=ENSEMBLE),
    _row(ENSEMBLE, "ensemble", "ensemble", "calibration export"),
    _row(CALIBRATION, "calibration", "calibrate", "export evaluation service release"),
    _row(ONNX, "model.export", "model export", "evaluation service release"),
    _row(EXPORT, "model.export", "model export", "release"),
    _row(INTENDED_USE, "model.export", "model export", "service", since="0.2.0"),
    _row(EVALUATION, "evaluation", "evaluate", "release", path="evidence/evaluation/evaluation.json"),
)
"""Every file made by one command and read by a later one. The project file is bound by the request (`configuration`),
the release policy by `policy.register`."""


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
        actions = {row.action for row in TABLE}
        for entry in entries:
            body = entry.body
            if body.action not in actions or body.outcome is not Outcome.COMPLETED:
                continue
            made = {output.name: (output.digest, body.index) for output in body.outputs}
            before = self._outputs.get(body.action, {}) if body.action == "training" else {}  # one entry a member
            self._outputs[body.action] = {**before, **made}
            self._contexts[body.action] = body.context
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
        return name in self._outputs.get(_row_of(name).action, {})

    def recorded(self, name: str) -> Artifact:
        """What the log says that a file must be.

        Raises:
            UsageError: no completed entry made it.
        """
        row = _row_of(name)
        digest, _ = self._outputs.get(row.action, {}).get(name, ("", 0))
        if not digest:
            raise UsageError(f"the log has no completed {row.action} that made {name}", hint=row.command)
        return Artifact(name=name, digest=digest)

    @implements("REQ-180")
    def read(self, name: str) -> bytes:
        """The bytes of a file that the log names."""
        row = _row_of(name)
        self.recorded(name)
        path = self._workspace.root / (row.path or name)
        shown = row.path or name
        if not path.is_file():
            raise VerificationError(f"{shown} is missing", hint=f"restore it, or run `{row.command}` again")
        data = read_limited(path, limit=_GRAPH_LIMIT if name == ONNX else _LIMIT)
        compare(row, shown, digest_bytes(data), self._outputs[row.action][name])
        return data

    def record[R: Record](self, name: str, kind: type[R]) -> R:
        """A JSON record that the log names."""
        try:
            return kind.model_validate_json(self.read(name))
        except ValidationError as error:
            raise InputError(first_error(error), path=name, hint=_row_of(name).command) from None

    def made[R: Record](self, name: str, kind: type[R]) -> R | None:
        """A JSON record, or None while it is not there or the log does not name it."""
        there = self.knows(name) and (self._workspace.root / _row_of(name).place).is_file()
        return self.record(name, kind) if there else None

    @cached_property
    def manifest(self) -> DatasetManifest:
        """The ingested cases."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(MANIFEST, DatasetManifest)
        if made.root != root_of(made) or made.root != self._contexts["data.ingest"].data:
            raise VerificationError(f"{MANIFEST} has another root than its cases", hint="minivess data ingest")
        return made

    @cached_property
    def validation(self) -> ValidationReport:
        """What validation found about these cases."""
        made = self.record(VALIDATION, ValidationReport)
        if made.dataset != self.manifest.root:
            raise VerificationError(f"{VALIDATION} is about other cases", hint="minivess data validate")
        return made

    @cached_property
    def split(self) -> SplitManifest:
        """The split of these cases."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(SPLIT, SplitManifest)
        if made.root != root_of(made):
            raise VerificationError(f"{SPLIT} has another root than its content", hint="minivess data split")
        if made.dataset != self.manifest.root:
            raise VerificationError(
                f"{MANIFEST} holds other cases than {SPLIT} divides",
                hint="ingest the cases again as they were when they were split",
            )
        return made

    @cached_property
    def seal(self) -> SealManifest:
        """The public manifest of the sealed test part of this split."""
        from minivess.ml.cases.manifests import root_of

        made = self.record(SEALED, SealManifest)
        if made.root != root_of(made):
            raise VerificationError(f"{SEALED} has another root than its content", hint="restore it")
        if made.split != self.split.root:
            raise VerificationError(f"{SEALED} is of another split than {SPLIT}", hint="restore both")
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
        row = _row_of(VERSION)
        context = self._contexts.get(row.action)
        path = self._workspace.root / VERSION
        if context is None or not path.is_file():
            raise UsageError(f"{VERSION} is not there yet", hint=row.command)
        try:
            said = DataVersion.model_validate_json(read_limited(path, limit=_LIMIT))
        except ValidationError as error:
            raise InputError(first_error(error), path=VERSION, hint="restore it") from None
        if (said.split, said.dvc) != (context.data, context.dvc):
            raise VerificationError(f"{VERSION} says something else than the entry of the sealing", hint="restore it")
        return {"data": said.split, "dvc": said.dvc}

    @cached_property
    def calibration(self) -> CalibrationRecord:
        """The calibration of the ensemble."""
        return self.record(CALIBRATION, CalibrationRecord)

    @cached_property
    def export(self) -> ExportRecord:
        """The record of the export."""
        return self.record(EXPORT, ExportRecord)

    @cached_property
    @implements("REQ-181")
    def intended_use(self) -> IntendedUse:
        """Bounds of the intended use, as the export derived them.

        Exports of version 0.1.0 did not: then they are derived from the prepared cases, which are compared with the log.
        """
        if self.knows(INTENDED_USE):
            return self.record(INTENDED_USE, IntendedUse)
        from minivess.ml.inference.envelope import derive_envelope

        return derive_envelope(
            (case.image, case.record.spacing_um) for case in self.cases(Part.TRAIN, Part.CALIBRATION)
        )

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
def compare(row: BoundInput, shown: str, found: str, recorded: tuple[str, int]) -> None:
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


def _row_of(name: str) -> BoundInput:
    for row in TABLE:
        before, star, after = row.name.partition("*")
        if name == row.name or (star and name.startswith(before) and name.endswith(after)):
            return row
    raise UsageError(f"{name} is no input in the table")


@implements("REQ-180")
def evaluation_inputs(services: WorkspaceReader, *, inputs: BoundInputs | None = None) -> tuple[Artifact, ...]:
    """Every file an evaluation reads, compared with the log; prepared and sealed cases are compared when they are read.

    Call it inside `recorded`, so that a refusal is an entry.

    Args:
        services: the workspace.
        inputs: the files, when the log was read already.

    Raises:
        UsageError: a step before is missing; the hint names its command.
        VerificationError: a file is not the one the log names; the message names it.
        InputError: a file is malformed.
    """
    held = BoundInputs.of(services) if inputs is None else inputs
    _ = held.manifest, held.split, held.seal, held.version, held.calibration
    held.read(ONNX)
    names = [row.name for row in TABLE if "evaluation" in row.readers and row.by == "output"]
    return tuple(held.recorded(name) for name in names)


def inputs_digest(inputs: Iterable[Artifact]) -> str:
    """The digest a request names all inputs of an evaluation by: of the canonical JSON of their digests by name."""
    return digest_of({one.name: one.digest for one in inputs})


@contextmanager
def refused_on_record(services: Services, action: str, signer: Signer) -> Iterator[None]:
    """Write a refused entry of `action` when an input in the block does not verify, and raise the error again.

    For checks that come before the action itself is announced.
    """
    try:
        yield
    except VerificationError:
        with recorded(services, action, signer, instant=True):
            raise
