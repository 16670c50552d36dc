"""One DICOM file (PS3.10) as a pydicom data set, and its pixels, within limits.

The bytes are read whole first (their number is known), so that a length field in them can ask for no more than there
is. A deflated data set is unpacked within the limits. Compressed frames are decoded by the decoder process, after the
size in each code stream was compared with the one that the attributes announce; pydicom itself decodes native and RLE
frames.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction, lossy, trailing
from minivess.ml.reading.decoders.code_streams import frame_header
from minivess.ml.reading.decoders.dicom_frames import CODECS, decoding
from minivess.ml.reading.deidentification_tables import PLACEHOLDERS
from minivess.ml.reading.formats.ome import one_line
from minivess.ml.reading.volume import Facts, Limits, check_ratio, check_shape, fault_in_words, file_size
from minivess.records.attributes import age_band
from minivess.records.data.dataset import Doubt

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes Segmentation Storage and Label Map Segmentation Storage."""
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_RLE = "1.2.840.10008.1.2.5"
_SMALLEST = 1 << 20
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.81": "near-lossless JPEG-LS",
}
"""Transfer syntaxes that change values (PS3.5, A.4). JPEG 2000 (.91) may or may not: there the attribute says."""
_SEXES = {"F": "female", "M": "male", "O": "other"}
_AGE = re.compile(r"([0-9]{3})([DWMY])")
_IN_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
"""Of the units of an age (PS3.5 6.2, value representation AS)."""


