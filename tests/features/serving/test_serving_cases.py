"""Steps of serving_cases.feature: a real service with toy models of several tasks, spoken to over HTTP."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.records.log.entry import Outcome
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.inference import mask_digest
from tests.features.serving.conftest import Story
from tests.support.servers import served, toy_models
from tests.support.servers.described import wrong_examples

scenarios("serving_cases.feature")

TASKS = {
    "grey pictures": toy_models.GREY_PICTURES,
    "colour pictures": toy_models.COLOUR_PICTURES,
    "volumes with two classes": toy_models.TWO_CLASSES,
}
SPACINGS = {"grey pictures": "2 x 2 um", "volumes with two classes": "2 x 0.8 x 0.8 mm"}
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a picture without blue": lambda image: image[..., :2],
    "a grey picture": lambda image: image.mean(axis=-1),
    "a grey picture saved as colour": lambda image: np.stack(
        [0.5 * image[..., 0], image[..., 0], image[..., 0] + 3], -1
    ),
    "a picture whose green is empty": lambda image: image * np.array([1, 0, 1]),
    "a picture with channels first": lambda image: np.moveaxis(image, -1, 0),
    "a volume with swapped axes": lambda image: image.transpose(2, 1, 0),
    "a volume": lambda image: np.stack([image, image]),
}
PARTS = {
    "a volume in µm in place of mm": {"spacing": "2 x 0.8 x 0.8 µm"},
    "a picture with a spacing": {"spacing": "2 x 2 µm"},
    "a picture without a spacing": {},
    "a picture with three spacings": {"spacing": "1 x 2 x 2 µm"},
}
KINDS = {"malformed": 400, "outside": 422}


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given(parsers.parse("a service whose model takes {images}"))
def _served(story: Story, facts: dict[str, Any], images: str) -> None:
    facts["task"], facts["images"] = TASKS[images], images
    story.service = story.stack.enter_context(toy_models.serving(story.start_service(), TASKS[images]))
    story.entries_before = len(story.running.entries())
    story.counts_before = story.running.counts()


def _send(story: Story, facts: dict[str, Any], image: np.ndarray, parts: dict[str, str] | None = None) -> None:
    usual = SPACINGS.get(facts["images"])
    story.sent = served.npy(image)
    story.response = story.running.post(story.sent, ({"spacing": usual} if usual else {}) if parts is None else parts)


@when(parsers.parse("one of them is sent with {spacing}"))
def _sent(story: Story, facts: dict[str, Any], spacing: str) -> None:
    stated = spacing.removeprefix("the spacing ")
    _send(story, facts, toy_models.image(facts["task"], 7), {} if spacing == "no spacing" else {"spacing": stated})


@then(parsers.parse("the mask has the grid of the image and the values {values}"))
def _mask(story: Story, facts: dict[str, Any], values: str) -> None:
    body, task = story.answered.json(), facts["task"]
    assert story.answered.status_code == 200, body
    facts["mask"] = mask = served.unpack_mask(body["mask"])
    assert mask.shape == tuple(body["shape"]) == toy_models.image(task).shape[: len(task.axes)]
    assert np.unique(mask).tolist() == [int(value) for value in re.findall(r"\d+", values)]
    assert (body["axes"], body["mask_digest"]) == (task.axes, mask_digest(mask))
    assert (body["rule"], body["threshold"]) == (("threshold", 0.5) if task.one_class else ("argmax", None))
    assert "probabilit" not in str(sorted(body))


@then("each class has its share of the mask and a conformal mask that contains it")
def _classes(story: Story, facts: dict[str, Any]) -> None:
    body, task, mask = story.answered.json(), facts["task"], facts["mask"]
    facts["wide"] = []
    for told, label in zip(body["classes"], task.classes, strict=True):
        assert (told["value"], told["name"], told["colour"]) == (label.value, label.name, label.colour)
        assert told["foreground_fraction"] == pytest.approx(np.mean(mask == label.value))
        assert told["conformal_threshold"] == 0.3
        wide = served.unpack_mask(told["conformal_mask"])
        assert wide.shape == mask.shape
        assert wide[mask == label.value].all()
        assert (mask == label.value).sum() < wide.sum() < wide.size
        facts["wide"].append(wide)
    only = body["classes"][0]
    top = (body["conformal_mask"], body["conformal_threshold"])
    assert top == ((only["conformal_mask"], 0.3) if task.one_class else (None, None))
    assert body["foreground_fraction"] == pytest.approx(np.mean(mask != 0))


@then("the entry in the log has the digest of each mask and the share of each class")
def _entry(story: Story, facts: dict[str, Any]) -> None:
    entry = story.running.entries()[-1].body
    assert len(story.running.entries()) == story.entries_before + 1
    assert [one.digest for one in entry.outputs] == [mask_digest(one) for one in (facts["mask"], *facts["wide"])]
    details = story.running.serving.services.log.details(entry.index)
    assert details is not None
    payload, body = details.payload, story.answered.json()
    assert (payload["decision"], payload["conformal"]) == ("answered", True)
    assert payload["foreground_fraction"] == pytest.approx(body["foreground_fraction"])
    shares = [
        {"name": one["name"], "foreground_fraction": one["foreground_fraction"], "conformal": True}
        for one in body["classes"]
    ]
    assert payload.get("classes") == (None if facts["task"].one_class else shares)


@when(parsers.re(r"(?P<what>a (?:picture|volume|grey picture)\b.*) is sent"))
def _changed(story: Story, facts: dict[str, Any], what: str) -> None:
    image = toy_models.image(facts["task"], 7)
    _send(story, facts, CHANGES.get(what, lambda same: same)(image), PARTS.get(what))


@then(parsers.re(r'the request is refused as (?P<kind>malformed|outside), naming "(?P<named>.+)"'))
def _refused(story: Story, kind: str, named: str) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (KINDS[kind], "refused")
    assert named in " / ".join(body["reasons"])
    assert body["hint"]
    assert "mask" not in body
    entries = story.running.entries()[story.entries_before :]
    assert [one.body.outcome for one in entries] == ([Outcome.REFUSED] if kind == "outside" else [])
    more = sum(story.running.counts().values()) - sum(story.counts_before.values())
    assert more == (kind == "malformed")


@when("its front page, model and interface are read")
def _read(story: Story, facts: dict[str, Any]) -> None:
    client = story.running.client
    facts["page"] = html.unescape(client.get("/").text)
    facts["model"] = client.get("/v1/model").json()
    facts["health"] = client.get("/v1/health").json()
    facts["interface"] = client.get("/openapi.json").json()


@then(parsers.re(r"each names axes (?P<axes>\w+), (?P<channels>\d) channels?(?:,| and) (?P<names>.+)"))
def _named(facts: dict[str, Any], axes: str, channels: str, names: str) -> None:
    task: SegmentationTask = facts["task"]
    model, interface = facts["model"], json.dumps(facts["interface"])
    wanted = names.split(" and ")
    assert (model["axes"], str(model["channels"]), [one["name"] for one in model["classes"]]) == (
        axes,
        channels,
        wanted,
    )
    assert model["rule"] == ("threshold" if task.one_class else "argmax")
    assert model["bounds"]["unit"] == toy_models.UNITS[task]
    assert facts["health"]["task"] == task.words
    shape = f"({', '.join(axes)})" if channels == "1" else f"({', '.join(axes)}, channel) with {channels} channels"
    for text in (facts["page"], interface):
        assert shape in text
        assert all(name in text for name in wanted)
    parts = facts["interface"]["paths"]["/v1/segment"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    assert ("spacing" in parts["properties"]) == (toy_models.UNITS[task] == "um")


@then("each operation of the interface has an example of request and answer that its schema accepts")
def _examples(facts: dict[str, Any]) -> None:
    assert wrong_examples(facts["interface"]) == {}
    said = facts["interface"]["paths"]["/v1/segment"]["post"]["responses"]["200"]["content"]["application/json"][
        "example"
    ]
    assert [one["name"] for one in said["classes"]] == [one["name"] for one in facts["model"]["classes"]]


@then("the example on the front page is answered when its file is one of them")
def _example(story: Story, facts: dict[str, Any]) -> None:
    assert "-F volume=@" in facts["page"]
    stated = re.search(r'-F "spacing=([^"]+)"', facts["page"])
    _send(story, facts, toy_models.image(facts["task"], 7), {} if stated is None else {"spacing": stated[1]})
    assert story.answered.status_code == 200, story.answered.json()
