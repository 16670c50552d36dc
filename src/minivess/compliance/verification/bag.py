"""Reading a pack and judging it as a BagIt bag (RFC 8493): every file named once, every digest right, nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from minivess.compliance.proofs.archive import MAX_BYTES, MAX_FILES, check_names, read_archive
from minivess.compliance.verification.holders import COSIGNATURE_NAME
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements

BAGIT, INFO, MANIFEST, TAG_MANIFEST = "bagit.txt", "bag-info.txt", "manifest-sha512.txt", "tagmanifest-sha512.txt"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
SIGNATURE = re.compile(r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.dsse\.json", re.ASCII)
SIGNATURE_PROOF = re.compile(r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.tlog-proof", re.ASCII)
SIGNATURE_LIST = "signatures/SIGNATURES.txt"
_ADDED = (SIGNATURE, SIGNATURE_PROOF, COSIGNATURE_NAME)
_LINE = re.compile(r"([0-9a-f]{128})  ([^\n]+)", re.ASCII)
_FIELD = re.compile(r"([A-Za-z0-9-]{1,80}): ([^\r\n]*)", re.ASCII)
_OXUM = "Payload-Oxum"


def read_pack(path: Path) -> tuple[dict[str, bytes], str]:
    """All files of a pack: from its zip, which must be in canonical form, or from a folder it was unpacked to.

    Returns:
        Content by name, and in words what was found out about the container.

    Raises:
        InputError: nothing there, no zip, or beyond the limits.
        VerificationError: the archive's bytes were changed, or the folder has a link or something that is no file.
    """
    if path.is_dir():
        return _read_folder(path), "an unpacked folder; only its files are judged, not an archive"
    data = read_limited(path, limit=MAX_BYTES + (1 << 26))
    try:
        files = read_archive(data)
    except InputError as error:
        raise InputError(error.message, path=path, hint=error.hint) from None
    return files, f"{len(files)} files, and the archive has exactly the bytes that they require"


@implements("REQ-038", "REQ-222", "RC-13", "RC-94")
def check_bag(files: Mapping[str, bytes]) -> str:
    """Judge the bag; returns in words what holds.

    Raises:
        VerificationError: names the first file that is changed, missing or unexpected.
    """
    for name in (BAGIT, INFO, MANIFEST, TAG_MANIFEST):
        if name not in files:
            raise VerificationError(f"{name} is missing")
    try:
        check_names(list(files))
    except InputError as error:
        raise VerificationError(error.message) from None
    _compare(TAG_MANIFEST, _manifest(files, TAG_MANIFEST), {BAGIT, INFO, MANIFEST}, files)
    payload = {name for name in files if name.startswith("data/")}
    if not payload:
        raise VerificationError("the pack has no payload file")
    _compare(MANIFEST, _manifest(files, MANIFEST), payload, files)
    for name in sorted(set(files) - payload - {BAGIT, INFO, MANIFEST, TAG_MANIFEST}):
        if name != SIGNATURE_LIST and not any(one.fullmatch(name) for one in _ADDED):
            raise VerificationError(f"{name} is unexpected: no manifest names it")
    if files[BAGIT] != DECLARATION:
        raise VerificationError(f"{BAGIT} does not declare BagIt 1.0 in UTF-8")
    octets = sum(len(files[name]) for name in payload)
    stated, found = _info(files)[_OXUM], f"{octets}.{len(payload)}"
    if stated != found:
        raise VerificationError(f"{INFO} states {_OXUM} {stated}, and the payload has {found}")
    return f"{len(payload)} payload files, each with the SHA-512 its manifest names, none missing, none added"


def _info(files: Mapping[str, bytes]) -> dict[str, str]:
    """The labels and values of `bag-info.txt`, which must name the octets and files of the payload (Payload-Oxum)."""
    try:
        lines = files[INFO].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise VerificationError(f"{INFO} is not UTF-8 text") from None
    if lines.pop() != "":
        raise VerificationError(f"{INFO} is cut off: its last line has no end")
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _FIELD.fullmatch(line)
        if match is None or match[1] in found:
            raise VerificationError(f"{INFO}:{number} is not a label and its value, or a label is there twice")
        found[match[1]] = match[2]
    if _OXUM not in found:
        raise VerificationError(f"{INFO} does not state {_OXUM}")
    return found


def _manifest(files: Mapping[str, bytes], name: str) -> dict[str, str]:
    try:
        lines = files[name].decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise VerificationError(f"{name} is changed: it is not plain ASCII") from None
    found: dict[str, str] = {}
    if lines.pop() != "":
        raise VerificationError(f"{name} is changed: its last line is cut off")
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise VerificationError(f"{name}:{number} is changed: not a digest and a file name, or one named twice")
        found[match[2]] = match[1]
    return found


def _compare(manifest: str, named: Mapping[str, str], present: set[str], files: Mapping[str, bytes]) -> None:
    for name in sorted(named):
        if name not in present:
            raise VerificationError(f"{name} is missing: {manifest} names it")
        if hashlib.sha512(files[name]).hexdigest() != named[name]:
            raise VerificationError(f"{name} is changed: its SHA-512 is not the one in {manifest}")
    for name in sorted(present):
        if name not in named:
            raise VerificationError(f"{name} is unexpected: {manifest} does not name it")


def _read_folder(path: Path) -> dict[str, bytes]:
    """All files below a folder; their names are judged with the bag."""
    files: dict[str, bytes] = {}
    total = 0
    for item in sorted(path.rglob("*")):
        name = item.relative_to(path).as_posix()
        if item.is_dir() and not item.is_symlink():
            continue
        if item.is_symlink() or not item.is_file():
            raise VerificationError(f"{name} is a link or no plain file; a pack has plain files alone")
        files[name] = read_limited(item, limit=MAX_BYTES - total)
        total += len(files[name])
        if len(files) > MAX_FILES:
            raise InputError(f"more than {MAX_FILES} files in one pack")
    if BAGIT not in files:
        inner = sorted(name.removesuffix(f"/{BAGIT}") for name in files if name.endswith(f"/{BAGIT}"))
        if inner:
            raise VerificationError(f"{BAGIT} is missing; the pack is in the folder {inner[0]} of this folder")
    return files
