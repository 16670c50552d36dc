"""The interface from outside: answers, refusals, receipts and problems."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.digests import digest_bytes
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt
from minivess.serving.inference.messages import Problem
from minivess.workflows.serving.inference import mask_digest
from tests.support.projects import ProjectFolder
from tests.support.servers import served

pytestmark = pytest.mark.verifies("SU-43")

PROBLEM = "application/problem+json"


@pytest.mark.verifies("REQ-027")
def test_an_answer_carries_mask_decision_and_a_receipt_that_verifies(service: served.Service) -> None:
    image, spacing = service.volume()
    body = service.send(image, spacing).json()
    mask = served.unpack_mask(body["mask"])
    assert (body["decision"], body["reasons"], body["threshold"]) == ("answered", [], 0.5)
    assert mask.shape == image.shape
    assert set(np.unique(mask)) == {0, 1}
    assert body["foreground_fraction"] == pytest.approx(mask.mean())
    receipt = Receipt.model_validate(body["receipt"])
    register = Register.fold(service.services.log.entries())
    assert verify_receipt(receipt, log_key=register.log_key, actor=register).holds
    entry = service.entries()[-1]
    assert entry.body.index == receipt.index
    assert entry.body.outcome is Outcome.COMPLETED
    wide = served.unpack_mask(body["conformal_mask"])
    assert [output.digest for output in entry.body.outputs] == [mask_digest(mask), mask_digest(wide)]
    assert body["mask_digest"] == mask_digest(mask)
    assert digest_bytes(served.npy(image)) in {item.digest for item in entry.body.inputs}
    assert entry.body.context.model == body["model"]


def test_the_mask_is_the_model_at_the_threshold(service: served.Service) -> None:
    image, spacing = service.volume()
    body = service.send(image, spacing).json()
    mask, wide = served.unpack_mask(body["mask"]), served.unpack_mask(body["conformal_mask"])
    assert 0 < mask.mean() < wide.mean() < 1
    assert np.all(wide[mask == 1] == 1)
    assert image[mask == 1].mean() > image[mask == 0].mean()


@pytest.mark.verifies("REQ-027")
def test_requests_at_the_same_time_each_get_their_own_receipt(service: served.Service) -> None:
    image, spacing = service.volume()
    before = len(service.entries())
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda _: service.send(image, spacing).json(), range(6)))
    assert len({body["receipt"]["index"] for body in bodies}) == 6
    assert len({body["mask_digest"] for body in bodies}) == 1
    assert len(service.entries()) == before + 6


@pytest.mark.verifies("REQ-029", "RC-12")
@pytest.mark.parametrize(
    ("change", "spacing", "reason"),
    [
        (lambda image: image, (9.0, 1.0, 1.0), "spacing 9 µm along z"),
        (lambda image: image[:, :4, :4], (2.0, 1.0, 1.0), "size 4 voxels along y"),
        (lambda image: image.max() - image, (2.0, 1.0, 1.0), "share of the intensity range"),
        (np.zeros_like, (2.0, 1.0, 1.0), "no contrast"),
        (lambda image: np.random.default_rng(0).normal(size=image.shape), (2.0, 1.0, 1.0), "range"),
    ],
)
def test_input_outside_the_intended_use_is_refused_with_reasons_and_recorded(
    service: served.Service, change: object, spacing: tuple[float, ...], reason: str
) -> None:
    image, _ = service.volume()
    response = service.send(change(image), spacing)
    body = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == PROBLEM
    assert body["decision"] == "refused"
    assert reason in " / ".join(body["reasons"])
    assert "mask" not in body
    entry = service.entries()[-1]
    assert entry.body.index == body["receipt"]["index"]
    assert entry.body.outcome is Outcome.REFUSED
    assert entry.body.outputs == ()


@pytest.mark.verifies("REQ-029", "REQ-173", "REQ-175", "RC-10")
@pytest.mark.parametrize(
    ("data", "spacing", "reason"),
    [
        (b"not an array", "2 x 1 x 1 um", "volume"),
        (b"", "2 x 1 x 1 um", "volume"),
        (served.npy(np.zeros((4, 4), np.float32)), "2 x 1 x 1 um", "volume"),
        (served.npy(np.zeros((4, 4, 4), np.complex64)), "2 x 1 x 1 um", "volume"),
        (served.npy(np.zeros((64, 64, 64), np.uint8)), "2 x 1 x 1 um", "volume"),
        (served.npy(np.zeros((8, 8, 8), np.float32))[:-1], "2 x 1 x 1 um", "volume"),
        (served.npy(np.full((8, 8, 8), np.nan)), "2 x 1 x 1 um", "volume"),
        (served.npy(np.array([[[{}]]], dtype=object), allow_pickle=True), "2 x 1 x 1 um", "volume"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "2 x 1 um", "spacing"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "2 x 1 x zero um", "spacing"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "nan x 1 x 1 um", "spacing"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "2 x 1 x 1", "spacing"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "2,1,1", "spacing"),
        (served.npy(np.zeros((8, 8, 8), np.float32)), "2 x 1 x 1 px", "spacing"),
    ],
)
def test_malformed_requests_are_refused_with_a_hint_and_counted(
    service: served.Service, data: bytes, spacing: str, reason: str
) -> None:
    before, size = service.counts(), len(service.entries())
    response = service.send(data, spacing)
    body = response.json()
    assert response.status_code == 400
    assert response.headers["content-type"] == PROBLEM
    assert body["detail"]
    assert body["hint"]
    assert body["decision"] == "refused"
    assert "receipt" not in body
    assert len(service.entries()) == size
    assert _more(before, service.counts()) == {reason: 1}


def _more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What was counted in between."""
    return {reason: count - before.get(reason, 0) for reason, count in after.items() if count != before.get(reason)}


