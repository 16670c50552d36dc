"""Load on the service over loopback: what auditing costs, how much it bears, and what is left after `kill -9`.

    uv run python benchmarks/serving.py --load                       (all but the long run)
    uv run python benchmarks/serving.py --load --requests 10000      (and the long run)

Services run in processes of their own, on copies of one project, with a thread of ONNX Runtime. An audited service and one that
records nothing answer in turns, so that other programs on the machine meet both alike. Read ratios and differences with their
intervals (95 %, bootstrap over rounds), not milliseconds. The load of the machine is printed with them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from serving_processes import CASES, Served, graph_of, predictor_of

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.ml.inference.tiling import sliding_window
from minivess.records.log.receipt import Receipt
from minivess.workflows.people.accounts import INFERENCE_IDENTITY
from tests.support import sample_projects
from tests.support.projects import PASSPHRASE, ProjectFolder
from tests.support.servers import served

HUNDREDTH = 100
"""One request in so many is malformed in the long run."""


def interval(values: Sequence[float], seed: int = 0) -> str:
    """Median of rounds with a bootstrap interval."""
    random = np.random.default_rng(seed)
    made = np.median(random.choice(np.asarray(values), (2000, len(values))), axis=1)
    low, high = np.quantile(made, [0.025, 0.975])
    return f"{statistics.median(values):8.3f} [{low:.3f}, {high:.3f}]"


def say(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    load = os.getloadavg()[0]
    print(f"{what:<58} {found:>28}   {limit:<24} load {load:.1f}", flush=True)


def turns(pair: Sequence[Served], rounds: int, act: Callable[[Served], float]) -> list[list[float]]:
    """A measure of each service, in turns; the first one changes from round to round."""
    found: list[list[float]] = [[] for _ in pair]
    for number in range(rounds):
        for place in range(len(pair)) if number % 2 == 0 else reversed(range(len(pair))):
            found[place].append(act(pair[place]))
    return found


def flush_ms(folder: Path, times: int = 50) -> float:
    """Median time to append a page to a file and flush it."""
    took = []
    with (folder / "flush").open("ab", buffering=0) as stream:
        for _ in range(times):
            begun = time.perf_counter()
            stream.write(bytes(4096))
            os.fdatasync(stream.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e3


@dataclass
class Run:
    """What many clients got.

    Attributes:
        answers: status and body, in no order.
        seconds: until the last one.
    """

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    seconds: float = 0.0


def flood(service: Served, clients: int, requests: int, *, malformed: int = 0, keep: bool = False) -> Run:
    """Many requests of several clients at once. A client that is cut off ends."""
    numbers, run, lock = iter(range(requests)), Run(), threading.Lock()

    def work() -> None:
        with service.client() as ask:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                bad = malformed and number % malformed == malformed - 1
                try:
                    status, body = ask(b"--b\r\nmalformed" if bad else None)
                except (OSError, http.client.HTTPException):
                    return
                with lock:
                    run.answers.append((status, body if keep else b""))

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for one in [pool.submit(work) for _ in range(clients)]:
            one.result()
    run.seconds = time.perf_counter() - begun
    return run


@contextmanager
def both(folder: Path, base: ProjectFolder, name: str) -> Iterator[tuple[Served, Served, bytes]]:
    """An audited and an unaudited service, warm, and their graph."""
    graph = folder / f"{name}.onnx"
    graph.write_bytes(graph_of(name))
    started: list[Served] = []
    try:
        for audited in (True, False):
            project = base.copy_to(folder / f"{name}-{audited}")
            started.append(Served(project, name, graph, audited=audited))
            run = flood(started[-1], 1, 3, keep=True)
            if {status for status, _ in run.answers} != {200}:
                raise SystemExit(f"a service does not answer: {run.answers[0]!r:.300}")
        yield started[0], started[1], graph.read_bytes()
    finally:
        for one in started:
            one.stop()


def one_client(folder: Path, base: ProjectFolder, name: str, each: int, rounds: int) -> None:
    """Audited minus unaudited, and over a bare loop of ONNX Runtime."""
    case = CASES[name]
    with both(folder, base, name) as (audited, unaudited, graph):
        cpu: dict[int, list[float]] = {audited.port: [], unaudited.port: []}

        def act(service: Served) -> float:
            before = service.cpu()
            with service.client() as ask:
                took = []
                for _ in range(each):
                    begun = time.perf_counter()
                    ask(None)
                    took.append(time.perf_counter() - begun)
            cpu[service.port].append((service.cpu() - before) / each * 1e3)
            return statistics.median(took) * 1e3

        predictor = predictor_of(case, graph)
        planes = predictor.preprocessor.apply(case.image(), case.spacing)

        alone: list[float] = []

        def bare() -> float:
            took, before = [], time.process_time()
            for _ in range(each):
                begun = time.perf_counter()
                sliding_window(planes, case.patch, predictor.logits, outputs=case.task.outputs, batch=predictor.batch)
                took.append(time.perf_counter() - begun)
            alone.append((time.process_time() - before) / each * 1e3)
            return statistics.median(took) * 1e3

        walls: list[list[float]] = [[], [], []]
        flush = []
        for number in range(rounds):
            order = [0, 1, 2] if number % 2 == 0 else [2, 1, 0]
            for place in order:
                walls[place].append(bare() if place == 2 else act((audited, unaudited)[place]))
            flush.append(flush_ms(folder, 20))
    differences = [a - u for a, u in zip(walls[0], walls[1], strict=True)]
    cpus = [a - u for a, u in zip(cpu[audited.port], cpu[unaudited.port], strict=True)]
    ratios = [a / u for a, u in zip(walls[0], walls[1], strict=True)]
    say(f"{name}: an audited answer, wall ms", interval(walls[0]))
    say(f"{name}: one flush, ms", interval(flush))
    say(f"{name}: audited minus unaudited, wall ms", interval(differences), "one flush + 2 ms")
    say(f"{name}: audited minus unaudited, CPU ms of the service", interval(cpus), "<= 2")
    say(f"{name}: audited over unaudited, wall", interval(ratios), "<= 1.03 (demo)")
    shares = [a / u for a, u in zip(cpu[audited.port], cpu[unaudited.port], strict=True)]
    say(f"{name}: audited over unaudited, CPU", interval(shares), "<= 1.03 (demo)")
    over = [u - b for u, b in zip(walls[1], walls[2], strict=True)]
    say(f"{name}: an unaudited answer, CPU ms of the service", interval(cpu[unaudited.port]))
    say(
        f"{name}: its CPU ms over a bare loop",
        interval([u - statistics.median(alone) for u in cpu[unaudited.port]]),
        "<= 5",
    )
    say(f"{name}: a bare loop of ONNX Runtime, ms", interval(walls[2]))
    say(f"{name}: unaudited minus bare loop, ms", interval(over), "<= 5")


def many_clients(folder: Path, base: ProjectFolder, name: str, requests: int, rounds: int) -> None:
    """Answers a second of audited over unaudited."""
    with both(folder, base, name) as (audited, unaudited, _):
        for clients in (1, 8, 32):

            def act(service: Served, clients: int = clients) -> float:
                run = flood(service, clients, requests)
                return len(run.answers) / run.seconds

            ours, theirs = turns((audited, unaudited), rounds, act)
            ratios = [a / u for a, u in zip(ours, theirs, strict=True)]
            say(f"{name}: {clients} clients, audited answers a second", interval(ours))
            say(f"{name}: {clients} clients, audited over unaudited", interval(ratios), ">= 0.95 (demo, 8 and 32)")


def picture(rounds: int) -> None:
    """CPU time of a picture of 256 x 256 on one thread."""
    case = CASES["picture"]
    predictor = predictor_of(case, graph_of("picture"))
    image = case.image()
    predictor.predict(image, None)
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        predictor.predict(image, None)
        took.append((time.process_time() - begun) * 1e3)
    say("picture 256 x 256, U-Net with ResNet-34, CPU ms", interval(took), "< 150")
    say("  the least", f"{min(took):.1f}")


def endurance(folder: Path, base: ProjectFolder, requests: int) -> None:
    """Many requests with malformed ones, a `kill -9` under load in the middle, and a look at every receipt."""
    graph = folder / "small.onnx"
    graph.write_bytes(graph_of("small"))
    project, answers, memory = base.copy_to(folder / "long"), [], []
    service = Served(project, "small", graph, audited=True)
    for part in range(4):
        run = flood(service, 8, requests // 8, malformed=HUNDREDTH, keep=True)
        answers += run.answers
        memory.append(service.memory() / 2**20)
        say(
            f"  {len(answers)} answered, {len(run.answers) / run.seconds:.1f} a second", f"{memory[-1]:.1f} MiB", "flat"
        )
        if service.process.poll() is not None:
            raise SystemExit("the service crashed")
        del part
    killer = threading.Timer(5, service.process.send_signal, [signal.SIGKILL])
    killer.start()
    cut = flood(service, 8, requests, malformed=HUNDREDTH, keep=True)
    killer.cancel()
    service.process.wait()
    say("  answered until kill -9", str(len(cut.answers)))
    answers += cut.answers
    begun = time.monotonic()
    service = Served(project, "small", graph, audited=True)
    say("  answers again after, s", f"{time.monotonic() - begun:.1f}")
    while len(answers) < requests:
        run = flood(service, 8, min(requests - len(answers), requests // 8), malformed=HUNDREDTH, keep=True)
        answers += run.answers
        memory.append(service.memory() / 2**20)
        say(
            f"  {len(answers)} answered, {len(run.answers) / run.seconds:.1f} a second", f"{memory[-1]:.1f} MiB", "flat"
        )
    service.stop()
    statuses = {status: sum(one == status for one, _ in answers) for status in sorted({one for one, _ in answers})}
    say("  answers by status", json.dumps(statuses), "200 and 400 alone")
    receipts = [Receipt.model_validate(json.loads(body)["receipt"]) for status, body in answers if status == 200]
    check(project, receipts)


def check(project: ProjectFolder, receipts: Sequence[Receipt]) -> None:
    """Verify each receipt, and find its entry in the log."""
    signer = Keystore(project.workspace.keystore).unlock(INFERENCE_IDENTITY, PASSPHRASE)
    whole = replace(project, signers={INFERENCE_IDENTITY: signer})
    with whole.services() as services, served.opened(whole, services) as serving:
        register = Register.fold(services.log.entries())
        lines = [line for line, _ in serving.services.log.pairs()]
        valid = sum(verify_receipt(one, log_key=register.log_key, actor=register).holds for one in receipts)
        there = sum(one.index < len(lines) and lines[one.index] == one.entry.encode() for one in receipts)
    say("  receipts that are valid", f"{valid} of {len(receipts)}", "all")
    say("  answers whose entry is in the log", f"{there} of {len(receipts)}", "all")
    say("  different entries", str(len({one.index for one in receipts})), str(len(receipts)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=0, help="of the long run; 0: none")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--parts", nargs="+", default=["small", "demo", "clients", "picture"])
    given = parser.parse_args(arguments)
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(
        prefix="minivess-profile-"
    )  # what was seen of these logs is not kept
    base = sample_projects.servable()
    print(f"{os.cpu_count()} cores, {given.rounds} rounds in turns")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        folder = Path(place)
        acts: dict[str, Callable[[Path], None]] = {
            "small": lambda at: one_client(at, base, "small", 30, given.rounds),
            "demo": lambda at: one_client(at, base, "demo", 5, given.rounds),
            "clients": lambda at: many_clients(at, base, "demo", 32, max(3, given.rounds // 3)),
            "small-clients": lambda at: many_clients(at, base, "small", 200, given.rounds),
            "picture": lambda _: picture(5 * given.rounds),
        }
        for name in given.parts:
            at = folder / name
            at.mkdir()
            acts[name](at)
        if given.requests:
            endurance(folder, base, given.requests)


if __name__ == "__main__":
    main()
