"""Processors follow affinity and quota, whichever is less."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minivess.foundation.processes.processors import usable_processors

pytestmark = pytest.mark.verifies("SU-02", "REQ-435")

OLD = "cpu,cpuacct/box/cpu.cfs"


def _groups(folder: Path, own: str, files: dict[str, str]) -> dict[str, Path]:
    (folder / "own").write_text(own, encoding="utf-8")
    for name, text in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {"file_system": folder / "groups", "own": folder / "own"}


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/pod/box\n", {"pod/box/cpu.max": "max 100000\n", "pod/cpu.max": "150000 100000\n"}, 2),
        ("0::/pod/box\n", {"pod/box/cpu.max": "50000 100000\n", "pod/cpu.max": "400000 100000\n"}, 1),
        ("0::/pod\n", {"pod/cpu.max": "1600000 100000\n"}, 8),
        ("4:cpu,cpuacct:/box\n", {f"{OLD}_quota_us": "300000", f"{OLD}_period_us": "100000"}, 3),
        ("4:cpu,cpuacct:/box\n", {f"{OLD}_quota_us": "-1", f"{OLD}_period_us": "100000"}, 8),
        ("5:memory:/box\n", {"memory/box/cpu.max": "100000 100000\n"}, 8),
        ("nonsense\n", {"cpu.max": "many processors\n"}, 8),
    ],
)
def test_the_least_of_affinity_and_quotas_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert usable_processors(**_groups(tmp_path, own, files)) == expected


def test_affinity_counts_where_no_group_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert usable_processors(file_system=tmp_path, own=tmp_path / "missing") == 1
