"""A client of the service: sends an image, retries, and verifies the receipt of the answer.

It needs the extra `client` (httpx and NumPy). Neither PyTorch nor FastAPI is imported.
"""

from __future__ import annotations

from minivess.client.answers import Answer, AnsweredClass
from minivess.client.connections import AsyncClient, Client
from minivess.client.jobs import Job, JobState
from minivess.client.problems import (
    ImageRefusedError,
    NotAllowedError,
    Problem,
    RequestError,
    ServiceUnavailableError,
    UnprovenAnswerError,
)
from minivess.client.settings import Retries, Timeouts
from minivess.foundation.errors import MinivessError

__all__ = [
    "Answer",
    "AnsweredClass",
    "AsyncClient",
    "Client",
    "ImageRefusedError",
    "Job",
    "JobState",
    "MinivessError",
    "NotAllowedError",
    "Problem",
    "RequestError",
    "Retries",
    "ServiceUnavailableError",
    "Timeouts",
    "UnprovenAnswerError",
]
