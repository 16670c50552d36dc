"""What the decoder process does: decode frame after frame, each within limits of memory and processor time.

    to the process:   {"codec", "shape", "dtype", "colours", "tables", "bytes"}; the JPEG tables (of `tables` bytes) and the
                      packed frame
    from the process: {"size"} and the values in C order, or {"error": reason} (`limits.REASONS`)

The codecs come from imagecodecs: JPEG and lossless JPEG from libjpeg-turbo, JPEG-LS from CharLS, JPEG 2000 from OpenJPEG,
Zstandard from zstd. The process cannot write to a file and leaves no core dump.
"""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from minivess.foundation.processes.piped import fill, read_message, write_message
from minivess.ml.reading.decoders.limits import memory, processor_seconds

Array = npt.NDArray[Any]


def _jpeg(data: bytes, asked: dict[str, Any], tables: bytes) -> Array:
    """ISO/IEC 10918-1, lossy and lossless. `colours` are the colour space of the stream and of the values."""
    stream, values = asked["colours"] or (None, None)
    return imagecodecs.jpeg8_decode(data, tables=tables or None, colorspace=stream, outcolorspace=values)


def _jpeg_ls(data: bytes, asked: dict[str, Any], tables: bytes) -> Array:
    """ISO/IEC 14495-1."""
    del asked, tables
    return imagecodecs.jpegls_decode(data)


def _jpeg_2000(data: bytes, asked: dict[str, Any], tables: bytes) -> Array:
    """ISO/IEC 15444-1."""
    del asked, tables
    return imagecodecs.jpeg2k_decode(data)


def _zstd(data: bytes, asked: dict[str, Any], tables: bytes) -> Array:
    """RFC 8878."""
    del tables
    return np.frombuffer(imagecodecs.zstd_decode(data, out=math.prod(asked["shape"])), np.uint8)


CODECS: dict[str, Callable[[bytes, dict[str, Any], bytes], Array]] = {
    "jpeg": _jpeg,
    "jpeg-ls": _jpeg_ls,
    "jpeg-2000": _jpeg_2000,
    "zstd": _zstd,
}


_LIBRARIES = ("jpeg8_decode", "jpegls_decode", "jpeg2k_decode", "zstd_decode")


def _limit(size: int, packed: int, idle: int) -> None:
    """Set the limits for the next frame; a frame that exceeds the time ends the process (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + processor_seconds(size))
    if idle:
        _lower(resource.RLIMIT_AS, idle + memory(size, packed))


def _lower(what: int, most: int) -> None:
    """Set a limit of this process, which no larger one of its parent forbids."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _idle_memory() -> int:
    """Address space of this process in bytes, where Linux states it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _decoded(asked: dict[str, Any], data: bytes) -> Array | None:
    """The values; None where they are others than announced."""
    tables = int(asked["tables"])
    found = CODECS[asked["codec"]](data[tables:], asked, data[:tables])
    shape, dtype = tuple(asked["shape"]), np.dtype(asked["dtype"])
    if found.shape not in (shape, shape[:-1]) or found.size != math.prod(shape):
        return None
    if found.dtype.itemsize != dtype.itemsize or found.dtype.kind not in "ui":
        return None
    return np.ascontiguousarray(found)


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer frames until the pipe is closed."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for library in _LIBRARIES:  # looking one up loads it, so that the idle process has its memory
        getattr(imagecodecs, library)
    idle = _idle_memory()
    while (message := read_message(asked)) is not None:
        size = math.prod(message["shape"]) * np.dtype(message["dtype"]).itemsize
        _limit(size, int(message["bytes"]), idle)
        data = bytearray(int(message["bytes"]))
        fill(asked, memoryview(data))
        try:
            found = _decoded(message, bytes(data))
        except MemoryError:
            write_message(answers, {"error": "memory"})
            continue
        except Exception:
            # each codec has errors of its own
            write_message(answers, {"error": "damaged"})
            continue
        if found is None:
            write_message(answers, {"error": "other"})
            continue
        write_message(answers, {"size": found.nbytes}, memoryview(found.reshape(-1).view(np.uint8)))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
