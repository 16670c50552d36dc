"""Opening the database of a log that exists: is it there, is it of this version, and which log is it?"""

from __future__ import annotations

from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.stored_rows import content_of, parse_entry, size_of
from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError, VerificationError
from minivess.records.log.entry import Entry
from minivess.records.log.payloads.by_action import check_payload

WAIT_SECONDS = 30.0
"""How long a reader or a writer waits for another writer."""


def existing_database(url: str, *, wait: float) -> Database:
    """The database of a log that exists.

    Raises:
        InputError: there is none.
    """
    database = Database(url, wait=wait)
    if database.missing():
        raise _no_log()
    return database


def outdated(database: Database, *, writable: bool) -> bool:
    """Whether the tables of a log have to be migrated before it can be written.

    Raises:
        InputError: there is no log.
        CouldNotCheckError: they have to be, and the log is opened for reading.
    """
    with database.asking() as connection:
        if database.revision(connection) is None:
            raise _no_log()
        found = database.outdated(connection)
    if found and not writable:
        raise CouldNotCheckError(
            "the audit log's database is of another version", hint="open it once for writing, or use that version"
        )
    return found


def origin_in(database: Database) -> str:
    """The name of the log, as its first entry states it.

    Raises:
        InputError: it has no entry.
        VerificationError: the first entry does not say what the log is for.
    """
    with database.asking() as connection:
        if size_of(connection) == 0:
            raise _no_log()
        return _created(content_of(connection, 0)).body.log


def _no_log() -> InputError:
    return InputError("there is no audit log here", hint="start one with `minivess audit start`")


def _created(content: bytes) -> Entry:
    entry = parse_entry(0, content)
    try:
        check_payload("log.created", entry.body.payload, complete=True)
    except UsageError:
        raise VerificationError("entry 0 of the log does not say what the log is for") from None
    if entry.body.action != "log.created":
        raise VerificationError("entry 0 of the log does not say what the log is for")
    return entry
