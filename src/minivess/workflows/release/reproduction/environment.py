"""The circumstances under which a released model was trained, beside those of now; and an environment from the lock file."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.release.derivation import UNCOMMITTED
from minivess.compliance.release.pack_files import record_of
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.checkout import check_out
from minivess.foundation.implements import implements
from minivess.foundation.provenance import tree_digest
from minivess.foundation.reading.json_records import parse_json_record
from minivess.foundation.reading.lock_file import lock_place
from minivess.records.changes.reproduction import Reproduction, SideBySide
from minivess.records.items.trace import ResultReport
from minivess.records.models.model import RunRecord

_SYNC_S, _RUN_S = 3600.0, 7 * 24 * 3600.0


@implements("REQ-577")
def circumstances_of(release: PackedRelease, runs: tuple[RunRecord, ...], source: Path) -> Iterator[SideBySide]:
    """Each circumstance of the pack beside that of this process.

    Args:
        release: of the pack.
        runs: its members.
        source: the source tree of now, with the lock file.

    Raises:
        VerificationError: the pack does not state them.
        InputError: the source tree has no lock file.
    """
    import torch

    if release.stated is not None:
        yield SideBySide(name="lock file", packed=release.stated.environment, now=digest_file(lock_place(source)[0]))
        yield SideBySide(name="source tree", packed=release.stated.source.tree, now=tree_digest(source))
    report = record_of(release.files, "data/verification/results.json", ResultReport)
    for part in report.parts:
        if part.kind == "python":
            now = f"{platform.python_implementation()} {platform.python_version()}"
            yield SideBySide(name="Python", packed=f"{part.name} {part.version}", now=now)
    for run in runs:
        if run.parts:
            where = run.parts[0].where
            yield SideBySide(name=f"PyTorch of seed {run.seed}", packed=where.torch, now=str(torch.__version__))
            yield SideBySide(name=f"device of seed {run.seed}", packed=where.device, now="cpu")
            yield SideBySide(
                name=f"threads of seed {run.seed}", packed=str(where.threads), now=str(torch.get_num_threads())
            )


@implements("REQ-577")
def rebuild(pack: Path, release: PackedRelease, data: Path, source: Path, folder: Path) -> Reproduction:
    """Check the commit of a pack out, install its lock file with uv, and reproduce in that environment.

    Args:
        pack: the pack.
        release: what it holds.
        data: as for `reproduce`.
        source: a folder in a repository that has the commit.
        folder: where everything is made; it does not exist yet.

    Raises:
        CouldNotCheckError: uv is not installed, the commit is not there, uv cannot install the lock file, or the version of the
            commit cannot reproduce.
    """
    uv = shutil.which("uv")
    commit = None if release.stated is None else release.stated.source.commit
    if uv is None:
        raise CouldNotCheckError(
            "uv is not installed, so no environment can be made", hint="install uv, or leave --rebuild out"
        )
    if commit is None:
        raise CouldNotCheckError("the pack names no commit of its source tree", hint="leave --rebuild out")
    tree = check_out(source, commit, folder / "source", diff=release.files.get(UNCOMMITTED))
    _run(
        [uv, "sync", "--locked", "--project", str(tree)], tree, _SYNC_S, "uv cannot install the lock file of the commit"
    )
    python = tree / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    command = [str(python), "-m", "minivess.cli.main", "release", "reproduce", str(pack.resolve()), "--json"]
    command += ["--data", str(data.resolve()), "--out", str((folder / "made").resolve()), "--source", str(tree)]
    text = _run(command, tree, _RUN_S, f"the version of commit {commit[:12]} cannot reproduce", codes=(0, 1))
    found = json.loads(text)
    found.pop("verdict", None)
    return parse_json_record(json.dumps(found), Reproduction)


def _run(command: list[str], folder: Path, limit: float, what: str, *, codes: tuple[int, ...] = (0,)) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=limit, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CouldNotCheckError(f"{what}: {error}") from None
    if done.returncode not in codes or not (done.stdout.strip() or codes == (0,)):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CouldNotCheckError(f"{what}: {last[:300]}")
    return done.stdout
