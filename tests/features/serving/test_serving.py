"""Steps of serving.feature: the real service on a small project, spoken to over its HTTP interface."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.digests import digest_bytes
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.serving.inference import mask_digest
from minivess.workflows.serving.serving_log import Pace
from tests.features.serving.conftest import Story
from tests.support import projects, sqlite_disk
from tests.support.lazy_modules import lazily
from tests.support.servers import served
from tests.support.servers.serve_process import ServeProcess

with lazily("httpx"):
    pass

scenarios("serving.feature")

STATUS = {"malformed": 400, "too large": 413}
BODIES: dict[str, Callable[[np.ndarray], bytes | np.ndarray]] = {
    "a file that is no .npy": lambda _: b"%PDF-1.7",
    "a .npy file that holds objects": lambda _: served.npy(np.array([[[{}]]], dtype=object), allow_pickle=True),
    "a .npy file cut short": lambda image: served.npy(image)[:-100],
    "a spacing that is no spacing": lambda image: image,
    "a .npy file that promises too much": lambda _: header_of("(999999, 999999, 999999)"),
    "a .npy file with a header of code": lambda _: header_of("(1, 1, [].__class__.__base__.__subclasses__()[0])"),
    "a volume with a voxel that is no number": lambda image: np.where(image == image.max(), np.nan, image),
    "a file larger than what is taken": lambda _: bytes(served.LIMITS.body_bytes + 1),
    "a volume with a four times wider spacing": lambda image: image,
    "a volume of a single small block": lambda image: image[:3, :5, :5],
    "a volume with inverted intensities": lambda image: image.max() - image,
    "a volume without any contrast": np.ones_like,
}


def header_of(shape: str) -> bytes:
    """A `.npy` file without voxels that says it has this shape."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@given("a running service")
def _(story: Story) -> None:
    story.service = story.start_service()
    story.entries_before = len(story.running.entries())
    story.counts_before = story.running.counts()
    story.device_before = story.running.services.log.size


@given("the serving log can no longer be written")
def _(story: Story) -> None:
    story.running.break_log()


@when("another model is exported and recorded")
def _(story: Story) -> None:
    assert story.project is not None
    projects.export_toy_model(story.project, bias=0.5)
    story.start()


@when("another model is exported, recorded and evaluated")
def _(story: Story) -> None:
    assert story.project is not None
    projects.export_toy_model(story.project, bias=0.5)
    projects.evaluate_toy_model(story.project)
    story.start()


@then(parsers.parse('the service refuses to start, for the model "{why}"'))
def _(story: Story, why: str) -> None:
    assert why in story.refusal


