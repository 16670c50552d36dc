"""Steps of service_page.feature: the page over HTTP, and its pictures (benchmarks/service_page.py: in a browser)."""

from __future__ import annotations

import base64
import gzip
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from tests.features.serving.conftest import Story
from tests.support.builders import image_files
from tests.support.servers import toy_models

scenarios("service_page.feature")

STEPS = (2.0, 1.0, 1.0)
MILLIMETRES = tuple(step / 1000 for step in STEPS)


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given(parsers.parse("a service whose model takes {images}"))
def _served(story: Story, facts: dict[str, Any], images: str) -> None:
    service = story.start_service()
    facts["image"] = np.rint(service.volume()[0]).astype(np.uint16)
    facts["spacing"] = STEPS
    if images == "colour pictures":
        service = story.stack.enter_context(toy_models.serving(service, toy_models.COLOUR_PICTURES))
        facts["image"] = np.clip(toy_models.image(toy_models.COLOUR_PICTURES, 7), 0, 255).round().astype(np.uint8)
        facts["spacing"] = None
    story.service = service
    facts["entries"] = len(service.entries())


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and "body" in self._inside:
            self.words.append(data.strip())


@when("the page for people is loaded")
def _load(story: Story, facts: dict[str, Any]) -> None:
    answer: Any = story.running.client.get("/demo")
    story.response = answer
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    facts["page"] = Elements(answer.text)


@then("each file that it names comes from the service with its type")
def _files(story: Story, facts: dict[str, Any]) -> None:
    get = story.running.client.get
    named = {
        one.get("src") or one.get("href") for tag, one in facts["page"].found if tag in {"script", "link", "a", "img"}
    }
    files = {name for name in named if name and name.startswith("/demo/")}
    assert files == {"/demo/page.css", "/demo/page.js"}
    assert named - files == {"data:,", "/"}
    seen, left = set(), sorted(files)
    while left:
        name = left.pop()
        seen.add(name)
        answer = get(name)
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8"), name
        assert "://" not in answer.text.replace("http://www.w3.org", ""), name
        left += [
            f"/demo/{one}" for one in re.findall(r'from "\./([a-z.]+)"', answer.text) if f"/demo/{one}" not in seen
        ]
    assert len(seen) == 5
    assert get("/demo/page.html").status_code == 404
    assert get("/demo/../app.py").status_code == 404


@then("its policy lets no other script and no other style run")
def _policy(story: Story, facts: dict[str, Any]) -> None:
    stated = story.answered.headers["content-security-policy"]
    policy = dict(part.strip().split(" ", 1) for part in stated.split(";"))
    for name in ("default-src", "frame-ancestors", "base-uri", "form-action"):
        assert policy.pop(name) == "'none'"
    for name in ("script-src", "style-src", "connect-src"):
        assert policy.pop(name) == "'self'"
    assert policy == {"img-src": "'self' data:"}
    assert story.answered.headers["x-content-type-options"] == "nosniff"
    for tag, attributes in facts["page"].found:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        assert tag != "script" or attributes["src"]


@then("each field and each slider has a label")
def _labels(facts: dict[str, Any]) -> None:
    found = facts["page"].found
    labelled = {one["for"] for tag, one in found if tag == "label" and "for" in one}
    inside = {"probabilities"}  # the label is around it
    fields = {one["id"] for tag, one in found if tag in {"input", "select", "textarea"}}
    assert fields - inside <= labelled
    assert len(fields) >= 6
    ids = [one["id"] for _, one in found if "id" in one]
    assert len(ids) == len(set(ids))
    named = {one for _, attributes in found for one in (attributes.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


@then(parsers.parse('its first words are "{words}"'))
def _first_words(facts: dict[str, Any], words: str) -> None:
    assert facts["page"].words[0] == words


def _file(facts: dict[str, Any], what: str) -> bytes:
    image = facts["image"]
    files = {
        "a volume as NIfTI": lambda: image_files.nifti(image, MILLIMETRES),
        "a volume with its axes turned": lambda: image_files.nifti(image[::-1, :, ::-1], MILLIMETRES),
        "a picture as PNG": lambda: image_files.png(image),
        "bytes that are no image": lambda: b"no image",
        "a volume without spacing": lambda: image_files.tiff(image),
    }
    if what == "a volume with its axes turned":
        facts["image"] = image[::-1, :, ::-1]
    return files[what]()


@when(parsers.parse("the preview of {what} is asked for"))
def _preview(story: Story, facts: dict[str, Any], what: str) -> None:
    answer: Any = story.running.client.post("/v1/preview", files={"volume": ("a", _file(facts, what))})
    story.response = answer


def _pixels(body: dict[str, Any]) -> np.ndarray:
    data = gzip.decompress(base64.b64decode(body["pixels"]))
    channels = (body["channels"],) if body["channels"] > 1 else ()
    return np.frombuffer(data, np.uint8).reshape(*body["shape"], *channels)


@then("it has the axes, the shape and the spacing of the image")
def _facts(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 200, body
    axes = story.running.engine.model.task.axes
    assert (body["axes"], tuple(body["shape"])) == (axes, facts["image"].shape[: len(axes)])
    spacing = None if facts["spacing"] is None else pytest.approx(facts["spacing"])
    assert (body["spacing_um"] if spacing is None else tuple(body["spacing_um"])) == spacing


@then("each voxel is as bright as that of the image at the same place")
def _bright(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    found, image = _pixels(body).astype(float), facts["image"].astype(float)
    wanted = np.clip((image - body["low"]) / (body["high"] - body["low"]), 0, 1) * 255
    assert np.abs(found - wanted).max() <= 0.5001
    assert found.std() > 20
    assert np.mean(wanted == 255) < 0.02


@then("no entry is in the log")
def _no_entry(story: Story, facts: dict[str, Any]) -> None:
    assert len(story.running.entries()) == facts["entries"]


@then("the request is refused as malformed")
def _malformed(story: Story) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (400, "refused"), body
    assert body["hint"]
