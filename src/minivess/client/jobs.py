"""Long volumes as jobs: taken at once, looked at while they run, and fetched when they are done."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from minivess.client.answers import Answer, parsed
from minivess.client.calls import Request, answer_of, ask_for
from minivess.client.exchange import Ask, Steps, Wait, exchange
from minivess.client.problems import OPERATOR, Message, Problem, RequestError, error_of
from minivess.client.settings import Settings
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

_NAME = re.compile(r"[0-9A-Za-z-]{1,128}", re.ASCII)
_ADDRESS = "/v1/jobs"
OPEN = frozenset({"waiting", "running"})
"""The states of a job that is not done."""


class JobState(Message):
    """Where a job is."""

    id: str
    state: str
    """`waiting`, `running`, `done`, `fetched` or `cancelled`."""
    tiles_done: Annotated[int, Field(ge=0)] = 0
    tiles: Annotated[int, Field(ge=0)] = 0
    """Tiles of the image; 0 before they are known."""
    request: str = ""


@dataclass(frozen=True)
class Job:
    """A job that the service took. It can be kept as text and looked at by another program.

    Attributes:
        id: its name at the service.
        image: digest of the bytes that were sent; the answer is compared with it.
    """

    id: str
    image: str

    def __post_init__(self) -> None:
        """Refuse a name that is none.

        Raises:
            InputError: the name has other characters than letters, digits and hyphens.
        """
        if not _NAME.fullmatch(self.id):
            raise InputError("the name of the job is malformed", hint=OPERATOR)


@implements("REQ-491")
def start(settings: Settings, request: Request) -> Steps[Job]:
    """Send an image as a job.

    Raises:
        RequestError: the service cannot read the request; see `calls.segment` for the others.
    """
    ask = ask_for(request, _ADDRESS)
    reply = yield from exchange(ask, settings.retries)
    if reply.status != 202:
        raise error_of(Problem.of(reply.status, reply.body))
    return Job(parsed(reply.body, JobState)[0].id, digest_bytes(ask.file or b""))


@implements("REQ-491")
def state(settings: Settings, job: Job, *, method: str = "GET") -> Steps[JobState]:
    """Where a job is; with `DELETE` it is cancelled first.

    Raises:
        RequestError: the service does not know the job, or not any more.
    """
    reply = yield from exchange(Ask(method, f"{_ADDRESS}/{job.id}"), settings.retries)
    if reply.status != 200:
        raise error_of(Problem.of(reply.status, reply.body))
    return parsed(reply.body, JobState)[0]


@implements("REQ-491")
def result(settings: Settings, job: Job) -> Steps[Answer]:
    """The answer of a job that is done, when its receipt proves it. The service gives it once.

    Raises:
        RequestError: the job is not done, or its answer was fetched; see `calls.segment` for the others.
    """
    reply = yield from exchange(Ask("GET", f"{_ADDRESS}/{job.id}/result"), settings.retries)
    return answer_of(settings, reply, job.image)


@implements("REQ-491")
def wait(settings: Settings, job: Job, *, every: float, progress: Callable[[JobState], object] | None) -> Steps[Answer]:
    """Wait for a job, and return its answer.

    Args:
        settings: of the client.
        job: that was started.
        every: seconds between two looks.
        progress: hears where the job is, at each look.

    Raises:
        RequestError: the job was cancelled, or its answer was fetched; see `result` for the others.
    """
    while True:
        found = yield from state(settings, job)
        if progress is not None:
            progress(found)
        if found.state == "done":
            return (yield from result(settings, job))
        if found.state not in OPEN:
            raise RequestError(Problem(detail=f"the job is {found.state}", hint="send the image again"))
        yield Wait(every)
