"""Digests as text, `sha256:` and 64 lower-case hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""The SHA-256 of some bytes, written `sha256:<hex>` (FIPS 180-4)."""

_CHUNK = 1 << 20


def digest_bytes(data: bytes | memoryview) -> str:
    """The `sha256:` digest of bytes in memory."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_pieces(pieces: Iterable[bytes | memoryview]) -> str:
    """The `sha256:` digest of bytes that come one piece after the other."""
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return f"sha256:{state.hexdigest()}"


def digest_file(path: Path) -> str:
    """The `sha256:` digest of a file, read in chunks of one MiB.

    Raises:
        OSError: the file cannot be read.
    """
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return f"sha256:{state.hexdigest()}"


def digest_json(value: Any) -> str:
    """The `sha256:` digest of JSON-ready data, written with sorted keys, no spaces and no escapes, in UTF-8.

    Give it `record.model_dump(mode="json")`. The rooms outside `compliance` use it for roots of manifests; the audit
    log's own canonical form is RFC 8785.

    Raises:
        ValueError: the data hold NaN or infinity.
        TypeError: the data are not JSON-ready.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return digest_bytes(text.encode("utf-8"))
