"""Whatever a client sends ends in one answer and in one entry or count, and leaves nothing on the service's output."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from minivess.records.models.task import SegmentationTask
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.answers import OpenedModel
from minivess.workflows.serving.inference import InferenceService
from tests.support.lazy_modules import lazily
from tests.support.properties import HealthCheck, example, given, settings
from tests.support.properties import strategies as st
from tests.support.servers import served, toy_models

with lazily("fastapi", "minivess.serving.inference.app"):
    import fastapi

    from minivess.serving.inference import app as inference_app

pytestmark = pytest.mark.verifies("SU-43", "REQ-173", "REQ-175", "RC-10")

BOUNDARY = b"b"
FORM = b"multipart/form-data; boundary=b"
PROPERTY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No stack trace, and nothing of what the tests send."""
    yield
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "Traceback" not in printed
    assert "Jane" not in printed


def ask(
    app: fastapi.FastAPI,
    body: bytes,
    *,
    headers: dict[bytes, bytes] | None = None,
    cut: int | None = None,
    wait: bool = False,
) -> tuple[int, dict[str, Any]]:
    """POST to the application itself, whose exceptions come out here.

    Args:
        app: the service.
        body: sent in pieces of 1,000 bytes.
        headers: in place of those of a multipart form.
        cut: the client hangs up after so many bytes.
        wait: the client never sends the rest after `cut` bytes.
    """
    sent = body if cut is None else body[:cut]
    pieces = [sent[start : start + 1000] for start in range(0, len(sent), 1000)] or [b""]
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or cut is not None}
        if wait:
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/segment",
        "raw_path": b"/v1/segment",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": list((headers if headers is not None else {b"content-type": FORM}).items()),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(app(scope, receive, send))
    start, *rest = answered
    text = b"".join(message["body"] for message in rest)
    kind = dict(start["headers"])[b"content-type"]
    assert kind == (b"application/json" if start["status"] == 200 else b"application/problem+json")
    return start["status"], json.loads(text)


def form(volume: bytes, spacing: bytes = b"2,1,1", *, name: bytes = b"volume", disposition: bytes = b"") -> bytes:
    """A multipart form as a client would write it."""
    return (
        (
            b'--b\r\nContent-Disposition: form-data; name="spacing_um"\r\n\r\n' + spacing + b"\r\n"
            b'--b\r\nContent-Disposition: form-data; name="'
            + name
            + b'"; filename="Jane.npy"'
            + disposition
            + b"\r\n\r\n"
        )
        + volume
        + b"\r\n--b--\r\n"
    )


def npy(header: bytes | str, data: bytes = b"", *, version: int = 1, length: int | None = None) -> bytes:
    """A file in NumPy's format with any header."""
    text = header.encode("latin-1") if isinstance(header, str) else header
    size = (len(text) if length is None else length).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def counted(service: served.Service) -> dict[str, int]:
    """What was counted since this was asked last."""
    taken = service.serving.refusals.take()
    return {} if taken is None else {reason.value: count for reason, count in taken.counts.items()}


def app_of(service: served.Service) -> fastapi.FastAPI:
    counted(service)
    return inference_app.create_app(service.engine, limits=served.LIMITS)


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2), }\n"
VOXELS = bytes(32)


