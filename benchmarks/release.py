"""Print what the build of an evidence pack costs, each figure beside its limit.

    uv run python benchmarks/release.py --demo FOLDER        (a folder that `minivess demo` made of this source tree)
    uv run python benchmarks/release.py                      (makes one, which takes minutes)
    uv run python benchmarks/release.py --profile            (and where the time goes)

CPU seconds of user and system, with child processes (pandoc), the least of several runs; the load of the machine is printed
beside them. Each build is a process of its own on a fresh copy. The build of 5,000 requirements is of a generated source tree.
Each figure is that of `release build` from the moment at which the workspace is open. A second preparation from the same inputs
is compared with the first, file by file.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1]
RUNS = 5
SIZE = 5000
_SHOWN = 25
"""Rows of a profile."""


@dataclass(frozen=True)
class Cost:
    """What one build took."""

    cpu: float
    wall: float
    mib: float
    """Peak memory of the process, MiB."""
    files: int
    equal: bool
    """Whether the same inputs gave the same bytes."""


def row(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<62} {found:>12}   {limit}", flush=True)


def load() -> str:
    """The load of the machine over 1, 5 and 15 minutes."""
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def used() -> float:
    """CPU seconds of this process and of its children that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def cost_of(build: Callable[[], int], again: Callable[[], bool], profile: bool) -> Cost:
    """Run a build once; then prepare it again, which is not counted."""
    profiler = cProfile.Profile(time.process_time) if profile else None
    cpu, wall = used(), time.perf_counter()
    files = profiler.runcall(build) if profiler is not None else build()
    cpu, wall = used() - cpu, time.perf_counter() - wall
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if profiler is not None:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(_SHOWN * 2)
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(_SHOWN)
    return Cost(cpu, wall, mib, files, again())


def build_demo(folder: Path, formats: tuple[str, ...], profile: bool) -> Cost:
    """Build the release of a demo folder, in this process."""
    from minivess.compliance.identity.keystores.keystore import Keystore
    from minivess.foundation.paths import Workspace
    from minivess.workflows.release import build
    from minivess.workflows.session.services import open_services

    phrases = dict(
        line.removeprefix("export ").strip().split("=", 1)
        for line in (folder / "demo-passphrases.env").read_text(encoding="utf-8").splitlines()
        if line.startswith("export ")
    )
    kept: list[Any] = []
    prepare = build.prepare_pack

    def kept_preparation(inputs: Any) -> Any:
        kept.append(prepare(inputs))
        return kept[-1]

    build.prepare_pack = kept_preparation
    build.formats_of = lambda project: formats
    signer = Keystore(Workspace(folder).keystore).unlock("max", phrases["MINIVESS_PASSPHRASE_MAX"])
    with open_services(folder, log_passphrase=phrases["MINIVESS_PASSPHRASE_LOG"]) as services:
        return cost_of(
            lambda: build.build(services, signer).files,
            lambda: bool(prepare(kept[0].dossier.inputs).files == kept[0].files),
            profile,
        )


def build_generated(folder: Path, formats: tuple[str, ...], profile: bool) -> Cost:
    """Generate a source tree of 5,000 requirements with a test each, and build its release, in this process."""
    import traceability

    sys.path.insert(0, str(SOURCE))
    from minivess.compliance.pack.pack import prepare_pack
    from minivess.compliance.trace.graph import TraceGraph
    from minivess.records.items.trace import RecordedResult
    from tests.support.builders.release_builder import LOCK, make_release

    tree = folder / "source"
    traceability.generate(tree, int(os.environ.get("MINIVESS_BENCHMARK_SIZE", SIZE)))
    (tree / "uv.lock").write_text(LOCK, encoding="utf-8")
    release = make_release(folder / "release", source=tree)
    report = release.facts.report
    if report is None:
        raise SystemExit("the generated release has no results")
    tests = tuple(
        RecordedResult(
            name=one.name, node=f"{one.source.path}::{one.name}", ids=one.ids, outcome="passed", seconds=0.01
        )
        for one in TraceGraph.load(tree).tests
    )
    release.record(report.model_copy(update={"results": (*report.results, *tests)}))
    inputs: list[Any] = []

    def build() -> int:
        inputs.append(release.inputs(formats=formats))
        return release.build(folder / "pack.zip", **vars(inputs[0])).files

    def again() -> bool:
        first, second = (prepare_pack(replace(inputs[0])).files for _ in range(2))
        return bool(first == second)

    return cost_of(build, again, profile)


