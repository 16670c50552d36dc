"""Measure the audit log of the `minivess` that is imported here; `benchmarks/audit.py` runs this for each version.

    python benchmarks/audit_measures.py MEASURE FOLDER [NUMBER]

Prints one JSON object. It runs with the code of 0.1.0 as well as with the code beside it, so it uses only what both have.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import resource
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import minivess
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate, load_public
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.verification.log import verify_log
from minivess.records.verdict import Check

if importlib.util.find_spec("minivess.records.log") is None:  # version 0.1.0 had no rooms
    from minivess.records.entry import Context, Draft, Outcome
    from minivess.records.identity import Identity, KeyAlgorithm
    from minivess.records.roles import IdentityKind, Role
else:
    from minivess.records.log.entry import Context, Draft, Outcome
    from minivess.records.people.identity import Identity, KeyAlgorithm
    from minivess.records.people.roles import IdentityKind, Role

DIGEST = f"sha256:{'5a' * 32}"
SINGLE, ROUNDS = 60, 5
WRITERS, BATCH, GROWN = 16, 128, 4000
ORIGIN = "minivess.example/benchmark"
VALIDATED = {"rules": 56, "notes": 3, "warnings": 1, "blocking": 0, "changed": 0}


def service(who: str) -> Signer:
    """A service with a fresh Ed25519 key."""
    key = generate(KeyAlgorithm.ED25519)
    identity = Identity(id=who, name=who, kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=key.public)
    return Signer(identity, key)


def person(who: str, role: Role) -> Signer:
    """A person with a fresh P-256 key."""
    key = generate(KeyAlgorithm.P256)
    return Signer(Identity(id=who, name=who, kind=IdentityKind.PERSON, roles=(role,), signing_key=key.public), key)


def circumstances() -> Context:
    """What every entry states."""
    return Context(git_commit="0" * 40, git_dirty=False, model=DIGEST, configuration=DIGEST, environment=DIGEST)


def answer() -> Draft:
    """An inference, as the service records it."""
    return Draft(
        action="inference",
        outcome=Outcome.COMPLETED,
        context=circumstances(),
        payload={"decision": "answered", "foreground_fraction": 0.0423, "conformal": True},
    )


def serving_log(path: Path) -> tuple[AuditLog, Signer]:
    """The log that takes a service's answers: a serving log, or in 0.1.0 the device's log with an enrolled service."""
    writer, url = service("inference"), f"sqlite:///{path}"
    known: dict[str, Any] = {"device": "benchmark", "log_signer": service("log"), "threshold": 1}
    if "serves" in inspect.signature(AuditLog.create).parameters:
        log = AuditLog.create(
            url, origin=f"{ORIGIN}/serving/site", roots=(writer.identity,), root_signer=writer, serves=ORIGIN, **known
        )
        return log, writer
    root = person("root", Role.RELEASE_MANAGER)
    log = AuditLog.create(url, origin=ORIGIN, roots=(root.identity,), root_signer=root, **known)
    enrolled = {"identity": writer.identity.model_dump(mode="json")}
    log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=enrolled), root)
    return log, writer


def insist(checks: list[Check]) -> None:
    """Stop when the log does not verify: then its figures are worth nothing."""
    wrong = [check.detail for check in checks if not check.passed]
    if wrong:
        raise SystemExit(f"the log does not verify: {wrong[0]}")


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def per_act(times: int, act: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds and CPU seconds of one act, the mean of several."""
    wall, used = time.perf_counter(), cpu()
    for _ in range(times):
        act()
    return (time.perf_counter() - wall) / times, (cpu() - used) / times


def single(folder: Path, _: int) -> dict[str, float]:
    """One entry at a time; beside it a bare flush, an unsigned durable row in SQLite, and a signature."""
    log, writer = serving_log(folder / f"single-{os.getpid()}.db")
    size = len(log.append(answer(), writer).entry)
    plain = sqlite3.connect(folder / f"plain-{os.getpid()}.db", isolation_level=None)
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

    key, message = service("x"), bytes(size)
    seals = min(per_act(500, lambda: key.sign(message))[1] for _ in range(3))
    rounds = [[per_act(SINGLE, act) for act in (flushed, unsigned, signed)] for _ in range(ROUNDS)]
    flush, row, append = ([one[place] for one in rounds] for place in range(3))
    os.close(raw)
    log.close()
    return {
        "bytes": size,
        "flush": statistics.median(wall for wall, _ in flush),
        "unsigned": statistics.median(wall for wall, _ in row),
        "append": statistics.median(wall for wall, _ in append),
        "python": min(used for _, used in append) - 2 * seals,
        "signatures": 2 * seals,
    }


