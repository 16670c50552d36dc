"""Long requests as jobs: taken at once, judged in the background, with progress by tile, and answered once.

Requests and answers are held in memory, within bounds of number, bytes and age, and nowhere else. A job ends with its process.
Its name says which process took it, so that a lost job is not taken for one that never was.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import uuid4

from anyio import to_thread
from starlette.responses import Response

from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.ml.inference.watch import Watch
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference.later_texts import PiecedResponse
from minivess.serving.inference.request_form import Turned, TurnedError

_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{32})", re.ASCII)


class JobState(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Its answer can be fetched, once."""
    FETCHED = "fetched"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class JobBounds:
    """What jobs may hold.

    Attributes:
        jobs: that wait, run, or have an answer that was not fetched.
        size: bytes of their requests and answers together.
        seconds: that an answer waits to be fetched, and that the end of a job is remembered.
    """

    jobs: int = 16
    size: int = 1 << 30
    seconds: float = 3600.0


class JobCancelledError(RefusedError):
    """The caller took the job back."""


class JobWatch(Watch):
    """Knows how far a job is, and ends it when it was taken back."""

    def __init__(self) -> None:
        super().__init__()
        self.done, self.total = 0, 0
        self.cancelled = threading.Event()

    def tiles(self, done: int, total: int) -> None:
        """So many tiles are done.

        Raises:
            JobCancelledError: the job was taken back.
        """
        self.done, self.total = done, total
        if self.cancelled.is_set():
            raise JobCancelledError("the job was taken back by its caller")


@dataclass
class Job:
    """One job.

    Attributes:
        name: the address of the job ends so; its second half names the request in the log.
        owner: whose it is; None where callers are not known.
        size: bytes that it holds.
        since: when it was taken, or ended, by the clock of its `Jobs`.
        watch: its stages and progress.
        state: where it is.
        answer: what was answered, until it is fetched.
        judge: answers it; None once that began, so that the request is let go.
    """

    name: str
    owner: str | None
    size: int
    since: float
    watch: JobWatch = field(default_factory=JobWatch)
    state: JobState = JobState.WAITING
    answer: Response | None = None
    judge: Callable[[Job], Response] | None = None

    @property
    def request(self) -> str:
        """The name of the request in the log."""
        return self.name.partition("-")[2]


@implements("REQ-438", "RC-177")
class Jobs:
    """The jobs of a service. Safe to use from several threads.

    Args:
        bounds: what they may hold.
        workers: jobs that are judged at the same time.
        unjudged: is notified of each job that ended before it was judged, so that it is counted.
        elapsed: seconds that never run backwards.
    """

    def __init__(
        self,
        bounds: JobBounds | None = None,
        *,
        workers: int = 1,
        unjudged: Callable[[], None] = lambda: None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds or JobBounds()
        self._elapsed = elapsed
        self._unjudged = unjudged
        self._process = uuid4().hex[:16]
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")

    def take(self, owner: str | None, size: int, judge: Callable[[Job], Response]) -> Job:
        """Take a job; it is judged in the background.

        Args:
            owner: whose it is.
            size: bytes of its request.
            judge: answers it; it returns only once the answer is on the record.

        Raises:
            TurnedError: too many jobs, or too many bytes, are held.
        """
        with self._lock:
            self._forget()
            held = [one for one in self._jobs.values() if one.state not in _ENDED]
            if len(held) >= self._bounds.jobs or sum(one.size for one in held) + size > self._bounds.size:
                raise TurnedError(_BUSY)
            job = Job(f"{self._process}-{uuid4().hex}", owner, size, self._elapsed())
            self._jobs[job.name] = job
            job.judge = judge
        self._pool.submit(self._run, job)
        return job

    def find(self, name: str, owner: str | None) -> Job | None:
        """A job of this owner; None: there is none."""
        with self._lock:
            self._forget()
            job = self._jobs.get(name)
            return None if job is None else of_owner(job, owner)

    def lost(self, name: str) -> bool:
        """Whether this is the name of a job that another process took, or that was forgotten since."""
        return _NAME.fullmatch(name) is not None

    def fetch(self, job: Job) -> Response | None:
        """The answer of a job that is done, once; None: there is none, or none any more."""
        with self._lock:
            answer, job.answer = job.answer, None
            if answer is not None:
                job.state, job.size, job.since = JobState.FETCHED, 0, self._elapsed()
            return answer

    def cancel(self, job: Job) -> None:
        """End a job, or let go of its answer; what is on the record stays."""
        with self._lock:
            job.watch.cancelled.set()
            waited = job.state is JobState.WAITING
            if job.state in {JobState.WAITING, JobState.DONE}:
                self._end(job, JobState.CANCELLED, None)
        if waited:
            self._unjudged()

    @asynccontextmanager
    async def until_closed(self) -> AsyncIterator[None]:
        """End all jobs when an application ends."""
        try:
            yield
        finally:
            await to_thread.run_sync(self.close)

    def close(self) -> None:
        """End all jobs, and wait until they have."""
        for job in list(self._jobs.values()):
            if job.state in {JobState.WAITING, JobState.RUNNING}:
                self.cancel(job)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> None:
        with self._lock:
            judge, job.judge = job.judge, None
            if judge is None or job.state is not JobState.WAITING:
                return
            job.state = JobState.RUNNING
        try:
            answer = judge(job)
            del judge
            if isinstance(answer, PiecedResponse):
                answer.make()
        except JobCancelledError:
            with self._lock:
                self._end(job, JobState.CANCELLED, None)
        else:
            with self._lock:
                self._end(job, JobState.DONE, answer)

    def _end(self, job: Job, state: JobState, answer: Response | None) -> None:
        job.state, job.answer, job.since = state, answer, self._elapsed()
        job.size = 0 if answer is None else answer.size if isinstance(answer, PiecedResponse) else len(answer.body)

    def _forget(self) -> None:
        """Let go of what ended too long ago, and of the oldest where there are too many."""
        now = self._elapsed()
        ended = [one for one in self._jobs.values() if one.state in {*_ENDED, JobState.DONE}]
        for number, job in enumerate(sorted(ended, key=lambda one: one.since, reverse=True)):
            remembered = job.state is JobState.DONE or number < _REMEMBERED
            if now - job.since >= self._bounds.seconds or not remembered:
                del self._jobs[job.name]


def of_owner(job: Job, owner: str | None) -> Job | None:
    """The job, where it is this caller's."""
    return job if job.owner == owner else None


_ENDED: Final = frozenset({JobState.FETCHED, JobState.CANCELLED})
_REMEMBERED: Final = 1000
_BUSY = Turned(
    RefusalReason.BUSY,
    503,
    "the service holds as many jobs as it may",
    "fetch or cancel earlier jobs, or send the request again later",
    "busy",
    retry_after=30,
)
