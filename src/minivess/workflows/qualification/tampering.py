"""Tampering: a small sealed log and a small signed pack are changed, and every change has to be refused.

The pack is a specimen that this software brings along: synthetic records under throw-away keys. Packs are judged twice, by
this software and by `verify.py` as a program of its own.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files as packaged_files
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.workflows.qualification.outcomes import CheckRow, Comparisons
from minivess.workflows.release.verdict_alone import verdict_alone

SPECIMEN = "specimen-pack.xz"
"""A pack of the newest layout. `python -m tests.support.builders.specimen_pack` makes it again."""
_ENTRIES, _DETAILS = "data/audit/entries.jsonl", "data/audit/details.jsonl"
_MANIFEST, _TAG, _INFO = "manifest-sha512.txt", "tagmanifest-sha512.txt", "bag-info.txt"
_CHANGED = (
    _ENTRIES, _DETAILS, "data/audit/checkpoint.txt", "data/evaluation/evaluation.json", "data/release/gates.json",
    "data/models/export.json", "data/signing-text.txt", "data/documents/risk-management.html",
    "signatures/SIGNATURES.txt", _MANIFEST, _TAG,
)  # fmt: skip
_VERIFIED = "VERIFIED"
Files = Mapping[str, bytes]


@cache
def specimen() -> bytes:
    """The bytes of the pack that is tampered with.

    Raises:
        CouldNotCheckError: this installation lacks it.
    """
    try:
        return lzma.decompress(packaged_files(__package__ or "").joinpath(SPECIMEN).read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise CouldNotCheckError("the specimen pack of this installation is damaged", hint="install again") from error


@implements("REQ-590", "RC-250")
def _log(found: Comparisons) -> None:
    """Every change of the drill is refused with the first bad entry named."""
    from minivess.compliance.proofs.archive import read_archive
    from minivess.compliance.proofs.checkpoint import parse_note
    from minivess.compliance.verification.drill_cases.stand_ins import with_stand_ins
    from minivess.compliance.verification.drill_cases.tampering import tamper

    files = read_archive(specimen())
    details = [None if one == b"null" else one for one in files[_DETAILS].splitlines()]
    pairs = list(zip(files[_ENTRIES].splitlines(), details, strict=True))
    origin = parse_note(files["data/audit/checkpoint.txt"].decode("utf-8")).checkpoint.origin
    copied, log_signer = with_stand_ins(pairs)
    for case in tamper(copied, origin, log_signer):
        found.holds(f"{case.kind} ({case.what}): {case.words}", case.caught)


@implements("REQ-590", "RC-250")
def _pack(found: Comparisons) -> None:
    """The pack itself is accepted by both verifiers, and each changed one is refused by both."""
    from minivess.compliance.proofs.archive import read_archive, write_archive

    whole = read_archive(specimen())
    with TemporaryDirectory() as name:
        path = Path(name) / "pack.zip"
        for verifier, judge in VERIFIERS.items():
            path.write_bytes(specimen())
            found.same(f"the untouched pack, by {verifier}", judge(path), _VERIFIED)
        for what, changed in _tampered(whole):
            path.write_bytes(changed if isinstance(changed, bytes) else write_archive(dict(changed)))
            for verifier, judge in VERIFIERS.items():
                verdict = judge(path)
                found.holds(f"{what}, by {verifier}: {verdict}", verdict == f"NOT {_VERIFIED}")


def _by_product(path: Path) -> str:
    from minivess.compliance.verification.pack import verify_pack

    return verify_pack(path).state.value


VERIFIERS: Mapping[str, Callable[[Path], str]] = {"minivess": _by_product, "verify.py": verdict_alone}
"""The state of the verdict on a pack, by who judges."""


def _tampered(whole: Files) -> Iterator[tuple[str, Files | bytes]]:
    """Changed packs with what was done to them."""
    for name in _CHANGED:
        yield f"one bit of {name}", {**whole, name: _flipped(whole[name])}
    content = _flipped(whole["data/evaluation/evaluation.json"])
    yield "a figure, with the manifests made again", _bagged({**whole, "data/evaluation/evaluation.json": content})
    lines = whole[_ENTRIES].splitlines(keepends=True)
    middle = len(lines) // 2
    cut = b"".join([*lines[:middle], *lines[middle + 1 :]])
    yield "an entry taken out, with the manifests made again", _bagged({**whole, _ENTRIES: cut})
    signature = next(name for name in sorted(whole) if name.startswith("signatures/") and name.endswith(".dsse.json"))
    yield "a signature taken out", {name: one for name, one in whole.items() if name != signature}
    yield "a file added, with the manifests made again", _bagged({**whole, "data/added.txt": b"added\n"})
    yield "a byte after the archive", specimen() + b"\0"
    yield "the archive cut off", specimen()[:-1]


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _bagged(files: dict[str, bytes]) -> Files:
    """The files with both manifests of their bag made again, as somebody without keys can."""
    data = {name: content for name, content in files.items() if name.startswith("data/")}
    info = b"".join(
        b"Payload-Oxum: %d.%d\n" % (sum(map(len, data.values())), len(data))
        if line.startswith(b"Payload-Oxum")
        else line
        for line in files[_INFO].splitlines(keepends=True)
    )
    made = {**files, _INFO: info, _MANIFEST: _manifest(data)}
    tagged = {name: content for name, content in made.items() if "/" not in name and name != _TAG}
    return {**made, _TAG: _manifest(tagged)}


def _manifest(files: Files) -> bytes:
    lines = (f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("utf-8")


TAMPERING = (
    CheckRow("changed-log", "Every change of a sealed log is refused", _log),
    CheckRow("changed-pack", "Both verifiers accept a pack and refuse every change of it", _pack),
)
"""Checks with changed evidence."""
