"""From a file, or an image with its mask, to arrays with a known place and meaning.

The files of a case, OME-XML beside them and the project must agree (`agreement`). A volume needs a spacing; a picture
without one is measured in pixels. What may say who is in the picture is refused unless the project says why it is
accepted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.reading.agreement import CaseFile, Statement, agree
from minivess.ml.reading.contradictions import contradiction, precision
from minivess.ml.reading.formats.dicom_file import is_dicom
from minivess.ml.reading.formats.dicom_seg import is_segmentation, read_segmentation
from minivess.ml.reading.formats.dicom_series import files_of, read_series
from minivess.ml.reading.formats.nifti import pair_of, read_nifti
from minivess.ml.reading.formats.nrrd import read_nrrd
from minivess.ml.reading.formats.numpy_array import read_npy
from minivess.ml.reading.formats.ome import read_ome
from minivess.ml.reading.formats.png_jpeg import read_picture
from minivess.ml.reading.formats.tiff.reader import read_tiff
from minivess.ml.reading.geometry import Affine, lay_on
from minivess.ml.reading.masks import FOREGROUND, Mask, dice, normalise
from minivess.ml.reading.volume import LIMITS, Facts, Limits, Spacing, Volume
from minivess.records.data.dataset import MOST_CHANNELS, Axes, Doubt, LabelClass, Unit
from minivess.records.data.source import CaseSource, StatedUnit
from minivess.records.lengths import in_micrometres

_READERS = {
    (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"): read_nifti,
    (".tif", ".tiff"): read_tiff,
    (".nrrd",): read_nrrd,
    (".png", ".jpg", ".jpeg"): read_picture,
    (".npy",): read_npy,
    (".dcm", ".dicom", ".ima"): read_series,
}
FORMATS = "NIfTI, TIFF, NRRD, DICOM, PNG, JPEG and .npy"
_NAMED = 6
_MEND = "export the file again from its source, or leave the case out"


@dataclass(frozen=True)
class Case:
    """An image with its mask.

    Attributes:
        image: float32 in the order of `axes`, finite, in the units of the source.
        label: uint8 on the spatial axes; values of `classes`, 0 is background.
        axes: names of the image's axes.
        spacing: distance between neighbours along each spatial axis, in `unit`.
        unit: micrometres, or pixels where no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        modality: how the image was taken, where the file says.
        facts: what else the image's file says of how it was made.
        source_format: name of the image's format.
        source_dtype: type of the voxels in the image's file.
        label_values: values met in the mask before it was normalised.
        classes: what the mask's values mean.
        channels: names of the channels, where there are several that are no colours.
        reader_agreement: Dice with the second reader's mask, where there is one.
        second: the second reader's mask, likewise.
        identifiers: places in the sources that may say who is in it, accepted by the project.
        notes: what was changed.
        doubts: what makes the sources doubtful, under rules of data validation.
    """

    image: npt.NDArray[np.float32]
    label: npt.NDArray[np.uint8]
    axes: Axes
    spacing: Spacing
    source_format: str
    source_dtype: str
    label_values: tuple[int, ...]
    unit: Unit = "um"
    affine: Affine | None = None
    facts: Facts = field(default_factory=Facts)
    classes: tuple[LabelClass, ...] = FOREGROUND
    channels: tuple[str, ...] = ()
    reader_agreement: float | None = None
    second: npt.NDArray[np.uint8] | None = None
    identifiers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@implements("REQ-011", "REQ-012", "REQ-076", "REQ-078", "RC-10")
def read_image(path: Path, *, limits: Limits = LIMITS) -> Volume:
    """Read one picture or volume; `path` is a file, or the folder of a DICOM series.

    Raises:
        InputError: an unknown kind of file, or one that is malformed, truncated or beyond the limits.
    """
    if path.is_dir():
        return read_series(path, limits)
    name = path.name.lower()
    for suffixes, read in _READERS.items():
        if name.endswith(suffixes):
            return read(path, limits)
    if not path.suffix and is_dicom(path):
        return read_series(path, limits)
    raise InputError("an unknown kind of image", path=path, hint=f"{FORMATS} are read", rule="format-unknown")


def source_files(path: Path, *, limits: Limits = LIMITS) -> list[Path]:
    """The files that belong to an image path: itself, the two of a NIfTI pair, or the DICOM files of a folder.

    Raises:
        InputError: a file of a pair is missing, or a folder has no or too many DICOM files.
    """
    pair = None if path.is_dir() else pair_of(path)
    return list(pair) if pair is not None else files_of(path, limits)


@implements("REQ-011", "REQ-012", "REQ-076")
def read_case(
    source: CaseSource,
    root: Path,
    *,
    classes: tuple[LabelClass, ...] = (),
    accept_identifiers: str | None = None,
    unit: StatedUnit | None = None,
    limits: Limits = LIMITS,
) -> Case:
    """Read the image and the mask of one case.

    Args:
        source: paths, relative to `root`, and what is stated of the case.
        root: folder of the data; paths that leave it are refused.
        classes: what the project declares of the mask's values; none: what the file declares, or one class.
        accept_identifiers: why data that may identify a person are accepted; None: they are not.
        unit: what the project says of headers that name no unit.
        limits: how much is taken in.

    Raises:
        InputError: a file is malformed; shapes, places or spacings disagree; no spacing is known; the image is not
            finite; or the mask is not one of classes.
        RefusedError: a file may say who is in the picture, and nothing states why that is accepted.
    """
    with named_below(root):
        case = _read_case(source, root, classes, unit, limits)
    if case.identifiers and accept_identifiers is None:
        more = f" and {len(case.identifiers) - _NAMED} more" if len(case.identifiers) > _NAMED else ""
        raise RefusedError(
            f"case {source.id} may identify a person: {', '.join(case.identifiers[:_NAMED])}{more}",
            hint='remove them from the files, or state data.accept_identifiers: "why" in minivess.yaml',
        )
    return case


@contextmanager
def named_below(root: Path) -> Iterator[None]:
    """Name files in refusals below the folder of the data: the log has no folders of this machine."""
    try:
        yield
    except InputError as error:
        if error.path is None or not error.path.is_relative_to(root):
            raise
        message = error.message.removeprefix(f"{error.path}{f':{error.line}' if error.line else ''}: ")
        raise InputError(
            message, path=error.path.relative_to(root), line=error.line, hint=error.hint or _MEND, rule=error.rule
        ) from None


def _read_case(
    source: CaseSource, root: Path, classes: tuple[LabelClass, ...], unit: StatedUnit | None, limits: Limits
) -> Case:
    image_path, label_path = _inside(root, source.image.as_posix()), _inside(root, source.label.as_posix())
    image = in_colours(read_image(image_path, limits=limits), image_path)
    files = [
        CaseFile("the image", image_path, image),
        CaseFile("the mask", label_path, _open_mask(label_path, limits)),
    ]
    if source.second_label is not None:
        second_path = _inside(root, source.second_label.as_posix())
        files.append(CaseFile("the second mask", second_path, _open_mask(second_path, limits)))
    for one in files:
        check_channels(one)
    notes, identifiers, facts = list(image.notes), list(image.identifiers), image.facts
    stated = []
    if source.metadata is not None:
        metadata = _inside(root, source.metadata.as_posix())
        ome = read_ome(metadata, limits=limits)
        ome.check_sizes(image.grid, metadata)
        found = ome.spacing("ZYX"[-len(image.grid) :], metadata)
        if found is not None:
            stated.append(Statement(metadata.name, metadata, found))
        if source.spacing is None and (found is None or len(found) < len(image.grid)):
            raise InputError(
                "no Pixels element states every PhysicalSize",
                path=metadata,
                hint="state `spacing` for the case, for example 5 x 1 x 1 µm",
                rule="spacing-unknown",
            )
        facts = dataclasses.replace(
            facts, scanner=facts.scanner or ome.facts.scanner, origin=facts.origin or ome.facts.origin
        )
        identifiers += ome.traces.identifiers
        notes += ome.traces.risks
    if source.spacing is not None:
        axes = len(image.grid)
        if len(source.spacing) != axes:
            order = "z, y, x" if axes == 3 else "y, x"
            raise InputError(f"case {source.id}: spacing must be {axes} lengths ({order})", rule="case-list")
        stated.append(Statement("minivess.yaml", image_path, in_micrometres(source.spacing)))
    notes += _check_frames(files)
    agreed = agree(source.id, files, stated, unit)
    image = agreed.volumes[0]
    masks = [
        _on_grid(volume, image, one.path, classes) for volume, one in zip(agreed.volumes[1:], files[1:], strict=True)
    ]
    grey = finite(image, image_path)
    mask, spacing = masks[0], agreed.spacing
    return Case(
        grey,
        mask.array,
        image.axes,
        spacing if spacing is not None else tuple(1.0 for _ in image.grid),
        image.format,
        image.dtype,
        mask.values,
        unit="px" if spacing is None else "um",
        affine=None if image.spacing is None else image.affine,
        facts=facts,
        classes=mask.classes,
        channels=image.channels,
        reader_agreement=dice(mask.array, masks[1].array) if len(masks) > 1 else None,
        second=masks[1].array if len(masks) > 1 else None,
        identifiers=tuple(dict.fromkeys([*identifiers, *(at for one in files[1:] for at in one.volume.identifiers)])),
        notes=tuple(dict.fromkeys([*notes, *mask.notes, *agreed.notes])),
        doubts=tuple(dict.fromkeys((*image.doubts, *_of_masks(files[1:]), *precision(image.array, grey)))),
    )


@implements("REQ-290")
def check_channels(one: CaseFile) -> None:
    """An image has as many channels as a network can take; a mask has one value a voxel.

    Raises:
        InputError: the message names the channels.
    """
    channels, mask = one.volume.channels, one.role != "the image"
    if len(channels) <= (1 if mask else MOST_CHANNELS):
        return
    named = ", ".join(channels[:_NAMED]) + (", …" if len(channels) > _NAMED else "")
    most = "a mask has one" if mask else f"a case has at most {MOST_CHANNELS}"
    raise InputError(
        f"{one.role} has {len(channels)} channels ({named}), and {most}",
        path=one.path,
        hint="save the mask as one value a voxel" if mask else "leave out channels that are not needed",
        rule="mask-values" if mask else "limits",
    )


@implements("REQ-286", "RC-128")
def _check_frames(files: list[CaseFile]) -> list[str]:
    """Positions of image and mask must be of one frame of reference (PS3.3, C.7.4.1); notes name the file that is silent.

    Raises:
        InputError: they state two.
    """
    notes, image = [], files[0]
    for one in files[1:]:
        first, other = image.volume.facts.frame, one.volume.facts.frame
        if first is not None and other is not None and first != other:
            raise contradiction(
                "frame-of-reference",
                f"its FrameOfReferenceUID is not that of {image.path.name}, so its positions are of another space",
                one.path,
                "use the mask that was drawn on this image",
            )
        if one.volume.placed and None in (first, other):
            silent = image.role if first is None else one.role
            notes.append(f"{silent} states no frame of reference: it is taken to be that of the other file")
    return notes


def _of_masks(files: list[CaseFile]) -> Iterator[Doubt]:
    for one in files:
        for doubt in one.volume.doubts:
            yield Doubt(rule=doubt.rule, message=f"{one.role}: {doubt.message}"[:200])


def _open_mask(path: Path, limits: Limits) -> Volume:
    if path.is_file() and is_dicom(path) and is_segmentation(path, limits):
        return read_segmentation(path, limits)
    return read_image(path, limits=limits)


def _on_grid(label: Volume, image: Volume, path: Path, classes: tuple[LabelClass, ...]) -> Mask:
    """A mask in its normal form, on the image's grid; that both agree was checked before."""
    if label.placed:
        label = dataclasses.replace(label, array=lay_on(label, image, path))
    mask = normalise(label, path, classes)
    return dataclasses.replace(mask, array=mask.array.reshape(image.grid))


