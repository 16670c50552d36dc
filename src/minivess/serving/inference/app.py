"""The HTTP interface: one image in; mask, decision and receipt out.

Each request for a segmentation is judged, and what is answered is recorded before. A request that cannot be read is
counted by its reason. Image bytes stay in memory; neither file names nor anything else the client wrote reaches the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference import problems
from minivess.serving.inference.access.gate import Exposure, Gate
from minivess.serving.inference.access.headers import page
from minivess.serving.inference.access.repeats import Repeats, RepeatsMiddleware
from minivess.serving.inference.answering import predict, respond
from minivess.serving.inference.demo.assets import add_page
from minivess.serving.inference.demo.preview import Preview, preview, preview_body
from minivess.serving.inference.examples.operations import add_examples
from minivess.serving.inference.interface import description, picture_body, problem_responses, request_body
from minivess.serving.inference.messages import Health, Model, Segmentation, model_message
from minivess.serving.inference.page import front_page
from minivess.serving.inference.queues.admission import Admission, Places
from minivess.serving.inference.queues.job_routes import JobMessage, add_jobs
from minivess.serving.inference.queues.jobs import JobBounds, Jobs
from minivess.serving.inference.queues.judging import JOBS, Judged, Judging
from minivess.serving.inference.short_messages import Alive, Decision, Prediction, decision_message
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.inference import InferenceService

Index = Annotated[int, Path(ge=0, lt=1 << 53, description="Index of the entry.")]


@implements("REQ-027", "REQ-029", "REQ-175", "REQ-348", "REQ-490")
def create_app(
    engine: InferenceService,
    *,
    limits: Limits | None = None,
    workers: int = 2,
    exposure: Exposure | None = None,
    places: Places | None = None,
    job_bounds: JobBounds | None = None,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        engine: answers images on the record.
        limits: how much is taken in.
        workers: images segmented at the same time; others wait.
        exposure: how the service is reached.
        places: how many requests are taken at a time.
        job_bounds: what jobs may hold.
    """
    bounds = limits or Limits()
    jobs = Jobs(job_bounds, unjudged=lambda: engine.turn_away(RefusalReason.CANCELLED))
    app = FastAPI(
        title="MiniVess inference",
        version=engine.model.version,
        description=description(engine.model),
        docs_url=None,
        redoc_url=None,
        responses=problem_responses(401, 403, 429),
        lifespan=lambda _: jobs.until_closed(),
    )
    repeats = _guarded(app, engine, exposure)
    judged = Judging(engine, bounds, Admission(places), jobs, repeats, CapacityLimiter(workers)).judged
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes what clients write

    _add_images(app, engine, judged)
    add_jobs(app, jobs)
    add_page(app)

    @app.get("/", include_in_schema=False)
    def front() -> HTMLResponse:
        """What is served and how to ask, for a browser."""
        return page(front_page(engine.model))

    @app.get("/v1/health", summary="Is the service up?", tags=["service"])
    def health() -> Health:
        """The service is up and its model is loaded."""
        return Health(model=engine.model.digest, task=engine.model.task.words)

    @app.get("/healthz", summary="Does the process answer?", tags=["service"])
    def alive() -> Alive:
        """The process answers. It says nothing of the log."""
        return Alive()

    @app.get("/readyz", summary="Can images be answered?", tags=["service"], responses=problem_responses(503))
    def ready() -> Alive:
        """The serving log can be read, so that images can be answered."""
        engine.check_ready()
        return Alive()

    @app.get("/v1/models", summary="What is served?", tags=["service"])
    def models() -> list[Model]:
        """The models that answer: one."""
        return [model_message(engine.model)]

    @app.get("/v1/model", summary="What is served, and for what use?", tags=["service"])
    def model() -> Model:
        """Digest, channels, axes, classes, thresholds and the bounds of the intended use."""
        return model_message(engine.model)

    _add_decisions(app, engine)
    add_examples(app, engine.model)
    return app


