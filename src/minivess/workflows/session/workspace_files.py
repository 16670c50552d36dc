"""The files that the steps of a workspace leave for one another: JSON records, read and written whole."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.json_records import first_error
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.version import DataVersion

SEAL_CONTEXT = b"minivess/test-set/data-key/1"
"""What a data key is wrapped for."""
_LIMIT = 64 << 20


def read_json[R: Record](workspace: Workspace, name: str, kind: type[R], *, hint: str) -> R:
    """Read one of the workspace's own JSON records.

    Raises:
        UsageError: it is not there yet; `hint` names the step that makes it.
        InputError: it is not what it should be.
    """
    path = workspace.root / name
    if not path.is_file():
        raise UsageError(f"{name} is not there yet", hint=hint)
    try:
        return kind.model_validate_json(read_limited(path, limit=_LIMIT))
    except ValidationError as error:
        raise InputError(first_error(error), path=path, hint="make it again with the step that wrote it") from None


def write_json(workspace: Workspace, name: str, value: Record | dict[str, Any]) -> None:
    """Write one of the workspace's own JSON records, whole or not at all."""
    write_text_atomic(workspace.root / name, json_text(value))


def json_text(value: Record | dict[str, Any]) -> str:
    """A record as `write_json` writes it."""
    plain = value.model_dump(mode="json") if isinstance(value, Record) else value
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_of(workspace: Workspace) -> DatasetManifest:
    """The manifest of the ingested cases."""
    return read_json(workspace, "data/manifest.json", DatasetManifest, hint="minivess data ingest")


def split_of(workspace: Workspace) -> SplitManifest:
    """The split of the cases."""
    return read_json(workspace, "data/split.json", SplitManifest, hint="minivess data split")


def seal_of(workspace: Workspace) -> SealManifest:
    """The public manifest of the sealed test part."""
    return read_json(workspace, "data/sealed/manifest.json", SealManifest, hint="minivess data seal")


def made_of(workspace: Workspace, *names: str) -> list[Artifact]:
    """Files of the workspace as inputs of an action, by name and digest."""
    return [Artifact(name=name, digest=digest_file(workspace.root / name)) for name in names]


def version_of(workspace: Workspace) -> dict[str, Any]:
    """The data digests every later entry carries: the split's root and DVC's digest."""
    version = read_json(workspace, "data/version.json", DataVersion, hint="minivess data seal")
    return {"data": version.split, "dvc": version.dvc}