@pytest.mark.parametrize(
    "volume",
    [
        npy(GOOD.replace("(2, 2, 2)", f"({10**17}, {10**17}, {10**17})")),
        npy(GOOD.replace("(2, 2, 2)", f"(2, 2, {'9' * 3000})"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(-2, 2, -2)"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(0, 2, 2)"), b""),
        npy(GOOD.replace("(2, 2, 2)", "()"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(8,)"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "[2, 2, 2]"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "8"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(2.0, 2, 2)"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(True, 2, 2)"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(2L, 2L, 2L)"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(1" + "(" * 1000 + ")" * 1000 + ")"), VOXELS),
        npy(GOOD.replace("(2, 2, 2)", "(__import__('os').getpid(), 2, 2)"), VOXELS),
        npy(GOOD.replace("'<f4'", "'|O'"), VOXELS),
        npy(GOOD.replace("'<f4'", "[('a', '<f4'), ('b', '|O')]"), VOXELS),
        npy(GOOD.replace("'<f4'", "'<c8'"), VOXELS * 2),
        npy(GOOD.replace("'<f4'", "'<f16'"), VOXELS * 4),
        npy(GOOD.replace("'<f4'", "'<U9'"), VOXELS * 9),
        npy(GOOD.replace("'<f4'", "'\\d'"), VOXELS),
        npy(GOOD.replace("'<f4'", "'Jane'"), VOXELS),
        npy(GOOD.replace("False", "'no'"), VOXELS),
        npy(GOOD.replace("'fortran_order': False, ", ""), VOXELS),
        npy(GOOD.replace("}", "'shape': (2, 2, 2), }"), VOXELS),
        npy(GOOD.replace("}", "'more': 1, }"), VOXELS),
        npy(GOOD.replace(", }", " "), VOXELS),
        npy("{" * 2000, VOXELS),
        npy("", VOXELS),
        npy("\x00" * 64, VOXELS),
        npy(b"\xff\xfe" * 40, VOXELS),
        npy(GOOD, VOXELS, version=3),
        npy(GOOD, VOXELS, version=2, length=2**32 - 1),
        npy(GOOD, VOXELS, version=1, length=65_535),
        npy(GOOD + " " * 5000, VOXELS),
        npy(GOOD, VOXELS + b"x"),
        npy(GOOD, VOXELS[:-1]),
        npy(GOOD, np.full(8, np.nan, "<f4").tobytes()),
        npy(GOOD, np.full(8, -np.inf, "<f4").tobytes()),
        npy(GOOD.replace("<f4", "<f8"), np.full(8, 1e300, "<f8").tobytes()),
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00",
        b"\x80\x04\x95.",
        b"",
    ],
)
def test_a_hostile_volume_is_refused_and_counted(service: served.Service, volume: bytes) -> None:
    status, problem = ask(app_of(service), form(volume))
    assert (status, counted(service)) == (400, {"volume": 1})
    assert problem["hint"]


@pytest.mark.parametrize(
    "volume",
    [
        npy(GOOD, VOXELS),
        npy(GOOD, VOXELS, version=2),
        npy(GOOD.replace("False", "True"), VOXELS),
        npy(GOOD.replace("<f4", ">f4"), VOXELS),
        npy(GOOD.replace("<f4", "|u1"), bytes(8)),
        npy('{"shape": (2,2,2), "fortran_order": False, "descr": "<i2"}', bytes(16)),
    ],
)
def test_an_odd_volume_that_can_be_read_is_judged(service: served.Service, volume: bytes) -> None:
    before = len(service.entries())
    status, problem = ask(app_of(service), form(volume))
    assert (status, counted(service), len(service.entries())) == (422, {}, before + 1)
    assert problem["receipt"]["index"]


@pytest.mark.parametrize(
    "spacing",
    [
        *(b"", b"1", b"1,1", b"1,1,1,1", b",,", b"1;1;1", b"1,1,1" * 150),
        *(b"0,1,1", b"-1,1,1", b"nan,1,1", b"inf,1,1", b"1e400,1,1", b"1e7,1,1", b"9" * 500 + b",1,1", b"0x1,1,1"),
        *(b"\xff\xfe,1,1", b"1,1,1\x00", b"Jane,1,1"),
    ],
)
def test_an_absurd_spacing_is_refused_and_counted(service: served.Service, spacing: bytes) -> None:
    status, _ = ask(app_of(service), form(npy(GOOD, VOXELS), spacing))
    assert (status, counted(service)) == (400, {"spacing": 1})


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "no-form"),
        ({b"content-type": b""}, "no-form"),
        ({b"content-type": b"application/json"}, "no-form"),
        ({b"content-type": b"multipart/form-data"}, "no-form"),
        ({b"content-type": b"multipart/form-data; boundary="}, "no-form"),
        ({b"content-type": b"multipart/form-data; boundary=" + b"x" * 5000}, "no-form"),
        ({b"content-type": b"multipart/form-data; boundary=\xff\xfe"}, "no-form"),
        ({b"content-type": FORM + b"; charset=Jane"}, "volume"),
        ({b"content-type": FORM + b"; charset=hex"}, "volume"),
        ({b"content-type": FORM, b"content-length": b"9" * 5000}, "too-large"),
        ({b"content-type": FORM, b"content-length": b"99999999999"}, "too-large"),
        ({b"content-type": FORM, b"content-length": b"-1"}, "volume"),
        ({b"content-type": FORM, b"content-length": b"Jane"}, "volume"),
    ],
)
def test_wrong_headers_are_refused_and_counted(
    service: served.Service, headers: dict[bytes, bytes], reason: str
) -> None:
    status, _ = ask(app_of(service), form(b"junk"), headers=headers)
    assert (status, counted(service)) == (413 if reason == "too-large" else 400, {reason: 1})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"--b--\r\n", "incomplete"),
        (form(npy(GOOD, VOXELS), name=b"other"), "incomplete"),
        (
            b'--b\r\nContent-Disposition: form-data; name="spacing"\r\n\r\n2 x 1 x 1 um\r\n' + form(npy(GOOD, VOXELS)),
            "incomplete",
        ),
        (form(npy(GOOD, VOXELS), name=b"\xff\xfe"), "incomplete"),
        (b'--b\r\nContent-Disposition: form-data; name="volume"\r\n\r\ntext\r\n--b--\r\n', "incomplete"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "no-form"),
        (b"--b\r\n: \r\n\r\nx\r\n--b--\r\n", "no-form"),
        (form(b"") + form(b""), "volume"),
        (form(b"x")[:-6] + b"\r\n" + form(b"x"), "no-form"),
        (
            b'--b\r\nContent-Disposition: form-data; name="spacing_um"\r\n\r\n' + b"1" * 2000 + b"\r\n--b--\r\n",
            "no-form",
        ),
    ],
)
def test_broken_forms_are_refused_and_counted(service: served.Service, body: bytes, reason: str) -> None:
    status, _ = ask(app_of(service), body)
    assert (status, counted(service)) == (400, {reason: 1})


