"""The commands of docs/guides/upgrade.md work, one after the other, on the workspace of version 0.1.0."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from minivess.cli.main import app
from tests.support import earlier

pytestmark = pytest.mark.verifies("SI-01")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "upgrade.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
PEOPLE = ("LOG", "ADA", "MAX", "ROSA")


def test_the_steps_work_on_the_workspace_of_0_1_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = earlier.unpack(tmp_path / "workspace")
    shutil.copy(earlier.FOLDER / "checkpoint.txt", workspace / "before.txt")
    for who in PEOPLE:
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", earlier.PASSPHRASE)
    monkeypatch.chdir(workspace)
    found: dict[str, Result] = {}
    log, backup = workspace / "evidence" / "audit.db", tmp_path / "backup.db"
    for line in "".join(BLOCK.findall(GUIDE.read_text(encoding="utf-8"))).splitlines():
        words = shlex.split(line)
        assert words.pop(0) == "minivess"
        if words[:2] == ["audit", "restore"]:  # of a backup that lacks the newest entries
            shutil.copy(log, backup)
            CliRunner().invoke(app, ["test-set", "criteria", "--as", "ada"])
            for path in log.parent.glob("audit.db*"):
                path.unlink()
            shutil.copy(backup, log)
            assert CliRunner().invoke(app, ["test-set", "criteria", "--as", "ada"]).exit_code != 0
        found[line] = CliRunner().invoke(app, words)
        assert found[line].exit_code == 0, f"{line}: {found[line].output} {found[line].exception}"
    assert "action table 2" in found["minivess audit rules show"].output
