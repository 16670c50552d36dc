"""The verdict of `verify.py`, run as a program of its own with the standard library alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder

_WAIT_S = 600
_VERIFIED = "VERIFIED"


@implements("REQ-592")
def verdict_alone(pack: Path, trust: Path | None = None) -> str:
    """The state of the verdict on a pack, as `records.verdict.VerdictState` names it; or in words why there is none.

    Args:
        pack: the zip, or the folder it was unpacked to.
        trust: a trust file.
    """
    command = [sys.executable, "-I", "-S", str(templates_folder() / "verify" / "verify.py"), str(pack)]
    command += [] if trust is None else ["--trust", str(trust)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_WAIT_S)
    except subprocess.TimeoutExpired:
        return f"no verdict in {_WAIT_S} s"
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    verdict = next((line.split(": ")[1] for line in reversed(lines) if line.startswith("VERDICT: ")), "no verdict")
    accepted = verdict == _VERIFIED
    return verdict if accepted == (done.returncode == 0) else f"{verdict} with exit code {done.returncode}"
