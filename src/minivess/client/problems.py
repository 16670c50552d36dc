"""What a service answers when it gives no mask, as errors with the words of the service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import Verdict

OPERATOR = "inform the operator of the service"


class Message(Record):
    """A message of the service. Fields that a newer service adds are left out."""

    model_config = ConfigDict(extra="ignore")


def receipt_of(value: Any) -> Any:
    """The fields of a receipt that this client knows."""
    if not isinstance(value, dict):
        return value
    known = {name: value[name] for name in Receipt.model_fields if name in value}
    through = known.get("through")
    return {**known, "through": [receipt_of(one) for one in through]} if isinstance(through, list) else known


class Problem(Message):
    """A problem (RFC 9457) as the service states it."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    hint: str = ""
    decision: str | None = None
    reasons: tuple[str, ...] = ()
    request: str | None = None
    """Name of the request in the log, where the refusal has an entry of its own."""
    receipt: Annotated[Receipt | None, Field(repr=False)] = None

    @classmethod
    def of(cls, status: int, body: bytes) -> Problem:
        """The problem of a response; where its body is none, what its status says."""
        try:
            value = json.loads(body)
            return cls.model_validate({**value, "status": status, "receipt": receipt_of(value.get("receipt"))})
        except (ValueError, TypeError, AttributeError, RecursionError, ValidationError):
            return cls(status=status, detail=f"the service answered with status {status} and no explanation")


class ImageRefusedError(RefusedError):
    """The service refused the image: it is outside the intended use.

    Attributes:
        problem: with all reasons.
        verdict: of the receipt of the refusal; None where the refusal was only counted.
    """

    def __init__(self, problem: Problem, verdict: Verdict | None = None) -> None:
        super().__init__("; ".join(problem.reasons) or problem.detail, hint=problem.hint)
        self.problem = problem
        self.verdict = verdict


class RequestError(InputError):
    """The service cannot read the request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, hint=problem.hint)
        self.problem = problem


class NotAllowedError(RefusedError):
    """The service does not know the caller, or the caller may not do this."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, hint=problem.hint)
        self.problem = problem


class ServiceUnavailableError(CouldNotCheckError):
    """The service is out of reach, is busy, or gives no answer, after all attempts."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, hint=problem.hint or OPERATOR)
        self.problem = problem


class UnprovenAnswerError(VerificationError):
    """The receipt does not prove the answer.

    Attributes:
        verdict: with all checks.
    """

    def __init__(self, verdict: Verdict) -> None:
        failure = verdict.first_failure
        super().__init__("the receipt does not prove this answer" if failure is None else failure.detail, hint=OPERATOR)
        self.verdict = verdict


_ERRORS: Mapping[int, type[RequestError | NotAllowedError | ServiceUnavailableError]] = {
    401: NotAllowedError,
    403: NotAllowedError,
    408: ServiceUnavailableError,
    429: ServiceUnavailableError,
}


@implements("REQ-485")
def error_of(problem: Problem) -> RequestError | NotAllowedError | ServiceUnavailableError:
    """The error for a problem that is no refusal of the image."""
    usual = RequestError if 400 <= problem.status < 500 else ServiceUnavailableError
    return _ERRORS.get(problem.status, usual)(problem)
