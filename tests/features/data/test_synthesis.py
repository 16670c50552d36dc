"""Steps of synthesis.feature: the command and what it writes, read back with the libraries others use."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.data.synthesis import synthesise
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError
from minivess.ml.synthesis.collection import SynthesisManifest
from minivess.ml.synthesis.parameters import parameters_of
from minivess.ml.synthesis.volume import synthesise as make_volume

scenarios("synthesis.feature")

SHAPE = ["--shape", "20", "64", "64", "--spacing-um", "2", "1", "1"]
EVERYTHING = {
    "count": 2,
    "tortuosity-um": 3,
    "stenoses": 1,
    "leaks": 1,
    "leak-radius-um": 6,
    "line-jitter-um": 1,
    "frame-shift-um": 1,
    "roots": 4,
}
ARRAYS = {
    "synthetic-0001_image.ome.tif": "sha256:2f0ec42bfc07dbe4094b1af8e734e94b552589b39ded18397ed8d4c9887cf2b9",
    "synthetic-0001_mask.ome.tif": "sha256:fbb94de3928cf6ee0efa7c4cd5208a9a4db4114ff05fc78e7103f0425cf4e8f9",
}


@dataclass
class Story:
    folder: Path
    arguments: list[str] = field(default_factory=list)
    before: dict[str, tuple[str, int]] = field(default_factory=dict)
    result: Result | None = None

    @property
    def first(self) -> Path:
        return self.folder / "first"

    def command(self, out: Path, *arguments: str) -> Result:
        self.result = CliRunner().invoke(synthesise, [str(out), *arguments])
        return self.result

    def manifest(self, out: Path) -> SynthesisManifest:
        return SynthesisManifest.model_validate_json((out / "synthesis.json").read_text(encoding="utf-8"))

    def truth(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.first / f"{name}.json").read_text(encoding="utf-8")))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def files(folder: Path) -> dict[str, tuple[str, int]]:
    return {path.name: (digest_file(path), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def tiff(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    import xml.etree.ElementTree as ET

    import tifffile

    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        pixels = ET.fromstring(file.ome_metadata).find(".//{*}Pixels")  # noqa: S314  our own file
        assert pixels is not None
        array = file.asarray()
    axes = "ZYX" if array.ndim == 3 else "YX"
    assert all(pixels.get(f"PhysicalSize{axis}Unit") == "µm" for axis in axes)
    return array, tuple(float(pixels.get(f"PhysicalSize{axis}", "nan")) for axis in axes)


def nifti(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    import nibabel

    image = nibabel.load(path)
    assert image.header.get_xyzt_units()[0] == "micron"
    return np.asarray(image.dataobj).T, tuple(map(float, reversed(image.header.get_zooms())))


READERS: dict[str, Callable[[Path], tuple[np.ndarray, tuple[float, ...]]]] = {"tifffile": tiff, "nibabel": nifti}


@given("a synthetic set of 2 cases with tortuous, narrowed and leaking vessels and a moving animal")
def _(story: Story) -> None:
    story.arguments = [*SHAPE, *(part for name, value in EVERYTHING.items() for part in (f"--{name}", str(value)))]
    assert story.command(story.first, *story.arguments).exit_code == 0


@given(parsers.parse("a synthetic set of 1 case as {kind}"))
def _(story: Story, kind: str) -> None:
    story.arguments = [*SHAPE, *(["--projection"] if kind == "projection" else ["--format", kind])]
    assert story.command(story.first, *story.arguments).exit_code == 0


@given("the mask of the second case is lost")
def _(story: Story) -> None:
    story.before = files(story.first)
    (story.first / "synthetic-0002_mask.ome.tif").unlink()


@when("it is made again in another folder")
def _(story: Story) -> None:
    assert story.command(story.folder / "second", *story.arguments).exit_code == 0


@when("it is made again in the same folder")
def _(story: Story) -> None:
    assert story.command(story.first, *story.arguments).exit_code == 0


@when(parsers.parse("the command is given {arguments} for {folder}"))
def _(story: Story, arguments: str, folder: str) -> None:
    other = story.folder / "files"
    other.mkdir()
    (other / "notes.txt").write_text("mine", encoding="utf-8")
    out = {"a new folder": story.folder / "new", "the same folder": story.first, "a folder of files": other}[folder]
    story.command(out, *arguments.split())


@when("the set is ingested as files", target_fixture="ingested")
def _(story: Story) -> Any:
    from minivess.ml.cases.ingestion import ingest
    from minivess.records.data.source import CaseSource, Data

    data = Data(
        name="made",
        licence="CC0",
        source="the generator",
        root="first",
        cases=(
            CaseSource(
                id="synthetic-0001",
                subject="mouse-1",
                image="synthetic-0001_image.ome.tif",
                label="synthetic-0001_mask.ome.tif",
            ),
        ),
    )
    return ingest(data, story.folder, story.folder / "prepared").cases[0]


@then("both manifests and all files are equal")
def _(story: Story) -> None:
    first, second = files(story.first), files(story.folder / "second")
    assert {name: digest for name, (digest, _) in first.items()} == {
        name: digest for name, (digest, _) in second.items()
    }
    assert len(first) == 11


@then("the digests of the arrays are those that this version of the generator gives everywhere")
def _(story: Story) -> None:
    case = story.manifest(story.first).cases[0]
    assert {item.path: item.array for item in (case.image, case.mask)} == ARRAYS


@then(parsers.parse("the image and the mask have the spacing of the parameters when {reader} reads them"))
def _(story: Story, reader: str) -> None:
    case = story.manifest(story.first).cases[0]
    made = make_volume((7, 1), parameters_of(shape=(20, 64, 64)))
    for item, array in ((case.image, made.image), (case.mask, made.label)):
        read, spacing = READERS[reader](story.first / item.path)
        assert np.array_equal(read, array)
        assert spacing == (2.0, 1.0, 1.0)


@then("the network in SWC has its loops in comments and its radii in micrometres")
def _(story: Story) -> None:
    lines = (story.first / "synthetic-0001.swc").read_text(encoding="utf-8").splitlines()
    made = make_volume((7, 1), parameters_of(shape=(20, 64, 64))).centreline
    loops = [tuple(map(int, line.split()[2:])) for line in lines if line.startswith("# LOOP ")]
    assert loops == [(a + 1, b + 1) for a, b in made.closures.tolist()]
    rows = np.array([list(map(float, line.split())) for line in lines if not line.startswith("#")])
    assert rows.shape == (len(made.nodes), 7)
    assert (rows[:, 0] == np.arange(1, len(rows) + 1)).all()
    assert (rows[:, 6] < rows[:, 0]).all()
    assert np.allclose(rows[:, 2:5], made.nodes[:, ::-1], atol=1e-4)
    assert np.allclose(rows[:, 5], made.radii, atol=1e-4)


@then("the network in JSON has the same points and joins the loops")
def _(story: Story) -> None:
    truth, made = story.truth("synthetic-0001"), make_volume((7, 1), parameters_of(shape=(20, 64, 64))).centreline
    assert np.allclose(truth["nodes"], made.nodes, atol=1e-4)
    assert truth["parents"] == made.parents.tolist()
    assert truth["loops"] == made.closures.tolist()
    assert (truth["unit"], truth["axes"], truth["seed"]) == ("um", "zyx", [7, 1])


@then("each case states where its stenoses and leaks are and how bad")
def _(story: Story) -> None:
    for case in story.manifest(story.first).cases:
        truth = story.truth(case.id)
        assert (case.stenoses, case.leaks) == (1, 1)
        [stenosis], [leak] = truth["stenoses"], truth["leaks"]
        assert stenosis["degree"] == 0.6
        assert stenosis["radius_um"] == pytest.approx(0.4 * stenosis["radius_before_um"])
        assert truth["nodes"][stenosis["node"]] == pytest.approx(stenosis["place_um"], abs=1e-4)
        assert leak["radius_um"] == 6
        assert np.linalg.norm(np.subtract(truth["nodes"][leak["node"]], leak["place_um"])) < 20


@then("each case has a mask of the leaked dye that does not touch the mask of the vessels")
def _(story: Story) -> None:
    for case in story.manifest(story.first).cases:
        assert case.leaked is not None
        mask, leaked = (tiff(story.first / item.path)[0] for item in (case.mask, case.leaked))
        assert leaked.any()
        assert not (mask & leaked).any()


@then("image and mask have two axes and the mask is the shadow of the volume's mask")
def _(story: Story) -> None:
    case = story.manifest(story.first).cases[0]
    made = make_volume((7, 1), parameters_of(shape=(20, 64, 64)))
    (image, spacing), (mask, _) = (tiff(story.first / item.path) for item in (case.image, case.mask))
    assert spacing == (1.0, 1.0)
    assert np.array_equal(image, made.image.max(axis=0))
    assert np.array_equal(mask, made.label.max(axis=0))


@then("only the second case was made again")
def _(story: Story) -> None:
    now = files(story.first)
    assert all(now[name][1] == when for name, (_, when) in story.before.items() if "0001" in name)
    assert now["synthetic-0002_image.ome.tif"][1] > story.before["synthetic-0002_image.ome.tif"][1]


@then("its files are what they were")
def _(story: Story) -> None:
    assert {n: d for n, (d, _) in files(story.first).items()} == {n: d for n, (d, _) in story.before.items()}


@then(parsers.parse('it is refused with code {code:d} because "{words}"'))
def _(story: Story, code: int, words: str) -> None:
    assert story.result is not None
    error = story.result.exception
    assert isinstance(error, MinivessError)
    assert error.exit_code == code
    assert words in error.message
    assert error.hint
    assert not (story.folder / "new").exists()


@then("the case has the spacing and the foreground that the manifest states")
def _(story: Story, ingested: Any) -> None:
    made = story.manifest(story.first).cases[0]
    assert (ingested.spacing, ingested.unit) == ((2.0, 1.0, 1.0), "um")
    assert ingested.foreground_fraction == pytest.approx(made.foreground_fraction)
    assert ingested.shape == (20, 64, 64)
