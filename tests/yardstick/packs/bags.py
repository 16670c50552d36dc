"""Files of a pack in a bag: its manifests made again after a change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

TAG, MANIFEST, _OXUM = "tagmanifest-sha512.txt", "manifest-sha512.txt", b"Payload-Oxum: "
Files = dict[str, bytes]


def is_bound(file: str) -> bool:
    """Whether the preparation of a release binds a file."""
    return file.startswith("data/") and not file.startswith(("data/audit/", "data/lineage/"))


def rebagged(files: Files, changed: Mapping[str, bytes | None]) -> Files:
    """The files with their manifests made again, except those that are changed themselves."""
    data = {name: content for name, content in files.items() if name.startswith("data/")}
    if "bag-info.txt" in files and "bag-info.txt" not in changed:
        octets = b"%d.%d" % (sum(map(len, data.values())), len(data))
        lines = files["bag-info.txt"].splitlines(keepends=True)
        lines = [_OXUM + octets + b"\n" if line.startswith(_OXUM) else line for line in lines]
        files["bag-info.txt"] = b"".join(lines)
    if MANIFEST not in changed:
        files[MANIFEST] = _manifest(data)
    if TAG not in changed:
        files[TAG] = _manifest({name: content for name, content in files.items() if "/" not in name and name != TAG})
    return files


def _manifest(files: Files) -> bytes:
    lines = (f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("ascii")
