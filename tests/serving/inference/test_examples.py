"""The examples of the guides run as they are written, against a real service on a socket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.verification.trust import write_trust
from tests.support.builders import image_files
from tests.support.servers import loopback, served, toy_models

pytestmark = pytest.mark.verifies("REQ-485", "SU-178")

GUIDES = Path(__file__).resolve().parents[3] / "docs" / "guides"
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


def blocks(kind: str, guide: str = "client.md") -> list[str]:
    """The examples of a guide, in order."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return [code for found, code in BLOCK.findall(text) if found == kind]


@dataclass(frozen=True)
class Desk:
    """A folder with the files that the examples name, and the address of the service."""

    folder: Path
    url: str
    service: served.Service

    def as_here(self, code: str) -> str:
        return code.replace(ADDRESS, self.url)

    def run(self, code: str) -> str:
        """Run commands in the folder; gives what they print."""
        commands = Path(sys.executable).parent
        done = subprocess.run(
            ["/bin/bash", "-eu", "-c", self.as_here(code)],
            cwd=self.folder,
            env={"PATH": f"{commands}:{os.environ['PATH']}", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def desk(service: served.Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The service on a socket, with an answer in its log."""
    folder = tmp_path_factory.mktemp("desk")
    image, spacing = service.volume()
    volume = np.rint(image).astype(np.uint16)
    scan = image_files.nifti(volume, tuple(step / 1000 for step in spacing))
    for name in ("scan.nii.gz", "other.nii.gz"):
        (folder / name).write_bytes(scan)
    (folder / "stack.tif").write_bytes(image_files.tiff(volume))
    series = image_files.series(volume, tuple(step / 1000 for step in spacing))
    (folder / "series.zip").write_bytes(image_files.zipped(series))
    np.save(folder / "volume.npy", volume)
    log = service.services.log
    trust = write_trust(Register.fold(log.entries()), log.origin, rules=LEAST_RULES)
    (folder / "trust.json").write_text(trust, encoding="utf-8")
    assert service.send(image, spacing).json()["receipt"]["index"] == 1
    with loopback.listening(service.client.app) as url:
        yield Desk(folder, url, service)


@pytest.mark.parametrize("number", range(7))
def test_an_example_in_python_runs(
    desk: Desk, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = blocks("python")
    assert len(codes) == 7
    monkeypatch.chdir(desk.folder)
    exec(compile(desk.as_here(codes[number]), f"example {number}", "exec"), {"__name__": "__main__"})  # noqa: S102
    printed = capsys.readouterr().out
    assert WORDS[number] in printed


WORDS = ("VERIFIED", "0.", "0.", "done", "spacing 9 µm", "the trust file trust.json", "True")
"""What each example prints, among other words."""


@pytest.mark.parametrize("number", range(6))
def test_an_example_on_the_command_line_runs(desk: Desk, number: int) -> None:
    codes = blocks("bash")
    assert len(codes) == 6
    assert PRINTED[number] in desk.run(codes[number])


PRINTED = ("receipt", "", "bytes", "receipt", "outside-intended-use", '"digest"')
"""What each example prints, among other words."""


def test_the_commands_of_the_guide_to_serving_are_answered(desk: Desk) -> None:
    codes = [code for code in blocks("bash", "serving.md") if f"{ADDRESS}/v1/segment" in code]
    assert len(codes) == 1
    assert desk.run(codes[0]).count('"decision":"answered"') == codes[0].count("curl") == 3


def test_the_commands_for_long_volumes_fetch_the_answer_of_a_job(desk: Desk) -> None:
    (code,) = [code for code in blocks("bash", "serving.md") if "/v1/jobs" in code]
    assert '"tiles_done"' in desk.run(code)
    assert '"decision":"answered"' in (desk.folder / "answer.json").read_text(encoding="utf-8")


def test_the_command_for_pictures_is_answered(desk: Desk) -> None:
    (code,) = [code for code in blocks("bash", "serving.md") if "/predict" in code]
    with (
        toy_models.serving(desk.service, toy_models.COLOUR_PICTURES) as pictures,
        loopback.listening(pictures.client.app) as url,
    ):
        picture = np.clip(toy_models.image(toy_models.COLOUR_PICTURES, 7), 0, 255).round().astype(np.uint8)
        (desk.folder / "picture.png").write_bytes(image_files.png(picture))
        assert '"decision":"answered"' in replace(desk, url=url).run(code)
