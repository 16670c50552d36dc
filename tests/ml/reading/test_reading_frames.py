"""Compressed frames: the codecs agree with other writers, and whatever a frame does ends in one error and a new process."""

from __future__ import annotations

import io
import os
import random
import signal
from pathlib import Path
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_image
from minivess.ml.reading.decoders import frames
from minivess.ml.reading.decoders.code_streams import frame_header
from minivess.ml.reading.decoders.frames import Packed, decode
from tests.support.builders import specimens

pytestmark = [pytest.mark.verifies("SU-25"), pytest.mark.verifies("REQ-284")]

RANDOM = np.random.default_rng(5)
GREY = {
    bits: RANDOM.integers(0, 2**bits, (19, 23)).astype(np.uint8 if bits == 8 else np.uint16) for bits in (8, 12, 16)
}
COLOUR = RANDOM.integers(0, 256, (19, 23, 3)).astype(np.uint8)
_JPEG = "1.2.840.10008.1.2.4."


def encapsulated(stream: bytes, array: np.ndarray, syntax: str, **fields: Any) -> bytes:
    """A DICOM file of one frame."""
    from pydicom.encaps import encapsulate

    dataset = specimens.slice_of(0.0, array, **fields)
    dataset.file_meta.TransferSyntaxUID = f"{_JPEG}{syntax}"
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    return specimens.dicom_bytes(dataset)


def read(folder: Path, content: bytes, name: str = "v.dcm") -> Any:
    (folder / name).write_bytes(content)
    return read_image(folder / name)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("syntax", "write"),
    [
        ("70", lambda array, bits: imagecodecs.ljpeg_encode(array, bitspersample=bits)),
        ("57", lambda array, bits: imagecodecs.jpeg8_encode(array, lossless=True, bitspersample=bits, predictor=4)),
        ("80", lambda array, bits: bytes(jpeg_ls.encode_array(array))),
        ("81", lambda array, bits: imagecodecs.jpegls_encode(array, bitspersample=bits)),
        ("90", lambda array, bits: imagecodecs.jpeg2k_encode(array, level=0, reversible=True, bitspersample=bits)),
    ],
)
def test_lossless_frames_have_the_values_that_were_written(tmp_path: Path, bits: int, syntax: str, write: Any) -> None:
    stored = {"BitsStored": bits, "HighBit": bits - 1}
    volume = read(tmp_path, encapsulated(write(GREY[bits], bits), GREY[bits], syntax, **stored))
    assert volume.array.dtype == GREY[bits].dtype
    assert np.array_equal(volume.array, GREY[bits])


@pytest.mark.parametrize("syntax", ["70", "80"])
def test_signed_values_keep_their_sign(tmp_path: Path, syntax: str) -> None:
    signed = (GREY[12].astype(np.int32) - 2048).astype(np.int16)
    plain = (signed.view(np.uint16) & 0xFFF).astype(np.uint16)
    write = {"70": imagecodecs.ljpeg_encode, "80": imagecodecs.jpegls_encode}[syntax]
    content = encapsulated(write(plain, bitspersample=12), signed, syntax, BitsStored=12, HighBit=11)
    assert np.array_equal(read(tmp_path, content).array, signed)


@pytest.mark.parametrize("interleaved", [0, 1, 2])
def test_colours_of_jpeg_ls_are_read_by_plane_line_and_pixel(tmp_path: Path, interleaved: int) -> None:
    array = np.ascontiguousarray(np.moveaxis(COLOUR, -1, 0)) if interleaved == 0 else COLOUR
    stream = bytes(jpeg_ls.encode_array(array, interleave_mode=interleaved))
    fields = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    volume = read(tmp_path, encapsulated(stream, COLOUR, "80", **fields))
    assert volume.axes == "yxc"
    assert np.array_equal(volume.array, COLOUR)
    assert not volume.lossy


def test_lossy_jpeg_is_near_and_says_so(tmp_path: Path) -> None:
    from PIL import Image

    smooth = np.add.outer(np.arange(40), np.arange(48))[..., None] + np.array([0, 40, 80])
    stream = io.BytesIO()
    Image.fromarray(smooth.astype(np.uint8)).save(stream, "JPEG", quality=95, subsampling=0)
    fields = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    volume = read(tmp_path, encapsulated(stream.getvalue(), smooth.astype(np.uint8), "50", **fields))
    assert np.abs(volume.array.astype(int) - smooth).max() < 6
    assert volume.lossy
    deep = (smooth[..., 0] * 20).astype(np.uint16)
    stream_12 = imagecodecs.jpeg8_encode(deep, 99, bitspersample=12)
    volume = read(tmp_path, encapsulated(stream_12, deep, "51", BitsStored=12, HighBit=11))
    assert np.abs(volume.array.astype(int) - deep).max() < 40
    assert volume.lossy


@pytest.mark.verifies("REQ-281", "RC-128")
def test_a_code_stream_of_another_size_or_type_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    stream = imagecodecs.jpegls_encode(GREY[16])
    wrong = encapsulated(stream, GREY[16][:, :22], "80")
    with pytest.raises(InputError, match=r"frame 1 holds \(19, 23, 1\) values where \(19, 22, 1\)"):
        read(tmp_path, wrong)
    with pytest.raises(InputError, match="16 bits a value, and BitsAllocated is 8") as caught:
        read(tmp_path, encapsulated(stream, GREY[8], "80"))
    assert caught.value.rule == "voxel-type"
    with pytest.raises(InputError, match="truncated: 1 of 2 frames"):
        read(tmp_path, encapsulated(stream, GREY[16], "80", NumberOfFrames=2))
    with pytest.raises(InputError, match="truncated: it has no end of image"):
        read(tmp_path, encapsulated(stream[:-40], GREY[16], "80"))
    with pytest.raises(InputError, match="no mark of JPEG"):
        read(tmp_path, encapsulated(b"nonsense", GREY[16], "80"))


