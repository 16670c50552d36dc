"""Small valid files of every format that is read, and ways to damage them."""

from __future__ import annotations

import gzip
import io
import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minivess.ml.reading.case import read_image
from minivess.ml.reading.formats.dicom_seg import read_segmentation
from minivess.ml.reading.formats.ome import read_ome
from minivess.ml.reading.geometry import lay_on
from minivess.ml.reading.sources import read_table
from minivess.ml.reading.volume import Limits, Volume

GREY = np.random.default_rng(0).integers(0, 60000, (3, 5, 7)).astype(np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (9, 11, 3)).astype(np.uint8)
LIMITS = Limits(voxels=1 << 20, file_bytes=1 << 22, text_bytes=1 << 20, pages=64)
UID = "1.2.826.0.1.3680043.8.498"
OME_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><OME><Image Name="mouse7.oib"><Pixels PhysicalSizeX="0.5" '
    'PhysicalSizeY="0.5" PhysicalSizeZ="2" SizeZ="3"><Channel ID="c"/></Pixels></Image></OME>'
)
TABLE = "id,image,label,subject,spacing_z_um,spacing_y_um,spacing_x_um\n" + "".join(
    f"c{n},images/{n}.tif,labels/{n}.tif,s{n},2,1,1\n" for n in range(8)
)


def _nifti(kind: str = "Nifti1Image") -> bytes:
    import nibabel

    image = getattr(nibabel, kind)(GREY.transpose(2, 1, 0), np.diag([1.0, 2.0, 3.0, 1.0]))
    image.header.set_xyzt_units("micron")
    return bytes(image.to_bytes())


def _tiff(array: np.ndarray = GREY, **options: Any) -> bytes:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **{"photometric": "minisblack", **options})
    return stream.getvalue()


