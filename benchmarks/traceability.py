"""Print the figures of traceability on a generated project, beside other tools where they are installed.

    uv run python benchmarks/traceability.py                 (5,000 and 20,000 requirements)
    uv run python benchmarks/traceability.py --sizes 1000

Each figure is that of a process of its own, CPU seconds and wall seconds; the lowest of several runs, for a shared machine
only ever adds to it.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import other_tools

RUNS = 5
PAIRS = 7
WORDS = ("mask", "vessel", "volume", "threshold", "calibration", "operator", "log", "entry", "split", "answer")


_FEATURE = "Feature: One\n  @REQ-00001 @RC-01\n  Scenario: It holds\n    Given nothing\n"


def row(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<58} {found:>16}   {limit}", flush=True)


def generate(folder: Path, count: int) -> None:
    """A project of `count` requirements with a tenth as many needs, and a test and a function for each requirement."""
    (folder / "requirements").mkdir(parents=True)
    needs = "".join(
        f"  - id: UN-{number:05}\n    title: Need {number}\n    statement: >-\n      Somebody needs {_text(number)}.\n\n"
        for number in range(1, count // 10 + 1)
    )
    (folder / "requirements" / "needs.yaml").write_text(f"user_needs:\n{needs}", encoding="utf-8")
    for start in range(0, count, 500):
        text = "".join(_requirement(number) for number in range(start + 1, min(start + 500, count) + 1))
        (folder / "requirements" / f"part-{start:05}.yaml").write_text(f"requirements:\n{text}", encoding="utf-8")
        ids = range(start + 1, min(start + 500, count) + 1)
        code = "from minivess.foundation.implements import implements\n\n"
        code += "".join(
            f'\n@implements("REQ-{n:05}")\ndef act_{n}(value: int) -> int:\n    return value + {n}\n' for n in ids
        )
        tests = "import pytest\n\n"
        tests += "".join(
            f'\n@pytest.mark.verifies("REQ-{n:05}")\ndef test_{n}() -> None:\n    assert {n} + 1 == {n + 1}\n'
            for n in ids
        )
        for name, content in ((f"src/thing/part_{start:05}.py", code), (f"tests/test_part_{start:05}.py", tests)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
    (folder / "features").mkdir()
    (folder / "features" / "one.feature").write_text(_FEATURE, encoding="utf-8")
    (folder / "risk").mkdir()
    sys.path.insert(0, str(Path(__file__).parents[1]))  # the smallest risk file is that of the tests
    from tests.support.tiny_tree import FILES

    for name in [one for one in FILES if one.startswith("risk/")]:
        (folder / name).write_text(FILES[name].replace("REQ-001", "REQ-00001"), encoding="utf-8")
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (folder / "uv.lock").write_text("version = 1\n", encoding="utf-8")


def _text(number: int) -> str:
    return " ".join(WORDS[(number * 7 + step * 3) % len(WORDS)] for step in range(14))


def _requirement(number: int) -> str:
    return (
        f"  - id: REQ-{number:05}\n    title: Requirement {number}\n"
        f"    statement: >-\n      The software shall {_text(number)}.\n"
        f"    rationale: >-\n      Without it {_text(number + 1)}.\n"
        f"    category: functional\n    safety_class: B\n    verification: test\n"
        f"    derives_from: [UN-{(number - 1) // 10 + 1:05}]\n\n"
    )


def timed(command: list[str], cwd: Path, runs: int = RUNS) -> tuple[float, float, int]:
    """Wall and CPU seconds and peak memory in MiB of a process; it must succeed."""
    lowest = (float("inf"), float("inf"), 0)
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-500:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        lowest = min(lowest, (cpu, wall, after.ru_maxrss // 1024))
    return lowest


def measure(folder: Path, count: int) -> None:
    """All figures of one size."""
    minivess = shutil.which("minivess", path=str(Path(sys.executable).parent)) or "minivess"
    limits = {5000: ("< 1", "< 5"), 20000: ("< 4", "")}.get(count, ("", ""))
    bare = timed([minivess, "--version"], folder)
    row(f"{count}: `minivess --version` (start-up), wall s", f"{bare[1]:.2f}")
    check = timed([minivess, "trace", "check", "--source", "."], folder)
    row(f"{count}: check, wall s", f"{check[1]:.2f}", limits[0])
    row(f"{count}: check, CPU s", f"{check[0]:.2f}")
    site = timed([minivess, "trace", "site", str(folder.parent / f"site-{count}"), "--source", "."], folder)
    row(f"{count}: check and static site, wall s", f"{site[1]:.2f}", limits[1])
    row(f"{count}: check and static site, CPU s", f"{site[0]:.2f}")
    row(f"{count}: peak memory so far, MiB", f"{site[2]}", "< 300" if count == 5000 else "")


def beside(folder: Path, count: int, tools: str | None) -> None:
    """What other tools take for the same requirements."""
    folder.mkdir()
    for task in other_tools.tasks(tools, folder, count, _text):
        name = Path(task.program).name
        if not task.arguments:
            row(f"{count}: {name}", task.what)
            continue
        taken = other_tools.seconds(task)
        row(f"{count}: {name}, {task.what}, wall s", f"> {other_tools.LIMIT:g}" if taken is None else f"{taken:.1f}")


def plugin(folder: Path) -> None:
    """What recording results adds to 5,000 trivial tests: the median of pairs run in turn, for the machine's speed drifts."""
    base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    recorded = [*base, "--evidence-results", "evidence/results.json", "--evidence-tester", "benchmark"]
    pairs = [(timed(base, folder, 1)[0], timed(recorded, folder, 1)[0]) for _ in range(PAIRS)]
    row("plugin: 5,000 trivial tests without recording, CPU s", f"{median(without for without, _ in pairs):.1f}")
    overhead = median(recording / without for without, recording in pairs) - 1
    row(f"plugin: overhead of recording, median of {PAIRS} pairs", f"{overhead * 100:.1f} %", "< 10 %")
    results = json.loads((folder / "evidence/results.json").read_text(encoding="utf-8"))
    if len(results["results"]) != 5000:
        raise SystemExit("the plugin did not record every test")


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description="Measure traceability.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5000, 20000])
    parser.add_argument("--tools", help="folder with the programs of other tools; default: those on the path")
    parser.add_argument("--no-plugin", action="store_true", help="leave out the runs of pytest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        for count in arguments.sizes:
            folder = Path(name) / str(count)
            generate(folder, count)
            measure(folder, count)
            if count == 5000:
                beside(Path(name) / "others", count, arguments.tools)
                if not arguments.no_plugin:
                    plugin(folder)


if __name__ == "__main__":
    main()
