"""Manifests and their roots: building, writing and reading them, where reading checks the root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minivess.foundation.digests import digest_json
from minivess.foundation.errors import VerificationError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest


def cases_root(cases: Iterable[CaseRecord]) -> str:
    """Root of a data set: digest of its cases' JSON in order of id."""
    ordered = sorted(cases, key=lambda case: case.id)
    return digest_json([case.model_dump(mode="json") for case in ordered])


def rooted(fields: dict[str, Any]) -> str:
    """Root of a split or seal manifest: digest of everything in it but the root."""
    return digest_json({name: value for name, value in fields.items() if name != "root"})


def root_of(manifest: DatasetManifest | SplitManifest | SealManifest) -> str:
    """The root that a manifest ought to carry."""
    if isinstance(manifest, DatasetManifest):
        return cases_root(manifest.cases)
    return rooted(manifest.model_dump(mode="json"))


def write_record(path: Path, record: Record) -> None:
    """Write a record as indented JSON, whole or not at all.

    Raises:
        CouldNotCheckError: the disk refuses.
    """
    write_text_atomic(path, record.model_dump_json(indent=2) + "\n")


def read_record[R: Record](path: Path, kind: type[R]) -> R:
    """Read a record from JSON.

    Raises:
        InputError: missing, too large, or not a record of that kind.
    """
    return read_json_record(path, kind, hint="make it again with minivess data")


def read_manifest[M: (DatasetManifest, SplitManifest, SealManifest)](path: Path, kind: type[M]) -> M:
    """Read a manifest and check that its root is the digest of its content.

    Raises:
        InputError: missing or malformed.
        VerificationError: it was changed after it was made.
    """
    manifest = read_record(path, kind)
    if manifest.root != root_of(manifest):
        raise VerificationError(f"{path.name} was changed: its root does not match its content")
    return manifest
