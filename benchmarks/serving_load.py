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
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from serving_processes import CASES, Case, Served, graph_of, predictor_of

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.ml.inference.answers import mask_of, overwrite_by_probabilities
from minivess.ml.inference.tiling import sliding_window
from minivess.records.log.receipt import Receipt
from minivess.serving.inference.volumes import Limits, parse_npy
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


@dataclass
class Loops:
    """What the service is compared with: loops over the same graph in this process, without a service.

    `tiled`: tiles, the graph, and blending, of an image that is already preprocessed. `whole`: the bytes of the file are read,
    the image is preprocessed, tiled and blended, and logits become probabilities and a mask. The service does all of this too.
    What it needs beyond `whole` is what it adds: HTTP, the form, digests, bounds of the intended use, sizes of classes, and the
    text of the mask.
    """

    case: Case
    graph: bytes
    cpu: dict[str, list[float]] = field(default_factory=lambda: {"tiled": [], "whole": []})

    def __post_init__(self) -> None:
        self.predictor = predictor_of(self.case, self.graph)
        self.file = served.npy(self.case.image())
        self.planes = self.predictor.preprocessor.apply(self.case.image(), self.case.spacing)

    def tiled(self) -> object:
        """Tiles, the graph, and blending."""
        return self._blended(self.planes)

    def whole(self) -> object:
        """From the bytes of the file to the mask."""
        image = parse_npy(self.file, Limits(), self.case.task)
        probabilities = overwrite_by_probabilities(
            self._blended(self.predictor.preprocessor.apply(image, self.case.spacing))
        )
        return mask_of(probabilities, self.case.task)

    def _blended(self, planes: np.ndarray) -> np.ndarray:
        outputs = self.case.task.outputs
        return sliding_window(
            planes, self.case.patch, self.predictor.logits, outputs=outputs, batch=self.predictor.batch
        )

    def measure(self, name: str, each: int) -> float:
        """Median wall ms of a loop; its CPU ms are kept."""
        act, took, before = getattr(self, name), [], time.process_time()
        for _ in range(each):
            begun = time.perf_counter()
            act()
            took.append(time.perf_counter() - begun)
        self.cpu[name].append((time.process_time() - before) / each * 1e3)
        return statistics.median(took) * 1e3


def one_client(folder: Path, base: ProjectFolder, name: str, each: int, rounds: int) -> None:
    """Audited minus unaudited, and over loops of ONNX Runtime without a service."""
    with both(folder, base, name) as (audited, unaudited, graph):
        cpu: dict[str, list[float]] = {"audited": [], "unaudited": []}
        services, loops = {"audited": audited, "unaudited": unaudited}, Loops(CASES[name], graph)

        def act(which: str) -> float:
            service = services[which]
            before = service.cpu()
            with service.client() as ask:
                took = []
                for _ in range(each):
                    begun = time.perf_counter()
                    ask(None)
                    took.append(time.perf_counter() - begun)
            cpu[which].append((service.cpu() - before) / each * 1e3)
            return statistics.median(took) * 1e3

        walls: dict[str, list[float]] = {which: [] for which in (*services, *loops.cpu)}
        flush = []
        for number in range(rounds):
            for which in walls if number % 2 == 0 else reversed(walls):
                walls[which].append(act(which) if which in services else loops.measure(which, each))
            flush.append(flush_ms(folder, 20))
    _audit_costs(name, walls, cpu, flush)
    _service_costs(name, walls, cpu["unaudited"], loops)


def _less(left: Sequence[float], right: Sequence[float]) -> str:
    """Differences of rounds."""
    return interval([one - other for one, other in zip(left, right, strict=True)])


def _audit_costs(name: str, walls: dict[str, list[float]], cpu: dict[str, list[float]], flush: list[float]) -> None:
    """What the record costs."""
    say(f"{name}: an audited answer, wall ms", interval(walls["audited"]))
    say(f"{name}: one flush, ms", interval(flush))
    say(f"{name}: audited minus unaudited, wall ms", _less(walls["audited"], walls["unaudited"]), "one flush + 2 ms")
    say(f"{name}: audited minus unaudited, CPU ms of the service", _less(cpu["audited"], cpu["unaudited"]), "<= 2")
    for what, found in (("wall", walls), ("CPU", cpu)):
        ratios = [a / u for a, u in zip(found["audited"], found["unaudited"], strict=True)]
        say(f"{name}: audited over unaudited, {what}", interval(ratios), "<= 1.03 (demo)")


def _service_costs(name: str, walls: dict[str, list[float]], cpu: list[float], loops: Loops) -> None:
    """What the service adds to the loops."""
    say(f"{name}: an unaudited answer, CPU ms of the service", interval(cpu))
    for loop, limit in (("tiled", ""), ("whole", "<= 5")):
        say(f"{name}: a {loop} loop of ONNX Runtime, CPU ms", interval(loops.cpu[loop]))
        say(f"{name}: unaudited minus {loop} loop, CPU ms", _less(cpu, loops.cpu[loop]), limit)
        say(f"{name}: unaudited minus {loop} loop, wall ms", _less(walls["unaudited"], walls[loop]), limit)


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


def picture(folder: Path, rounds: int) -> None:
    """CPU time of a picture of 256 x 256 on one thread, in a process without PyTorch, as the service is."""
    graph = folder / "picture.onnx"
    graph.write_bytes(graph_of("picture"))
    command = [sys.executable, __file__, "--only-picture", str(graph), str(rounds)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    whole, alone = json.loads(done.stdout)
    say("picture 256 x 256, U-Net with ResNet-34, CPU ms", interval(whole), "< 150")
    say("  the least", f"{min(whole):.1f}")
    say("  of these ONNX Runtime", interval(alone))


def only_picture(graph: Path, rounds: int) -> None:
    """What is measured: pictures from intensities to probabilities, and the graph alone, in turns."""
    case = CASES["picture"]
    predictor, image = predictor_of(case, graph.read_bytes()), case.image()
    patch = predictor.preprocessor.apply(image, None)[np.newaxis]
    acts: list[Callable[[], object]] = [lambda: predictor.predict(image, None), lambda: predictor.logits(patch)]
    took: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for act, found in zip(acts, took, strict=True):
            begun = time.process_time()
            act()
            if number:
                found.append((time.process_time() - begun) * 1e3)
    print(json.dumps(took))


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
    parser.add_argument("--only-picture", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.only_picture is not None:
        only_picture(Path(given.only_picture[0]), int(given.only_picture[1]))
        return
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(
        prefix="minivess-profile-"
    )  # what was seen of these logs is not kept
    base = sample_projects.servable()
    print(f"{os.cpu_count()} cores, {given.rounds} rounds in turns")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as place:
        folder = Path(place)
        acts: dict[str, Callable[[Path], None]] = {
            "small": lambda at: one_client(at, base, "small", 30, given.rounds),
            "demo": lambda at: one_client(at, base, "demo", 5, given.rounds),
            "clients": lambda at: many_clients(at, base, "demo", 32, max(3, given.rounds // 3)),
            "small-clients": lambda at: many_clients(at, base, "small", 200, given.rounds),
            "picture": lambda at: picture(at, 5 * given.rounds),
        }
        for name in given.parts:
            at = folder / name
            at.mkdir()
            acts[name](at)
        if given.requests:
            endurance(folder, base, given.requests)


if __name__ == "__main__":
    main()
