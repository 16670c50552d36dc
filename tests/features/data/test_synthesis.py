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
from minivess.ml.synthesis.volume import SyntheticCase
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
        axes = file.series[0].axes.replace("S", "")
    assert all(pixels.get(f"PhysicalSize{axis}Unit") == "µm" for axis in axes)
    return array, tuple(float(pixels.get(f"PhysicalSize{axis}", "nan")) for axis in axes)


def nifti(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    import nibabel

    image = nibabel.load(path)
    assert image.header.get_xyzt_units()[0] == "micron"
    array = np.asarray(image.dataobj).T
    if array.dtype.names:
        array = np.stack([array[name] for name in array.dtype.names], axis=-1)
    return array, tuple(map(float, reversed(image.header.get_zooms())))


def remade(story: Story) -> SyntheticCase:
    """The first case of the set, made again from the parameters that its manifest states."""
    return make_volume((7, 1), story.manifest(story.first).parameters)


def take_in(story: Story, classes: dict[int, str]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Ingest the first case of the set: its record, image and mask."""
    from minivess.ml.cases.ingestion import ingest
    from minivess.records.data.source import CaseSource, Data

    made = story.manifest(story.first).cases[0]
    source = CaseSource(id=made.id, subject="mouse-1", image=made.image.path, label=made.mask.path)
    data = Data(name="made", licence="CC0", source="the generator", root="first", cases=(source,), classes=classes)
    prepared = story.folder / "prepared"
    record = ingest(data, story.folder, prepared).cases[0]
    return record, np.load(prepared / made.id / "image.npy"), np.load(prepared / made.id / "label.npy")


READERS: dict[str, Callable[[Path], tuple[np.ndarray, tuple[float, ...]]]] = {"tifffile": tiff, "nibabel": nifti}


@given("a synthetic set of 2 cases with tortuous, narrowed and leaking vessels and a moving animal")
def _(story: Story) -> None:
    story.arguments = [*SHAPE, *(part for name, value in EVERYTHING.items() for part in (f"--{name}", str(value)))]
    assert story.command(story.first, *story.arguments).exit_code == 0


@given(parsers.parse("a synthetic set of 1 case as {kind}"))
def _(story: Story, kind: str) -> None:
    story.arguments = [*SHAPE, *(["--projection"] if kind == "projection" else ["--format", kind])]
    assert story.command(story.first, *story.arguments).exit_code == 0


@given(parsers.parse("a synthetic set of 1 case with {arguments}"))
def _(story: Story, arguments: str) -> None:
    small = [] if "--axes" in arguments else SHAPE
    story.arguments = [*small, *arguments.split()]
    result = story.command(story.first, *story.arguments)
    assert result.exit_code == 0, result.output


@given(parsers.parse("a project with 3 synthetic subjects {kind}"), target_fixture="facts")
def _(kind: str) -> dict[str, Any]:
    plan = {
        "of artery and vein": {"classes": "artery-vein", "shape": [16, 48, 48]},
        "as colour pictures": {"axes": "yx", "colour": True, "shape": [48, 64]},
    }[kind]
    return {"name": "made", "licence": "CC0", "source": "the generator", "synthetic": {"subjects": 3, **plan}}


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


@when("its data are ingested", target_fixture="cases")
def _(story: Story, facts: dict[str, Any]) -> Any:
    from minivess.ml.cases.ingestion import ingest
    from minivess.records.data.source import Data

    return ingest(Data.model_validate(facts), story.folder, story.folder / "prepared").cases


@when("it declares the class 1 vessel only", target_fixture="refused")
def _(facts: dict[str, Any]) -> str:
    from pydantic import ValidationError

    from minivess.records.data.source import Data

    with pytest.raises(ValidationError) as caught:
        Data.model_validate({**facts, "classes": {1: "vessel"}})
    return str(caught.value)


@then(parsers.parse('it is refused because "{words}"'))
def _(refused: str, words: str) -> None:
    assert words in refused


@then(parsers.parse("the manifest names the classes 1 {first} and 2 {second} with a share of the voxels each"))
def _(story: Story, first: str, second: str) -> None:
    manifest = story.manifest(story.first)
    assert [(one.value, one.name) for one in manifest.classes] == [(1, first), (2, second)]
    shares = manifest.cases[0].class_fractions
    assert list(shares) == [first, second]
    assert min(shares.values()) > 0.01
    assert sum(shares.values()) == pytest.approx(manifest.cases[0].foreground_fraction)


@then(
    parsers.parse("the ingested case has the classes 1 {first} and 2 {second} and every voxel that the generator made")
)
def _(story: Story, first: str, second: str) -> None:
    ingested, image, label = take_in(story, {1: first, 2: second})
    made = remade(story)
    assert [(one.value, one.name) for one in ingested.classes] == [(1, first), (2, second)]
    assert ingested.label_values == (0, 1, 2)
    assert np.array_equal(image, made.image)
    assert np.array_equal(label, made.label)


@then("each node of the network has the value of its tree")
def _(story: Story) -> None:
    truth, line = story.truth("synthetic-0001"), remade(story).centreline
    rows = (story.first / "synthetic-0001.swc").read_text(encoding="utf-8").splitlines()
    kinds = [int(row.split()[1]) for row in rows if not row.startswith("#")]
    if line.tree.any():
        assert truth["trees"] == ["artery", "vein"]
        assert truth["tree"] == line.tree.tolist()
        assert kinds == [6 + tree for tree in truth["tree"]]
    else:
        assert "tree" not in truth
        assert set(kinds) == {0}


@then("the mask is artery wherever the volume has an artery, and vein wherever it has only veins")
def _(story: Story) -> None:
    mask = tiff(story.first / "synthetic-0001_mask.ome.tif")[0]
    volume = remade(story).label
    artery, vein = (volume == 1).any(axis=0), (volume == 2).any(axis=0)
    assert (artery & vein).any()
    assert np.array_equal(mask == 1, artery)
    assert np.array_equal(mask == 2, vein & ~artery)


@then("every case has the classes 1 artery and 2 vein, three axes and a spacing of 2 × 1 × 1 µm")
def _(cases: Any) -> None:
    assert len(cases) == 3
    for case in cases:
        assert [(one.value, one.name) for one in case.classes] == [(1, "artery"), (2, "vein")]
        assert case.label_values == (0, 1, 2)
        assert (case.axes, case.spacing, case.unit) == ("zyx", (2.0, 1.0, 1.0), "um")


@then("the data card names what the masks are")
def _(facts: dict[str, Any]) -> None:
    from minivess.compliance.documents.data_card import origin_of
    from minivess.records.data.source import Data

    assert "arteries and veins" in str(origin_of(Data.model_validate(facts)))


@then(parsers.parse("the image and the mask have a spacing of 8 × 8 µm when {reader} reads them"))
def _(story: Story, reader: str) -> None:
    case, made = story.manifest(story.first).cases[0], remade(story)
    for item, array in ((case.image, made.image), (case.mask, made.label)):
        read, spacing = READERS[reader](story.first / item.path)
        assert np.array_equal(read, array)
        assert spacing == (8.0, 8.0)


@then(parsers.parse("the ingested case has axes {axes} and every voxel that the generator made"))
def _(story: Story, axes: str) -> None:
    ingested, image, label = take_in(story, {})
    made = remade(story)
    assert (ingested.axes, ingested.spacing, ingested.unit) == (axes, (8.0, 8.0), "um")
    assert np.array_equal(image, made.image)
    assert np.array_equal(label, made.label)


@then(parsers.parse('every case has axes {axes}, a spacing of 8 × 8 µm and the modality "{modality}"'))
def _(cases: Any, axes: str, modality: str) -> None:
    for case in cases:
        assert (case.axes, case.shape, case.spacing, case.unit) == (axes, (48, 64, 3), (8.0, 8.0), "um")
        assert (case.modality, case.source_dtype) == (modality, "uint8")


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
