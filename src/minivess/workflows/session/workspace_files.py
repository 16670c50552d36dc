"""Readers and writers of a workspace's files (`records.device.workspace_files`), where the log is not asked."""

from __future__ import annotations

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text, read_json_record
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.version import DataVersion
from minivess.records.device.workspace_files import (
    EXPORT,
    FILES,
    MANIFEST,
    SEALED,
    SPLIT,
    VERSION,
    Step,
    StepName,
    file_of,
    first_missing,
)

SEAL_CONTEXT = b"minivess/test-set/data-key/1"
"""What a data key is wrapped for."""


@implements("REQ-197")
def first_missing_step(workspace: Workspace, step: StepName) -> Step:
    """The first step before another whose files are not in the workspace; the step itself when they all are."""

    def done(one: Step) -> bool:
        rows = [row for row in FILES if row.made_by == one.name and row.compared_with in {"output", "context"}]
        return all(any(workspace.root.glob(row.shown_in(workspace.root, row.name))) for row in rows if not row.since)

    return first_missing(step, done)


def read_json[R: Record](workspace: Workspace, name: str, kind: type[R]) -> R:
    """Read one of the workspace's own JSON records.

    Args:
        workspace: the project folder.
        name: the file, by its name in the table.
        kind: its record.

    Raises:
        UsageError: it is not there yet; the hint names the first missing step.
        InputError: it is not what it should be.
    """
    row = file_of(name)
    place = row.shown_in(workspace.root, name)
    path = workspace.root / place
    if not path.is_file():
        raise UsageError(f"{place} is not there yet", hint=first_missing_step(workspace, row.made_by).line)
    return read_json_record(path, kind, hint=f"make it again with `{row.command}`")


def write_json(workspace: Workspace, name: str, value: Record) -> None:
    """Write one of the workspace's own JSON records, whole or not at all.

    Args:
        workspace: the project folder.
        name: the file, by its name in the table.
        value: the record.

    Raises:
        UsageError: the table has no such file, or the file holds another record.
    """
    row = file_of(name)
    if row.record is None or not isinstance(value, row.record):
        raise UsageError(f"{name} does not hold a {type(value).__name__}")
    write_text_atomic(workspace.root / row.place_of(name), json_text(value))


def manifest_of(workspace: Workspace) -> DatasetManifest:
    """The manifest of the ingested cases."""
    return read_json(workspace, MANIFEST, DatasetManifest)


@implements("REQ-341")
def model_of(workspace: Workspace) -> str | None:
    """The digest of the exported model in a workspace, whatever the log says of it; None while there is none.

    Raises:
        InputError: its record is malformed.
    """
    if not workspace.onnx.is_file():
        return None
    from minivess.records.models.exports.export import ExportRecord  # not for commands that only read the log

    path = workspace.root / file_of(EXPORT).shown_in(workspace.root, EXPORT)
    record = read_json(workspace, EXPORT, ExportRecord) if path.is_file() else None
    return digest_file(workspace.onnx if record is None or record.model is None else path)


def split_of(workspace: Workspace) -> SplitManifest:
    """The split of the cases."""
    return read_json(workspace, SPLIT, SplitManifest)


def seal_of(workspace: Workspace) -> SealManifest:
    """The public manifest of the sealed test part."""
    return read_json(workspace, SEALED, SealManifest)


def files_as_inputs(workspace: Workspace, *names: str) -> list[Artifact]:
    """Files of the workspace as inputs of an action, by name and digest."""
    return [Artifact(name=name, digest=digest_file(workspace.root / name)) for name in names]


def version_of(workspace: Workspace) -> dict[str, str]:
    """The data digests every later entry carries: the split's root and DVC's digest."""
    version = read_json(workspace, VERSION, DataVersion)
    return {"data": version.split, "dvc": version.dvc}
