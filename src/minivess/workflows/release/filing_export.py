"""Writing the index of a filing from a pack, after the pack was verified."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.documents.filings.index import filing_index
from minivess.compliance.documents.filings.page import index_csv_of, index_page_of
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.proofs.canonical import parse_json
from minivess.compliance.release.pack_files import lines_of
from minivess.compliance.verification.bag import read_pack
from minivess.compliance.verification.pack import ENTRIES, judge_files
from minivess.compliance.verification.trust import read_trust
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import make_folder, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder
from minivess.records.device.filing_index import Filing, FilingIndex
from minivess.workflows.release.verdict_alone import verdict_alone

PAGE, DATA_FILE, TABLE = "index.html", "index.json", "index.csv"
_PREPARED = "release.prepare"


@implements("REQ-592")
def export_filing(filing: Filing, pack: Path, out: Path, *, trust: Path | None = None) -> FilingIndex:
    """Verify a pack, and write the index of a filing into a folder. The same pack gives the same bytes.

    Args:
        filing: which one.
        pack: the zip, or the folder it was unpacked to.
        out: the folder; it must not be in the pack.
        trust: a trust file. Without it the pack is verified by its own keys, and the index says so.

    Raises:
        RefusedError: a check of the pack fails, or the two verifiers differ; nothing is written.
        UsageError: the folder is inside the pack.
        InputError: the path is no pack, or the trust file is malformed.
        VerificationError: the pack has not the layout that the index reads.
    """
    if pack.is_dir() and out.resolve().is_relative_to(pack.resolve()):
        raise UsageError("the index does not belong into the pack", hint="name a folder beside it")
    trusted = None if trust is None else read_trust(trust)
    files, container = read_pack(pack)
    verdict = judge_files(files, subject=pack.name, container=container, trusted=trusted)
    failed = verdict.first_failure
    if failed is not None or not verdict.checks:
        what = "no check was made" if failed is None else f"{failed.name}: {failed.detail}"
        raise RefusedError(
            f"the pack is not verified: {what}", hint=f"`minivess release verify {pack}` shows every check"
        )
    device, version = _device(files)
    alone = verdict_alone(pack, trust)
    if alone != verdict.state.value:
        raise RefusedError(f"the verifiers differ: {verdict.state.value} here, and {alone} by verify.py")
    index = filing_index(
        filing,
        files,
        verdict,
        verified_twice=verdict.holds,
        device=device,
        version=version,
        name=pack.name.removesuffix(".zip"),
    )
    try:
        make_folder(out)
    except OSError as error:
        raise UsageError(f"the folder {out} cannot be made: {error.strerror}") from None
    write_text_atomic(out / PAGE, index_page_of(Renderer(templates_folder()), index))
    write_text_atomic(out / DATA_FILE, index.model_dump_json(indent=1) + "\n")
    write_text_atomic(out / TABLE, index_csv_of(index))
    return index


def _device(files: dict[str, bytes]) -> tuple[str, str]:
    """Name and version of the device that the last entry of the log prepares."""
    body = parse_json(lines_of(files, ENTRIES)[-1], limit=1 << 20)["body"]
    if body["action"] != _PREPARED:
        raise RefusedError("the pack is of layout 1, which no index reads", hint="build the release again")
    return body["payload"]["device"]["name"], body["payload"]["device"]["version"]
