"""Print the figures of the audit log beside their limits, and compare them with an older commit in the same run.

    uv run python benchmarks/audit.py                   (a million entries; 15 minutes on two idle cores)
    uv run python benchmarks/audit.py --entries 20000 --rounds 1          (a trial)
    uv run python benchmarks/audit.py --before 58b291e

Both versions run with the same interpreter and libraries, in turns: before, after, before, after. Of CPU times the least
of the rounds counts, of rates the greatest, because other programs on the machine can only make them worse.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
MEASURES = Path(__file__).resolve().with_name("audit_measures.py")
BEFORE = "58b291e"
"""Version 0.1.0."""


@dataclass(frozen=True)
class Version:
    """A source tree and the folder its logs are made in."""

    name: str
    tree: Path
    folder: Path

    def measure(self, name: str, number: int = 0) -> dict[str, float]:
        """Run one measure in a process of its own with the code of this tree."""
        environment = {**os.environ, "PYTHONPATH": str(self.tree / "src"), "PYDANTIC_DISABLE_PLUGINS": "__all__"}
        done = subprocess.run(
            [sys.executable, str(MEASURES), name, str(self.folder), str(number)],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def row(what: str, *found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<58} {' '.join(f'{one:>11}' for one in found)}   {limit}", flush=True)


def load() -> str:
    """How busy the machine is: processes that wanted a core, in the last 1, 5 and 15 minutes."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg()) + f" on {len(os.sched_getaffinity(0))} cores"


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The source tree of a commit, in a folder that is removed afterwards."""
    git = ["git", "-C", str(SOURCE), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def compared(versions: list[Version], name: str, number: int, rounds: int) -> list[list[dict[str, float]]]:
    """What a measure found, round by round, for each version; in turns."""
    found: list[list[dict[str, float]]] = [[] for _ in versions]
    for _ in range(rounds):
        for place, version in enumerate(versions):
            found[place].append(version.measure(name, number))
    return found


def ratio(found: list[float], *, higher_is_better: bool) -> list[str]:
    """Speed after over speed before, where there is a before."""
    if len(found) < 2:
        return []
    before, after = found
    return [f"{after / before if higher_is_better else before / after:.2f}"]


def report(versions: list[Version], entries: int, rounds: int) -> None:
    """Measure and print."""
    names = [version.name for version in versions]
    row("figure", *names, *(["after/before"] if len(names) > 1 else []), limit="limit")
    _single(compared(versions, "single", 0, rounds))
    found = compared(versions, "writers", min(40_000, entries), rounds)
    rates = [max(one["rate"] for one in side) for side in found]
    shown = [f"{rate:.0f}" for rate in rates]
    row(
        "signed durable entries a second, 16 writers", *shown, *ratio(rates, higher_is_better=True),
        limit=">= 5000, ratio >= 0.9",
    )  # fmt: skip
    used = [min(one["cpu"] for one in side) for side in found]
    row("the same, CPU us an entry", *(f"{one * 1e6:.0f}" for one in used), *ratio(used, higher_is_better=False))
    for version in versions:
        version.measure("grow", entries)
    found = compared(versions, "quick", 0, rounds)
    used = [min(one["cpu"] / one["entries"] * 1e6 for one in side) for side in found]
    row(
        f"verify {entries} entries by checkpoint, CPU s a million", *(f"{one:.2f}" for one in used),
        *ratio(used, higher_is_better=False), limit="<= 10, ratio >= 0.9",
    )  # fmt: skip
    row(
        "memory that this added, MiB", *(f"{max(one['memory'] for one in side):.0f}" for side in found), limit="bounded"
    )


def _single(found: list[list[dict[str, float]]]) -> None:
    """One entry at a time: what Python takes, over what the disk and the two signatures take."""

    def least(name: str) -> list[float]:
        return [min(one[name] for one in side) for side in found]

    for what, name in (
        ("one append, ms", "append"),
        ("of that a flush of as many bytes, ms", "flush"),
        ("of that the two signatures (entry, checkpoint), CPU ms", "signatures"),
        ("of that Python and SQLite, CPU ms", "python"),
    ):
        row(what, *(f"{one * 1e3:.3f}" for one in least(name)))
    python, floor = least("python"), [sum(one) for one in zip(least("flush"), least("signatures"), strict=True)]
    row("Python / (flush + two signatures)", *(f"{one / other:.2f}" for one, other in zip(python, floor, strict=True)))
    row("Python time of one append", *(["", ""] if len(found) > 1 else [""]), *ratio(python, higher_is_better=False))
    row("an unsigned durable row in SQLite, ms", *(f"{one * 1e3:.3f}" for one in least("unsigned")))


def alone(version: Version, entries: int, rounds: int) -> None:
    """Figures of the newer version that are not compared."""
    row("inclusion proof, median ms", f"{version.measure('proofs')['median'] * 1e3:.2f}", limit="<= 1")
    ratios = version.measure("signatures")["ratio"]
    row("every signature, wall time / the library's own rate", f"{ratios:.2f}", limit="<= 1.2")
    count = min(5000, entries)
    version.measure("device", count)
    used = min(version.measure("judge")["cpu"] for _ in range(rounds))
    row(f"verify.py judges a device's log of {count} entries, CPU s", f"{used:.1f}", limit="< 30 for 5000")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the audit log.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="length of the log that is verified")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured")
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the older version")
    parser.add_argument("--alone", action="store_true", help="compare with no older version")
    wanted = parser.parse_args()
    print(f"load: {load()}", flush=True)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmark-") as name:
        folder = Path(name)
        for one in ("before", "after"):
            (folder / one).mkdir()
        after = Version("after", SOURCE, folder / "after")
        if wanted.alone:
            report([after], wanted.entries, wanted.rounds)
        else:
            with checked_out(wanted.before, folder / "checkout") as tree:
                report([Version("before", tree, folder / "before"), after], wanted.entries, wanted.rounds)
        alone(after, wanted.entries, wanted.rounds)
    print(f"load: {load()}", flush=True)


if __name__ == "__main__":
    main()
