"""The interface keeps to its own OpenAPI document, whatever is sent.

Schemathesis makes requests from the document, valid and invalid ones, and holds the answers against it: status, media type,
schema, methods that an address does not take. What a body of bytes is, no OpenAPI document says: that images are answered is
tested elsewhere, so the check that valid requests are accepted is off for forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from minivess.records.models.task import SegmentationTask
from tests.support.servers import served, toy_models
from tests.support.servers.described import failures

pytestmark = pytest.mark.verifies("SU-43", "REQ-175", "REQ-460")


@contextmanager
def serving(service: served.Service, task: SegmentationTask | None) -> Iterator[Any]:
    """The application with a toy model of a task; None: of the project."""
    if task is None:
        yield service.client.app
        return
    with toy_models.serving(service, task) as other:
        yield other.client.app


TASKS = pytest.mark.parametrize("task", [None, toy_models.GREY_PICTURES], ids=["volumes", "pictures"])


@TASKS
def test_schemathesis_finds_nothing(service: served.Service, task: SegmentationTask | None) -> None:
    with serving(service, task) as application:
        found, made = failures(application, 20)
    assert not found
    assert made["POST /v1/segment"] >= 20
    assert ("POST /predict" in made) is (task is not None)


@pytest.mark.slow
@TASKS
def test_schemathesis_finds_nothing_in_many_examples(service: served.Service, task: SegmentationTask | None) -> None:
    with serving(service, task) as application:
        found, made = failures(application, 200)
    assert not found
    assert made["POST /v1/segment"] >= 200


def test_a_broken_promise_is_found(service: served.Service) -> None:
    application: Any = service.client.app
    document = application.openapi()
    del document["paths"]["/v1/decisions/{index}"]["get"]["responses"]["404"]
    try:
        found, _ = failures(application, 5)
    finally:
        application.openapi_schema = None
    assert any("Undocumented status code" in one for one in found)
