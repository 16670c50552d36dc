"""Phantoms: images and masks whose truth is known, because they were drawn.

Expected values are counted in whole numbers or written down with the shapes. The stored bytes of phantoms are those that the
generator gave where this version was made: they show that this machine computes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from minivess.foundation.digests import digest_bytes, digest_json
from minivess.foundation.implements import implements
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.source import CaseSource
from minivess.records.data.split import SplitManifest
from minivess.records.evaluation.evaluation import Conventions
from minivess.workflows.qualification.known_answers import stored
from minivess.workflows.qualification.outcomes import CheckRow, Comparisons

if TYPE_CHECKING:
    from minivess.ml.synthesis.volume import SyntheticCase

_SHAPE = (16, 40, 40)
_SPACING = (2.0, 1.0, 1.0)
_EXACT = 1e-12
_CONVENTIONS = Conventions(tolerance=2.0, unit="um")


def _phantom(seed: int = 1, **settings: Any) -> SyntheticCase:
    from minivess.ml.synthesis.parameters import parameters_of
    from minivess.ml.synthesis.volume import synthesise

    return synthesise(seed, parameters_of(shape=_SHAPE, spacing_um=_SPACING, **settings))


@implements("REQ-590")
def _generator(found: Comparisons) -> None:
    """The generator gives the same bytes on every machine."""
    import numpy as np

    for row in stored()["phantoms"]:
        case = _phantom(row["seed"], **row["settings"])
        for part in ("image", "label"):
            array = np.ascontiguousarray(getattr(case, part)).astype(getattr(case, part).dtype.newbyteorder("<"))
            found.same(f"{part} of seed {row['seed']}", digest_bytes(array.tobytes()), row[part])


@implements("REQ-590")
def _files(found: Comparisons) -> None:
    """What is written as files is read back as it was drawn."""
    import numpy as np

    from minivess.ml.reading.case import read_case
    from minivess.ml.synthesis.case_files import nifti, ome_tiff

    case = _phantom()
    writers: dict[str, Callable[[Any], bytes]] = {
        ".ome.tif": lambda array: ome_tiff(array, _SPACING, "phantom"),
        ".nii.gz": lambda array: nifti(array, _SPACING),
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        for suffix, write in writers.items():
            (folder / f"image{suffix}").write_bytes(write(case.image))
            (folder / f"mask{suffix}").write_bytes(write(case.label))
            read = read_case(_source(f"image{suffix}", f"mask{suffix}"), folder)
            found.same(f"shape of {suffix}", read.label.shape, case.label.shape)
            found.same(f"spacing of {suffix}", tuple(map(float, read.spacing)), _SPACING)
            found.holds(f"the image of {suffix} is another one", bool(np.array_equal(read.image, case.image)))
            found.holds(f"the mask of {suffix} is another one", bool(np.array_equal(read.label > 0, case.label > 0)))


@implements("REQ-590")
def _faults(found: Comparisons) -> None:
    """Faults that were put into files are refused."""
    from minivess.ml.reading.case import read_case
    from minivess.ml.synthesis.case_files import ome_tiff

    case = _phantom()
    image, mask = (ome_tiff(array, _SPACING, "phantom") for array in (case.image, case.label))
    faulty = {
        "a mask of another size": (image, ome_tiff(case.label[:-1], _SPACING, "phantom")),
        "a mask of another spacing": (image, ome_tiff(case.label, (1.0, 1.0, 1.0), "phantom")),
        "a mask with undeclared values": (
            image,
            ome_tiff(case.image.clip(0, 255).astype("uint8"), _SPACING, "phantom"),
        ),
        "an image that is cut off": (image[: len(image) // 2], mask),
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        for what, files in faulty.items():
            for stem, content in zip(("image", "mask"), files, strict=True):
                (folder / f"{stem}.ome.tif").write_bytes(content)
            with found.refused(what):
                read_case(_source("image.ome.tif", "mask.ome.tif"), folder)


@implements("REQ-590")
def _leakage(found: Comparisons) -> None:
    """A split in which a subject is in two parts is refused."""
    from minivess.ml.splits.splits import check_leakage

    cases = tuple(_case(f"case-{number}", f"subject-{number // 2}") for number in range(6))
    manifest = DatasetManifest(
        name="phantoms",
        licence="none",
        source="the generator",
        cases=cases,
        root=digest_json([one.model_dump(mode="json") for one in cases]),
    )

    def split(train: str, calibration: str, test: str) -> SplitManifest:
        parts = {
            name: tuple(f"case-{number}" for number in numbers)
            for name, numbers in (("train", train), ("calibration", calibration), ("test", test))
        }
        return SplitManifest(dataset=manifest.root, seed=0, root=manifest.root, **parts)

    check_leakage(manifest, split("01", "23", "45"))
    found.holds("a split by subject was refused", condition=True)
    with found.refused("a subject in training and test"):
        check_leakage(manifest, split("02", "13", "45"))
    with found.refused("a case in no part"):
        check_leakage(manifest, split("01", "23", "4"))


@implements("REQ-590")
def _planted_errors(found: Comparisons) -> None:
    """Voxels that were taken from a known mask, or added to it, are counted."""
    import numpy as np

    from minivess.ml.measures.case_pairs import CasePair
    from minivess.ml.measures.registry import measure_values

    truth = _phantom().label > 0
    voxels, outside = int(truth.sum()), int((~truth).sum())
    for missed, added in ((0, 0), (1, 0), (voxels // 3, 0), (0, 50), (voxels // 4, 25)):
        predicted = truth.copy()
        predicted.ravel()[np.flatnonzero(truth)[:missed]] = False
        predicted.ravel()[np.flatnonzero(~truth)[:added]] = True
        hit, what = voxels - missed, f"{missed} voxels missed and {added} added"
        expected = {
            "dice": 2 * hit / (2 * hit + missed + added),
            "iou": hit / (hit + missed + added),
            "sensitivity": hit / voxels,
            "specificity": (outside - added) / outside,
        }
        values = measure_values(CasePair.of(predicted, truth, _SPACING), _CONVENTIONS, expected)
        for name, value in expected.items():
            found.close(f"{name} with {what}", values[name], value, within=_EXACT)


@implements("REQ-590")
def _shapes(found: Comparisons) -> None:
    """Boxes that were moved by whole voxels have the overlap and the distances of their geometry."""
    import numpy as np

    from minivess.ml.measures.case_pairs import CasePair
    from minivess.ml.measures.registry import measure_values

    size, margin = np.array((7, 9, 11)), 6
    for axis in range(3):
        for moved in range(5):
            reference = np.zeros(size + 2 * margin, bool)
            begin = np.full(3, margin)
            reference[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))] = True
            begin[axis] += moved
            predicted = np.zeros_like(reference)
            predicted[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))] = True
            values = measure_values(CasePair.of(predicted, reference, _SPACING), _CONVENTIONS, ("dice", "hd", "nsd"))
            what = f"a box moved by {moved} along {'zyx'[axis]}"
            away = moved * _SPACING[axis]
            found.close(f"dice of {what}", values["dice"], float(1 - moved / size[axis]), within=_EXACT)
            found.close(f"hd of {what}", values["hd"], away, within=_EXACT)
            if away <= 2.0:
                found.close(f"nsd of {what}", values["nsd"], 1.0, within=_EXACT)
            else:
                found.holds(f"nsd of {what} is 1", values["nsd"] is not None and values["nsd"] < 1.0)


def _source(image: str, mask: str) -> CaseSource:
    return CaseSource(id="phantom", subject="phantom", image=PurePosixPath(image), label=PurePosixPath(mask))


def _case(name: str, subject: str) -> CaseRecord:
    return CaseRecord(
        id=name,
        subject=subject,
        acquisition=name,
        shape=_SHAPE,
        spacing=_SPACING,
        modality="two-photon microscopy",
        image=digest_bytes(f"image of {name}".encode()),
        label=digest_bytes(f"mask of {name}".encode()),
        source_dtype="uint16",
        label_values=(0, 1),
        foreground_fraction=0.1,
    )


PHANTOMS = (
    CheckRow("phantom-bytes", "The generator of phantoms gives the stored bytes", _generator),
    CheckRow("phantom-files", "Images and masks are read back as they were drawn", _files),
    CheckRow("planted-faults", "Faults in image and mask files are refused", _faults),
    CheckRow("subject-leakage", "A split with one subject in two parts is refused", _leakage),
    CheckRow("planted-errors", "Missed and added voxels are counted", _planted_errors),
    CheckRow("moved-shapes", "Moved boxes have the overlap and distances of their geometry", _shapes),
)
"""Checks with data of known truth."""