def writers(folder: Path, count: int) -> dict[str, float]:
    """Sixteen threads that sign and append batches."""
    log, writer = serving_log(folder / f"writers-{os.getpid()}.db")
    batches = max(1, count // WRITERS // BATCH)
    faults: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(batches):
                log.append_all([answer() for _ in range(BATCH)], writer)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    begun, used = time.perf_counter(), cpu()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, spent = time.perf_counter() - begun, cpu() - used
    if faults:
        raise faults[0]
    made = batches * BATCH * WRITERS
    log.close()
    return {"rate": made / took, "cpu": spent / made}


def grow(folder: Path, count: int) -> dict[str, float]:
    """Make the long log that `quick`, `proofs` and `signatures` read."""
    log, writer = serving_log(folder / "long.db")
    while log.size < count:
        log.append_all([answer() for _ in range(min(GROWN, count - log.size))], writer)
    log.close()
    return {"entries": count}


def _long(folder: Path) -> AuditLog:
    return AuditLog.open(f"sqlite:///{folder / 'long.db'}", log_signer=None)


def quick(folder: Path, _: int) -> dict[str, float]:
    """Verify the long log by its checkpoint."""
    log = _long(folder)
    count, note, memory = log.size, log.checkpoint(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used = cpu()
    checks, _register = verify_log(log.pairs(), note, quick=True)
    spent = cpu() - used
    insist(checks)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {"cpu": spent, "entries": count, "memory": grown / 1024}


def proofs(folder: Path, _: int) -> dict[str, float]:
    """Proofs of single entries from the long log."""
    log, times = _long(folder), list[float]()
    count = log.size
    for index in range(7, count, max(1, count // 300)):
        begun = time.perf_counter()
        receipt = log.prove(index)
        times.append(time.perf_counter() - begun)
    head = parse_note(receipt.checkpoint).checkpoint
    proof = [from_base64(item) for item in receipt.proof]
    verify_inclusion(leaf_hash(receipt.entry.encode()), receipt.index, head.size, proof, head.root)
    return {"median": statistics.median(times)}


def signatures(folder: Path, _: int) -> dict[str, float]:
    """Wall time of the full verification over that of `cryptography` verifying as many signatures on all cores."""
    log, cores = _long(folder), len(os.sched_getaffinity(0))
    key = service("x")
    public, message = load_public(key.public), next(log.lines(log.size - 1))
    seal = key.sign(message)

    def bare() -> float:
        """Seconds a signature, with every core at work."""
        begun, children = time.perf_counter(), list[int]()
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
    checks, _register = verify_log(log.pairs(), log.checkpoint())
    took = time.perf_counter() - begun
    insist(checks)
    return {"ratio": took / count / statistics.mean((before, bare()))}


def device(folder: Path, count: int) -> dict[str, float]:
    """Make a device's log of entries by a person, each with details, as it lies in a pack."""
    root, ada = person("root", Role.RELEASE_MANAGER), person("ada", Role.DEVELOPER)
    log = AuditLog.create(
        f"sqlite:///{folder / 'device.db'}",
        origin=ORIGIN,
        device="benchmark",
        log_signer=service("log"),
        roots=(root.identity, ada.identity),
        threshold=1,
        root_signer=root,
    )
    while log.size < count:
        made = min(GROWN, count - log.size)
        draft = Draft(action="data.validate", outcome=Outcome.COMPLETED, context=circumstances(), payload=VALIDATED)
        log.append_all([draft] * made, ada)
    held = folder / "data" / "audit"
    held.mkdir(parents=True)
    pairs = list(log.pairs())
    (held / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line, _ in pairs))
    (held / "details.jsonl").write_bytes(b"".join((details or b"null") + b"\n" for _, details in pairs))
    (held / "checkpoint.txt").write_text(log.checkpoint(), encoding="utf-8")
    log.close()
    return {"entries": count}


def judge(folder: Path, _: int) -> dict[str, float]:
    """Judge that log with the pack's own `verify.py`: every signature, in the standard library alone."""
    judged = _verify_py()
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "data").rglob("*.*")}
    used, pack = cpu(), judged.Pack(files, None)
    pack.check_log()
    return {"cpu": cpu() - used, "entries": len(pack.bodies)}


def _verify_py() -> ModuleType:
    path = Path(minivess.__file__).parents[2] / "templates" / "verify" / "verify.py"
    spec = importlib.util.spec_from_file_location("verify_of_the_pack", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MEASURES = {one.__name__: one for one in (single, writers, grow, quick, proofs, signatures, device, judge)}


if __name__ == "__main__":
    name, place, *number = sys.argv[1:]
    print(json.dumps(MEASURES[name](Path(place), int(number[0]) if number else 0)))
