"""Each operation of the OpenAPI document has an example of request and answer that its own schema accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import served, toy_models
from tests.support.servers.described import wrong_examples

pytestmark = pytest.mark.verifies("SU-43", "REQ-613")

TASKS = {"volumes": toy_models.TWO_CLASSES, "pictures": toy_models.COLOUR_PICTURES, "grey": toy_models.GREY_PICTURES}


@pytest.fixture(params=list(TASKS))
def document(request: pytest.FixtureRequest, service: served.Service) -> Iterator[dict[str, Any]]:
    with toy_models.serving(service, TASKS[request.param]) as one:
        yield one.client.get("/openapi.json").json()


def test_each_operation_has_examples_that_are_valid(document: dict[str, Any]) -> None:
    assert wrong_examples(document) == {}


def test_an_example_that_is_missing_or_not_valid_is_found(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/segment"]["post"]["responses"]["200"]["content"]["application/json"]
    content["example"]["shape"] = "large"
    del document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["example"]
    assert list(wrong_examples(document)) == [
        "post /v1/segment 200 application/json",
        "post /v1/jobs request multipart/form-data",
    ]


def test_examples_are_of_the_served_model(document: dict[str, Any]) -> None:
    said = document["paths"]["/v1/segment"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    model = document["paths"]["/v1/model"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert [one["name"] for one in said["classes"]] == [one["name"] for one in model["classes"]]
    assert (said["axes"], said["rule"], said["threshold"]) == (model["axes"], model["rule"], model["threshold"])
    sent = document["paths"]["/v1/segment"]["post"]["requestBody"]["content"]["multipart/form-data"]["example"]
    assert ("spacing" in sent) is (model["bounds"]["unit"] != "px")
