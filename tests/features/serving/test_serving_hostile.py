"""Steps of serving_hostile.feature: a real service with a toy model, and a real server for its connections."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from tests.features.serving.conftest import Story
from tests.support.builders import hostile_files
from tests.support.servers import bounded
from tests.support.servers.described import failures

scenarios("serving_hostile.feature")

FILES = {
    "a NIfTI file that declares 12 GB": "nifti",
    "a picture that declares 1.6 billion pixels": "png",
    "an archive that declares 4 GB": "zip that promises 4 GB",
    "an archive of 100 packed megabytes": "zip of small bombs",
    "a NumPy file that declares 51 GB": "npy",
}


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given("a service whose model takes grey volumes")
def _served(story: Story) -> None:
    story.service = story.start_service()


@when(parsers.parse("{what} of a few bytes is sent"))
def _send(story: Story, what: str) -> None:
    data = hostile_files.PROMISES[FILES[what]]()
    assert len(data) < 1 << 20
    story.response = story.running.post(data, {"spacing": "2 x 1 x 1 um"})


@then("the request is refused as malformed")
def _refused(story: Story) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (400, "refused"), body


@then("the next volume is answered")
def _next(story: Story) -> None:
    assert story.running.send(*story.running.volume()).status_code == 200


@when("requests made from its OpenAPI document are sent, valid and invalid ones")
def _described(story: Story, facts: dict[str, Any]) -> None:
    facts["found"], facts["made"] = failures(story.running.client.app, 5)


@then("each answer is one that the document describes")
def _kept(facts: dict[str, Any]) -> None:
    assert facts["made"]["POST /v1/segment"] >= 5
    assert not facts["found"]


@given("a server that waits half a second")
def _bounded(story: Story, facts: dict[str, Any]) -> None:
    port = story.stack.enter_context(bounded.listening(head=0.5))
    facts["client"] = story.stack.enter_context(socket.create_connection(("127.0.0.1", port)))


def _after_answer(client: socket.socket, more: bytes) -> None:
    client.sendall(bounded.HEAD + b"1234")
    bounded.until(client, b"answered 1234")
    client.sendall(more)


def _early(client: socket.socket) -> None:
    client.sendall(bounded.HEAD.replace(b"POST /", b"POST /early").replace(b"4", b"99999") + b"1")
    bounded.until(client, b"answered ")
    client.sendall(b"2")


HOLDS: dict[str, Callable[[socket.socket], None]] = {
    "sends nothing": lambda client: None,
    "sends half the head of a request": lambda client: client.sendall(bounded.HEAD[:20]),
    "sends half a second head after an answer": lambda client: _after_answer(client, bounded.HEAD[:20]),
    "continues to send after its answer": _early,
}


@when(parsers.parse("a client {holds}"))
def _hold(facts: dict[str, Any], holds: str) -> None:
    HOLDS[holds](facts["client"])


@then("the server closes the connection")
def _closed(facts: dict[str, Any]) -> None:
    bounded.ends(facts["client"], within=20)
