"""Print the figures of the audit log, each beside its floor or limit, measured in this run on this machine.

    uv run python benchmarks/audit.py                 (about ten minutes: a million entries)
    uv run python benchmarks/audit.py --entries 50000

Single times on a shared machine are worth little: floors are measured in turns with what they are compared to.
`MINIVESS_BENCHMARK_URL` (an SQLAlchemy URL of an empty PostgreSQL database) measures writers there as well.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from minivess.cli.rendering import Progress
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate, load_public
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.verification.log import verify_log
from minivess.records.entry import Context, Draft, Outcome
from minivess.records.identity import Identity, KeyAlgorithm
from minivess.records.roles import IdentityKind, Role
from minivess.records.verdict import Check

DIGEST = f"sha256:{'5a' * 32}"
SINGLE, ROUNDS = 60, 5
WRITERS, BATCH = 16, 128


def row(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<58} {found:>12}   {limit}", flush=True)


def service(who: str) -> Signer:
    """A service with a fresh key."""
    key = generate(KeyAlgorithm.ED25519)
    identity = Identity(id=who, name=who, kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=key.public)
    return Signer(identity, key)


def person(who: str) -> Signer:
    """The root."""
    key = generate(KeyAlgorithm.P256)
    roles = (Role.RELEASE_MANAGER,)
    return Signer(Identity(id=who, name=who, kind=IdentityKind.PERSON, roles=roles, signing_key=key.public), key)


def answer() -> Draft:
    """An inference, as the service records it."""
    return Draft(
        action="inference",
        outcome=Outcome.COMPLETED,
        context=Context(git_commit="0" * 40, git_dirty=False, model=DIGEST, configuration=DIGEST, environment=DIGEST),
        payload={"decision": "answered", "foreground_fraction": 0.0423, "conformal": True},
    )


def fresh(url: str) -> tuple[AuditLog, Signer]:
    """A log and a service that may write to it."""
    root, writer = person("root"), service("inference")
    log = AuditLog.create(
        url,
        origin="minivess.example/benchmark",
        device="benchmark",
        log_signer=service("log"),
        roots=(root.identity,),
        threshold=1,
        root_signer=root,
    )
    payload = {"identity": writer.identity.model_dump(mode="json")}
    log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=payload), root)
    return log, writer


def insist(checks: list[Check]) -> None:
    """A figure for a log that does not verify is no figure."""
    wrong = [check.detail for check in checks if not check.passed]
    if wrong:
        raise SystemExit(f"the log does not verify: {wrong[0]}")


def per_second(times: int, act: Callable[[], object]) -> float:
    """How often a second an act can be done."""
    begun = time.perf_counter()
    for _ in range(times):
        act()
    return times / (time.perf_counter() - begun)


def single(folder: Path) -> None:
    """One signed durable entry at a time, in turns with SQLite's own unsigned durable row of the same size."""
    log, writer = fresh(f"sqlite:///{folder / 'single.db'}")
    size = len(log.append(answer(), writer).entry)
    plain = sqlite3.connect(folder / "plain.db", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE t (i INTEGER PRIMARY KEY, b BLOB)",
    ):
        plain.execute(statement)

    def unsigned() -> None:
        plain.execute("BEGIN IMMEDIATE")
        plain.execute("INSERT INTO t (b) VALUES (?)", (bytes(size),))
        plain.execute("COMMIT")

    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def flushed() -> None:
        os.write(raw, bytes(size))
        os.fdatasync(raw)

    def signed() -> None:
        log.append(answer(), writer)

    rounds = [[per_second(SINGLE, act) for act in (flushed, unsigned, signed)] for _ in range(ROUNDS)]
    raw_rate, floor, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
    row("write and flush, a second (what the disk can do)", f"{raw_rate:.0f}", f"{size} bytes")
    row("unsigned SQLite append, a second (floor)", f"{floor:.0f}")
    row("signed append, a second", f"{rate:.0f}")
    row("signed / unsigned, median of rounds", f"{statistics.median(b / a for _, a, b in rounds):.2f}", ">= 0.85")
    key, message = service("x"), bytes(size)
    seal = 1 / per_second(1000, lambda: key.sign(message))
    row("what a signed append takes longer, ms", f"{(1 / rate - 1 / floor) * 1e3:.2f}")
    row("of that the two signatures (entry, checkpoint), ms", f"{2 * seal * 1e3:.2f}")
    # What is signed takes its time whatever the disk does: on a disk of 300 flushes a second (design: 253 to 422)
    slow = 1 / 300 + 1 / floor - 1 / raw_rate
    row(
        "signed / unsigned, reckoned for 300 flushes a second", f"{slow / (slow + 1 / rate - 1 / floor):.2f}", ">= 0.85"
    )
    os.close(raw)
    log.close()