KINDS = {"demo": build_demo, "generated": build_generated}


def in_process(kind: str, folder: Path, formats: tuple[str, ...], profile: bool) -> Cost:
    """One build in a process of its own; its figures are the last line that it prints."""
    command = [sys.executable, str(Path(__file__)), "--child", kind, str(folder), *(("--profile",) if profile else ())]
    environment = {**os.environ, "XDG_DATA_HOME": str(folder.parent / "profile"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--formats", *formats], capture_output=True, text=True, check=False, env=environment, cwd=SOURCE
    )
    if done.returncode:
        raise SystemExit(f"the build failed: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    if profile:
        print(done.stderr, flush=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def copied(demo: Path, place: Path) -> Path:
    """A copy of a demo folder without its pack, which finds the same source tree."""
    shutil.copytree(demo, place, ignore=lambda folder, names: {"release"} & set(names) if Path(folder) == demo else ())
    file = place / "minivess.yaml"
    text = file.read_text(encoding="utf-8")
    lines = [
        f"source: {json.dumps(os.path.relpath(source_of(demo, line), place))}" if line.startswith("source:") else line
        for line in text.splitlines()
    ]
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return place


def source_of(demo: Path, line: str) -> Path:
    """The source tree that a line of the project file names."""
    return (demo / json.loads(line.partition(":")[2].strip())).resolve()


def least(kind: str, formats: tuple[str, ...], runs: int, demo: Path | None, profile: bool) -> Cost:
    """The least of several runs; the profile is of one more."""
    found = []
    for number in range(runs + profile):
        with tempfile.TemporaryDirectory(prefix="minivess-release-") as name:
            folder = Path(name) / "project"
            if demo is not None:
                copied(demo, folder)
            else:
                folder.mkdir()
            cost = in_process(kind, folder, formats, profile and number == runs)
        found += [] if profile and number == runs else [cost]
    if not all(one.equal for one in found):
        raise SystemExit("the same inputs gave other bytes")
    best = min(found, key=lambda one: one.cpu)
    return replace(best, mib=max(one.mib for one in found))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the build of an evidence pack.")
    parser.add_argument("--demo", type=Path, help="a folder that `minivess demo` made of this source tree")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--profile", action="store_true", help="show where the time goes, in one more run of each")
    parser.add_argument("--only", choices=("demo", "pdf", "generated"))
    parser.add_argument("--child", choices=sorted(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--formats", nargs="*", default=[], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        cost = KINDS[asked.child](asked.folder, tuple(asked.formats), asked.profile)
        print(json.dumps(vars(cost)))
        return
    with tempfile.TemporaryDirectory(prefix="minivess-demo-") as name:
        demo = asked.demo
        if demo is None and asked.only != "generated":
            demo = Path(name) / "demo"
            command = [sys.executable, "-m", "minivess.cli.main", "demo", "--folder", str(demo)]
            subprocess.run(command, cwd=SOURCE, check=True, capture_output=True)
        row("figure", "found", f"limit; load {load()}")
        for only, title, formats, limit in (
            ("demo", "build on the demo's evidence, without PDF and DOCX", (), "< 20"),
            ("pdf", "build on the demo's evidence, with PDF and DOCX", ("docx", "pdf"), "< 60"),
        ):
            if asked.only in {None, only}:
                cost = least("demo", formats, asked.runs, demo, asked.profile)
                row(
                    f"{title}, CPU-s",
                    f"{cost.cpu:.1f}",
                    f"{limit}; {cost.files} files, {cost.wall:.1f} s, load {load()}",
                )
                row("  equal bytes from equal inputs", "yes")
        if asked.only in {None, "generated"}:
            cost = least("generated", (), asked.runs, None, asked.profile)
            row(
                f"build of {SIZE:,} requirements, CPU-s",
                f"{cost.cpu:.1f}",
                f"< 60; {cost.files} files, {cost.wall:.1f} s",
            )
            row("  peak memory, MiB", f"{cost.mib:.0f}", f"< 1024; load {load()}")
            row("  equal bytes from equal inputs", "yes")


if __name__ == "__main__":
    main()
