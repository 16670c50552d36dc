"""Print the figures the walking release promises, each beside its limit, measured in this run on this machine.

    uv run python benchmarks/walking_release.py

Runs `minivess --help` eleven times, `minivess demo` once (a few minutes), in a folder of its own, and commands that read the
log of the demo. Reads time from outside the process. A noisy machine makes single times worth little: the help time is printed
beside that of a bare interpreter in the same run.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "minivess.cli.main"]
REPEATS = 11
READS = 5
READING = ("audit log", "audit show 0", "test-set status", "identity list", "status")
"""Commands that read the log and nothing else."""


def seconds(command: list[str]) -> float:
    """Wall time of one whole process."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=SOURCE, check=True, capture_output=True)
    return time.perf_counter() - begun


def median(command: list[str]) -> float:
    """Median wall time of several runs, after one that is not counted."""
    seconds(command)
    return statistics.median(seconds(command) for _ in range(REPEATS))


def processor_seconds(command: list[str]) -> float:
    """Median processor time of several runs, after one that is not counted."""

    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    found = []
    for _ in range(READS + 1):
        before = used()
        seconds(command)
        found.append(used() - before)
    return statistics.median(found[1:])


def row(what: str, found: str, limit: str) -> None:
    """One line of the report."""
    print(f"{what:<44} {found:>12}   {limit}")


def main() -> None:
    """Measure and print."""
    row("figure", "found", "promised")
    bare, helped = median([sys.executable, "-c", "pass"]), median([*COMMAND, "--help"])
    row("bare interpreter, median s", f"{bare:.3f}", "(for comparison)")
    row("minivess --help, median s", f"{helped:.3f}", "< 0.5")
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(folder) / "demo"
        took = seconds([*COMMAND, "demo", "--folder", str(demo)])
        record = json.loads((demo / "evidence" / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
        (pack,) = (demo / "release" / "0.1.0").glob("*.zip")
        for command in READING:
            used = processor_seconds([*COMMAND, "-C", str(demo), *command.split()])
            row(f"minivess {command}, CPU-s", f"{used:.2f}", "< 0.8")
        trust = ["--trust", str(demo / "trust.json")]
        row("minivess demo, s", f"{took:.0f}", "< 240 on 2 cores")
        means = {name: interval["mean"] for name, interval in record["aggregates"].items()}
        row("held-out Dice, mean", f"{means['dice']:.3f}", ">= 0.85")
        row("held-out clDice, mean", f"{means['cldice']:.3f}", ">= 0.80")
        row("Dice of the best threshold", f"{record['baseline']['mean']:.3f}", "(for comparison)")
        row("Dice over the best threshold", f"{means['dice_over_baseline']:.3f}", ">= 0.08")
        row("release verify, s", f"{seconds([*COMMAND, 'release', 'verify', str(pack), *trust]):.2f}", "")
        script = demo / "release" / "0.1.0" / "unpacked" / "data" / "verify" / "verify.py"
        row("verify.py, s", f"{seconds([sys.executable, '-I', '-S', str(script), str(pack), *trust]):.2f}", "")


if __name__ == "__main__":
    main()
