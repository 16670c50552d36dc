"""`minivess doctor`: what is wrong, or about to go wrong, in a workspace; reads everything and changes nothing.

It needs no passphrase. A check that cannot be made is a problem, not a silence.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import DEMO_NOTICE
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.log import verify_log
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, MinivessError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.foundation.user_profile import Profile
from minivess.ml.sealed.plain_copies import Copy, dvc_stores, search, sources_of
from minivess.ml.sealed.sealed_files import verify_sealed
from minivess.ml.sealed.sealing import PROGRESS
from minivess.records.base import Record
from minivess.records.data.seal import Kind
from minivess.records.device.project import Project
from minivess.records.device.workspace_files import SEALED
from minivess.records.log.entry import Outcome
from minivess.records.sinks import Progress
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.services import silent
from minivess.workflows.session.workspace_files import manifest_of, seal_of

_NAMED = 3
_LEAST_FREE = 2 << 30
_VOLATILE = frozenset({"tmpfs", "ramfs", "overlay"})
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "virtiofs"})
_UNSAFE = frozenset({"nobarrier", "barrier=0"})
_PACKAGES = ("minivess", "cryptography", "sqlalchemy", "numpy", "onnxruntime", "dvc", "torch")


class Finding(Record):
    """The outcome of one check."""

    check: str
    level: Literal["ok", "warning", "problem"]
    message: str
    hint: str = ""


@implements("REQ-091", "RC-03")
def examine(workspace: Workspace, *, progress: Progress = silent) -> tuple[Finding, ...]:
    """Examine a workspace, check by check.

    Args:
        workspace: the project folder.
        progress: hears about the search for plain copies.
    """
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("versions", _versions),
        ("project file", lambda: _project(workspace)),
        ("disk", lambda: _disk(workspace)),
        ("key files", lambda: _keys(workspace)),
        ("passphrases", lambda: _passphrases(workspace)),
        ("log", lambda: _log(workspace)),
        ("outbox", lambda: _outbox(workspace)),
        ("keys of requests", lambda: _ephemeral(workspace)),
        ("sealed files", lambda: _sealed(workspace)),
        ("plain copies", lambda: _copies(workspace, progress)),
    )
    found: list[Finding] = []
    for name, check in checks:
        try:
            made = list(check())
        except MinivessError as error:
            made = [_finding("problem", f"could not be checked: {error.message}", error.hint)]
        found += [one.model_copy(update={"check": name}) for one in made]
    return tuple(found)


def _finding(level: Literal["ok", "warning", "problem"], message: str, hint: str = "") -> Finding:
    return Finding(check="", level=level, message=message, hint=hint)


def _versions() -> Iterator[Finding]:
    from cryptography.hazmat.backends.openssl import backend

    held = []
    for name in _PACKAGES:
        try:
            held.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            held.append(f"{name} not installed")
    yield _finding(
        "ok",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {backend.openssl_version_text()}, "
        + ", ".join(held),
    )


def _project(workspace: Workspace) -> Iterator[Finding]:
    project = load_project(workspace.root)
    yield _finding("ok", f"{project.device.name} {project.device.version}")


def _disk(workspace: Workspace) -> Iterator[Finding]:
    free = shutil.disk_usage(workspace.root).free
    if free < _LEAST_FREE:
        yield _finding("warning", f"{free >> 20} MiB are free", "free some space; a full disk refuses every action")
    kind, options = _mount(workspace.root)
    if kind in _VOLATILE:
        yield _finding(
            "warning", f"the workspace is on {kind}", "files there may be gone after a restart of this machine"
        )
    elif kind in _REMOTE:
        yield _finding(
            "warning",
            f"the workspace is on {kind}, where locks and flushes of SQLite may not hold",
            "keep the log on a local disk, or in PostgreSQL",
        )
    elif options & _UNSAFE:
        yield _finding("warning", f"the {kind} file system is mounted without write barriers", "mount it with barriers")
    else:
        yield _finding("ok", f"{kind or 'unknown file system'}, {free >> 30} GiB free")


def _mount(folder: Path) -> tuple[str, set[str]]:
    """Type and options of the file system a folder lies on; empty where the system does not say (proc_pid_mountinfo(5))."""
    best, found = "", ("", set[str]())
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(" - ")
        place, kind = left.split()[4].replace("\\040", " "), right.split()
        if folder.resolve().is_relative_to(place) and len(place) >= len(best):
            best, found = place, (kind[0], set(left.split()[5].split(",")) | set(kind[-1].split(",")))
    return found


def _keys(workspace: Workspace) -> Iterator[Finding]:
    folder = workspace.keystore
    loose = Profile.of_user().loose()
    if loose:
        yield _finding(
            "problem", f"others may read {loose[0]}", "chmod 700 the folders of the profile, and 600 its files"
        )
    if not folder.is_dir():
        yield _finding("ok", "there is no keystore yet")
        return
    left = Keyring.of(workspace).left_in_workspace()
    if left:
        yield _finding(
            "warning",
            f"the keys of {', '.join(left)} are in the workspace: a copy of the workspace has them too",
            shlex.join(("minivess", "identity", "import", str(workspace.root))),
        )
    paths = [folder, *(path for path in folder.iterdir() if path.name != DEMO_NOTICE)]
    paths += sorted(workspace.test_set.glob("*.key"))
    loose = [path for path in paths if path.stat().st_mode & 0o077]
    if loose:
        yield _finding(
            "problem",
            f"others may read {_file_names(workspace, loose)}",
            "chmod 700 the keystore and 600 the files in it; change the passphrases of copies that may exist",
        )
    for path in sorted(folder.glob("*.next")):
        yield _finding(
            "warning", f"a new key of {path.stem} was prepared and not put in place", "minivess identity rotate"
        )
    if (folder / DEMO_NOTICE).is_file():
        yield _finding("warning", "these are demonstration keys", "never use them for a real device")
    if not loose:
        yield _finding("ok", f"{len(list(folder.glob('*.json')))} key files, readable by their owner alone")


def _passphrases(workspace: Workspace) -> Iterator[Finding]:
    known = {path.stem for folder in (workspace.keystore, workspace.people) for path in folder.glob("*.json")}
    people = {one.upper().replace("-", "_").replace(".", "_") for one in known}
    given = sorted(name for name in people - {"LOG"} if os.environ.get(f"MINIVESS_PASSPHRASE_{name}"))
    if len(given) > 1:
        yield _finding(
            "warning",
            f"the passphrases of {len(given)} identities are in this environment, so one person can act as each of them",
            "give each person an environment of their own",
        )
    written = sorted(workspace.root.glob("*passphrases*.env"))
    if written:
        yield _finding(
            "warning", f"passphrases are written down in {_file_names(workspace, written)}", "only for demonstrations"
        )
    if len(given) <= 1 and not written:
        yield _finding("ok", "no two people's passphrases are in this environment")


def _open_log(workspace: Workspace) -> AuditLog:
    return AuditLog.open(load_settings(workspace.root).database_url, log_signer=None)


def _log(workspace: Workspace) -> Iterator[Finding]:
    with closing(_open_log(workspace)) as log:
        checks, _ = verify_log(log.pairs(), log.checkpoint(), quick=True)
        begun: dict[int, str] = {}
        for entry in log.entries():
            if entry.body.outcome is Outcome.STARTED:
                begun[entry.body.index] = entry.body.action
            elif entry.body.started is not None:
                begun.pop(entry.body.started, None)
        wrong = [check for check in checks if not check.passed]
        if wrong:
            yield _finding("problem", f"{wrong[0].name}: {wrong[0].detail}", "minivess audit verify says more")
        else:
            yield _finding("ok", f"{log.size} entries under a signed checkpoint")
    if begun:
        index, action = next(iter(begun.items()))
        yield _finding(
            "warning",
            f"{len(begun)} actions were begun and have no end in the log, the first {action} at entry {index}",
            "they are running, or were killed; run the step again",
        )


def _outbox(workspace: Workspace) -> Iterator[Finding]:
    with closing(_open_log(workspace)) as log:
        waiting = len(log.pending_events())
    if waiting:
        yield _finding(
            "warning",
            f"{waiting} lineage events wait to be delivered",
            "they leave with the next action; is the sink up?",
        )
    else:
        yield _finding("ok", "every lineage event was delivered")


def _ephemeral(workspace: Workspace) -> Iterator[Finding]:
    files = sorted(workspace.test_set.glob("*.key"))
    with closing(_open_log(workspace)) as log:
        history = LookHistory.fold(log.entries())
    now = utc_now()
    stale = [
        path
        for path in files
        if path.stem not in history.requests
        or (path.stem not in history.grants and history.requests[path.stem].request.expires <= now)
    ]
    if stale:
        yield _finding(
            "warning",
            f"{len(stale)} keys of requests that expired or that the log does not have are left: {_file_names(workspace, stale)}",
            "remove them",
        )
    else:
        yield _finding("ok", f"{len(files)} requests for a look are open or approved")


def _sealed(workspace: Workspace) -> Iterator[Finding]:
    if (workspace.sealed / PROGRESS).is_file():
        yield _finding("warning", "sealing was interrupted", "run minivess data seal again: what was sealed is kept")
    if not (workspace.root / SEALED).is_file():
        yield _finding("warning", "the test part is not sealed", "minivess data seal")
        return
    manifest = seal_of(workspace)
    try:
        verify_sealed(workspace.sealed, manifest)
    except MinivessError as error:
        yield _finding("problem", error.message, error.hint)
        return
    digest = digest_file(workspace.root / SEALED)
    with closing(_open_log(workspace)) as log:
        recorded = {
            output.digest
            for entry in log.entries(actions={"data.seal"})
            if entry.body.outcome is Outcome.COMPLETED
            for output in entry.body.outputs
        }
    if digest in recorded:
        yield _finding("ok", f"{len(manifest.files)} sealed files are what the log says")
    else:
        yield _finding("problem", f"{SEALED} is not the one in the log", "run minivess data seal, or restore it")


def _copies(workspace: Workspace, progress: Progress) -> Iterator[Finding]:
    if not (workspace.root / SEALED).is_file():
        return
    manifest, project = seal_of(workspace), load_project(workspace.root)
    cases = {file.case for file in manifest.files}
    outside = [] if project.data.root is None else [(workspace.root / project.data.root).resolve()]
    outside = [place for place in outside if place.is_dir() and not place.is_relative_to(workspace.root.resolve())]
    places = (workspace.root, *dvc_stores(workspace.root), *outside)
    found = search(places, manifest, manifest_of(workspace), progress=progress)
    declared = {path.resolve() for paths in _declared(workspace, project, cases).values() for path in paths}
    inside = [one for one in found.copies if not _is_outside(one, outside)]
    if inside:
        yield _finding(
            "problem",
            f"{len(inside)} plain copies of sealed cases can be read: {_copied_files(workspace, inside)}",
            "remove them; source files belong to a custodian, out of this workspace and its DVC stores",
        )
    there = {one.path.resolve() for one in found.copies if _is_outside(one, outside)} | {
        path for path in declared if not path.is_relative_to(workspace.root.resolve())
    }
    if there:
        yield _finding(
            "warning",
            f"{len(there)} source files of sealed cases are under data.root: {', '.join(sorted(p.name for p in there)[:3])}",
            "let only a custodian read them: they show the test part without a look",
        )
    if project.data.synthetic is not None:
        yield _finding(
            "warning",
            "the data are synthetic: the seed is enough to make the test part again",
            "such results qualify the software, not a device",
        )
    elif not manifest.sources:
        yield _finding(
            "warning",
            "no source file was there when the part was sealed, so that copies of source files cannot be recognised",
        )
    if found.closed:
        yield _finding(
            "warning", f"{len(found.closed)} files could not be read: {_file_names(workspace, found.closed)}"
        )
    if not inside:
        yield _finding(
            "ok",
            f"no copy in {found.files} files, also gzipped or in zip and tar archives; other formats, other compressions "
            "and places beyond the workspace, its DVC stores and data.root were not looked into",
        )


def _declared(workspace: Workspace, project: Project, cases: set[str]) -> dict[tuple[str, Kind], list[Path]]:
    """The source files that are still where the project says; none when its list of them no longer holds."""
    try:
        return sources_of(project.data, workspace.root, cases)
    except InputError:
        return {}


def _is_outside(one: Copy, outside: list[Path]) -> bool:
    return any(one.path.resolve().is_relative_to(place) for place in outside)


def _copied_files(workspace: Workspace, copies: list[Copy]) -> str:
    return _file_names(workspace, list(dict.fromkeys(one.path for one in copies)))


def _file_names(workspace: Workspace, paths: list[Path] | tuple[Path, ...]) -> str:
    root = workspace.root.resolve()
    names = [
        path.relative_to(workspace.root).as_posix()
        if path.is_relative_to(workspace.root)
        else (path.resolve().relative_to(root).as_posix() if path.resolve().is_relative_to(root) else path.name)
        for path in paths[:_NAMED]
    ]
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(names) + more
