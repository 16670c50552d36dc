"""The addresses of jobs: state, answer and cancellation."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Path, Request, Response
from pydantic import Field

from minivess.foundation.implements import implements
from minivess.records.log.stage_times import StageTimes
from minivess.serving.inference import problems
from minivess.serving.inference.access.gate import name_of
from minivess.serving.inference.interface import problem_responses
from minivess.serving.inference.messages import Message, Segmentation
from minivess.serving.inference.queues.jobs import Job, Jobs, JobState

Name = Annotated[str, Path(max_length=64, description="Of the job, as it was answered.")]


class JobMessage(Message):
    """Where a job is."""

    id: Annotated[
        str, Field(description="Name of the job.", examples=["3f2a9c1d5e6b7a80-5f0c1f6e2f4b4c0f9a1b2c3d4e5f6071"])
    ]
    state: Annotated[
        Literal["waiting", "running", "done", "fetched", "cancelled"],
        Field(description="`done`: the answer can be fetched, once.", examples=["running"]),
    ]
    tiles_done: Annotated[int, Field(ge=0, description="Tiles that are done, of the graph that runs.", examples=[12])]
    tiles: Annotated[int, Field(ge=0, description="Tiles of the image; 0 before they are known.", examples=[96])]
    request: Annotated[str, Field(description="Name of the request in the log.", examples=["5f0c1f6e2f4b4c0f"])]
    status: Annotated[str, Field(description="Address of this message.", examples=["/v1/jobs/3f2a9c1d5e6b7a80-5f0c"])]
    result: Annotated[
        str, Field(description="Address of the answer.", examples=["/v1/jobs/3f2a9c1d5e6b7a80-5f0c/result"])
    ]
    timings: Annotated[
        StageTimes, Field(description="Seconds of each stage so far.", examples=[{"reading": 0.8, "queueing": 2.1}])
    ]


def job_message(job: Job) -> JobMessage:
    """A job as it is told."""
    address = f"/v1/jobs/{job.name}"
    return JobMessage(
        id=job.name,
        state=job.state.value,
        tiles_done=job.watch.done,
        tiles=job.watch.total,
        request=job.request,
        status=address,
        result=f"{address}/result",
        timings=job.watch.times,
    )


def taken(job: Job) -> Response:
    """The answer to a request that became a job: 202 with its address (RFC 9110, section 15.3.3)."""
    body = job_message(job)
    headers = {"Location": body.status, "Preference-Applied": "respond-async"}
    return Response(body.model_dump_json(), 202, headers, media_type="application/json")


@implements("REQ-438")
def add_jobs(app: FastAPI, jobs: Jobs) -> None:
    """Add the addresses of jobs to an application."""

    def found(name: str, request: Request) -> Job | Response:
        job = jobs.find(name, name_of(request))
        return _missing(jobs, name) if job is None else job

    @app.get(
        "/v1/jobs/{name}",
        summary="Where a job is",
        tags=["jobs"],
        response_model=JobMessage,
        responses=problem_responses(400, 404, 410),
    )
    def state(name: Name, request: Request) -> JobMessage | Response:
        """State and progress of a job."""
        job = found(name, request)
        return job_message(job) if isinstance(job, Job) else job

    @app.delete(
        "/v1/jobs/{name}",
        summary="Cancel a job",
        tags=["jobs"],
        response_model=JobMessage,
        responses=problem_responses(400, 404, 410),
    )
    def cancel(name: Name, request: Request) -> JobMessage | Response:
        """End a job before its next tile, or let go of its answer. What is on the record stays."""
        job = found(name, request)
        if not isinstance(job, Job):
            return job
        jobs.cancel(job)
        return job_message(job)

    @app.get(
        "/v1/jobs/{name}/result",
        summary="The answer of a job",
        tags=["jobs"],
        response_model=Segmentation,
        responses=problem_responses(400, 404, 409, 410, 422, 503),
    )
    def result(name: Name, request: Request) -> Response:
        """The answer, once: then it is no longer held."""
        job = found(name, request)
        if not isinstance(job, Job):
            return job
        answer = jobs.fetch(job)
        return _no_answer(job) if answer is None else answer


def _no_answer(job: Job) -> Response:
    if job.state is JobState.FETCHED:
        words, hint = "the answer of this job was fetched", "its decision and receipt are at /v1/decisions"
        return problems.problem_response("gone", 410, words, hint=hint)
    hint = f"GET /v1/jobs/{job.name} until its state is `done`"
    return problems.problem_response("not-ready", 409, f"the job is {job.state.value}", hint=hint)


def _missing(jobs: Jobs, name: str) -> Response:
    if jobs.lost(name):
        words = "this job is no longer known: the service was restarted, or the job ended long ago"
        hint = "what was decided before is in the log; send the request again"
        return problems.problem_response("gone", 410, words, hint=hint)
    return problems.problem_response("not-found", 404, "there is no such job", hint="POST /v1/jobs makes one")
