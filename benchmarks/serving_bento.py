"""Print what a Bento costs beside `minivess serve`: start, memory, time of answers and batches, in turns on loopback.

    uv run python benchmarks/serving_bento.py
    uv run python benchmarks/serving_bento.py --requests 200 --rounds 3

The model is a toy graph on a small volume, so that what the servers cost shows. Every answer is recorded by both.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from minivess.workflows.bento.build import build_bento
from tests.support import projects, sample_projects
from tests.support.servers import bentos, served

CLIENTS = (1, 8)


@dataclass
class Measured:
    """What was measured of one kind of server."""

    start: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    latency: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    rate: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    batches: list[float] = field(default_factory=list)


def anonymous_megabytes(root: int) -> float:
    """Anonymous memory of a process and of those below it."""
    total, waiting = 0, [root]
    while waiting:
        one = waiting.pop()
        try:
            text = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
            below = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="utf-8").split()
        except OSError:
            continue
        found = re.search(r"RssAnon:\s+(\d+) kB", text)
        total += int(found[1]) if found else 0
        waiting += [int(child) for child in below]
    return total / 1024


@contextmanager
def server(command: list[str], environment: dict[str, str], folder: Path, port: int) -> Iterator[tuple[int, float]]:
    """A server on loopback; gives its process and the seconds until it was ready."""
    begun = time.perf_counter()
    with (folder / "output.txt").open("ab") as stream:
        running = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        while True:
            if running.poll() is not None or time.perf_counter() - begun > 300:
                raise SystemExit((folder / "output.txt").read_text(encoding="utf-8"))
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        yield running.pid, time.perf_counter() - begun
    except SystemExit:
        print((folder / "output.txt").read_text(encoding="utf-8")[-4000:])
        raise
    finally:
        running.terminate()
        running.wait(timeout=120)


def measure(found: Measured, port: int, how: dict[str, object], requests: int) -> None:
    """Send requests with one client and with several."""

    def ask(_: int) -> float:
        begun = time.perf_counter()
        answer = client.post(f"http://127.0.0.1:{port}/v1/segment", **how)  # type: ignore[arg-type]
        if answer.status_code != 200:
            raise SystemExit(f"port {port}: {answer.text}")
        return time.perf_counter() - begun

    with httpx.Client(timeout=120, limits=httpx.Limits(max_connections=max(CLIENTS))) as client:
        ask(0)
        for clients in CLIENTS:
            with ThreadPoolExecutor(clients) as pool:
                begun = time.perf_counter()
                times = list(pool.map(ask, range(requests)))
                found.rate[clients].append(requests / (time.perf_counter() - begun))
            found.latency[clients].append(statistics.median(times) * 1e3)


def mean_batch(port: int) -> float:
    """The mean number of requests in a batch of the process with the model."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    sums = re.findall(r"adaptive_batch_size_sum\{.*\} ([0-9.]+)", text)
    counts = re.findall(r"adaptive_batch_size_count\{.*\} ([0-9.]+)", text)
    return float(sums[0]) / float(counts[0]) if counts else float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what a Bento costs beside `minivess serve`.")
    parser.add_argument("--requests", type=int, default=100, help="in each round, for each number of clients")
    parser.add_argument("--rounds", type=int, default=3, help="starts of each server, in turns")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = sample_projects.servable().copy_to(folder / "project")
        bento = folder / "bento"
        with project.services() as services:
            built = build_bento(services, project.signers["ada"], bento)
        image, spacing = served.known_volume(project)
        how = dict(bentos.requests(image, spacing)[0][2])
        python, root = sys.executable, str(project.workspace.root)
        secrets = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "INFERENCE")}
        told = {**bentos.environment(project, bento, site="bento"), "BENTOML_HOME": str(folder / "home")}
        del told["MINIVESS_BENTO"]
        kinds = {
            "minivess serve": (
                [python, "-m", "minivess.cli.main", "-C", root, "serve", "--port", "8931"],
                secrets,
                8931,
            ),
            "bentoml serve": (
                [python, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", "8932"],
                told,
                8932,
            ),
        }
        measured = {kind: Measured() for kind in kinds}
        for _ in range(given.rounds):
            for kind, (command, environment, port) in kinds.items():
                found = measured[kind]
                with server(command, environment, folder, port) as (process, seconds):
                    found.start.append(seconds)
                    measure(found, port, how, given.requests)
                    found.memory.append(anonymous_megabytes(process))
                    if kind == "bentoml serve":
                        found.batches.append(mean_batch(port))
    print(f"{'files of the Bento':<52} {built.files:>10}")
    for kind, found in measured.items():
        show(f"{kind}: seconds until ready, least", min(found.start))
        show(f"{kind}: anonymous memory of all processes, MB", statistics.median(found.memory))
        for clients in CLIENTS:
            show(f"{kind}: {clients} clients, median ms, least", min(found.latency[clients]))
            show(f"{kind}: {clients} clients, answers a second, most", max(found.rate[clients]))
    show("bentoml serve: requests in a batch, mean", statistics.mean(measured["bentoml serve"].batches))


def show(what: str, value: float) -> None:
    """One line of the report."""
    print(f"{what:<52} {value:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
