"""The extra `serving` is all that a service needs: images of each format are answered without anything else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support import projects
from tests.support.builders import image_files
from tests.support.lazy_modules import lazily
from tests.support.servers import served
from tests.support.servers.serve_process import ServeProcess

with lazily("httpx"):
    import httpx

pytestmark = [pytest.mark.verifies("REQ-426", "REQ-428", "SU-43"), pytest.mark.slow]

SOURCE = Path(__file__).resolve().parents[3]
MILLIMETRES, TEXT = (0.002, 0.001, 0.001), "2 x 1 x 1 um"
READ_PICTURES = """
import io, json
from importlib.util import find_spec
import numpy as np
from PIL import Image
from minivess.ml.reading.single_image import read_single
found = {}
for kind in ("PNG", "JPEG", "TIFF"):
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 8), 70, np.uint8)).save(stream, kind)
    found[kind] = read_single(stream.getvalue()).array.shape
heavy = [name for name in ("torch", "monai", "matplotlib", "bentoml") if find_spec(name)]
print(json.dumps([found, heavy]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the extra alone."""
    uv, place = shutil.which("uv"), tmp_path_factory.mktemp("clean") / "environment"
    assert uv is not None
    known = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    command = [uv, "sync", "--locked", "--no-dev", "--extra", "serving", "-q"]
    subprocess.run(command, cwd=SOURCE, env={**known, "UV_PROJECT_ENVIRONMENT": str(place)}, check=True, timeout=500)
    return place / "bin" / "python"


@pytest.fixture
def process(python: Path, servable_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[ServeProcess]:
    made = ServeProcess(servable_project.copy_to(tmp_path / "project"), tmp_path / "output", python=python)
    yield made
    made.stop()


def test_volumes_of_each_format_are_answered(process: ServeProcess, servable_project: projects.ProjectFolder) -> None:
    image, _ = served.known_volume(servable_project)
    whole = np.rint(image).astype(np.uint16)
    sent = {
        "npy": (served.npy(image), {"spacing": TEXT}, "npy"),
        "NIfTI": (image_files.nifti(whole, MILLIMETRES), {}, "nifti"),
        "OME-TIFF": (image_files.ome_tiff(whole, (2.0, 1.0, 1.0)), {}, "tiff"),
        "NRRD": (image_files.nrrd(whole, (2.0, 1.0, 1.0)), {}, "rle"),
        "DICOM": (image_files.zipped(image_files.series(whole, MILLIMETRES)), {}, "dicom-seg"),
    }
    answers = {}
    for name, (data, parts, mask) in sent.items():
        form = {
            **parts,
            "mask_format": mask,
            "outputs": "probabilities",
            "output_type": "float32",
            "output_format": "nifti",
        }
        answer = httpx.post(
            f"http://127.0.0.1:{process.port}/v1/segment", files={"volume": data}, data=form, timeout=120
        )
        answers[name] = (answer.status_code, answer.json().get("decision"), answer.json().get("detail"))
    assert answers == dict.fromkeys(sent, (200, "answered", None)), process.printed


def test_pictures_are_read_and_nothing_heavy_is_there(python: Path) -> None:
    done = subprocess.run([python, "-c", READ_PICTURES], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [{kind: [9, 8] for kind in ("PNG", "JPEG", "TIFF")}, []]