def _add_decisions(app: FastAPI, engine: InferenceService) -> None:
    """What the log says of earlier answers."""

    @app.get(
        "/v1/decisions/{index}/receipt",
        summary="The receipt of an earlier answer",
        tags=["inference"],
        response_model=Receipt,
        responses=problem_responses(400, 404),
    )
    @app.get(
        "/v1/receipts/{index}",
        deprecated=True,
        summary="The receipt of an earlier answer",
        tags=["inference"],
        response_model=Receipt,
        responses=problem_responses(400, 404),
    )
    def receipt(index: Index) -> Response | Receipt:
        """Entry, inclusion proof and signed checkpoint, as of now."""
        return _found(lambda: engine.receipt(index))

    @app.get(
        "/v1/decisions/{index}",
        summary="An earlier decision",
        tags=["inference"],
        response_model=Decision,
        responses=problem_responses(400, 404),
    )
    def decision(index: Index) -> Response | Decision:
        """What the entry of an answer says. Images and masks are not kept."""
        return _found(lambda: decision_message(index, *engine.decision(index)))


def _add_images(app: FastAPI, engine: InferenceService, judged: Judged) -> None:
    """Add the addresses that images are sent to."""

    @app.post(
        "/v1/segment",
        response_model=Segmentation,
        responses=problem_responses(400, 408, 409, 413, 422, 503),
        openapi_extra={"requestBody": request_body(engine.model)},
        summary="Segment one image",
        tags=["inference"],
    )
    async def segment(request: Request) -> Response:
        """Answer a mask with the decision and its receipt, or refuse with reasons. With `Prefer: respond-async` as a job."""
        return await judged(request, respond)

    @app.post(
        JOBS,
        response_model=JobMessage,
        status_code=202,
        responses=problem_responses(400, 408, 409, 413, 422, 503),
        openapi_extra={"requestBody": request_body(engine.model)},
        summary="Segment one image as a job",
        tags=["jobs"],
    )
    async def take_job(request: Request) -> Response:
        """Take an image; it is judged in the background. The entry is durable before the answer can be fetched."""
        return await judged(request, respond)

    if len(engine.model.task.axes) == 2:

        @app.post(
            "/predict",
            response_model=Prediction,
            responses=problem_responses(400, 408, 409, 413, 422, 503),
            openapi_extra={"requestBody": picture_body(engine.model)},
            summary="Segment one picture, short form",
            tags=["inference"],
        )
        async def predict_picture(request: Request) -> Response:
            """Answer the mask of a PNG or JPEG as run lengths or PNG, on the record as `/v1/segment`."""
            return await judged(request, predict)

    @app.post(
        "/v1/preview",
        response_model=Preview,
        responses=problem_responses(400, 408, 413),
        openapi_extra={"requestBody": preview_body(engine.model)},
        summary="Show one image as the service reads it",
        tags=["inference"],
    )
    async def preview_image(request: Request) -> Response | Preview:
        """Answer the image in 8 bits. This is no decision and makes no entry."""
        return await judged(request, preview)


def _guarded(app: FastAPI, engine: InferenceService, exposure: Exposure | None) -> Repeats:
    """Put what comes before and after each request around an application; returns the answers that it holds."""
    problems.install(app)
    repeats = Repeats(check=engine.check_in_use)
    app.add_middleware(RepeatsMiddleware, repeats=repeats)
    app.add_middleware(Gate, engine=engine, exposure=exposure)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, _error: RequestValidationError) -> Response:
        return problems.problem_response("malformed-request", 400, "a part of the address is malformed")

    return repeats


def _found[T](read: Callable[[], T]) -> Response | T:
    """What is read of an entry, or that there is no such answer."""
    try:
        return read()
    except UsageError as error:
        return problems.problem_response("not-found", 404, error.message, hint=error.hint)
