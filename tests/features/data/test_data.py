"""Steps of features/data.feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.manifests import cases_root
from minivess.ml.cases.prepared import load_case
from minivess.ml.reading.case import read_image
from minivess.ml.reading.volume import Limits
from minivess.ml.splits.splits import check_leakage, split
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.source import CaseSource, Data, Synthetic
from minivess.records.data.split import Part, Split
from minivess.records.log.entry import Context

scenarios("data.feature")

SHAPE = (4, 6, 8)
IMAGE = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
MASK = (IMAGE > 600).astype(np.uint16) * 254


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {}


def synthetic(seed: int) -> Data:
    plan = Synthetic(subjects=3, seed=seed, shape=(8, 24, 24))
    return Data(name="small", licence="CC0", source="generator", synthetic=plan)


def write_image(folder: Path, array: np.ndarray = IMAGE) -> None:
    import nibabel

    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.eye(4))
    image.header.set_xyzt_units("unknown")
    nibabel.save(image, folder / "image.nii")


def write_mask(folder: Path, array: np.ndarray = MASK) -> None:
    import tifffile

    tifffile.imwrite(folder / "mask.tif", array, photometric="minisblack")


def record(number: int, subject: str, acquisition: str, image: str) -> CaseRecord:
    return CaseRecord(
        id=f"case-{number}",
        subject=subject,
        acquisition=acquisition,
        shape=SHAPE,
        spacing=(1, 1, 1),
        modality="m",
        image=digest_bytes(image.encode()),
        label=digest_bytes(b""),
        source_dtype="uint8",
        label_values=(0, 1),
        foreground_fraction=0.1,
    )


def manifest(cases: list[CaseRecord]) -> DatasetManifest:
    return DatasetManifest(name="m", licence="x", source="y", cases=tuple(cases), root=cases_root(cases))


@given(parsers.parse("a synthetic data set of 3 subjects made with seed {seed:d}"))
def _made(facts: dict, tmp_path: Path, seed: int) -> None:
    facts["first"] = ingest(synthetic(seed), tmp_path, tmp_path / "data" / "prepared")


@when(parsers.parse("it is made again with seed {seed:d} in another folder"))
def _made_again(facts: dict, tmp_path: Path, seed: int) -> None:
    facts["second"] = ingest(synthetic(seed), tmp_path, tmp_path / f"again-{seed}")


@then("every image and every mask has the same digest")
def _same(facts: dict) -> None:
    assert facts["first"] == facts["second"]


@then("no image has the same digest")
def _different(facts: dict) -> None:
    first, second = ({case.image for case in facts[name].cases} for name in ("first", "second"))
    assert not first & second


@given("an image in NIfTI without a unit of length")
def _nifti(tmp_path: Path) -> None:
    write_image(tmp_path)


@given("its mask in a TIFF stack with the values 0 and 254")
def _tiff(tmp_path: Path) -> None:
    write_mask(tmp_path)


@given("OME-XML that states voxels of 5 by 0.994 by 0.994 micrometres")
def _ome(facts: dict, tmp_path: Path) -> None:
    sizes = (
        'PhysicalSizeX="0.994" PhysicalSizeY="994" PhysicalSizeYUnit="nm" PhysicalSizeZ="0.005" PhysicalSizeZUnit="mm"'
    )
    (tmp_path / "meta.xml").write_text(f"<OME><Image><Pixels {sizes}/></Image></OME>", encoding="utf-8")
    facts["metadata"] = "meta.xml"


@given("an image, a mask and no statement of the voxel size")
def _both(tmp_path: Path) -> None:
    write_image(tmp_path)
    write_mask(tmp_path)


@given("an image, a mask and OME-XML that states voxels of 5 by 0.994 by 0.994 micrometres")
def _all_three(facts: dict, tmp_path: Path) -> None:
    _both(tmp_path)
    _ome(facts, tmp_path)


@given("a project file that states voxels of 5 by 1.2 by 1.2 micrometres")
def _stated(facts: dict) -> None:
    facts["spacing"] = "5 × 1.2 × 1.2 µm"


@given(parsers.parse("a case whose {file} is {flaw}"))
def _flawed(facts: dict, tmp_path: Path, file: str, flaw: str) -> None:
    _both(tmp_path)
    facts["spacing"] = "5 x 1 x 1 um"
    path = tmp_path / {"image": "image.nii", "mask": "mask.tif"}[file]
    if flaw == "cut short":
        path.write_bytes(path.read_bytes()[:-7])
    elif flaw == "a text file":
        path.write_text("these are not voxels\n" * 40, encoding="utf-8")
    elif flaw == "missing":
        path.unlink()
    elif flaw == "of another shape":
        write_mask(tmp_path, MASK[:-1])
    else:
        write_mask(tmp_path, np.abs(np.arange(MASK.size).reshape(SHAPE) - 60).astype(np.uint16))


@when("the case is ingested")
def _ingest(facts: dict, tmp_path: Path) -> None:
    case = {"id": "a", "subject": "s", "image": "image.nii", "label": "mask.tif"}
    case |= {name: facts[name] for name in ("metadata", "spacing") if name in facts}
    data = Data(name="d", licence="CC0", source="t", root=".", cases=(CaseSource.model_validate(case),))
    try:
        facts["manifest"] = ingest(data, tmp_path, tmp_path / "out")
    except RefusedError as error:
        facts["error"] = error


@then("its axes are z, y and x and its spacing is 5 by 0.994 by 0.994 micrometres")
def _axes(facts: dict, tmp_path: Path) -> None:
    assert facts["manifest"].cases[0].spacing == pytest.approx((5, 0.994, 0.994))
    assert np.array_equal(load_case(tmp_path / "out", "a").image, IMAGE)


@then("its mask is binary and the values met are 0 and 254")
def _binary(facts: dict, tmp_path: Path) -> None:
    assert facts["manifest"].cases[0].label_values == (0, 254)
    assert np.array_equal(load_case(tmp_path / "out", "a").label, MASK > 0)


@then(parsers.parse('it is refused with a message that names "{named}" and says "{says}"'))
def _refused(facts: dict, named: str, says: str) -> None:
    error = facts["error"]
    assert named in error.message
    assert says in error.message
    assert "\n" not in error.message
    assert error.hint
    assert error.exit_code == 1


@then("nothing of the case was written")
def _nothing(tmp_path: Path) -> None:
    assert not (tmp_path / "out" / "a").exists()


@then("the hint asks for a spacing with its unit")
def _hint(facts: dict) -> None:
    assert "spacing" in facts["error"].hint
    assert "for example 5 x 1 x 1 µm" in facts["error"].hint


@given("a compressed NIfTI file that unpacks to more voxels than the limit")
def _packed(facts: dict, tmp_path: Path) -> None:
    import nibabel

    facts["limit"] = 64**3
    for name, size in (("over.nii.gz", 65), ("at.nii.gz", 64)):
        nibabel.save(nibabel.Nifti1Image(np.zeros((size, 64, 64), np.uint8), np.eye(4)), tmp_path / name)


@given("a TIFF stack with more voxels than the limit")
def _stack(tmp_path: Path) -> None:
    import tifffile

    for name, size in (("over.tif", 65), ("at.tif", 64)):
        tifffile.imwrite(
            tmp_path / name, np.zeros((size, 64, 64), np.uint8), photometric="minisblack", compression="zlib"
        )


@when("each is read within the limit")
def _read(facts: dict, tmp_path: Path) -> None:
    limits = Limits(voxels=facts["limit"])
    facts["read"] = {}
    for name in ("over.nii.gz", "over.tif", "at.nii.gz", "at.tif"):
        try:
            facts["read"][name] = read_image(tmp_path / name, limits=limits).array.size
        except InputError as error:
            facts["read"][name] = error.message


@then("each is refused because of the limit")
def _over(facts: dict) -> None:
    for name in ("over.nii.gz", "over.tif"):
        assert "more than the 262144 allowed" in str(facts["read"][name])


@then("a file at the limit is read")
def _at(facts: dict) -> None:
    assert facts["read"]["at.nii.gz"] == facts["read"]["at.tif"] == facts["limit"]


@given("6 subjects, of which the first two share an acquisition")
def _shared(facts: dict) -> None:
    facts["data"] = manifest([record(n, f"s{n}", f"a{max(n, 1)}", f"i{n}") for n in range(6)])


@when("the data are split with 40 different seeds")
def _split(facts: dict) -> None:
    facts["splits"] = [split(facts["data"], Split(seed=seed, calibration=1, test=2)) for seed in range(40)]


@then("the first two subjects are never in different parts")
def _together(facts: dict) -> None:
    for made in facts["splits"]:
        assert sum(bool({"case-0", "case-1"} & set(made.part(part))) for part in Part) == 1


@then("no subject is ever in two parts")
def _whole(facts: dict) -> None:
    for made in facts["splits"]:
        assert sorted(case for part in Part for case in made.part(part)) == [f"case-{n}" for n in range(6)]


@given("6 subjects, of which two have the identical image")
def _identical(facts: dict) -> None:
    facts["data"] = manifest([record(n, f"s{n}", f"a{n}", f"i{max(n, 1)}") for n in range(6)])


@when("a split puts one of them in train and the other in test")
def _leak(facts: dict) -> None:
    good = split(facts["data"], Split(calibration=("s5",), test=("s4",)))
    leaking = good.model_copy(update={"train": ("case-0", "case-2", "case-3"), "test": ("case-1", "case-4")})
    facts["errors"] = []
    for attempt in (
        lambda: check_leakage(facts["data"], leaking),
        lambda: split(facts["data"], Split(calibration=("s5",), test=("s1",))),
    ):
        with pytest.raises(RefusedError) as caught:
            attempt()
        facts["errors"].append(caught.value)


@then("the split is refused and both cases are named")
def _both_named(facts: dict) -> None:
    for error in facts["errors"]:
        assert "case-0" in error.message
        assert "case-1" in error.message
        assert error.exit_code == 1


@when("it is versioned with DVC")
def _version(facts: dict, tmp_path: Path) -> None:
    from minivess.ml.versions.data_version import version

    facts["digest"] = version(tmp_path, [tmp_path / "data" / "prepared"])


@then("the digest is the one in DVC's own file and fits into a log entry")
def _dvc(facts: dict, tmp_path: Path) -> None:
    stage = yaml.safe_load((tmp_path / "data" / "prepared.dvc").read_text(encoding="utf-8"))
    assert facts["digest"] == f"md5:{stage['outs'][0]['md5']}"
    assert Context(dvc=facts["digest"]).dvc == facts["digest"]


@when("one voxel of a mask is changed and it is versioned again")
def _changed(facts: dict, tmp_path: Path) -> None:
    path = tmp_path / "data" / "prepared" / "mouse-02" / "label.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    facts["before"] = facts["digest"]
    _version(facts, tmp_path)


@then("the digest is another")
def _another(facts: dict) -> None:
    assert facts["digest"] != facts["before"]
