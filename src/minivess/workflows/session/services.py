"""What every use case is handed: the project, the log, the relay, and where progress goes.

A workspace is opened in one of two ways: for reading (`open_reader`), which takes no key and asks for no passphrase, or
for writing (`open_services`), which takes the log's key. Settings, keystore and stores are put together here alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from minivess.compliance.audit.reader import LogReader
from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import InputError, MinivessError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import first_error
from minivess.foundation.settings import Settings, load_settings
from minivess.records.log.entry import Context
from minivess.records.people.identity import LOG_IDENTITY
from minivess.records.people.roles import IdentityKind
from minivess.records.sinks import Progress

if TYPE_CHECKING:
    from minivess.compliance.audit.log import AuditLog
    from minivess.compliance.identity.keystores.keystore import Keystore
    from minivess.observability.lineage.relay import Relay
    from minivess.records.device.project import Project
    from minivess.records.device.workspace_files import Step

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WorkspaceReader:
    """One workspace, opened for reading: the log takes no entry, and no lineage event is delivered."""

    workspace: Path
    settings: Settings
    log: LogReader
    progress: Progress
    clock: Clock = utc_now

    @cached_property
    @implements("REQ-316")
    def project(self) -> Project:
        """The project file, read when it is asked for first: a question to the log alone needs none.

        Raises:
            InputError: it is missing or malformed.
        """
        from minivess.workflows.session.project_file import load_project

        return load_project(self.workspace)

    @cached_property
    def source(self) -> Path:
        """Folder with requirements/, risk/, features/, templates/ and the lock file."""
        return (self.workspace / self.project.source).resolve()

    def context(self, **known: Any) -> Context:
        """The circumstances of an action: git state, environment, configuration and version of the data are found.

        Args:
            known: further fields of `Context`, for example `data`, `model`, `seed`.

        Raises:
            UsageError: a field does not exist or has a wrong value.
        """
        from minivess.compliance.proofs.canonical import digest_of
        from minivess.foundation.provenance import environment_digest, source_state
        from minivess.workflows.session.data_citation import data_version_of

        commit, dirty = source_state(self.source)
        found: dict[str, Any] = {
            "git_commit": commit,
            "git_dirty": dirty,
            "environment": environment_digest(self.source),
            "configuration": digest_of(self.project),
            **data_version_of(self.workspace, self.project.data.root),
        }
        try:
            return Context.model_validate({**found, **known})
        except ValidationError as error:
            raise UsageError(f"the context is refused: {first_error(error)}") from None

    def close(self) -> None:
        """Let go of the database."""
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True)
class Services(WorkspaceReader):
    """The services of one workspace, opened for writing."""

    project: Project = field()
    source: Path = field()
    log: AuditLog
    relay: Relay
    restoring: bool = False
    """Whether the log may have gone back, so that `log.restored` is all that may be appended."""

    @implements("REQ-005", "REQ-174")
    def deliver(self) -> bool:
        """Deliver the lineage events that wait in the outbox; returns whether that went well.

        What cannot be delivered is a warning, and waits for the next time.
        """
        try:
            self.relay.deliver()
        except Exception as failure:  # the entries are safe, and the events with them
            _log.warning("lineage events wait in the outbox: %s", type(failure).__name__)
            return False
        return True

    def close(self) -> None:
        """Deliver what was recorded meanwhile, keep the newest checkpoint, and let go of the database."""
        from minivess.workflows.session import remembered_checkpoints

        if self.relay.due:
            self.deliver()
        try:
            if not self.restoring:
                remembered_checkpoints.require_here(self.log)
        except MinivessError as failure:  # the entries are safe; the next opening looks again
            _log.warning("the newest checkpoint was not kept: %s", failure.message)
        super().close()


def silent(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@implements("REQ-190")
def open_reader(
    workspace: Path, *, database_url: str | None = None, progress: Progress = silent, clock: Clock = utc_now
) -> WorkspaceReader:
    """Open a workspace whose log exists, for reading. No passphrase is needed.

    Args:
        workspace: the project folder.
        database_url: of another log than the device's, for example a serving log.
        progress: hears how far long work has come.
        clock: tells the time.

    Raises:
        InputError: settings or log are missing or malformed. The project file is read when it is needed.
        VerificationError: the entries do not agree with the last checkpoint.
        CouldNotCheckError: the log is out of reach.
    """
    root = workspace.absolute()
    settings = load_settings(root)
    try:
        log = LogReader.reading(database_url or settings.database_url)
    except InputError as error:
        from minivess.compliance.identity.keystores.keystore import Keystore

        if not Keystore(Workspace(root).keystore).holds(LOG_IDENTITY):
            error.hint = _first_of_log(Workspace(root)).line
        raise
    return WorkspaceReader(workspace=root, settings=settings, log=log, progress=progress, clock=clock)


def open_services(
    workspace: Path,
    *,
    log_passphrase: str | Callable[[], str],
    progress: Progress = silent,
    clock: Clock = utc_now,
    restoring: bool = False,
) -> Services:
    """Open a workspace whose log exists, for writing; refuses a log that went back since it was last written from here.

    Args:
        workspace: the project folder.
        log_passphrase: opens the log's own key (identity `log` of the keystore), or a function that asks for it.
        progress: hears how far long work has come.
        clock: tells the time.
        restoring: to append `log.restored`: the log may have gone back.

    Raises:
        InputError: project file, settings or log are missing or malformed.
        RefusedError: the passphrase is wrong, or the key is not this log's.
        VerificationError: the log does not continue what was written to it from this account.
        CouldNotCheckError: the log is out of reach.
    """
    from minivess.compliance.identity.keystores.keystore import Keystore
    from minivess.observability.lineage.relay import Relay
    from minivess.observability.lineage.transports import transport_for
    from minivess.workflows.session import remembered_checkpoints
    from minivess.workflows.session.project_file import load_project

    root = workspace.absolute()
    project = load_project(root)
    settings = load_settings(root)
    keystore = Keystore(Workspace(root).keystore)
    if not keystore.holds(LOG_IDENTITY):
        raise UsageError("the log of this project was not started", hint=_first_of_log(Workspace(root)).line)
    passphrase = log_passphrase if isinstance(log_passphrase, str) else log_passphrase()
    log = _open_log(keystore, settings.database_url, passphrase, clock)
    try:
        if not restoring:
            remembered_checkpoints.require_here(log)
    except BaseException:
        log.close()
        raise
    return Services(
        workspace=root,
        project=project,
        settings=settings,
        log=log,
        relay=Relay(log, transport_for(settings)),
        source=(root / project.source).resolve(),
        progress=progress,
        clock=clock,
        restoring=restoring,
    )


@implements("REQ-197")
def _first_of_log(workspace: Workspace) -> Step:
    """The first missing step of a project without a log: keys for people, or the log itself."""
    from minivess.compliance.identity.keystores.keyring import Keyring
    from minivess.records.device.workspace_files import first_missing

    people = [one for one in Keyring.of(workspace).identities() if one.kind is IdentityKind.PERSON]
    return first_missing("log", lambda step: step.name == "init" or bool(people))


def _open_log(keystore: Keystore, database_url: str, passphrase: str, clock: Clock) -> AuditLog:
    """The log under its own key; a change of that key that was interrupted after its entry is finished here."""
    from minivess.compliance.audit.log import AuditLog

    log_signer = keystore.unlock(LOG_IDENTITY, passphrase)
    try:
        return AuditLog.open(database_url, log_signer=log_signer, clock=clock)
    except RefusedError:
        pending = keystore.pending_rotation(LOG_IDENTITY)
        with closing(AuditLog.open(database_url, log_signer=None)) as log:
            if pending is None or pending.signing_key != log.key:
                raise
    keystore.finish_rotation(LOG_IDENTITY)
    return AuditLog.open(database_url, log_signer=keystore.unlock(LOG_IDENTITY, passphrase), clock=clock)
