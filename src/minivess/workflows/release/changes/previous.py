"""The pack of the release before: the one that the log says was built last, of another version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.verification.bag import TAG_MANIFEST, check_bag, read_pack
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.log.payloads.evidence import ReleaseBuilt

BUILT = "release.build"


@implements("REQ-573", "RC-241")
def previous_pack(
    workspace: Workspace, log: LogFacts, version: str, given: Path | None = None
) -> Mapping[str, bytes] | None:
    """The files of the pack of the release before.

    Args:
        workspace: has packs in `release/<version>/`.
        log: of the device.
        version: that is built now.
        given: where the pack is, when it is not in the workspace.

    Returns:
        Content by name; None: the log has no release of another version.

    Raises:
        RefusedError: the pack is not there, or is not the one that the log names.
    """
    built = [(one.body.index, ReleaseBuilt.model_validate(one.body.payload)) for one in log.completed({BUILT})]
    others = [(index, found) for index, found in built if found.version != version]
    if not others:
        if given is not None:
            raise RefusedError("the log has no release before this one", hint="leave --previous out")
        return None
    index, last = others[-1]
    what = f"the pack of release {last.version}, which entry {index} built,"
    hint = f"put it back to release/{last.version}, or name it: minivess release build --previous PACK"
    found = [given] if given is not None else sorted(workspace.release(last.version).glob("*-evidence.zip"))
    for path in found:
        files = _read(path)
        if files is not None and digest_bytes(files[TAG_MANIFEST]) == last.tag_manifest:
            return files
    lost = f"{what} is not there" if not found else f"{found[0].name} is not {what.removesuffix(',')}"
    raise RefusedError(f"{lost}, so the differences from it cannot be stated", hint=hint)


def _read(path: Path) -> Mapping[str, bytes] | None:
    """The files of a pack whose bag holds; None: it is none."""
    try:
        files, _ = read_pack(path)
        check_bag(files)
    except (InputError, VerificationError):
        return None
    return files
