"""roc-validator in an environment of its own, without a network."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

TOOL = ("uv", "tool", "run", "--from", "roc-validator==0.13.*", "--with", "rocrate==0.16.*")
"""uv installs it at the first run. The validator itself gets contexts from its cache alone."""
_SEED = Path(__file__).with_name("ro_crate_contexts.py")
_WAIT_S = 600


@cache
def _contexts() -> Path:
    """The cache of the validator, with the contexts of the disk."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cache_path = folder / "contexts"
    subprocess.run([*TOOL, "python", str(_SEED), str(cache_path)], check=True, timeout=_WAIT_S)
    return cache_path


def validated(crate: Path, profile: str, folder: Path) -> dict[str, Any]:
    """The report of the validator on a crate, with the required rules of a profile and of those that it rests on.

    Args:
        crate: the folder with `ro-crate-metadata.json`.
        profile: its identifier.
        folder: for the report.
    """
    out = folder / f"{profile}.json"
    command = [
        *TOOL,
        "rocrate-validator",
        "-y",
        "validate",
        "--no-paging",
        "--offline",
        "--cache-path",
        str(_contexts()),
    ]
    how = ["-p", profile, "-l", "required", "-v", "-f", "json", "-o", str(out), str(crate)]
    done = subprocess.run([*command, *how], capture_output=True, check=False, timeout=_WAIT_S)
    assert out.is_file(), done.stdout.decode() + done.stderr.decode()
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert (done.returncode == 0) == report["passed"]
    return report
