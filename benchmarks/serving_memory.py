"""Print the anonymous memory that an answer needs above the loaded model, in float32 volumes of its image.

    uv run python benchmarks/serving_memory.py                       (128 x 256 x 256 voxels)
    uv run python benchmarks/serving_memory.py --side 192            (192 x 192 x 192)

The service runs as a process of its own, with a graph that does next to nothing, and is sent one volume after a small one. Its
`RssAnon` (Linux, /proc/PID/status) is read every two milliseconds. The limit is 4 volumes and one for each class.
"""

from __future__ import annotations

import argparse
import io
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from serving import CONTEXT, PASSPHRASE, device, row

from minivess.records.data.dataset import LabelClass
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask

PATCH = (32, 64, 64)


def task_of(classes: int) -> SegmentationTask:
    """Volumes of so many classes."""
    return SegmentationTask(classes=tuple(LabelClass(value=one + 1, name=f"class {one + 1}") for one in range(classes)))


def graph(task: SegmentationTask) -> bytes:
    """A graph whose logits are the image times a number of each output."""
    from onnx import TensorProto, helper, numpy_helper

    slopes = np.linspace(-1, 2, task.outputs, dtype=np.float32).reshape(task.outputs, 1, 1, 1, 1)
    made = helper.make_graph(
        [helper.make_node("Conv", ["image", "slopes"], ["logits"])],
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, *PATCH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, task.outputs, *PATCH])],
        [numpy_helper.from_array(slopes, "slopes")],
    )
    data: bytes = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()
    return data


def serve(folder: Path, port: int, classes: int) -> None:
    """What is measured."""
    from minivess.ml.inference.onnx_predictor import OnnxPredictor
    from minivess.serving.inference.app import create_app
    from minivess.serving.inference.server import serve as run
    from minivess.workflows.serving.answers import OpenedModel, ServedModel
    from minivess.workflows.serving.inference import InferenceService
    from minivess.workflows.serving.site import open_serving_log

    task = task_of(classes)
    predictor = OnnxPredictor(
        graph(task), SegResNetSpec(patch=PATCH), task=task, preprocessing=Preprocessing.of(task), threads=1
    )
    use = IntendedUse(
        spacing=((0.1,) * 3, (10.0,) * 3), shape=((8,) * 3, (4096,) * 3), contrast_to_noise=(0, 1e9), bright_tail=(0, 1)
    )
    served = ServedModel(
        name="models/export.json",
        digest=predictor.digest,
        task=task,
        stated_threshold=0.5,
        conformal_thresholds=(0.3,) * classes,
        intended_use=use,
        device="bench",
        version="0",
        statement="-",
    )
    services, service = device(folder)
    with open_serving_log(services, service, passphrase=PASSPHRASE) as serving:
        run(create_app(InferenceService(serving, OpenedModel(predictor, served, CONTEXT))), port=port)


def volume(shape: tuple[int, ...]) -> bytes:
    """Noise with a bright tube, as the bytes of a `.npy` file."""
    made = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    made[:, shape[1] // 3 : shape[1] // 2, shape[2] // 3 : shape[2] // 2] += 80
    stream = io.BytesIO()
    np.save(stream, made)
    return stream.getvalue()


def anonymous(pid: int) -> int:
    """Bytes of a process that no file backs."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise SystemExit("this system does not state RssAnon")


def measure(shape: tuple[int, ...], classes: int, parts: dict[str, str]) -> float:
    """The most memory above the loaded model while one volume is answered, in float32 volumes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name:
        command = [sys.executable, __file__, "--serve", name, str(port), str(classes)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
                _until_ready(client)
                _send(client, volume((32, 64, 64)), parts)
                before = anonymous(process.pid)
                most, over = [before], threading.Event()

                def watch() -> None:
                    while not over.wait(0.002):
                        most[0] = max(most[0], anonymous(process.pid))

                watcher = threading.Thread(target=watch)
                watcher.start()
                _send(client, volume(shape), parts)
                over.set()
                watcher.join()
        finally:
            process.terminate()
            process.wait()
    return (most[0] - before) / (4 * int(np.prod(shape)))


def _until_ready(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            client.get("/healthz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the service did not start")


def _send(client: httpx.Client, data: bytes, parts: dict[str, str]) -> None:
    answer = client.post("/v1/segment", files={"volume": data}, data={"spacing": "2 x 1 x 1 um", **parts})
    if answer.status_code != 200:
        raise SystemExit(answer.text[:2000])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the memory that an answer needs.")
    parser.add_argument("--side", type=int, help="voxels along each axis; 128 x 256 x 256 without")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(Path(given.serve[0]), int(given.serve[1]), int(given.serve[2]))
        return
    shape = (128, 256, 256) if given.side is None else (given.side,) * 3
    for classes in (1, 2, 4):
        for kind in ("", "float16", "float32"):
            found = measure(shape, classes, {"outputs": "probabilities", "output_type": kind} if kind else {})
            what = f"{classes} class{'' if classes == 1 else 'es'}{f', probabilities as {kind}' if kind else ''}"
            row(f"{what}: volumes of memory above the model", f"{found:.2f}", f"at most {4 + classes}")


if __name__ == "__main__":
    main()
