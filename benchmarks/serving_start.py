"""Print what it costs to start the service, to look at the device's log before an answer, and to judge a caller.

    uv run python benchmarks/serving_start.py                       (10,000 entries in each log)
    uv run python benchmarks/serving_start.py --entries 1000

The start is that of a process of its own, beside the device's log and elsewhere with an admission, from the call to the first
`/readyz` that says so. CPU seconds are those of the process and do not depend on other programs as the wall clock does.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.records.log.callers import Scope
from minivess.records.log.entry import Draft, Outcome
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.people import accounts
from minivess.workflows.serving.access import admission, callers
from minivess.workflows.serving.access.in_use import InUse, LogView
from minivess.workflows.serving.distant import deploy

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support import projects, sample_projects
from tests.support.servers import served

CALLERS, ROUNDS, PAGE = 100, 2000, 1000


def row(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<70} {found:>14}   {limit}", flush=True)


def fill(project: projects.ProjectFolder, entries: int) -> None:
    """Give both logs that many entries."""
    profiled = Draft(action="data.profile", outcome=Outcome.COMPLETED, payload={"cases": 1, "groups": 1})
    answered = Draft(action="inference", outcome=Outcome.COMPLETED, payload={"decision": "answered"})
    with project.services() as services, served.opened(project, services) as serving:
        for log, draft, who in (
            (serving.services.log, answered, project.signers[accounts.INFERENCE_IDENTITY]),
            (services.log, profiled, project.signers["ada"]),
        ):
            while (missing := entries - log.size) > 0:
                log.append_all([draft] * min(PAGE, missing), who)


def started(folder: Path, *options: str) -> tuple[float, float]:
    """Wall-clock and CPU seconds until a process is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    phrases = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "INFERENCE")}
    command = [sys.executable, "-m", "minivess.cli.main", "-C", str(folder), "serve", "--port", str(port), *options]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **phrases}, stderr=subprocess.DEVNULL)
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.02)
        wall = time.perf_counter() - begun
        ticks = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    finally:
        process.terminate()
        process.wait()
    return wall, cpu


def looks(project: projects.ProjectFolder) -> None:
    """What a look at the device's log costs before an answer, and what a key costs among many."""
    with project.services() as services:
        entries = tuple(one.body for one in services.log.entries(actions={"model.promote"}))
        state = InUse(LogView(services.log), str(entries[-1].payload["model"]))
        begun = time.thread_time()
        state.check()
        row("first look at the device's log, CPU ms", f"{(time.thread_time() - begun) * 1e3:.1f}")
        begun = time.thread_time()
        for _ in range(ROUNDS):
            state.check()
        row("a look while nothing is new, CPU ms", f"{(time.thread_time() - begun) / ROUNDS * 1e3:.3f}")
        made = ""
        for number in range(CALLERS):
            made = callers.create(
                services, project.signers["max"], f"caller-{number}", scopes=(Scope.INFER,), days=30
            ).key
        begun = time.thread_time()
        known = state.callers()
        row(f"a look after {CALLERS} new entries, CPU ms", f"{(time.thread_time() - begun) * 1e3:.1f}")
        now = services.clock()
        begun = time.thread_time()
        for _ in range(ROUNDS):
            known.holder(made, now)
        row(f"whose key it is, among {CALLERS}, CPU ms", f"{(time.thread_time() - begun) / ROUNDS * 1e3:.3f}")


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=10_000)
    entries: int = parser.parse_args().entries
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    key = generate(KeyAlgorithm.ED25519)
    with tempfile.TemporaryDirectory() as folder:
        project = sample_projects.servable().copy_to(Path(folder) / "project")
        root = project.workspace.root
        witness = {"url": "http://127.0.0.1:1", "key": verifier_key("w.example", key.public, WITNESS).text()}
        policy = {"quorum": 1, "witnesses": [witness]}
        with project.workspace.project_file.open("a", encoding="utf-8") as file:
            file.write(f"\nwitnesses: {json.dumps(policy)}\n")
        fill(project, entries)
        wall, cpu = min(started(root) for _ in range(3))
        row(f"start with {entries} entries in both logs, s", f"{wall:.2f}", "5")
        row("  CPU s of it", f"{cpu:.2f}", "5")
        looks(project)
        elsewhere, file_ = Path(folder) / "elsewhere", Path(folder) / "admission.json"
        with project.services() as services:
            deploy(services, project.signers[accounts.INFERENCE_IDENTITY], elsewhere, passphrase=projects.PASSPHRASE)
            note = services.log.checkpoint()
            services.log.keep_note(add_signatures(note, cosign(note, "w.example", key, int(time.time()))))
            made = admission.make_admission(services, "main")
            file_.write_text(made.model_dump_json(), encoding="utf-8")
            trust = Path(folder) / "trust.json"
            trust.write_text(accounts.trusted_keys(services), encoding="utf-8")
        size = file_.stat().st_size
        row(f"admission of {len(made.entries)} entries, MB", f"{size / 1e6:.1f}")
        wall, cpu = min(started(elsewhere, "--admission", str(file_), "--trust", str(trust)) for _ in range(3))
        row("start elsewhere with it, s", f"{wall:.2f}", "5")
        row("  CPU s of it", f"{cpu:.2f}", "5")


if __name__ == "__main__":
    main()