def _picture(array: np.ndarray, kind: str, **options: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    image = Image.fromarray(array)
    if options.pop("palette", False):
        image = image.convert("P")
    image.save(stream, kind, **options)
    return stream.getvalue()


def _nrrd(encoding: str) -> bytes:
    head = (
        f"NRRD0004\ntype: uint16\ndimension: 3\nspace: left-posterior-superior\nsizes: 7 5 3\nendian: little\n"
        f"encoding: {encoding}\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (0,0,0)\n"
        'space units: "mm" "mm" "mm"\nkinds: domain domain domain\n\n'
    )
    data = GREY.astype("<u2").tobytes()
    return head.encode("ascii") + (gzip.compress(data, mtime=0) if encoding == "gzip" else data)


def slice_of(z: float, array: np.ndarray = GREY[0], *, number: int = 1, series: str = f"{UID}.2", **fields: Any) -> Any:
    """A CT slice as pydicom data set, 0.5 mm by 0.25 mm, lying at `z` mm."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID as DicomId  # noqa: N811
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = DicomId(f"{series}.{number}")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = f"{UID}.1", series, f"{UID}.3"
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "CT", "Maker", "One"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "", "", "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber, dataset.StudyID = "", "", "", ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 4, number
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [10.0, 20.0, z], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.5, 0.25], 2.0
    dataset.Rows, dataset.Columns = array.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * array.dtype.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsAllocated - 1, int(array.dtype.kind == "i")
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = array.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def dicom_bytes(dataset: Any, *, compress: str = "") -> bytes:
    """A data set as the bytes of a file."""
    if compress:
        dataset.compress(compress)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def series() -> list[Any]:
    """Four slices, 2 mm apart."""
    stack = [GREY[0], GREY[1], GREY[2], GREY[0]]
    return [slice_of(2.0 * n, plane, number=n + 1) for n, plane in enumerate(stack)]


def segmentation(mask: np.ndarray, names: tuple[str, ...] = ("vessel",), kind: str = "BINARY") -> bytes:
    """A segmentation of `series()` as highdicom writes it; `mask` is (z, y, x) of segment numbers."""
    import highdicom
    from highdicom.sr import CodedConcept

    tissue = CodedConcept("85756007", "SCT", "Tissue")
    segments = [
        highdicom.seg.SegmentDescription(number, name, tissue, tissue, "MANUAL")
        for number, name in enumerate(names, start=1)
    ]
    made = highdicom.seg.Segmentation(
        source_images=series(),
        pixel_array=mask.astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=segments,
        series_instance_uid=f"{UID}.9",
        series_number=9,
        sop_instance_uid=f"{UID}.9.1",
        instance_number=1,
        manufacturer="Maker",
        manufacturer_model_name="Two",
        software_versions="1",
        device_serial_number="none",
    )
    return dicom_bytes(made)


def _mask() -> np.ndarray:
    mask = np.zeros((4, 5, 7), np.uint8)
    mask[1:3, 2:4, 1:6] = 1
    return mask


def _bilevel() -> np.ndarray:
    return (GREY[0] > 30000).astype(np.uint8) * 255


_MAKERS: dict[str, Callable[[], bytes]] = {
    "nii": _nifti,
    "2.nii": lambda: _nifti("Nifti2Image"),
    "nii.gz": lambda: gzip.compress(_nifti(), mtime=0),
    "npy": lambda: _npy(GREY),
    "tif": lambda: _tiff(compression="zlib", predictor=True),
    "stored.tif": lambda: _tiff(GREY),
    "big.tif": lambda: _tiff(bigtiff=True, byteorder=">"),
    "rgb.tif": lambda: _tiff(COLOUR, photometric="rgb"),
    "lzw.tif": lambda: _picture(np.tile(_bilevel(), (4, 4)), "TIFF", compression="tiff_lzw"),
    "ome.tif": lambda: _tiff(ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 1.0}),
    "nrrd": lambda: _nrrd("raw"),
    "gz.nrrd": lambda: _nrrd("gzip"),
    "png": lambda: _picture(_bilevel(), "PNG"),
    "16.png": lambda: _picture(GREY[0], "PNG"),
    "rgb.png": lambda: _picture(COLOUR, "PNG"),
    "p.png": lambda: _picture(COLOUR, "PNG", palette=True),
    "jpg": lambda: _picture(_bilevel(), "JPEG"),
    "rgb.jpg": lambda: _picture(COLOUR, "JPEG", progressive=True),
    "dcm": lambda: dicom_bytes(slice_of(1.0)),
    "rle.dcm": lambda: dicom_bytes(slice_of(1.0), compress="1.2.840.10008.1.2.5"),
    "j2k.dcm": lambda: dicom_bytes(_jpeg2000()),
    "zstd.tif": lambda: _tiff(GREY, compression="zstd"),
    "jpeg.tif": lambda: _tiff(COLOUR, photometric="rgb", compression="jpeg"),
    "jls.dcm": lambda: dicom_bytes(_encapsulated("jpegls_encode", "80")),
    "ljpeg.dcm": lambda: dicom_bytes(_encapsulated("ljpeg_encode", "70")),
    "seg.dcm": lambda: segmentation(_mask()),
    "xml": lambda: OME_XML.encode("utf-8"),
    "csv": lambda: TABLE.encode("utf-8"),
}
KINDS = tuple(_MAKERS)


@cache
def valid(kind: str) -> bytes:
    """The bytes of a valid file of a kind."""
    return _MAKERS[kind]()


@cache
def _series_volume(folder: Path) -> Volume:
    for dataset in series():
        (folder / f"{dataset.InstanceNumber}.dcm").write_bytes(dicom_bytes(dataset))
    return read_image(folder, limits=LIMITS)


def read(kind: str, path: Path, folder: Path) -> Any:
    """Read a file of a kind with the reader that it is for; `folder` keeps what a segmentation is laid on."""
    if kind == "xml":
        return read_ome(path, limits=LIMITS).spacing("ZYX", path)
    if kind == "csv":
        return read_table(path, shown=path.name)
    if kind == "seg.dcm":
        return lay_on(read_segmentation(path, LIMITS), _series_volume(folder), path)
    volume = read_image(path, limits=LIMITS)
    np.asarray(volume.array).sum()
    return volume


def damage(content: bytes, chance: random.Random) -> bytes:
    """One to four flipped bytes, numbers put to their extremes, pieces cut, doubled or moved, or the end cut off."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        near = chance.random() < 0.7
        at = chance.randrange(min(len(made), 800) if near else len(made))
        how = chance.randrange(7)
        if how == 0:
            made[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            made[at] = chance.choice((0, 1, 127, 128, 255))
        elif how in (2, 3):
            size = chance.choice((2, 4, 8))
            number = chance.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1) - 1, chance.getrandbits(8 * size)))
            packed = struct.pack(chance.choice("<>") + {2: "H", 4: "I", 8: "Q"}[size], number)
            made[at : at + size] = packed[: len(made) - at]
        elif how == 4:
            del made[at : at + chance.randint(1, 16)]
        elif how == 5:
            made[at:at] = made[at : at + chance.randint(1, 64)]
        else:
            del made[chance.randrange(1, len(made)) if len(made) > 1 else 1 :]
        if not made:
            return b"\0"
    return bytes(made)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _jpeg2000() -> Any:
    from PIL import Image
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    array = np.tile(GREY[0].astype(np.uint8), (8, 8))
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG2000", no_jp2=True)
    dataset = slice_of(1.0, array)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    return dataset


def _encapsulated(codec: str, syntax: str) -> Any:
    import imagecodecs
    from pydicom.encaps import encapsulate

    dataset = slice_of(1.0)
    dataset.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
    dataset.PixelData = encapsulate([getattr(imagecodecs, codec)(GREY[0])])
    dataset["PixelData"].VR = "OB"
    return dataset