@when("a volume like those the model was made from is sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    story.sent = served.npy(image)
    story.response = story.running.send(story.sent, spacing)


@when("a file named after a patient is sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    story.response = story.running.send(image, spacing, name=f"{story.patient}.npy")
    story.running.send(story.patient.encode(), story.patient, name=f"{story.patient}.npy")


@when(parsers.re(r"(?P<what>a (?!file named)(?!volume like)[a-z. ]+) is sent"))
def _(story: Story, what: str) -> None:
    image, spacing = story.running.volume()
    stated: object = spacing
    if what == "a spacing that is no spacing":
        stated = "thick"
    elif what == "a volume with a four times wider spacing":
        stated = tuple(4 * step for step in spacing)
    story.response = story.running.send(BODIES[what](image), stated)


@then('the answer holds a mask of the volume\'s shape and the decision "answered"')
def _(story: Story) -> None:
    body = story.answered.json()
    assert body["decision"] == "answered"
    assert served.unpack_mask(body["mask"]).shape == story.running.volume()[0].shape


@then("its receipt verifies with the public key of the device's log")
def _(story: Story) -> None:
    register = Register.fold(story.running.services.log.entries())
    receipt = Receipt.model_validate(story.answered.json()["receipt"])
    signer = story.running.signer.identity.signing_key
    assert verify_receipt(receipt, log_key=register.log_key, actor=signer).holds
    assert verify_receipt(receipt, log_key=register, actor=register).holds
    changed = receipt.model_copy(update={"details": (receipt.details or "").replace("answered", "refused!")})
    assert not verify_receipt(changed, log_key=register.log_key, actor=signer).holds


@then("a wider mask shows where vessels may be that the first one misses")
def _(story: Story) -> None:
    body = story.answered.json()
    mask, wide = (served.unpack_mask(body[name]) for name in ("mask", "conformal_mask"))
    assert (wide[mask == 1] == 1).all()
    assert wide.sum() > mask.sum()


@then("the entry in the log names the model, the request and the mask by their digests")
def _(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.entries()[-1].body
    assert entry.context.model == body["model"]
    assert digest_bytes(story.sent) in {item.digest for item in entry.inputs}
    assert [item.digest for item in entry.outputs] == [
        mask_digest(served.unpack_mask(body[name])) for name in ("mask", "conformal_mask")
    ]


@then("the service answers that it is unavailable, without a mask")
def _(story: Story) -> None:
    assert story.answered.status_code == 503
    assert "mask" not in story.answered.json()


@then(parsers.re(r"the request is refused as (?P<kind>malformed|too large) with a hint"))
def _(story: Story, kind: str) -> None:
    assert story.answered.status_code == STATUS[kind]
    assert story.answered.json()["hint"]


@then(parsers.parse("the request is refused as outside the intended use, naming {named}"))
def _(story: Story, named: str) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 422
    assert "mask" not in body
    assert named in " / ".join(body["reasons"])


@then("the refusal is an entry in the log")
def _(story: Story) -> None:
    entries = story.running.entries()
    assert len(entries) == story.entries_before + 1
    assert entries[-1].body.outcome is Outcome.REFUSED
    assert entries[-1].body.index == story.answered.json()["receipt"]["index"]


@then(parsers.re(r'the log counts it as "(?P<reason>[a-z-]+)", without an entry of its own'))
def _(story: Story, reason: str) -> None:
    if story.server is not None:
        story.server.stop()
        assert story.server.counted() == {reason: 1}
        return
    assert "receipt" not in story.answered.json()
    assert len(story.running.entries()) == story.entries_before
    counts = story.running.counts()
    more = {name: count - story.counts_before.get(name, 0) for name, count in counts.items()}
    assert {name: count for name, count in more.items() if count} == {reason: 1}


@given("a project whose model was exported and recorded")
def _(story: Story) -> None:
    story.project = story.copy()


@when("the model file is exchanged for another valid one")
def _(story: Story) -> None:
    assert story.project is not None
    projects.write_toy_graph(story.project.workspace.onnx, bias=3.0)
    story.start()


@given("a project whose conformal threshold was changed after it was exported")
def _(story: Story) -> None:
    story.project = story.copy()
    path = story.project.workspace.export / "export.json"
    before = path.read_text(encoding="utf-8")
    changed = re.sub(r'("thresholds": \{\s*"[^"]+": )0\.3', r"\g<1>0.1", before)
    assert changed != before
    path.unlink()
    path.write_text(changed, encoding="utf-8")


@when("the service is started")
def _(story: Story) -> None:
    story.start()


@then("the service refuses to start and names the model file")
def _(story: Story) -> None:
    assert "model.onnx" in story.refusal


@then("the service refuses to start and names the record of the export")
def _(story: Story) -> None:
    assert "models/export/export.json" in story.refusal


@then("no entry of the log holds that name")
def _(story: Story) -> None:
    assert len(story.running.entries()) == story.entries_before + 1
    story.running.counts()
    name = story.patient.encode()
    for log in (story.running.services.log, story.running.serving.services.log):
        assert not [line for pair in log.pairs() for line in pair if line is not None and name in line]


@given("a service that listens on a socket")
def _(story: Story, tmp_path: Path) -> None:
    story.server = ServeProcess(story.copy(), tmp_path / "printed.txt")
    story.stack.callback(story.server.stop)


@when("a client sends half a volume and hangs up")
def _(story: Story) -> None:
    assert story.server is not None
    head = (
        b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'Content-Disposition: form-data; name="volume"; filename="a.npy"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", story.server.port), timeout=30) as connection:
        connection.sendall(head + bytes(10_000))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


@then("the service has printed no stack trace")
def _(story: Story) -> None:
    assert story.server is not None
    assert "Traceback" not in story.server.printed
    assert "Error" not in story.server.printed


@given("a service that gives 2 refusals a minute an entry of their own")
def _(story: Story) -> None:
    story.project = story.copy()
    story.service = story.stack.enter_context(served.running(story.project, pace=Pace(refusals_a_minute=2)))
    story.device_before = story.running.services.log.size


@when("8 volumes outside the intended use and 30 malformed requests are sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    responses = [story.running.send(np.ones_like(image), spacing) for _ in range(8)]
    assert {response.status_code for response in responses} == {422}
    assert ["receipt" in response.json() for response in responses] == [True] * 2 + [False] * 6
    for _ in range(30):
        assert story.running.send(b"junk").status_code == 400


@when("the service is stopped")
def _(story: Story) -> None:
    story.stack.close()
    story.service = None


@then("the serving log holds 2 refusals and one count of the others")
def _(story: Story) -> None:
    assert story.project is not None
    with served.engine_of(story.project) as (_, serving):
        log = serving.services.log
        bodies = [entry.body for entry in log.entries(1)]
        assert [body.action for body in bodies] == ["inference", "inference", "inference.refusals"]
        told = log.details(bodies[-1].index)
        assert told is not None
        assert told.payload["counts"] == {"outside-intended-use": 6, "volume": 30}


@then("the device's log has at most one entry more")
def _(story: Story) -> None:
    assert story.project is not None
    with story.project.services() as services:
        more = [entry.body.action for entry in services.log.entries(story.device_before)]
    assert more == ["serving.anchored"]


FLUSHES = """
import os, sys
from pathlib import Path
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.paths import Workspace
from tests.support.servers import served
from tests.support.servers.serve_process import ServeProcess
from tests.features.serving.conftest import Story
from tests.support import sqlite_disk
from tests.support.projects import ProjectFolder

class Counting:
    def before(self, access):
        return 0
    def halfway(self, access):
        pass
    def after(self, access):
        flushed.append(access.path) if access.kind == "flush" else None

flushed = []
def counted(name, really):
    return lambda descriptor: (flushed.append(name), really(descriptor))[1]
sqlite_disk.watch(Counting())
os.fsync, os.fdatasync = counted("fsync", os.fsync), counted("fdatasync", os.fdatasync)
workspace = Workspace(Path(sys.argv[1]))
signer = Keystore(workspace.keystore).unlock("inference", sys.argv[2])
project = ProjectFolder(workspace, {"inference": signer})
image, spacing = served.known_volume(project)
with served.engine_of(project) as (engine, serving):
    engine.answer(image, spacing, "first")
    flushed.clear()
    for number in range(10):
        assert engine.answer(image, spacing, f"request-{number}").receipt is not None
    print(len(flushed))
"""


@when("10 volumes are answered while flushes are counted")
def _(story: Story) -> None:
    if not sqlite_disk.reachable():
        pytest.skip("this Python's SQLite is built in: its files cannot be watched")
    assert story.project is not None
    done = subprocess.run(
        [sys.executable, "-c", FLUSHES, str(story.project.workspace.root), projects.PASSPHRASE],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    story.flushes = done.stdout.strip()


@then("there were 10 flushes")
def _(story: Story) -> None:
    assert story.flushes == "10"
