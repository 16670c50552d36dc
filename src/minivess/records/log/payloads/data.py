"""Payloads of actions on data: ingest, validation, profile, split, card, versions and the seal of the test set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.artifact import ArtifactName
from minivess.records.base import Observation, Record, ShortText, Slug
from minivess.records.data.validation import ChangedRule
from minivess.records.data.version import DvcDigest
from minivess.records.device.registration import SealTerms


class DataIngested(Observation):
    """Cases were read and normalised."""

    dataset: Slug
    cases: int
    accept_identifiers: ShortText | None = None
    """Why files that may say who is in the image were accepted."""
    identifiers: Annotated[tuple[ShortText, ...], Field(max_length=64)] = ()
    """The places that may say so, over all cases."""
    lowered: Annotated[tuple[ChangedRule, ...], Field(exclude_if=lambda lowered: not lowered)] = ()
    """Rules with findings whose severity the project lowered, with the reason."""


class DataValidated(Observation):
    """Rules were run over the cases."""

    rules: int
    notes: int
    warnings: int
    blocking: int
    changed: int = 0
    """Rules whose severity the project changed."""


class DataProfiled(Observation):
    """What the images are like was put into figures."""

    cases: int
    groups: int


class DataSplit(Observation):
    """Cases were assigned to parts and folds. The entry locks the split: its outputs name the digest."""

    train: int
    calibration: int
    test: int
    folds: int = 0
    near_duplicates: int = 0
    """Pairs of images that show the same object and stay together."""
    not_copies: int = 0
    """Pairs that a person states to be no copies."""
    same: int = 0
    """Pairs that a person states to show the same object."""


class LeakageChecked(Observation):
    """The leakage guard looked at the split."""

    across: int
    """Pairs that belong together and are apart."""
    within: int


class DataCardWritten(Observation):
    """The data card was written, as a page and as a Croissant file."""

    cases: int
    missing: int
    """Questions that nobody answered."""
    findings: int
    openings: int


class DataAdded(Record):
    """Raw data were put under DVC."""

    folder: ArtifactName
    dvc: DvcDigest
    files: int
    size: int
    """Bytes."""


class DataTransferred(Observation):
    """What is under DVC was sent to a remote, or brought back from it and checked."""

    remote: ShortText
    """The bucket, or `folder`."""
    files: int
    """Files that went over the line; the others were there already."""
    size: int
    """Their bytes."""
    folders: dict[ArtifactName, DvcDigest]
    """Everything under DVC."""


class DataSealed(Record):
    """The test part was encrypted and its plain files removed."""

    files: int
    approvers: tuple[Slug, ...]
    """Who holds the data key."""
    root: Digest | None = None
    """Of the manifest of the sealed part; None in entries of version 0.1.0."""
    terms: SealTerms | None = None
    """What holds for every look at it; None in entries of version 0.1.0."""
