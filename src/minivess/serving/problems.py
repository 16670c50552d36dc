"""Errors as `application/problem+json` (RFC 9457): one line, a hint, never a stack trace, a path or a file name."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.records.receipt import Receipt
from minivess.serving.messages import Problem

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    "malformed-request": "The request is malformed",
    "too-large": "The request is too large",
    "outside-intended-use": "Outside the intended use",
    "not-found": "There is no such thing here",
    "log-unavailable": "The answer cannot be recorded",
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
    receipt: Receipt | None = None,
) -> JSONResponse:
    """A problem as a response.

    Args:
        kind: last part of the problem's type, a key of this module's titles.
        status: HTTP status.
        detail: what is wrong, in words.
        hint: what would mend it.
        request: name of the request in the log.
        reasons: why it was refused, when it was.
        receipt: of the refusal's entry, when there is one.
    """
    problem = Problem(
        type=f"urn:minivess:problem:{kind}",
        title=_TITLES[kind],
        status=status,
        detail=detail,
        hint=hint,
        decision="refused" if receipt is not None else None,
        reasons=reasons,
        request=request,
        receipt=receipt,
    )
    body = problem.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make an application answer all its errors as problems."""
    app.add_exception_handler(CouldNotCheckError, _unavailable)
    app.add_exception_handler(RefusedError, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    _log.error("an answer could not be recorded: %s", type(error).__name__)
    return problem_response(
        "log-unavailable",
        503,
        "the audit log cannot be written, so nothing is answered",
        hint="tell whoever runs the service; send the request again later",
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind, hint = ("not-found", "GET /openapi.json lists what there is") if status == 404 else ("http", "")
    detail = str(error.detail) if isinstance(error, HTTPException) else "the request cannot be served"
    return problem_response(kind, status, detail, hint=hint)


async def _internal(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed: %s", type(error).__name__)
    return problem_response(
        "internal", 500, "the request could not be completed", hint="the log says when; tell whoever runs the service"
    )
