"""Cases, data sets and splits: what the pictures are, never the pictures."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug


class CaseRecord(Record):
    """One volume with its mask. Axes are (z, y, x); spacing is in micrometres."""

    id: Slug
    subject: Slug
    acquisition: Slug
    shape: tuple[int, int, int]
    spacing_um: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    modality: ShortText
    image: Digest
    """Digest of the normalised image array's `.npy` bytes."""
    label: Digest
    """Digest of the binary mask array's `.npy` bytes."""
    source_dtype: str
    label_values: tuple[int, ...]
    """Values met in the mask before it was made binary."""
    foreground_fraction: Annotated[float, Field(ge=0, le=1)]


class DatasetManifest(Record):
    """All cases of a data set in order of id. `root` is the digest of the cases' canonical JSON."""

    name: Slug
    licence: ShortText
    source: ShortText
    cases: tuple[CaseRecord, ...]
    root: Digest


class Severity(StrEnum):
    """What a validation finding does: `block` stops the pipeline."""

    NOTE = "note"
    WARNING = "warning"
    BLOCK = "block"


class Finding(Record):
    """One thing validation noticed about a case (or, with `case` None, about the set)."""

    rule: Slug
    severity: Severity
    case: Slug | None
    message: ShortText


class ValidationReport(Record):
    """What was checked and found."""

    dataset: Digest
    rules: tuple[Slug, ...]
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> bool:
        """Whether any finding stops the pipeline."""
        return any(finding.severity is Severity.BLOCK for finding in self.findings)


class Part(StrEnum):
    """The parts of a split."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


class SplitManifest(Record):
    """Which case is in which part; subjects and acquisitions never straddle parts. `root` covers everything else."""

    dataset: Digest
    seed: int
    train: tuple[Slug, ...]
    calibration: tuple[Slug, ...]
    test: tuple[Slug, ...]
    root: Digest

    def part(self, part: Part) -> tuple[str, ...]:
        """The case ids of one part."""
        return {Part.TRAIN: self.train, Part.CALIBRATION: self.calibration, Part.TEST: self.test}[part]


class SealedFile(Record):
    """One encrypted file: the salted commitment to its plain bytes, and the digest of its sealed bytes."""

    case: Slug
    kind: Annotated[str, Field(pattern="^(image|label)$")]
    commitment: Digest
    sealed: Digest
    size: int


class SealManifest(Record):
    """The public face of a sealed test part. `root` is the digest of the rest in canonical JSON."""

    split: Digest
    files: tuple[SealedFile, ...]
    wrapped_keys: dict[Slug, str]
    """The data key, wrapped to each approver's encryption key (identity id -> base64)."""
    root: Digest
