"""Prediction in a process of its own: the same answers, images alone, no writing, errors that arrive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError, InputError, VerificationError
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.isolated import IsolatedPredictor
from tests.support import projects
from tests.support.builders.exports import export_record

pytestmark = pytest.mark.verifies("SU-30")


def _write(folder: Path, graph: bytes | None = None) -> str:
    """An export in a folder; returns the digest of the model."""
    projects.write_toy_graph(folder / "model.onnx")
    if graph is not None:
        (folder / "model.onnx").write_bytes(graph)
    record = export_record(digest_file(folder / "model.onnx"), projects.PATCH)
    (folder / "export.json").write_text(record.model_dump_json(), encoding="utf-8")
    return digest_file(folder / "export.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("export")
    _write(made)
    return made


@pytest.mark.verifies("REQ-093")
def test_it_answers_what_the_predictor_answers_and_sees_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIVESS_PASSPHRASE_ADA", "the passphrase of Ada")
    volume = np.random.default_rng(0).normal(size=(20, 40, 40)).astype(np.float32)
    big_endian = volume.astype(">f4")
    with IsolatedPredictor(folder, digest=digest_file(folder / "export.json")) as predictor:
        answers = [predictor.predict(one) for one in (volume, big_endian, volume[::2])]
        environment = Path(f"/proc/{predictor._process.pid}/environ").read_bytes()
        limits = Path(f"/proc/{predictor._process.pid}/limits").read_text(encoding="utf-8")
    direct = ExportedModel.open(folder)
    for answer, one in zip(answers, (volume, volume, volume[::2]), strict=True):
        assert np.array_equal(answer, direct.predict(one))
    assert b"MINIVESS" not in environment
    assert b"Ada" not in environment
    sizes = {line.split("  ")[0]: line.split() for line in limits.splitlines()}
    assert sizes["Max file size"][3:5] == ["0", "0"]
    assert sizes["Max core file size"][4:6] == ["0", "0"]


@pytest.mark.verifies("REQ-093")
def test_errors_arrive_and_name_no_place(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="as recorded"):
        IsolatedPredictor(folder, digest=digest_bytes(b"another model"))
    digest = _write(tmp_path, b"no graph")
    with pytest.raises(InputError) as caught:
        IsolatedPredictor(tmp_path, digest=digest)
    assert str(tmp_path) not in caught.value.message
    with IsolatedPredictor(folder, digest=digest_file(folder / "export.json")) as predictor:
        with pytest.raises(InputError):
            predictor.predict(np.zeros((4, 4), np.float32))
        with pytest.raises(CouldNotCheckError, match="ended"):
            predictor.predict(np.zeros((16, 32, 32), np.float32))


@pytest.mark.verifies("REQ-093")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_process_that_holds_plain_images_is_not_dumpable() -> None:
    code = (
        "import ctypes, resource; from minivess.foundation.processes import private_memory;"
        "private_memory.keep_memory_private();"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