def is_dicom(path: Path) -> bool:
    """Whether a file has the mark of PS3.10 (`DICM` at byte 128)."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dataset(path: Path, limits: Limits) -> Any:
    """Read a file's data set, its pixels not yet decoded.

    Raises:
        InputError: missing, not DICOM, malformed, or packed as a whole.
    """
    file_size(path, limits)
    data = read_limited(path, limit=limits.file_bytes)
    if data[128:132] != b"DICM":
        raise InputError("not a DICOM file", path=path, hint="PS3.10 files have DICM at byte 128")
    with reading(path):
        import pydicom
        from pydicom.filereader import read_dataset as read

        meta = read(io.BytesIO(data[132 : 132 + limits.text_bytes]), False, True, stop_when=_after_meta)
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if syntax == _DEFLATED:
            return _inflated(meta, data, path, limits)
        if syntax not in (*_NATIVE, _RLE, *CODECS):
            raise InputError(
                f"the transfer syntax {_name(syntax)} is not read",
                path=path,
                hint="save it as explicit VR little endian, for example with gdcmconv --raw",
                rule="format-unsupported",
            )
        return pydicom.dcmread(io.BytesIO(data))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever pydicom or highdicom answer to damage becomes one kind of error; what they log and warn is silenced."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except AttributeError as error:
        raise InputError(
            f"the attribute {str(error.name)[:40]} is missing", path=path, hint="export it again"
        ) from None
    except Exception as error:
        # the libraries raise what Python raises on damaged values: a dozen kinds, recursion and memory among them
        raise InputError(f"malformed DICOM: {fault_in_words(error)}", path=path, hint="export the file again") from None
    finally:
        logger.disabled = before


def pixels_of(dataset: Any, path: Path, limits: Limits) -> npt.NDArray[np.generic]:
    """Stored values: (y, x), (frame, y, x), and with colour as a last axis of three.

    Raises:
        InputError: no pixels, fewer or other ones than announced, or beyond the limits.
    """
    if "PixelData" not in dataset:
        raise InputError("no pixels", path=path, hint="choose a series of images")
    rows, columns, frames, samples = announced(dataset, path, limits)
    light = str(dataset.get("PhotometricInterpretation", ""))
    if light not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB") and not light.startswith("YBR"):
        raise InputError(
            f"the photometric interpretation {light[:20]!r} is not read",
            path=path,
            hint="save as MONOCHROME2 or RGB",
            rule="format-unsupported",
        )
    bits = int(dataset.BitsAllocated)
    if bits not in (1, 8, 16, 32):
        raise InputError(f"{bits} bits a pixel", path=path, hint="save with 8 or 16 bits", rule="format-unsupported")
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    packed, needed = len(dataset.PixelData), rows * columns * frames * samples * bits // 8
    if syntax in _NATIVE and packed < needed * (2 / 3 if light == "YBR_FULL_422" else 1):
        raise InputError(
            f"truncated: {packed} of {needed} bytes of pixels",
            path=path,
            hint="copy the file again",
            rule="file-truncated",
        )
    check_ratio(needed, packed, path, limits, coded=syntax in CODECS)
    array = _decoded(dataset, (rows, columns, samples), frames, path)
    if light == "PALETTE COLOR":
        array = _in_colours(array, dataset, path)
        samples = 3
    colour = (3,) if samples == 3 else ()
    expected = (rows, columns, *colour) if frames == 1 else (frames, rows, columns, *colour)
    if array.size != math.prod(expected):
        raise InputError(f"pixels {array.shape} where {expected} are announced", path=path)
    return _from_black(array.reshape(expected), dataset, path) if light == "MONOCHROME1" else array.reshape(expected)


@implements("REQ-283")
def _inflated(meta: Any, data: bytes, path: Path, limits: Limits) -> Any:
    """The data set of a deflated file (PS3.5, A.5), unpacked within the limits."""
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import ExplicitVRLittleEndian

    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    most = min(limits.file_bytes, _SMALLEST + (len(data) - start) * limits.ratio)
    plain = unpacker.decompress(data[start:], most)
    if not unpacker.eof:
        raise InputError(
            "its deflated data set has no end within the limits",
            path=path,
            hint="copy the file again, or unpack it",
            rule="file-truncated",
        )
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = DicomBytesIO()
    stream.write(data[:132])
    write_file_meta_info(stream, meta, enforce_standard=False)
    return dcmread(io.BytesIO(stream.getvalue() + plain))


def _in_colours(array: npt.NDArray[np.generic], dataset: Any, path: Path) -> npt.NDArray[np.generic]:
    """Indices as red, green and blue of 8 bits (PS3.3, C.7.6.3.1.5)."""
    from pydicom.pixels.processing import apply_color_lut

    colours: npt.NDArray[np.generic] = apply_color_lut(array, dataset)
    if colours.shape[-1] != 3:
        raise InputError("a palette with transparency", path=path, hint="save it as RGB", rule="format-unsupported")
    return (colours.astype(np.uint16) >> 8).astype(np.uint8) if colours.dtype.itemsize == 2 else colours


def _from_black(array: npt.NDArray[np.generic], dataset: Any, path: Path) -> npt.NDArray[np.generic]:
    """Values that count from white to black (MONOCHROME1), turned round within the bits that are stored."""
    rescaled = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    if rescaled != (1.0, 0.0):
        raise InputError(
            "MONOCHROME1 with rescaled values", path=path, hint="save as MONOCHROME2", rule="format-unsupported"
        )
    stored = int(dataset.get("BitsStored", dataset.BitsAllocated))
    top = -1 if array.dtype.kind == "i" else 2**stored - 1
    return np.asarray(top - array, dtype=array.dtype)


def doubts_of(dataset: Any) -> tuple[Doubt, ...]:
    """What makes the pixels doubtful: lossy compression now or before, and bytes that no frame uses."""
    found: tuple[Doubt, ...] = ()
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if str(dataset.get("LossyImageCompression", "")).strip() == "01":
        found = (lossy("LossyImageCompression is 01"),)
    elif syntax in _LOSSY:
        found = (lossy(_LOSSY[syntax]),)
    if syntax not in _NATIVE or str(dataset.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        return found
    pixels = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames", 1) or 1)
    needed = -(-pixels * int(dataset.get("SamplesPerPixel", 1)) * int(dataset.BitsAllocated) // 8)
    return (*found, *trailing(max(len(dataset.PixelData) - needed - needed % 2, 0), "the pixels of the last frame"))


def announced(dataset: Any, path: Path, limits: Limits) -> tuple[int, int, int, int]:
    """Rows, columns, frames and samples a pixel, within the limits.

    Raises:
        InputError: missing, impossible or too many.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    frames, samples = int(dataset.get("NumberOfFrames", 1) or 1), int(dataset.get("SamplesPerPixel", 1))
    if samples not in (1, 3) or not 1 <= frames <= limits.pages:
        raise InputError(
            f"{frames} frames of {samples} values a pixel",
            path=path,
            hint="split the series",
            rule="format-unsupported",
        )
    check_shape((frames, rows, columns), path, limits, colours=samples)
    return rows, columns, frames, samples