def sixteen(url: str, name: str, total: int) -> AuditLog:
    """Sixteen threads that record batches."""
    log, writer = fresh(url)
    batches = max(1, total // WRITERS // BATCH)
    faults: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(batches):
                log.append_all([answer() for _ in range(BATCH)], writer)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    if faults:
        raise faults[0]
    made = batches * BATCH * WRITERS
    row(f"{name}: signed durable entries a second, 16 writers", f"{made / took:.0f}", ">= 5000")
    return log


def verification(log: AuditLog) -> None:
    """The whole log, twice, and proofs from it."""
    count, checkpoint = log.size, log.checkpoint()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    checks, _ = verify_log(log.pairs(), checkpoint, quick=True)
    took = time.process_time() - begun
    insist(checks)
    row(f"verify {count} entries by checkpoint, CPU s a million", f"{took / count * 1e6:.1f}", "<= 10")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    row("memory that verification added, MiB", f"{grown / 1024:.0f}", "bounded")
    times = []
    for index in range(7, count, max(1, count // 300)):
        begun = time.perf_counter()
        receipt = log.prove(index)
        times.append(time.perf_counter() - begun)
    head = parse_note(receipt.checkpoint).checkpoint
    proof = [from_base64(item) for item in receipt.proof]
    verify_inclusion(leaf_hash(receipt.entry.encode()), receipt.index, head.size, proof, head.root)
    row(f"inclusion proof in {count} entries, median ms", f"{statistics.median(times) * 1e3:.2f}", "<= 1")
    row("signatures, wall time / the library's own verify rate", f"{signatures(log):.2f}", "<= 1.2")


def signatures(log: AuditLog) -> float:
    """Wall time of the full verification over that of `cryptography` verifying as many signatures on all cores."""
    cores = len(os.sched_getaffinity(0))
    key = service("x")
    public, message = load_public(key.public), next(log.lines(log.size - 1))
    seal = key.sign(message)

    def bare() -> float:
        """Seconds a signature, with every core at work."""
        begun = time.perf_counter()
        children = []
        for _ in range(cores):
            child = os.fork()
            if not child:
                for _ in range(4000):
                    public.verify(seal, message)  # type: ignore[union-attr,call-arg]
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        return (time.perf_counter() - begun) / 4000 / cores

    before, count = bare(), log.size
    begun = time.perf_counter()
    checks, _ = verify_log(log.pairs(), log.checkpoint())
    took = time.perf_counter() - begun
    insist(checks)
    return took / count / statistics.mean((before, bare()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the audit log.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="length of the log that is verified")
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        single(folder)
        sixteen(f"sqlite:///{folder / 'sixteen.db'}", "SQLite", 40_000).close()
        url = os.environ.get("MINIVESS_BENCHMARK_URL")
        if url:
            sixteen(url, "PostgreSQL", 20_000).close()
        log, writer = fresh(f"sqlite:///{folder / 'long.db'}")
        progress = Progress()
        while log.size < entries:
            log.append_all([answer() for _ in range(4000)], writer)
            progress("entries", log.size, entries)
        verification(log)


if __name__ == "__main__":
    main()
