"""Writing a BagIt bag (RFC 8493): payload under data/, SHA-512 manifests, and a tag manifest that people sign."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from minivess.foundation.implements import implements

TAG_MANIFEST = "tagmanifest-sha512.txt"
_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


@implements("REQ-036")
def bag(payload: Mapping[str, bytes], info: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a bag.

    Args:
        payload: content by name; every name begins with `data/`.
        info: fields of `bag-info.txt` beside the payload's size, which is added.

    Returns:
        Payload, `bagit.txt`, `bag-info.txt`, `manifest-sha512.txt` and `tagmanifest-sha512.txt`.
    """
    octets = sum(map(len, payload.values()))
    fields = {**info, "Payload-Oxum": f"{octets}.{len(payload)}"}
    tags = {
        "bagit.txt": _DECLARATION,
        "bag-info.txt": "".join(f"{label}: {_line(value)}\n" for label, value in sorted(fields.items())).encode(
            "utf-8"
        ),
        "manifest-sha512.txt": _manifest(payload),
    }
    return {**payload, **tags, TAG_MANIFEST: _manifest(tags)}


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return b"".join(
        f"{hashlib.sha512(content).hexdigest()}  {name}\n".encode("ascii") for name, content in sorted(files.items())
    )


def _line(value: str) -> str:
    return " ".join(value.split())
