"""How many processors a process may use: its affinity, and the quota of its control group."""

from __future__ import annotations

import math
import os
from pathlib import Path

from minivess.foundation.implements import implements

_FILE_SYSTEM = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


@implements("REQ-435")
def usable_processors(*, file_system: Path = _FILE_SYSTEM, own: Path = _OWN) -> int:
    """Processors that this process may keep busy: those of its affinity, at most the quota of a control group that it is in.

    Args:
        file_system: where control groups are mounted (Linux, Control Group v2, "CPU Interface Files"; or version 1).
        own: the file that names the control groups of this process.

    Returns:
        At least 1. A quota that is no whole number is rounded up.
    """
    quotas = [quota for folder in _folders(file_system, own) if (quota := _quota(folder)) is not None]
    return max(1, min([len(os.sched_getaffinity(0)), *(math.ceil(quota) for quota in quotas)]))


def _folders(file_system: Path, own: Path) -> list[Path]:
    """The folders of the control groups of this process, up to the root."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = file_system / controllers if controllers else file_system
        here = root / path.lstrip("/")
        found += [here, *(one for one in here.parents if one.is_relative_to(root))]
    return found


def _quota(folder: Path) -> float | None:
    """The processors that a control group may use; None where it has no limit, or states none that can be read."""
    try:
        if (folder / "cpu.max").is_file():
            stated, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            stated, period = ((folder / name).read_text(encoding="utf-8").strip() for name in names)
        quota, each = float(stated), float(period)
    except (OSError, ValueError):
        return None
    return quota / each if quota > 0 and each > 0 else None