def test_frame_headers_name_bits_size_and_whether_values_are_exact() -> None:
    header = frame_header(imagecodecs.jpegls_encode(GREY[12], bitspersample=12))
    assert (header.bits, header.rows, header.columns, header.samples, header.exact) == (12, 19, 23, 1, True)
    assert not frame_header(imagecodecs.jpegls_encode(GREY[12], level=2)).exact
    assert not frame_header(imagecodecs.jpeg8_encode(COLOUR)).exact
    assert frame_header(imagecodecs.jpeg8_encode(COLOUR, lossless=True)).exact
    header = frame_header(imagecodecs.jpeg2k_encode(COLOUR, level=0))
    assert (header.bits, header.rows, header.columns, header.samples) == (8, 19, 23, 3)


def grey(data: bytes, **changes: Any) -> Packed:
    return Packed(**{"codec": "jpeg-ls", "data": data, "shape": (19, 23, 1), "dtype": np.dtype(np.uint16)} | changes)


STREAM = imagecodecs.jpegls_encode(GREY[16])


@pytest.mark.verifies("RC-129")
def test_one_process_serves_all_frames_and_a_killed_one_is_replaced(tmp_path: Path) -> None:
    decode(grey(STREAM), "a frame", tmp_path)
    first = frames.DECODERS._process
    assert first is not None
    decode(grey(STREAM), "a frame", tmp_path)
    assert frames.DECODERS._process is first
    os.kill(first.pid, signal.SIGKILL)
    assert np.array_equal(decode(grey(STREAM), "a frame", tmp_path)[..., 0], GREY[16])
    assert frames.DECODERS._process is not first


@pytest.mark.verifies("RC-129")
def test_a_frame_that_ends_the_process_is_one_error_and_the_next_frame_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = "minivess.foundation.processes"  # a package cannot be run, so its process ends at once
    monkeypatch.setattr(frames, "MODULE", ended)
    frames.DECODERS.close()
    with pytest.raises(InputError, match="a frame ended the decoder process") as caught:
        decode(grey(STREAM), "a frame", tmp_path / "v.dcm")
    assert caught.value.path == tmp_path / "v.dcm"
    monkeypatch.undo()
    assert np.array_equal(decode(grey(STREAM), "a frame", tmp_path)[..., 0], GREY[16])


@pytest.mark.verifies("RC-129")
def test_a_frame_that_takes_too_long_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decode(grey(STREAM), "a frame", tmp_path)
    process = frames.DECODERS._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(frames, "wall_seconds", lambda size: 0.2)
    with pytest.raises(InputError, match="took more time"):
        decode(grey(STREAM), "a frame", tmp_path)
    assert frames.DECODERS._process is None


@pytest.mark.verifies("RC-129")
def test_a_frame_that_exceeds_its_processor_time_is_one_error(tmp_path: Path) -> None:
    array = np.random.default_rng(5).integers(0, 65536, (19, 23)).astype(np.uint16)
    cut = imagecodecs.jpegls_encode(array)[:288]  # CharLS 2.4.4 does not end on it
    with pytest.raises(ValueError, match="truncated"):
        frame_header(cut)
    with pytest.raises(InputError, match="a frame took more time"):
        decode(grey(cut), "a frame", tmp_path)
    assert frames.DECODERS._process is None


@pytest.mark.verifies("RC-129")
def test_the_process_has_limits_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIVESS_PASSPHRASE_ADA", "the passphrase of Ada")
    frames.DECODERS.close()
    decode(grey(STREAM), "a frame", tmp_path)
    process = frames.DECODERS._process
    assert process is not None
    place = Path(f"/proc/{process.pid}")
    assert b"Ada" not in (place / "environ").read_bytes()
    limits = {
        line[:25].strip(): line[25:].split()[0]
        for line in (place / "limits").read_text(encoding="utf-8").splitlines()
        if line.startswith("Max")
    }
    assert limits["Max file size"] == limits["Max core file size"] == "0"
    assert int(limits["Max address space"]) < 4 << 30
    assert int(limits["Max cpu time"]) < 60


def test_a_forked_copy_starts_its_own_process(tmp_path: Path) -> None:
    decode(grey(STREAM), "a frame", tmp_path)
    process = frames.DECODERS._process
    child = os.fork()
    if child == 0:
        fine = frames.DECODERS._process is None and np.array_equal(
            decode(grey(STREAM), "a frame", tmp_path)[..., 0], GREY[16]
        )
        frames.DECODERS.close()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(decode(grey(STREAM), "a frame", tmp_path)[..., 0], GREY[16])
    assert frames.DECODERS._process is process


@pytest.mark.verifies("REQ-078", "RC-10")
def test_damaged_streams_are_decoded_or_refused_and_the_process_goes_on(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - damage need not be secret
    streams = {
        "70": imagecodecs.ljpeg_encode(GREY[16], bitspersample=16),
        "80": STREAM,
        "90": imagecodecs.jpeg2k_encode(GREY[16], level=0),
    }
    said = []
    for syntax, stream in streams.items():
        for _ in range(40):
            try:
                shape = read(tmp_path, encapsulated(specimens.damage(stream, chance), GREY[16], syntax)).array.shape
                assert shape == (19, 23)
            except InputError as error:
                said.append(error.message)
    assert len(said) > 40
    assert [one for one in said if "v.dcm" not in one or "\n" in one] == []
    assert np.array_equal(read(tmp_path, encapsulated(STREAM, GREY[16], "80")).array, GREY[16])
