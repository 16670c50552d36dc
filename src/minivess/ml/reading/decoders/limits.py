"""How much time and memory one compressed frame may take, and why a frame is refused."""

from __future__ import annotations

_SECONDS, _BYTES_A_SECOND = 2, 1 << 20
_PATIENCE, _TIMES_SLOWER = 30, 10
_MEMORY, _TIMES = 256 << 20, 12

REASONS = {
    "damaged": "cannot be decoded as {codec}",
    "memory": "takes more memory than a frame of its size may",
    "other": "holds other values than its header announces ({codec})",
    "time": "took more time than a frame of its size may ({codec})",
    "ended": "ended the decoder process ({codec})",
}
"""Why a frame is refused."""


def processor_seconds(size: int) -> int:
    """Processor time for a frame of `size` bytes of values: 2 s, and a second more for each MiB.

    The slowest codec, JPEG 2000, decodes 10 MiB a second on a slow core.
    """
    return _SECONDS + size // _BYTES_A_SECOND


def wall_seconds(size: int) -> int:
    """Time by the clock for the same, on a machine that does other work too."""
    return _PATIENCE + _TIMES_SLOWER * processor_seconds(size)


def memory(size: int, packed: int) -> int:
    """Bytes for a frame of `size` bytes from `packed` ones, beyond the idle process: 256 MiB, and twelve times both.

    OpenJPEG takes most: four bytes a value, twice.
    """
    return _MEMORY + _TIMES * (size + packed)
