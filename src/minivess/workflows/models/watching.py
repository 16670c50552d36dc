"""One training job at a time in a project, and how others follow it.

The job holds a lock (`flock`) on `models/training.lock` until its process ends, however it ends. Whoever follows it asks for
that lock and reads the files of events of the members. Neither needs a key.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from minivess.foundation.clock import utc_now
from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import first_error, read_json_record
from minivess.records.models.training_event import EVENTS, TrainingEnd, TrainingEvent, TrainingJob

LOCK = "training.lock"

_SIZE = 200
"""Bytes of the lock's file."""
_TRIES, _PAUSE_S = 20, 0.05
_SLACK_S = 1.0
"""How far the clock of a disk may be behind that of the process."""
_TAIL = 1 << 20
"""How far back a file is read when somebody begins to follow it."""


@contextmanager
@implements("REQ-360")
def training_job(workspace: Workspace) -> Iterator[None]:
    """Hold the lock of the training job of a project.

    Raises:
        RefusedError: another process holds it.
        CannotWriteError: the lock cannot be made.
    """
    place = workspace.models / LOCK
    try:
        make_folder(place.parent)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CannotWriteError(f"cannot lock {place.name}: {error.strerror or error}") from error
    try:
        if not any(_taken(descriptor) for _ in range(_TRIES)):
            raise RefusedError(
                "another process trains this project", hint="`minivess train --watch` follows it; end it or wait"
            )
        job = TrainingJob(process=os.getpid(), since=utc_now())
        _say(descriptor, job)
        try:
            yield
        except BaseException:
            _say(descriptor, job.model_copy(update={"end": "failed"}))
            raise
        _say(descriptor, job.model_copy(update={"end": "finished"}))
    finally:
        os.close(descriptor)


def _say(descriptor: int, job: TrainingJob) -> None:
    os.pwrite(descriptor, job.model_dump_json().encode("utf-8").ljust(_SIZE), 0)  # one write, always of the same size


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # perhaps held for a moment by somebody who follows
        time.sleep(_PAUSE_S)
        return False
    return True


def job_runs(workspace: Workspace) -> bool:
    """Whether a process trains this project now."""
    try:
        descriptor = os.open(workspace.models / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@implements("REQ-360")
def watch(
    workspace: Workspace,
    hear: Callable[[TrainingEvent], None],
    *,
    pause: Callable[[], None] = lambda: time.sleep(0.5),
) -> TrainingEnd:
    """Follow the training job of a project until it ends.

    Args:
        workspace: the project.
        hear: called with the last validation and the last event before now, and with each event from now on.
        pause: waits for further events.

    Returns:
        How the job ended. Of a job that has ended already, the same.

    Raises:
        UsageError: no training began here.
        InputError: a file of events is malformed.
    """
    place = workspace.models / LOCK
    if not place.is_file() or not place.stat().st_size:
        raise UsageError("no training has begun in this project", hint="minivess train")
    job = read_json_record(place, TrainingJob)
    followed = _Followed(workspace, job)
    latest = step = None
    seen: list[TrainingEvent] = followed.last()
    while True:
        running = job_runs(workspace)  # asked before the files are read: what was written before the end is read
        for event in (*seen, *followed.further()):
            latest, step = event, event.beat if event.beat is not None else step
            hear(event)
        if not running:
            break
        seen = []
        pause()
    return TrainingEnd(
        state=read_json_record(place, TrainingJob).end or "killed",
        since=job.since,
        run=None if latest is None else latest.run,
        step=0 if step is None else step.step,
        steps=0 if step is None else step.steps,
    )


class _Followed:
    """The files of events of a project, and how far each was read."""

    def __init__(self, workspace: Workspace, job: TrainingJob) -> None:
        self._members = workspace.models / "members"
        self._begun = job.since.timestamp() - _SLACK_S
        self._read: dict[Path, int] = {}

    def _files(self) -> list[Path]:
        """The files of this job, the one that was written last at the end."""
        found = [(path.stat().st_mtime, path) for path in self._members.glob(f"*/{EVENTS}")]
        return [path for written, path in sorted(found) if written >= self._begun]

    def last(self) -> list[TrainingEvent]:
        """The last validation, the last step and the last event of the newest file."""
        files = self._files()
        self._read = {path: _end_of_lines(path) for path in files}
        if not files:
            return []
        end = self._read[files[-1]]
        begin = max(0, end - _TAIL)
        events = [_event(files[-1], line) for line in _lines(files[-1], begin, end)[1 if begin else 0 :]]
        steps = [one for one in events if one.beat is not None]
        validated = [one for one in steps if one.beat is not None and one.beat.validation is not None]
        kept = [*validated[-1:], *steps[-1:], *events[-1:]]
        return [one for place, one in enumerate(kept) if one not in kept[:place]]

    def further(self) -> list[TrainingEvent]:
        """The events that were written since, in order of time."""
        found: list[TrainingEvent] = []
        for path in self._files():
            before, end = self._read.get(path, 0), _end_of_lines(path)
            if end < before:  # the file began anew
                before = 0
            found += [_event(path, line) for line in _lines(path, before, end)]
            self._read[path] = end
        return sorted(found, key=lambda event: event.time)


def _lines(path: Path, begin: int, end: int) -> list[bytes]:
    with path.open("rb") as stream:
        stream.seek(begin)
        return stream.read(end - begin).splitlines()


def _end_of_lines(path: Path) -> int:
    """Where the last whole line of a file ends."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _TAIL))
        tail = stream.read()
    return size - len(tail) + tail.rfind(b"\n") + 1


def _event(path: Path, line: bytes) -> TrainingEvent:
    try:
        return TrainingEvent.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"is no event: {first_error(error)}", path=path, hint="remove the file") from None
