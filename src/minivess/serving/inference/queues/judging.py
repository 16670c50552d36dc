"""One request on its way: admitted, read, and judged in a thread or as a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response

from minivess.foundation.implements import implements
from minivess.ml.inference.watch import Watch
from minivess.records.log.stage_times import Stage
from minivess.serving.inference import problems
from minivess.serving.inference.access.gate import caller_of, name_of, within
from minivess.serving.inference.access.repeats import Repeats
from minivess.serving.inference.answering import Answering, respond
from minivess.serving.inference.later_texts import PiecedResponse
from minivess.serving.inference.queues.admission import Admission
from minivess.serving.inference.queues.job_routes import taken
from minivess.serving.inference.queues.jobs import Job, JobCancelledError, Jobs
from minivess.serving.inference.request_form import Asked, TurnedError, read_request
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.inference import InferenceService

JOBS = "/v1/jobs"
"""Where jobs are taken."""


class Judged(Protocol):
    """See `Judging.judged`."""

    async def __call__[T](self, request: Request, judge: Callable[[Answering], T]) -> Response | T:
        """The answer to a request."""


@dataclass(frozen=True)
class Judging:
    """How the requests of a service are judged.

    Attributes:
        engine: answers images on the record.
        limits: how much is taken in.
        admission: places for requests.
        jobs: long requests.
        repeats: answers of requests that are sent again.
        threads: images that are judged at the same time; others wait.
    """

    engine: InferenceService
    limits: Limits
    admission: Admission
    jobs: Jobs
    repeats: Repeats
    threads: CapacityLimiter

    @implements("REQ-437")
    async def judged[T](self, request: Request, judge: Callable[[Answering], T]) -> Response | T:
        """Read a request once there is a place for it, and judge it in a thread; what cannot be read is counted."""
        engine = self.engine
        try:
            return await self._admitted(request, judge)
        except TurnedError as turned:
            return turned.how.response(engine)
        except Exception as error:
            engine.count_failure(error)
            raise

    async def _admitted[T](self, request: Request, judge: Callable[[Answering], T]) -> Response | T:
        watch, begun, caller = Watch(), time.perf_counter(), name_of(request)

        def at_its_place(asking: Answering, waited: float) -> T:
            watch.add(Stage.QUEUEING, time.perf_counter() - waited)
            return judge(asking)

        async with AsyncExitStack() as place:
            await place.enter_async_context(self.admission.place())
            watch.add(Stage.QUEUEING, time.perf_counter() - begun)
            with watch.stage(Stage.READING):
                asked = await read_request(request, within(self.limits, caller_of(request)), self.engine.model)
            if (again := await self.repeats.answered(request, asked)) is not None:
                return again
            if judge is respond and _as_job(request):
                return taken(self._start(asked, watch, caller))
            asking = Answering(self.engine, self.limits, uuid4().hex, asked, watch, begun, caller=caller)
            waited = time.perf_counter()
            answer = await to_thread.run_sync(lambda: at_its_place(asking, waited), limiter=self.threads)
            if isinstance(answer, PiecedResponse):  # what it is made of is in memory until it is sent
                answer.hold(place.pop_all(), self.limits.seconds)
            return answer

    def _start(self, asked: Asked, watch: Watch, caller: str | None) -> Job:
        """Take a request as a job.

        Raises:
            TurnedError: as many jobs are held as may be.
        """
        before, taken_at = watch.times, time.perf_counter()

        def judge(job: Job) -> Response:
            job.watch.add(Stage.READING, before.reading or 0.0)
            job.watch.add(Stage.QUEUEING, (before.queueing or 0.0) + time.perf_counter() - taken_at)
            return settled(Answering(self.engine, self.limits, job.request, asked, job.watch, taken_at, caller=caller))

        return self.jobs.take(caller, len(asked.data), judge)


def _as_job(request: Request) -> bool:
    """Whether a request is to become a job (RFC 7240, section 4.1)."""
    preferred = request.headers.get("prefer", "").lower().replace(";", ",").split(",")
    return request.url.path == JOBS or "respond-async" in {one.strip() for one in preferred}


@implements("REQ-438")
def settled(asking: Answering) -> Response:
    """Judge one request (blocking); whatever goes wrong is a problem as response, and is counted as it is elsewhere.

    Raises:
        JobCancelledError: the job was taken back; an entry says so where judging had begun.
    """
    engine = asking.engine
    try:
        return respond(asking)
    except TurnedError as turned:
        return turned.how.response(engine)
    except JobCancelledError:
        raise
    except Exception as error:
        engine.count_failure(error)
        return problems.of_failure(error)
