"""Raw and derived data under DVC: added, sent to a remote, brought back and compared with what the log cites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.git.ignore import ignore_line
from minivess.foundation.implements import implements
from minivess.ml.versions import data_version, transfer
from minivess.ml.versions.data_version import TrackedFolder
from minivess.ml.versions.transfer import Transferred
from minivess.records.data.version import DataRemote
from minivess.records.device.workspace_files import SEALED, VERSION
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.data import DataAdded
from minivess.workflows.session.data_citation import data_version_of
from minivess.workflows.session.recording import Recording, recorded
from minivess.workflows.session.services import Services

DERIVED = ("data/prepared", "data/sealed")
_IGNORE = ".gitignore"


@dataclass
class RecordedData:
    """The newest versions of the data under DVC, as the log has them.

    Attributes:
        added: digest of each folder of raw data, by name.
        sealed: digest of prepared and sealed cases; None while nothing is sealed.
    """

    added: dict[str, str] = field(default_factory=dict)
    sealed: str | None = None

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> RecordedData:
        """What completed entries say, the last one of its kind winning."""
        made = cls()
        for entry in entries:
            body = entry.body
            if body.outcome is not Outcome.COMPLETED:
                continue
            if body.action == "data.add":
                added = DataAdded.model_validate(body.payload)
                made.added[added.folder] = added.dvc
            elif body.action == "data.seal" and body.context.dvc is not None:
                made.sealed = body.context.dvc
        return made

    @implements("REQ-098")
    def check(self, folders: Sequence[TrackedFolder]) -> None:
        """Compare folders with what the log cites.

        Raises:
            VerificationError: one is another version, or is missing.
        """
        known = {folder.name: folder for folder in folders}
        wanted = set(self.added) | (set(DERIVED) if self.sealed is not None else set())
        if missing := sorted(wanted - set(known)):
            raise VerificationError(
                f"{missing[0]}.dvc is missing, and the log cites its data", hint="it is kept under git: put it back"
            )
        for name, digest in self.added.items():
            if known[name].digest != digest:
                raise _wrong_version(f"{name}.dvc", known[name].digest, digest)
        if self.sealed is not None:
            digest = data_version.combined([known[name] for name in DERIVED])
            if digest != self.sealed:
                raise _wrong_version("data/prepared.dvc and data/sealed.dvc", digest, self.sealed)


@implements("REQ-096")
def add(services: Services, signer: Signer, folder: Path | None = None) -> TrackedFolder:
    """Put raw data under DVC; by default the folder the project's cases come from.

    Raises:
        UsageError: the cases come from the generator, the project names no folder of the data, or the folder lies outside
            the project folder.
        RefusedError: plain files of the sealed test part are in it.
    """
    root = services.project.data.root
    if folder is None and root is None:
        generated = services.project.data.synthetic is not None
        what = "the cases come from the generator: there are no raw data" if generated else "data.root names no folder"
        raise UsageError(what, hint="name a folder")
    with recorded(services, "data.add", signer) as record:
        made = data_version.add(services.workspace, folder if folder is not None else Path(str(root)))
        _ignore_in_git(services.workspace, made.name)
        record.context(dvc=made.digest)
        record.output(f"{made.name}.dvc", services.workspace / f"{made.name}.dvc")
        record.payload(folder=made.name, dvc=made.digest, files=len(made.files), size=made.size)
    return made


@implements("REQ-096")
def push(services: Services, signer: Signer) -> Transferred:
    """Send everything under DVC to the project's remote.

    Raises:
        UsageError: the project names no remote, or nothing is under DVC.
        RefusedError: plain files of the sealed test part would be sent.
        CouldNotCheckError: the remote is out of reach.
    """
    remote = _remote(services)
    with recorded(services, "data.push", signer) as record:
        done = transfer.push(services.workspace, remote, progress=services.progress)
        _record_transfer(record, remote, done)
    return done


@implements("REQ-096", "REQ-098")
def pull(services: Services, signer: Signer) -> Transferred:
    """Bring back everything under DVC, if it is what the log cites.

    Raises:
        UsageError: the project names no remote, or nothing is under DVC.
        VerificationError: the log cites another version, or a file of the remote was changed.
        RefusedError: files in the workspace would be lost.
        CouldNotCheckError: the remote is out of reach.
    """
    remote = _remote(services)
    cited = RecordedData.fold(services.log.entries(actions={"data.add", "data.seal"}))
    stated = data_version_of(services.workspace, None).get("dvc")
    with recorded(services, "data.pull", signer) as record:
        if stated != cited.sealed:
            raise _wrong_version(VERSION, str(stated), str(cited.sealed))
        done = transfer.pull(services.workspace, remote, accept=cited.check, progress=services.progress)
        _record_transfer(record, remote, done)
    return done


def is_sealed(services: Services) -> bool:
    """Whether the test part is sealed."""
    return (services.workspace / SEALED).is_file()


def _remote(services: Services) -> DataRemote:
    remote = services.project.data.remote
    if remote is None:
        raise UsageError(
            "the project names no remote",
            hint="in minivess.yaml, under data: `remote: {url: /mnt/store}` or `remote: {url: s3://bucket/prefix}`",
        )
    return remote


def _record_transfer(record: Recording, remote: DataRemote, done: Transferred) -> None:
    folders = {folder.name: folder.digest for folder in done.folders}
    record.payload(remote=remote.public_name, files=done.files, size=done.size, folders=folders)


def _wrong_version(what: str, found: str, cited: str) -> VerificationError:
    return VerificationError(f"{what}: {found}, but the log cites {cited}", hint="put back the files as git has them")


def _ignore_in_git(root: Path, name: str) -> None:
    """Keep git from taking what DVC keeps, as `dvc add` does in a folder it shares with git."""
    path = root / _IGNORE
    lines = read_limited(path, limit=1 << 20).decode("utf-8").splitlines() if path.is_file() else []
    line = ignore_line(name)
    if line not in lines and (lines or (root / ".git").exists()):
        write_text_atomic(path, "\n".join([*lines, line]) + "\n")
