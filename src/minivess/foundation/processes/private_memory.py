"""Memory that other processes of the same user do not read, and files that a process does not write."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def keep_memory_private() -> None:
    """Keep other processes of the same user from reading this one's memory and environment, and the system from dumping it.

    For the rest of this process's life, on Linux (prctl(2), PR_SET_DUMPABLE); a superuser is not kept out.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, *[ctypes.c_ulong(0)] * 4)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def memory_is_private() -> bool:
    """Whether `keep_memory_private` holds in this process; where the system cannot say it, whether nothing is dumped."""
    held = resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    if sys.platform.startswith("linux"):
        held = held and ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, *[ctypes.c_ulong(0)] * 4) == 0
    return held


def write_no_file() -> None:
    """Keep this process from writing a byte to any file, for the rest of its life."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
