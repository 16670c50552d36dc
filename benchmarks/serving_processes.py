"""Services of a benchmark in processes of their own, with an audit log or without, and clients of them."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.paths import Workspace
from minivess.ml.inference.intended_use import derive_envelope
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.records.log.receipt import Receipt
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.task import SegmentationTask
from minivess.workflows.people.accounts import INFERENCE_IDENTITY
from minivess.workflows.serving.answers import OpenedModel, ServedModel
from minivess.workflows.serving.inference import InferenceService
from minivess.workflows.serving.serving_log import Pace
from tests.support.projects import PASSPHRASE, ProjectFolder
from tests.support.servers import served, toy_models


@dataclass(frozen=True)
class Case:
    """A model and an image for it.

    Attributes:
        task: what the model takes.
        patch: of its graph.
        shape: of the image.
        spacing: in micrometres; None: pictures without a size.
    """

    task: SegmentationTask
    patch: tuple[int, ...]
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None

    def image(self, seed: int = 0) -> np.ndarray:
        """Noise with bright bars, in each channel other ones."""
        random = np.random.default_rng(seed)
        channels = []
        for number in range(self.task.channels):
            made = random.normal(100 + 20 * number, 4.0, self.shape)
            made[..., 4 + number : 9 + 2 * number, 3:30] += 60
            channels.append(made)
        return np.stack(channels, axis=-1).astype(np.float32) if self.task.channels > 1 else channels[0].astype("f4")

    def form(self) -> tuple[bytes, str]:
        """A request as bytes, and its content type."""
        parts = b""
        if self.spacing is not None:
            text = " x ".join(map(str, self.spacing)) + " um"
            parts = b'--b\r\nContent-Disposition: form-data; name="spacing"\r\n\r\n' + text.encode() + b"\r\n"
        head = b'--b\r\nContent-Disposition: form-data; name="volume"; filename="v.npy"\r\n\r\n'
        return parts + head + served.npy(self.image()) + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


CASES = {
    "small": Case(SegmentationTask(), (32, 32, 32), (32, 32, 32), (2.0, 1.0, 1.0)),
    "demo": Case(SegmentationTask(), (32, 64, 64), (48, 96, 96), (5.0, 1.0, 1.0)),
    "picture": Case(toy_models.COLOUR_PICTURES, (256, 256), (256, 256), None),
}


def graph_of(name: str) -> bytes:
    """The graph of a case: a toy for the small one, networks with weights that were not trained for the others."""
    case = CASES[name]
    if name == "small":
        return toy_models.graph(case.task, case.patch)
    from minivess.ml.export.graphs import graphs_of
    from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor
    from minivess.records.models.exports.contract import AppliedCalibrator

    spec = _specification(name)
    networks = [
        NetworkPredictor(network_of(name, seed), spec, "cpu", task=case.task)
        for seed in range(2 if name == "demo" else 1)
    ]
    calibrator = AppliedCalibrator(method="temperature scaling", parameter=1.0, inside=True)
    (made,) = graphs_of(EnsemblePredictor(networks), calibrator)
    return made.data


def _specification(name: str) -> Any:
    """As in templates/demo/minivess.yaml; of pictures a U-Net with ResNet-34."""
    from minivess.ml.models.registry import adapter_of

    architecture, facts = ("unet", {"filters": 8}) if name == "demo" else ("resnet34-unet", {})
    return adapter_of(architecture).specification().model_copy(update={"patch": CASES[name].patch, **facts})


def network_of(name: str, seed: int = 0) -> Any:
    """A network of a case, with weights that were not trained."""
    from minivess.ml.models.registry import build_network

    return build_network(_specification(name), CASES[name].task, seed=seed)


def predictor_of(case: Case, graph: bytes) -> OnnxPredictor:
    """A predictor with one thread."""
    return OnnxPredictor(graph, SegResNetSpec.model_construct(patch=case.patch), task=case.task, threads=1)


def opened(service_context: Any, case: Case, graph: bytes) -> OpenedModel:
    """A model with the bounds of its own images."""
    predictor = predictor_of(case, graph)
    steps = case.spacing or (1.0,) * len(case.shape)
    use = derive_envelope(
        ((case.image(seed), steps) for seed in range(3)), "px" if case.spacing is None else "um", case.task
    )
    model = ServedModel(
        name="models/export.json",
        digest=predictor.digest,
        task=case.task,
        stated_threshold=0.5,
        conformal_thresholds=(None,) * len(case.task.classes),
        intended_use=use,
        device="bench",
        version="0",
        statement="-",
    )
    return OpenedModel(predictor, model, service_context(model=predictor.digest))


class Unaudited(InferenceService):
    """The same service without the record: what auditing costs is the difference."""

    receipt_of_nothing: Receipt

    def _recorded(self, request_id: str, source: str) -> Any:
        return nullcontext(_Nothing(self.receipt_of_nothing))


@dataclass
class _Nothing:
    """A record that nothing comes of."""

    receipt: Receipt

    def output(self, *_: Any, **__: Any) -> None:
        """Nothing is recorded."""

    payload = refuse = output


def child(folder: Path, name: str, graph: Path, port: int, *, audited: bool) -> None:
    """Serve until ended."""
    from minivess.serving.inference.app import create_app
    from minivess.serving.inference.server import serve
    from minivess.serving.observing.observation import observation

    case = CASES[name]
    signer = Keystore(Workspace(folder).keystore).unlock(INFERENCE_IDENTITY, PASSPHRASE)
    project = ProjectFolder(Workspace(folder), {INFERENCE_IDENTITY: signer})
    with project.services() as services, served.opened(project, services, pace=Pace()) as log:
        model = opened(services.context, case, graph.read_bytes())
        with observation(model.served) as watched:
            engine = InferenceService(log.start(), model, observer=watched.observer)
            if not audited:
                receipt = engine.answer(case.image(), case.spacing, "first").receipt
                engine = Unaudited(log, model, observer=watched.observer)
                engine.receipt_of_nothing = receipt  # type: ignore[attr-defined]
            serve(watched.attach(create_app(engine)), port=port)


class Served:
    """A service in a process of its own."""

    def __init__(self, project: ProjectFolder, name: str, graph: Path, *, audited: bool) -> None:
        self.project, self.case = project, CASES[name]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        how = "audited" if audited else "unaudited"
        command = [
            sys.executable,
            __file__,
            str(project.workspace.root),
            name,
            str(graph),
            str(self.port),
            how,
        ]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_DATA_HOME": str(project.workspace.root / "profile")},
        )
        give_up = time.monotonic() + 240
        while True:
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit("a service did not start")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        self.body, self.kind = self.case.form()

    def cpu(self) -> float:
        """CPU seconds of the threads of the process so far; those of a service do not end."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text(encoding="utf-8").split()[0]) for one in threads) / 1e9

    def memory(self) -> int:
        """Anonymous memory of the process in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(text.split("RssAnon:")[1].split()[0]) * 1024

    @contextmanager
    def client(self) -> Iterator[Callable[[bytes | None], tuple[int, bytes]]]:
        """A connection that is kept: a body in (None: the usual one), status and answer out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

        def ask(body: bytes | None = None) -> tuple[int, bytes]:
            data = self.body if body is None else body
            connection.request("POST", "/v1/segment", body=data, headers={"content-type": self.kind})
            response = connection.getresponse()
            return response.status, response.read()

        try:
            yield ask
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to end."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)


if __name__ == "__main__":
    root, case_name, graph_file, port_number, kept = sys.argv[1:]
    child(Path(root), case_name, Path(graph_file), int(port_number), audited=kept == "audited")