@implements("REQ-414")
def facts_of(dataset: Any) -> Facts:
    """How a picture was made; study and series become short digests of their UIDs, and the age becomes a band."""
    words = [str(dataset.get(name, "") or "") for name in ("Manufacturer", "ManufacturerModelName")]
    maker = " ".join(word for word in words if word.strip().lower() not in PLACEHOLDERS)
    study, series, frame = (
        str(dataset.get(name, "") or "") for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    )
    return Facts(
        modality=one_line(str(dataset.get("Modality", "") or "")),
        scanner=one_line(maker),
        origin=f"study-{short_digest(study)}" if study else None,
        acquisition=f"series-{short_digest(series)}" if series else None,
        frame=short_digest(frame) if frame else None,
        sex=_SEXES.get(str(dataset.get("PatientSex", "") or "").strip()),
        age=_age_band(str(dataset.get("PatientAge", "") or "").strip()),
    )


def _age_band(text: str) -> str | None:
    """The band of an age as DICOM writes it (PS3.5 6.2, AS): `063Y`, `018M`; None where it is none."""
    found = _AGE.fullmatch(text)
    return None if found is None else age_band(int(found[1]) / _IN_A_YEAR[found[2]])


def short_digest(uid: str) -> str:
    """Twelve hexadecimal digits that stand for a UID."""
    return hashlib.sha256(uid.encode("utf-8")).hexdigest()[:12]


def _after_meta(tag: Any, _vr: str | None, _length: int) -> bool:
    return bool(tag.group != 2)


def _name(syntax: str) -> str:
    from pydicom.uid import UID

    known = UID(syntax).name if syntax else "(none)"
    return f"{known[:60]!r}"


def _decoded(dataset: Any, size: tuple[int, int, int], frames: int, path: Path) -> npt.NDArray[np.generic]:
    from pydicom.pixels.utils import pixel_array

    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax not in CODECS:
        native: npt.NDArray[np.generic] = pixel_array(dataset)
        return native
    _check_streams(dataset, size, frames, path)
    with decoding(syntax, path) as plugin:
        array: npt.NDArray[np.generic] = pixel_array(dataset, decoding_plugin=plugin)
    return array


def _check_streams(dataset: Any, size: tuple[int, int, int], frames: int, path: Path) -> None:
    """The code stream of every frame must announce the size (rows, columns, samples) that the attributes announce."""
    from pydicom.encaps import generate_frames

    found = 0
    for found, frame in enumerate(generate_frames(dataset.PixelData, number_of_frames=frames), start=1):
        if found > frames:
            raise InputError(f"more than the {frames} frames announced", path=path, rule="file-malformed")
        try:
            header = frame_header(frame)
        except ValueError as error:
            raise InputError(
                f"frame {found} is not read: {error}",
                path=path,
                hint="export the file again",
                rule="format-unsupported",
            ) from None
        stated = (header.rows, header.columns, header.samples)
        if stated != size:
            raise InputError(f"frame {found} holds {stated} values where {size} are announced", path=path)
        if header.bits > int(dataset.BitsAllocated):
            raise contradiction(
                "voxel-type",
                f"frame {found} has {header.bits} bits a value, and BitsAllocated is {dataset.BitsAllocated}",
                path,
            )
    if found < frames:
        raise InputError(
            f"truncated: {found} of {frames} frames", path=path, hint="copy the file again", rule="file-truncated"
        )
