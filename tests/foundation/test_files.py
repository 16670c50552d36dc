"""Files and folders that were written are on the disk, not only in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minivess.foundation.files import make_folder, write_atomic

pytestmark = pytest.mark.verifies("SU-02")


def test_every_folder_that_is_made_is_flushed_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    flush = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    make_folder(tmp_path / "a" / "b")
    assert set(flushed) == {tmp_path, tmp_path / "a"}
    flushed.clear()
    make_folder(tmp_path / "a" / "b")
    assert flushed == []
    write_atomic(tmp_path / "a" / "c" / "file", b"x")
    assert flushed[0] == tmp_path / "a"
    assert flushed[-1] == tmp_path / "a" / "c"
    assert (tmp_path / "a" / "c" / "file").read_bytes() == b"x"
