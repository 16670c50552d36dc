"""Errors as `application/problem+json` (RFC 9457): one line, a hint, never a stack trace, a path or a file name.

Neither in the answer nor on stderr: what an error says may come from the client, so its kind alone is written there.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.serving.inference.messages import Problem
from minivess.workflows.serving.access.in_use import NotInUseError

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    "malformed-request": "The request is malformed",
    "too-large": "The request is too large",
    "too-slow": "The request took too long to arrive",
    "outside-intended-use": "Outside the intended use",
    "not-found": "There is no such page here",
    "log-unavailable": "The answer cannot be recorded",
    "unknown-caller": "The caller is not known",
    "not-allowed": "The caller may not do this",
    "too-often": "The caller asks too often",
    "not-in-use": "The model may not answer now",
    "repeated": "The idempotency key was used before",
    "busy": "The service is busy",
    "not-ready": "The answer is not there yet",
    "gone": "The answer is no longer there",
    "http": "The request cannot be served",
    "internal": "The service failed",
}

_log = logging.getLogger(__name__)


def problem_response(
    kind: str,
    status: int,
    detail: str,
    *,
    hint: str = "",
    request: str | None = None,
    reasons: tuple[str, ...] = (),
    refused: bool = False,
    receipt: Receipt | None = None,
) -> JSONResponse:
    """A problem as a response; see `problem`."""
    made = problem(kind, status, detail, hint=hint, request=request, reasons=reasons, refused=refused, receipt=receipt)
    body = made.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def problem(
    kind: str,
    status: int,
    detail: str,
    *,
    hint: str = "",
    request: str | None = None,
    reasons: tuple[str, ...] = (),
    refused: bool = False,
    receipt: Receipt | None = None,
) -> Problem:
    """A problem.

    Args:
        kind: last part of the problem's type, a key of this module's titles.
        status: HTTP status.
        detail: what is wrong, in words.
        hint: what would mend it.
        request: name of the request in the log.
        reasons: why it was refused, when it was.
        refused: whether it was judged, and is an entry or a count.
        receipt: of the refusal's entry, when there is one.
    """
    return Problem(
        type=f"urn:minivess:problem:{kind}",
        title=_TITLES[kind],
        status=status,
        detail=detail,
        hint=hint,
        decision="refused" if refused else None,
        reasons=reasons,
        request=request,
        receipt=receipt,
    )


def install(app: FastAPI) -> None:
    """Make an application answer all its errors as problems."""
    for kind in (CouldNotCheckError, RefusedError):
        app.add_exception_handler(kind, _failed)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_Guard)
    make = app.openapi

    def described() -> dict[str, Any]:
        document = make()
        _own_problems(document)
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change the document


def _own_problems(document: dict[str, Any]) -> None:
    """Take FastAPI's own answer to malformed parameters out of an OpenAPI document: here it is a problem with status 400."""
    for operations in document["paths"].values():
        for operation in operations.values():
            found = operation["responses"].get("422", {}).get("content", {}).get("application/json")
            if found == {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(name, None)


@implements("REQ-175")
class _Guard:
    """Answers what nothing else caught, so that it reaches no server that would print it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            _log.error("a request failed: %s", type(error).__name__)
            if not begun:
                with suppress(Exception):  # the client has gone
                    await _internal()(scope, receive, send)


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    return of_failure(error)


@implements("REQ-447", "RC-185")
def of_failure(error: Exception) -> JSONResponse:
    """The problem of a request that ended by an error. Of an error that was not made for who asks, only its kind is logged."""
    if isinstance(error, NotInUseError):
        return problem_response("not-in-use", 503, error.message, hint=error.hint)
    if not isinstance(error, CouldNotCheckError | RefusedError):
        _log.error("a request failed: %s", type(error).__name__)
        return _internal()
    _log.error("an answer could not be recorded: %s", type(error).__name__)
    return problem_response(
        "log-unavailable",
        503,
        "the audit log cannot be written, so nothing is answered",
        hint="inform the service's operator; send the request again later",
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind, hint = ("not-found", "GET /openapi.json lists what there is") if status == 404 else ("http", "")
    detail = str(error.detail) if isinstance(error, HTTPException) else "the request cannot be served"
    made = problem_response(kind, status, detail, hint=hint)
    made.headers.update(getattr(error, "headers", None) or {})
    if status == 405:
        made.headers["allow"] = ", ".join(_methods(request))
    return made


def _methods(request: Request) -> list[str]:
    """The methods of an address (RFC 9110, section 10.2.1), whichever of its operations come first."""
    routes = [
        one for one in request.app.routes if isinstance(one, Route) and one.matches(request.scope)[0] != Match.NONE
    ]
    return sorted({method for route in routes for method in route.methods or ()})


def _internal() -> JSONResponse:
    return problem_response(
        "internal",
        500,
        "the request could not be completed",
        hint="the log has the time; inform the service's operator",
    )
