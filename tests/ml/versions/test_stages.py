"""Stages of a pipeline are recorded and compared, whatever the name of the project folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.versions.dvc_stages import record_stage, recorded_stages, stale_stages, write_stages

pytestmark = pytest.mark.verifies("REQ-099", "REQ-248")


@pytest.mark.parametrize("name", ["a@b:c d#e?f%41'g\"[x]*größe"])
def test_a_stage_is_recorded_and_becomes_stale(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    for file in ("in.txt", "out.txt"):
        (root / file).write_text(file, encoding="utf-8")
    stage = {"cmd": "minivess status", "deps": ["in.txt"], "outs": [{"out.txt": {"cache": False, "persist": True}}]}
    write_stages(root, {"make": stage})

    assert set(stale_stages(root)) == {"make"}
    record_stage(root, "make")
    assert stale_stages(root) == {}
    assert recorded_stages(root) == {"make"}
    (root / "in.txt").write_text("changed", encoding="utf-8")
    assert set(stale_stages(root)) == {"make"}
    with pytest.raises(CouldNotCheckError, match="other"):
        record_stage(root, "other")