def finite(image: Volume, path: Path) -> npt.NDArray[np.float32]:
    """The values of an image in single precision, contiguous.

    Raises:
        InputError: a value is NaN or infinite.
    """
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(image.array, dtype="<f4")
    if not np.isfinite(values).all():
        raise InputError(
            "the image holds NaN or infinite voxels",
            path=path,
            hint="replace them before ingest",
            rule="image-finite",
        )
    return values


def in_colours(image: Volume, path: Path) -> Volume:
    """An indexed image in its colours, or in grey where its palette has no others."""
    if image.palette is None:
        return image
    if int(image.array.max()) >= len(image.palette):
        raise InputError(
            "an index beyond the palette", path=path, hint="save the image as grey or colour", rule="file-malformed"
        )
    colours = image.palette[image.array]
    notes = (*image.notes, "the palette was resolved")
    if (image.palette == image.palette[:, :1]).all():
        return dataclasses.replace(image, array=colours[..., 0], palette=None, notes=notes)
    axes: Axes = "yxc" if image.axes == "yx" else "zyxc"
    return dataclasses.replace(image, array=colours, axes=axes, palette=None, notes=notes)


def _inside(root: Path, relative: str) -> Path:
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(
            "a path that leaves the data folder",
            path=relative,
            hint="put the file below data.root",
            rule="path-outside",
        )
    return path