@pytest.mark.parametrize("end", [-8, -20, -40])
def test_a_form_that_ends_within_its_file_leaves_no_file_open(service: served.Service, end: int) -> None:
    with warnings.catch_warnings(record=True, action="always", category=ResourceWarning) as caught:
        ask(app_of(service), form(npy(GOOD, VOXELS))[:end])
        gc.collect()
    assert not caught
    assert counted(service) == {"incomplete": 1}


@pytest.mark.parametrize("cut", [0, 1, 60, 200, 2000])
def test_a_client_that_hangs_up_is_counted(service: served.Service, cut: int) -> None:
    body = form(npy(GOOD.replace("(2, 2, 2)", "(8, 8, 8)"), bytes(2048)))
    ask(app_of(service), body, cut=cut)
    assert counted(service) == {"hung-up": 1}


def test_a_client_that_is_too_slow_is_counted(service: served.Service) -> None:
    counted(service)
    slow = inference_app.create_app(service.engine, limits=Limits(body_bytes=1 << 20, voxels=1000, seconds=0.05))
    status, problem = ask(slow, form(npy(GOOD, VOXELS)), cut=100, wait=True)
    assert (status, counted(service)) == (408, {"too-slow": 1})
    assert problem["hint"]


def test_a_service_that_fails_says_so_and_no_more(service: served.Service) -> None:
    class Broken:
        def predict_watched(self, image: object, spacing: object, watch: object, *, disagreement: bool = False) -> Any:
            raise RuntimeError("Jane Doe")

    counted(service)
    opened = OpenedModel(Broken(), service.engine.model, service.services.context())
    image, spacing = service.volume()
    body = form(served.npy(image), ",".join(map(str, spacing)).encode())
    status, problem = ask(
        inference_app.create_app(InferenceService(service.serving, opened), limits=served.LIMITS), body
    )
    assert (status, counted(service)) == (500, {"failed": 1})
    assert "Jane" not in json.dumps(problem)
    assert service.entries()[-1].body.outcome.value == "failed"


@PROPERTY
@given(
    st.binary(max_size=300)
    | st.builds(form, st.binary(max_size=100), st.binary(max_size=30), name=st.binary(max_size=10))
    | st.builds(
        lambda volume, place, value: volume[:place] + bytes([value]) + volume[place + 1 :],
        st.just(form(npy(GOOD, VOXELS))),
        st.integers(0, 300),
        st.integers(0, 255),
    ),
    st.sampled_from([FORM, b"multipart/form-data; boundary=B", b"text/plain"]) | st.binary(max_size=40),
)
@example(form(npy(GOOD, VOXELS)), FORM)
def test_any_bytes_end_in_one_answer_and_in_one_entry_or_count(
    service: served.Service, body: bytes, kind: bytes
) -> None:
    app, before = app_of(service), service.serving.services.log.size
    status, problem = ask(app, body, headers={b"content-type": kind})
    assert status in {400, 413, 422}
    assert problem["decision"] == "refused"
    assert sum(counted(service).values()) + service.serving.services.log.size - before == 1


TASKS = (toy_models.GREY_PICTURES, toy_models.COLOUR_PICTURES, toy_models.TWO_CLASSES)


@pytest.fixture(scope="module")
def others(service: served.Service) -> Iterator[dict[SegmentationTask, served.Service]]:
    """The same site with a toy model of each task."""
    with ExitStack() as stack:
        yield {task: stack.enter_context(toy_models.serving(service, task)) for task in TASKS}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(TASKS),
    st.sampled_from(["whole", "empty channel", "constant", "noise", "huge", "turned"])
    | st.lists(st.integers(1, 9), max_size=5),
    st.sampled_from([b"", b"2 x 2 um", b"1 x 1 px", b"2 x .8 x .8 mm", b"2 x 2 x 2 um", b"x", b"1e400 x 1 um"]),
)
def test_any_array_and_spacing_end_in_one_answer_and_in_one_entry_or_count(
    service: served.Service,
    others: dict[SegmentationTask, served.Service],
    task: SegmentationTask,
    what: str | list[int],
    spacing: bytes,
) -> None:
    image = toy_models.image(task)
    sent = {
        "whole": image,
        "empty channel": image * np.arange(task.channels) if task.channels > 1 else 0 * image,
        "constant": np.ones_like(image),
        "noise": np.random.default_rng(0).normal(size=image.shape),
        "huge": image * 1e30,
        "turned": image.T,
    }
    array = np.ones(what, np.float32) if isinstance(what, list) else sent[what]
    counted(service)
    before = service.serving.services.log.size
    answer = others[task].post(served.npy(array), {"spacing": spacing.decode()} if spacing else {})
    assert answer.status_code in {200, 400, 422}
    assert answer.json()["decision"] == ("answered" if answer.status_code == 200 else "refused")
    assert sum(counted(service).values()) + service.serving.services.log.size - before == 1
