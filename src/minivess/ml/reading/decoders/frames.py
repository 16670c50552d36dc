"""Compressed frames to values, by the decoder process.

One process serves all files of this process; a forked copy of it starts its own. A process that a frame ended is replaced.
Where the process was ended by no limit, the frame is tried once more in a new one.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.processes.piped import PipedProcess, ProcessEndedError
from minivess.ml.reading.decoders.limits import REASONS, wall_seconds

Codec = Literal["jpeg", "jpeg-ls", "jpeg-2000", "zstd"]
MODULE = "minivess.ml.reading.decoders.decoder_process"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_TRIES = 2


@dataclass(frozen=True)
class Packed:
    """A compressed frame.

    Attributes:
        codec: how it is compressed.
        data: its bytes.
        shape: rows, columns and values a pixel that it must hold; of `zstd`, the number of bytes.
        dtype: type of its values.
        tables: JPEG tables that the frame needs.
        colours: colour space of a JPEG stream, and that of the values; None: grey.
    """

    codec: Codec
    data: bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    tables: bytes = b""
    colours: tuple[str, str] | None = None


class _RefusedError(Exception):
    """A codec refused a frame, for one of `REASONS`."""


class Decoders:
    """The decoder process of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._process: PipedProcess | None = None

    def answer(self, packed: Packed) -> npt.NDArray[Any]:
        """Values of a frame.

        Raises:
            ProcessEndedError: the process ended.
            _RefusedError: the codec refuses the frame.
        """
        if self._process is None:
            self._process = PipedProcess(MODULE, "decoder", variables=_ONE_THREAD)
        size = math.prod(packed.shape) * packed.dtype.itemsize
        seconds = wall_seconds(size)
        message = {
            "codec": packed.codec,
            "shape": packed.shape,
            "dtype": packed.dtype.str,
            "colours": packed.colours,
            "tables": len(packed.tables),
            "bytes": len(packed.tables) + len(packed.data),
        }
        try:
            answer = self._process.ask(message, packed.tables + packed.data, seconds=seconds)
            if "error" in answer:
                raise _RefusedError(str(answer["error"]))
            if answer.get("size") != size:
                raise ProcessEndedError("the decoder process answered another size")
            values = np.empty(packed.shape, packed.dtype)
            self._process.receive(memoryview(values.reshape(-1).view(np.uint8)), seconds=seconds)
        except BaseException as error:
            if not isinstance(error, _RefusedError):
                self.close()
            raise
        return values

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.close()
        self._process = None

    def forget(self) -> None:
        """In a forked copy: the process belongs to the original."""
        if self._process is not None:
            self._process.let_go()
        self._process, self.lock = None, threading.Lock()


DECODERS = Decoders()
atexit.register(DECODERS.close)
os.register_at_fork(after_in_child=DECODERS.forget)


@implements("REQ-285", "RC-129")
def decode(packed: Packed, what: str, path: Path | None = None) -> npt.NDArray[Any]:
    """Values of a compressed frame, in native byte order.

    Args:
        packed: the frame; its own header was compared with `shape` before.
        what: names the frame in an error.
        path: the file at fault, where the caller does not name it.

    Raises:
        InputError: the codec refuses the frame, or it exceeds the limits of memory and time, or it ends the process.
    """
    with DECODERS.lock:
        for number in range(1, _TRIES + 1):
            try:
                return DECODERS.answer(packed)
            except _RefusedError as error:
                raise _refusal(str(error), packed, what, path) from None
            except OSError as error:
                raise InputError(f"the decoder process does not start: {error.strerror}", path=path) from None
            except ProcessEndedError as error:
                limited = error.status is None or error.status == -signal.SIGXCPU
                if limited or number == _TRIES:
                    raise _refusal("time" if limited else "ended", packed, what, path) from None
    raise AssertionError  # the last try returned or raised


def _refusal(reason: str, packed: Packed, what: str, path: Path | None) -> InputError:
    says = REASONS[reason].format(codec=packed.codec)
    return InputError(f"{what} {says}", path=path, hint="it looks damaged: copy it again, or export it uncompressed")
