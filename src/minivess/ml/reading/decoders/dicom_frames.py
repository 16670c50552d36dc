"""Compressed frames of DICOM for pydicom, decoded by the decoder process.

pydicom takes the frames out of the file, corrects signs and unused bits, and turns luminance and chrominance into red,
green and blue. It reaches `decode_frame` as a plug-in (pydicom's "Decoder plugins").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.decoders.code_streams import frame_header
from minivess.ml.reading.decoders.frames import Codec, Packed, decode

PLUGIN = "minivess"
_JPEG = "1.2.840.10008.1.2.4."
CODECS: dict[str, Codec] = {
    f"{_JPEG}50": "jpeg",
    f"{_JPEG}51": "jpeg",
    f"{_JPEG}57": "jpeg",
    f"{_JPEG}70": "jpeg",
    f"{_JPEG}80": "jpeg-ls",
    f"{_JPEG}81": "jpeg-ls",
    f"{_JPEG}90": "jpeg-2000",
    f"{_JPEG}91": "jpeg-2000",
}
"""Transfer syntaxes (PS3.5, A.4) whose frames are decoded, and by what codec."""
DECODER_DEPENDENCIES = dict.fromkeys(CODECS, ("imagecodecs",))


class _RefusedFrame(BaseException):
    """A frame that cannot be decoded. No `Exception`, because pydicom puts a text of its own in place of those."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def decoding(syntax: str, path: Path) -> Iterator[str]:
    """The name of the plug-in that decodes a transfer syntax, known to pydicom from now on.

    Raises:
        InputError: a frame of the file `path` cannot be decoded.
    """
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(syntax))
    if PLUGIN not in decoder.available_plugins:
        decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
    try:
        yield PLUGIN
    except _RefusedFrame as refused:
        raise InputError(refused.error.message, path=path, hint=refused.error.hint) from None


def is_available(syntax: str) -> bool:
    """Whether a transfer syntax is decoded; pydicom asks."""
    return syntax in CODECS


@implements("REQ-284")
def decode_frame(source: bytes, runner: Any) -> bytes:
    """Values of one frame as bytes, colour by pixel; pydicom asks.

    Args:
        source: the code stream.
        runner: pydicom's `DecodeRunner`, whose options are set to what the values are.
    """
    header = frame_header(source)
    dtype = np.dtype(np.uint8 if header.bits <= 8 else np.uint16)
    codec = CODECS[str(runner.transfer_syntax)]
    coloured = codec == "jpeg" and header.samples == 3
    packed = Packed(
        codec,
        source,
        (header.rows, header.columns, header.samples),
        dtype,
        colours=("YCBCR", "YCBCR") if coloured else None,
    )
    try:
        values = decode(packed, "a frame")
    except InputError as error:
        raise _RefusedFrame(error) from None
    runner.set_option("bits_allocated", 8 * dtype.itemsize)
    if header.samples > 1:
        runner.set_option("planar_configuration", 0)
    if codec == "jpeg-2000" and str(runner.photometric_interpretation) in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")  # OpenJPEG has turned them round
    return values.tobytes()
