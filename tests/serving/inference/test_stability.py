"""What the interface promised stays: docs/guides/api-stability.md, and the lines of docs/reference/interface-v1.txt."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.interface_facts import broken, facts_of, promised
from tests.support.lazy_modules import lazily
from tests.support.servers import served

with lazily("fastapi", "tests.support.servers.toy_models"):
    from tests.support.servers import toy_models

pytestmark = pytest.mark.verifies("SU-43", "REQ-490")


@pytest.fixture(scope="module")
def documents(service: served.Service) -> list[dict[str, Any]]:
    """The documents of a service for volumes and of one for pictures."""
    found = []
    for task in (toy_models.TWO_CLASSES, toy_models.COLOUR_PICTURES):
        with toy_models.serving(service, task) as one:
            found.append(one.client.get("/openapi.json").json())
    return found


def test_no_promised_name_or_type_is_gone(documents: list[dict[str, Any]]) -> None:
    now = {fact for document in documents for fact in facts_of(document)}
    assert broken(promised(), now) == []
    assert len(promised()) > 200


def _segment(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/v1/segment"]["post"]
    return found


def _form(document: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = _segment(document)["requestBody"]["content"]["multipart/form-data"]["schema"]
    return schema


def _answer(document: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = document["components"]["schemas"]["Segmentation"]["properties"]
    return properties


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda one: one["paths"].pop("/v1/model"), "GET /v1/model 200"),
        (lambda one: _answer(one).pop("mask_digest"), ".mask_digest"),
        (lambda one: _answer(one).update(model=_answer(one).pop("request")), ".request"),
        (lambda one: _answer(one)["foreground_fraction"].update(type="string"), ".foreground_fraction: number"),
        (lambda one: _answer(one)["shape"]["items"].update(type="string"), ".shape: array of integer"),
        (lambda one: one["components"]["schemas"]["SegmentedClass"]["properties"].pop("name"), ".classes[].name"),
        (lambda one: _form(one)["properties"].pop("spacing"), "part spacing"),
        (lambda one: _form(one)["properties"]["mask_format"]["enum"].remove("rle"), "accepts rle"),
        (lambda one: _form(one)["required"].append("patient"), "needed: POST /v1/segment requires patient"),
        (lambda one: one["components"]["schemas"]["Receipt"]["properties"].pop("proof"), ".receipt.proof"),
    ],
    ids=range(10),
)
def test_a_promise_that_is_broken_is_found(
    documents: list[dict[str, Any]], change: Callable[[dict[str, Any]], object], named: str
) -> None:
    document = copy.deepcopy(documents[0])
    change(document)
    found = broken(facts_of(documents[0]), facts_of(document))
    assert any(named in one for one in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["paths"].update({"/v1/new": one["paths"]["/v1/segment"]}),
        lambda one: _answer(one).update(further={"type": "string"}),
        lambda one: _form(one)["properties"].update(further={"type": "string"}),
        lambda one: _form(one)["properties"]["mask_format"]["enum"].append("nrrd"),
        lambda one: _form(one)["required"].clear(),
        lambda one: _segment(one).update(summary="Other words"),
    ],
    ids=range(6),
)
def test_an_addition_breaks_nothing(
    documents: list[dict[str, Any]], change: Callable[[dict[str, Any]], object]
) -> None:
    document = copy.deepcopy(documents[0])
    change(document)
    assert facts_of(document) != facts_of(documents[0]) or "Other words" in str(document)
    assert broken(facts_of(documents[0]), facts_of(document)) == []