@pytest.mark.verifies("REQ-029", "REQ-173", "RC-10")
def test_more_bytes_than_are_taken_are_refused_and_counted(service: served.Service) -> None:
    before = service.counts()
    response = service.send(bytes(served.LIMITS.body_bytes + 1))
    assert response.status_code == 413
    assert response.json()["hint"]

    def unannounced() -> object:
        yield b'--b\r\nContent-Disposition: form-data; name="volume"; filename="a.npy"\r\n\r\n'
        for _ in range(20):
            yield bytes(100_000)

    streamed = service.client.post(
        "/v1/segment", content=unannounced(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert streamed.status_code == 413
    assert _more(before, service.counts()) == {"too-large": 2}


@pytest.mark.verifies("REQ-173", "REQ-175")
@pytest.mark.parametrize(
    ("request_parts", "reason"),
    [
        ({"json": {"volume": 1}}, "no-form"),
        ({"data": {"spacing": "2 x 1 x 1 um"}}, "no-form"),
        ({"files": {"other": b"x"}}, "incomplete"),
        ({"files": {"volume": b"\x93NUMPY\x01\x00"}}, "incomplete"),
        ({"files": {"volume": b"x"}}, "volume"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "no-form"),
        ({"content": b"junk", "headers": {"content-type": "multipart/form-data; boundary=x"}}, "no-form"),
    ],
)
def test_requests_that_are_no_form_are_refused_and_counted(
    service: served.Service, request_parts: dict, reason: str
) -> None:
    before = service.counts()
    response = service.client.post("/v1/segment", **request_parts)
    assert response.status_code == 400
    assert response.json()["hint"]
    assert _more(before, service.counts()) == {reason: 1}


@pytest.mark.verifies("REQ-029", "RC-14")
def test_nothing_the_client_wrote_reaches_the_log(service: served.Service) -> None:
    image, spacing = service.volume()
    service.send(image, spacing, name="Jane-Doe-1961.npy")
    service.send(b"Jane-Doe-1961", "Jane-Doe-1961", name="Jane-Doe-1961.npy")
    service.counts()
    logs = (service.serving.services.log, service.services.log)
    assert not [line for log in logs for pair in log.pairs() for line in pair if line is not None and b"Jane" in line]


@pytest.mark.verifies("REQ-027")
def test_without_a_log_there_is_no_mask(started_project: ProjectFolder, tmp_path: Path) -> None:
    project = started_project.copy_to(tmp_path / "project")
    served.prepare(project)
    with served.running(project) as service:
        image, spacing = service.volume()
        service.break_log()
        refused = service.send(image, (99.0, 1.0, 1.0))
        for response in (service.send(image, spacing), refused):
            assert response.status_code == 503
            assert response.headers["content-type"] == PROBLEM
            assert "mask" not in response.json()
            assert response.json()["hint"]
        assert service.send(b"malformed").status_code == 400
        service.mend_log()
        assert service.counts() == {"unrecorded": 2, "volume": 1}
        assert service.entries() == []


def test_an_earlier_receipt_can_be_fetched_and_grows_with_the_log(service: served.Service) -> None:
    image, spacing = service.volume()
    first = Receipt.model_validate(service.send(image, spacing).json()["receipt"])
    service.send(image, spacing)
    again = Receipt.model_validate(service.client.get(f"/v1/receipts/{first.index}").json())
    service.serving.anchor()
    last = Receipt.model_validate(service.client.get(f"/v1/receipts/{first.index}").json())
    register = Register.fold(service.services.log.entries())
    assert first.entry == again.entry == last.entry
    assert first.checkpoint != again.checkpoint
    assert [len(one.through) for one in (first, again, last)] == [2, 2, 3]
    for one, words in ((first, "not in"), (again, "not in"), (last, "anchors these")):
        verdict = verify_receipt(one, log_key=register.log_key, actor=register)
        assert verdict.holds, verdict.first_failure
        assert words in verdict.checks[-1].detail


@pytest.mark.parametrize("path", ["/v1/receipts/0", "/v1/receipts/99999", "/v1/nothing"])
def test_what_is_not_there_is_a_problem(service: served.Service, path: str) -> None:
    response = service.client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["type"] == "urn:minivess:problem:not-found"


def test_a_receipt_needs_a_number(service: served.Service) -> None:
    assert service.client.get("/v1/receipts/first").status_code == 400


def test_health_and_model_say_what_is_served(service: served.Service) -> None:
    model = service.client.get("/v1/model").json()
    words = "1 channel, axes zyx, class 1 foreground"
    assert service.client.get("/v1/health").json() == {"status": "ok", "model": model["digest"], "task": words}
    assert (model["threshold"], model["conformal_threshold"]) == (0.5, 0.3)
    assert model["bounds"]["spacing"][0][0] == pytest.approx(1.8)


def test_the_description_of_the_interface_is_complete(service: served.Service) -> None:
    document = service.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/segment",
        "/v1/jobs",
        "/v1/jobs/{name}",
        "/v1/jobs/{name}/result",
        "/v1/preview",
        "/v1/health",
        "/v1/model",
        "/v1/models",
        "/v1/receipts/{index}",
        "/v1/decisions/{index}",
        "/v1/decisions/{index}/receipt",
        "/healthz",
        "/readyz",
    }
    segment = document["paths"]["/v1/segment"]["post"]
    assert {"200", "400", "413", "422", "503"} <= set(segment["responses"])
    assert set(segment["requestBody"]["content"]) == {"multipart/form-data"}
    described = document["components"]["schemas"]["Segmentation"]["properties"]
    assert all(field.get("description") for field in described.values())


def test_every_problem_of_the_interface_has_an_example_that_is_one(service: served.Service) -> None:
    document = service.client.get("/openapi.json").json()
    found = 0
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if status == "422" and PROBLEM not in content:  # FastAPI's own, which is answered as 400
                    continue
                if int(status) >= 400:
                    made = Problem.model_validate_json(json.dumps(content[PROBLEM]["example"]))
                    assert (made.status, made.type.startswith("urn:minivess:problem:")) == (int(status), True), path
                    assert made.detail
                    assert made.hint
                    found += 1
    assert found > 20


def test_the_front_page_says_what_is_served_and_needs_no_other_host(service: served.Service) -> None:
    page = service.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert service.engine.model.digest in page.text
    assert "/v1/segment" in page.text
    assert "src=" not in page.text
    assert "https://" not in page.text
