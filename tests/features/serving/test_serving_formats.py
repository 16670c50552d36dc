"""Steps of serving_formats.feature: a real service with a toy model, spoken to over HTTP."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError
from minivess.ml.reading import single_image
from minivess.ml.writing import rle
from minivess.workflows.serving.inference import mask_digest
from tests.features.serving.conftest import Story
from tests.support.builders import image_files
from tests.support.servers import served, toy_models

scenarios("serving_formats.feature")

STEPS = (2.0, 1.0, 1.0)
MILLIMETRES = tuple(step / 1000 for step in STEPS)


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given(parsers.parse("a service whose model takes {images}"))
def _served(story: Story, facts: dict[str, Any], images: str) -> None:
    service = story.start_service()
    if images == "colour pictures":
        service = story.stack.enter_context(toy_models.serving(service, toy_models.COLOUR_PICTURES))
        facts["image"] = toy_models.image(toy_models.COLOUR_PICTURES, 7)
    else:
        image, spacing = service.volume()
        assert spacing == STEPS
        facts["image"] = np.rint(image).astype(np.uint16)
    story.service = service
    facts["entries"] = len(service.entries())


FILES: dict[str, Callable[[np.ndarray], bytes]] = {
    "NIfTI": lambda image: image_files.nifti(image, MILLIMETRES),
    "OME-TIFF": lambda image: image_files.ome_tiff(image, STEPS),
    "NRRD": lambda image: image_files.nrrd(image, STEPS),
    "TIFF": image_files.tiff,
    "a zip of DICOM slices": lambda image: image_files.zipped(image_files.series(image, MILLIMETRES)),
}


@when(parsers.parse("a known volume is sent as {name}, which {states} its spacing"))
def _send(story: Story, facts: dict[str, Any], name: str, states: str) -> None:
    parts = {} if states == "states" else {"spacing": "2 x 1 x 1 um"}
    story.response = story.running.post(FILES[name](facts["image"]), parts)


@then("the mask is that of the same volume as a NumPy file")
def _same(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 200, body
    other = story.running.send(facts["image"].astype(np.float32), STEPS).json()
    assert body["mask_digest"] == other["mask_digest"]
    assert served.unpack_mask(body["mask"]).any()


def _without_one(image: np.ndarray) -> bytes:
    files = image_files.series(image, MILLIMETRES)
    return image_files.zipped({name: data for name, data in files.items() if name != "003.dcm"})


REFUSED: dict[str, tuple[Callable[[np.ndarray], bytes], dict[str, str]]] = {
    "a NIfTI file that was cut short": (lambda image: image_files.nifti(image, MILLIMETRES)[:-2000], {}),
    "a volume whose request contradicts it": (FILES["NIfTI"], {"spacing": "3 x 1 x 1 um"}),
    "a TIFF file without any spacing": (FILES["TIFF"], {}),
    "a NIfTI file with NaN": (
        lambda image: image_files.nifti(np.where(image == image.max(), np.nan, image).astype(np.float32), MILLIMETRES),
        {},
    ),
    "a DICOM series with a missing slice": (_without_one, {}),
    "a zip bomb": (lambda _: image_files.zipped({"a.dcm": bytes(8 << 20)}), {}),
    "an archive that leaves its folder": (lambda _: image_files.zipped({"../../etc/a.dcm": b"DICM"}), {}),
    "a damaged archive": (lambda image: image_files.zipped({"a.dcm": image.tobytes()})[:-30], {}),
    "an archive without DICOM": (lambda _: image_files.zipped({"a.txt": b"hello"}), {}),
}


@when(parsers.re(r"(?P<what>an? (?!series)(?!known)[^,]+) is sent$"))
def _send_refused(
    story: Story, facts: dict[str, Any], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, parts = REFUSED[what]
    facts["sent"], facts["parts"] = make(facts["image"]), parts
    facts["folder"] = tmp_path / "memory"
    facts["folder"].mkdir()
    monkeypatch.setattr(single_image, "SHARED_MEMORY", facts["folder"])
    story.response = story.running.post(facts["sent"], parts)


@then("the request is refused as malformed")
def _malformed(story: Story) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (400, "refused"), body


@then("the request is refused as malformed with the words of the reader")
def _in_words(story: Story, facts: dict[str, Any]) -> None:
    _malformed(story)
    spacing = (3.0, 1.0, 1.0) if facts["parts"] else None
    with pytest.raises(InputError) as caught:
        single_image.read_single(facts["sent"], spacing=spacing)
    assert story.answered.json()["detail"] == caught.value.message


@then("no file is left behind")
def _nothing_left(facts: dict[str, Any]) -> None:
    assert list(facts["folder"].iterdir()) == []


@when(parsers.parse("one of them is sent, asking for {name}"))
def _ask(story: Story, facts: dict[str, Any], name: str) -> None:
    facts["format"] = name
    parts = {"mask_format": name} if facts["image"].shape[-1] == 3 else {"mask_format": name, "spacing": "2 x 1 x 1 um"}
    story.response = story.running.post(facts["image"].astype(np.float32), parts)


@then("the mask of the file is the one whose digest is in the log")
def _mask_of_file(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 200, body
    assert body["mask_format"] == facts["format"]
    data = base64.b64decode(body["mask"])
    mask = OPENED[facts["format"]](data)
    entry = story.running.entries()[-1]
    (recorded,) = [one.digest for one in entry.body.outputs if one.name.startswith("masks/")]
    assert mask_digest(mask.astype(np.uint8)) == recorded == body["mask_digest"]
    assert mask.any()


OPENED: dict[str, Callable[[bytes], np.ndarray]] = {
    "npy": lambda data: np.load(io.BytesIO(gzip.decompress(data))),
    "nifti": image_files.nifti_array,
    "tiff": image_files.tiff_array,
    "png": image_files.png_array,
    "rle": lambda data: rle.from_runs(**json.loads(data)),
}


@then("no answer is in the log")
def _no_answer(story: Story, facts: dict[str, Any]) -> None:
    assert len(story.running.entries()) == facts["entries"]


@when("a series is sent, asking for a DICOM segmentation")
def _ask_for_segmentation(story: Story, facts: dict[str, Any]) -> None:
    facts["series"] = image_files.series(facts["image"], MILLIMETRES)
    story.response = story.running.post(image_files.zipped(facts["series"]), {"mask_format": "dicom-seg"})


@then("patient, study and frame of reference are those of the series")
def _same_study(story: Story, facts: dict[str, Any]) -> None:
    import pydicom

    body = story.answered.json()
    assert story.answered.status_code == 200, body
    made = pydicom.dcmread(io.BytesIO(base64.b64decode(body["mask"])))
    image = pydicom.dcmread(io.BytesIO(facts["series"]["000.dcm"]))
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert made[name].value == image[name].value
    facts["made"] = made
    facts["mask"] = served.unpack_mask(story.running.send(facts["image"].astype(np.float32), STEPS).json()["mask"])


@then("each plane of the segmentation is where its slice is")
def _planes(facts: dict[str, Any]) -> None:
    made, mask = facts["made"], facts["mask"]
    places = {}
    for frame, plane in zip(made.PerFrameFunctionalGroupsSequence, made.pixel_array, strict=True):
        place = float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        places[round(place / MILLIMETRES[0])] = plane
    assert sorted(places) == list(range(len(mask)))
    for number, plane in places.items():
        assert np.array_equal(plane > 0, mask[number] > 0)


def _short(story: Story, image: np.ndarray, parts: dict[str, str]) -> None:
    data = image_files.png(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    story.sent = data
    answer: Any = story.running.client.post("/predict", files={"file": ("a.png", data)}, data=parts)
    story.response = answer


@when(parsers.parse("one of them is sent to the short form as PNG, asking for {name}"))
def _send_short(story: Story, facts: dict[str, Any], name: str) -> None:
    facts["format"] = name
    _short(story, facts["image"], {} if name == "rle" else {"mask_format": name})


@then("the short answer has the mask of the long one, its model and its latency")
def _short_answer(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 200, body
    long = story.running.post(story.sent, {}).json()
    mask = served.unpack_mask(long["mask"])
    as_runs = facts["format"] == "rle"
    found = rle.from_runs(**body["mask"]) if as_runs else image_files.png_array(base64.b64decode(body["mask"]))
    assert np.array_equal(found, mask)
    assert mask.any()
    assert (body["model"], body["model_version"]) == (long["model"], story.running.engine.model.version)
    assert body["latency_ms"] > 0
    assert [one["name"] for one in body["classes"]] == ["polyp"]


@then("its receipt is that of an entry in the log")
def _short_receipt(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.serving.services.log.entry(body["receipt"]["index"])
    details = story.running.serving.services.log.details(entry.body.index)
    assert details is not None
    assert details.payload["decision"] == "answered"
    assert f"requests/{body['request']}" in {one.name for one in entry.body.inputs}


@when("a picture without contrast is sent to the short form")
def _send_flat(story: Story, facts: dict[str, Any]) -> None:
    _short(story, np.full_like(facts["image"], 40), {})


@then("the request is refused as outside the intended use, with a receipt")
def _outside(story: Story) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (422, "refused")
    assert body["receipt"]["index"] > 0


@when("a known volume is sent to the short form")
def _send_volume_short(story: Story, facts: dict[str, Any]) -> None:
    data = image_files.nifti(facts["image"], MILLIMETRES)
    answer: Any = story.running.client.post("/predict", files={"file": ("a", data)})
    story.response = answer


@then("there is no such page")
def _no_page(story: Story) -> None:
    assert story.answered.status_code == 404
    assert story.answered.json()["type"] == "urn:minivess:problem:not-found"


@then("its decision and its receipt are found by the index of its entry")
def _decision(story: Story) -> None:
    body = story.answered.json()
    index = body["receipt"]["index"]
    found = story.running.client.get(f"/v1/decisions/{index}").json()
    assert (found["decision"], found["outcome"], found["request"]) == ("answered", "completed", body["request"])
    assert found["foreground_fraction"] == pytest.approx(body["foreground_fraction"])
    receipt = story.running.client.get(f"/v1/decisions/{index}/receipt").json()
    assert receipt == story.running.client.get(f"/v1/receipts/{index}").json()
    assert receipt["entry"] == body["receipt"]["entry"]
    assert [one["digest"] for one in story.running.client.get("/v1/models").json()] == [found["model"]]


@then("an index without an answer is not found")
def _unknown(story: Story) -> None:
    for index in (0, 10**6):
        for path in (f"/v1/decisions/{index}", f"/v1/decisions/{index}/receipt"):
            assert story.running.client.get(path).status_code == 404


@when("its log is taken away")
def _without_log(story: Story) -> None:
    assert story.running.client.get("/readyz").status_code == 200
    story.running.break_log()


@then("it is alive")
def _alive(story: Story) -> None:
    assert story.running.client.get("/healthz").json() == {"status": "ok"}


@then("it is not ready")
def _not_ready(story: Story) -> None:
    assert story.running.client.get("/readyz").status_code == 503
