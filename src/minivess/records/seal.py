"""The public face of a sealed test part."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug


class SealedFile(Record):
    """One encrypted file: the salted commitment to its plain bytes, and the digest of its sealed bytes."""

    case: Slug
    kind: Annotated[str, Field(pattern="^(image|label)$")]
    commitment: Digest
    sealed: Digest
    size: int


class SealManifest(Record):
    """What everybody may know of a sealed test part. `root` is the digest of the rest in canonical JSON."""

    split: Digest
    files: tuple[SealedFile, ...]
    wrapped_keys: dict[Slug, str]
    """The data key, wrapped to each approver's encryption key (identity id -> base64)."""
    root: Digest
