"""The public face of a sealed test part."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug

Kind = Literal["image", "label"]
WrappedKeys = dict[Slug, str]
"""One data key, wrapped to each approver's encryption key (identity id -> base64)."""


class SealedFile(Record):
    """One encrypted file: the salted commitment to its plain bytes, and the digest of its sealed bytes."""

    case: Slug
    kind: Kind
    commitment: Digest
    sealed: Digest
    size: Annotated[int, Field(ge=0)]
    """Bytes of the plain file."""
    session: Annotated[int, Field(ge=0)] = 0
    """Which of the data keys it is sealed with."""


class SealedSource(Record):
    """A file that a sealed case was made from: enough to recognise a copy of it, and no more.

    `digest` is the SHA-256 of the manifest's `salt` followed by the file's bytes.
    """

    case: Slug
    kind: Kind
    digest: Digest
    size: Annotated[int, Field(ge=0)]


class SealManifest(Record):
    """What everybody may know of a sealed test part. `root` is the digest of the rest in canonical JSON.

    Sealing that was interrupted goes on under a fresh data key, so that none is ever kept; each such session has its own
    wrapped keys. As a rule there is one.
    """

    split: Digest
    files: tuple[SealedFile, ...]
    wrapped_keys: dict[Slug, tuple[str, ...]]
    """The data key of each session, wrapped to each approver's encryption key (identity id -> base64)."""
    salt: str = ""
    """Hexadecimal; of the digests in `sources`."""
    sources: tuple[SealedSource, ...] = ()
    root: Digest


class SealProgress(Record):
    """Sealing on its way: what is sealed, read back and compared so far, and under which sessions' keys."""

    split: Digest
    sessions: tuple[WrappedKeys, ...]
    files: tuple[SealedFile, ...]
