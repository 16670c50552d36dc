"""Make the model of a demo's pack again and print what is equal, with the times of the original and of the reproduction.

    uv run python benchmarks/reproduce.py [FOLDER]

FOLDER is the folder of a demo (`minivess demo --folder FOLDER`). Without it a demo is made first, in a folder of its own, which
takes some minutes. The synthetic cases are made again from their seed. Equal weights need the lock file and the number of
threads of the demo; what differs is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "minivess.cli.main"]


def reproduced(folder: Path) -> int:
    """Reproduce the newest pack of a demo; returns the exit code."""
    pack = max((folder / "release").rglob("*-evidence.zip"), key=lambda path: path.stat().st_mtime)
    done = subprocess.run(
        [*COMMAND, "release", "reproduce", str(pack), "--data", str(folder), "--source", str(SOURCE), "--json"],
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if not done.stdout.strip():  # the reason is on stderr
        return done.returncode
    found = json.loads(done.stdout)
    with zipfile.ZipFile(pack) as files:
        members = [json.loads(files.read(name)) for name in files.namelist() if name.startswith("data/models/members/")]
    for one in (*found["circumstances"], *found["results"]):
        print(
            f"{'equal' if one['packed'] == one['now'] else 'OTHER':6} {one['name']}: {one['packed'][:30]} | {one['now'][:30]}"
        )
    for words in found["not_done"]:
        print(f"not made again: {words}")
    paired = (found.get("figures") or {}).get("paired") or {"measures": []}
    for row in paired["measures"]:
        if row["paired"] is not None:
            print(f"{row['measure']}: now - pack {row['paired']['difference']['mean']:+.6f}")
    trained = sum(one["seconds"] for one in members)
    print(
        f"training in the demo {trained:.1f} s; whole reproduction {found['seconds']:.1f} s; verdict: {found['verdict']}"
    )
    return done.returncode


def main() -> int:
    """Reproduce the demo that was named, or a new one."""
    if len(sys.argv) > 1:
        return reproduced(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="minivess-demo-") as folder:
        subprocess.run([*COMMAND, "demo", "--folder", f"{folder}/demo"], cwd=SOURCE, check=True)
        return reproduced(Path(folder) / "demo")


if __name__ == "__main__":
    sys.exit(main())
