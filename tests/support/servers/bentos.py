"""A Bento in this process, or as a process of BentoML, and requests that tell services apart."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minivess.records.models.exports.bento import BentoFacts
from minivess.workflows.serving.inference import open_model
from tests.support import projects
from tests.support.builders import image_files
from tests.support.lazy_modules import lazily
from tests.support.servers import served

with lazily("httpx"):
    import httpx

MILLIMETRES = (0.002, 0.001, 0.001)
APART = ("receipt", "request", "timings", "latency_ms")
"""What answers to equal requests need not share."""
Send = Any
"""A function from method, path and what httpx takes to a response."""


def environment(project: projects.ProjectFolder, folder: Path, *, site: str) -> dict[str, str]:
    """What a Bento finds in its environment."""
    return {
        "MINIVESS_PROJECT": str(project.workspace.root),
        "MINIVESS_BENTO": str(folder),
        "MINIVESS_SITE": site,
        "MINIVESS_LOOPBACK": "True",
        "BENTOML_DO_NOT_TRACK": "True",
        **{f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "INFERENCE")},
    }


def lay_out(project: projects.ProjectFolder, folder: Path, **changed: str) -> BentoFacts:
    """What a Bento has beside its code: the facts and the model."""
    with project.services() as services:
        model = open_model(services).served.digest
    known = {"device": "toy-device", "version": "0.1.0", "model": model, "code": model, "requirements": model}
    stated = BentoFacts.model_validate({**known, **changed})
    folder.mkdir()
    (folder / "bento.json").write_text(stated.model_dump_json(), encoding="utf-8")
    (folder / "model").symlink_to(project.workspace.models / "export")
    return stated


@contextmanager
def in_process() -> Iterator[Send]:
    """The Bento of the environment, asked through ASGI without a server.

    BentoML registers its own metrics once a process; they are taken out again, so that another Bento can be opened.
    """
    from prometheus_client import REGISTRY

    from minivess.serving.bento.service import InferenceInterface

    before = set(REGISTRY._collector_to_names)
    service: Any = InferenceInterface
    app = service.to_asgi()

    async def send(method: str, path: str, how: Mapping[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **how)

    from anyio.from_thread import start_blocking_portal

    try:
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(app.router.lifespan_context(app)):
            yield lambda method, path, **how: portal.call(send, method, path, how)
    finally:
        for one in set(REGISTRY._collector_to_names) - before:
            REGISTRY.unregister(one)


def close_log() -> None:
    """Let the Bento of this process lose its serving log, as a lost disk would."""
    from _bentoml_sdk.service import get_current_service

    instance: Any = get_current_service()
    instance._engine._serving.services.log.close()


@contextmanager
def process(bento: Path, project: projects.ProjectFolder, output: Path, *, site: str) -> Iterator[Send]:
    """A Bento served by BentoML on loopback, from its own copy of the code."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = environment(project, bento, site=site)
    del told["MINIVESS_BENTO"]
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    with output.open("wb") as stream:
        running = subprocess.Popen(
            command,
            cwd=output.parent,
            env={**os.environ, **told, "BENTOML_HOME": str(output.parent / "home")},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 240
        while not _ready(address):
            assert running.poll() is None, output.read_text(encoding="utf-8")
            assert time.monotonic() < give_up, output.read_text(encoding="utf-8")
            time.sleep(0.2)
        yield lambda method, path, **how: httpx.request(method, address + path, timeout=120, **how)
    finally:
        running.terminate()
        running.wait(timeout=120)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def requests(image: np.ndarray, spacing: tuple[float, ...]) -> list[tuple[str, str, dict[str, Any]]]:
    """Requests of each kind: answered in several formats, refused, malformed, and for what is no image."""
    whole = np.rint(image).astype(np.uint16)
    text = f"{' x '.join(str(step) for step in spacing)} um"

    def post(data: bytes, **parts: str) -> tuple[str, str, dict[str, Any]]:
        return "POST", "/v1/segment", {"files": {"volume": ("scan", data)}, "data": parts}

    return [
        post(served.npy(image), spacing=text),
        post(image_files.nifti(whole, MILLIMETRES)),
        post(image_files.nifti(whole, MILLIMETRES), mask_format="rle"),
        post(served.npy(np.full_like(image, 40)), spacing=text),
        post(served.npy(image), spacing="9 x 9 x 9 um"),
        post(b"no image"),
        post(served.npy(image)),
        post(served.npy(image), spacing=text, mask_format="bmp"),
        ("POST", "/v1/segment", {"content": b"no form"}),
        ("POST", "/predict", {"content": b"no pictures here"}),
        ("GET", "/", {}),
        ("GET", "/v1/model", {}),
        ("GET", "/v1/models", {}),
        ("GET", "/v1/health", {}),
        ("GET", "/v1/decisions/0", {}),
        ("GET", "/v1/decisions/x", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/nothing-here", {}),
        ("DELETE", "/v1/segment", {}),
    ]


def told(response: httpx.Response) -> tuple[int, str, bytes]:
    """Status, kind and bytes of an answer, without what equal requests need not share."""
    body = response.content
    if response.headers["content-type"].startswith(("application/json", "application/problem")):
        plain = json.loads(body)
        if isinstance(plain, dict):
            plain = {name: value for name, value in plain.items() if name not in APART}
        body = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return response.status_code, response.headers["content-type"], body


def differences(first: Send, second: Send, image: np.ndarray, spacing: tuple[float, ...]) -> list[str]:
    """The requests that two services answer differently, after each was asked; none: they are equal."""
    found = []
    for method, path, how in requests(image, spacing):
        one, other = told(first(method, path, **how)), told(second(method, path, **how))
        if one != other:
            found.append(f"{method} {path}: {one[:2]} {one[2][:300]!r} and {other[:2]} {other[2][:300]!r}")
    return found
