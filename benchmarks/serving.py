"""Print what answers cost: flushes, time beside a bare append, and what they leave in the device's log and in a pack.

    uv run python benchmarks/serving.py                        (10,000 answers)
    uv run python benchmarks/serving.py --answers 100000

Times are CPU time of one thread, in turns, the least of the rounds; other programs on the machine can only make them
worse. Flushes are counted in SQLite's own calls and in Python's, by `strace` where it is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.signer import Signer
from minivess.compliance.verification.log import verify_log
from minivess.foundation.settings import load_settings
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from minivess.records.artifact import Artifact
from minivess.records.device.project import Project
from minivess.records.log.entry import Context, Draft, Outcome
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.serving.serving_log import Pace
from minivess.workflows.serving.site import open_serving_log
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, silent

DIGEST = f"sha256:{'5a' * 32}"
PASSPHRASE = "a benchmark's own"  # noqa: S105  of keys that are thrown away
ROUNDS, EACH, FLUSHED = 5, 100, 50
CONTEXT = Context(git_commit="0" * 40, git_dirty=False, model=DIGEST, configuration=DIGEST, environment=DIGEST)
INPUTS = tuple(Artifact(name=name, digest=DIGEST) for name in ("models/model.onnx", "service/use", "requests/one"))
OUTPUTS = ("masks/one", "conformal-masks/one")
PAYLOAD = {"decision": "answered", "foreground_fraction": 0.0423, "conformal": True}
PROJECT = {
    "device": {"name": "bench", "version": "0", "manufacturer": "-", "intended_use": "-", "safety_class": "B"},
    "data": {"name": "bench", "licence": "-", "source": "-", "synthetic": {}},
    "evaluation": {"criteria": [{"measure": "dice", "at_least": 0.1}]},
}


def row(what: str, found: str, limit: str = "") -> None:
    """One line of the report."""
    print(f"{what:<66} {found:>12}   {limit}", flush=True)


def signer(who: str, algorithm: KeyAlgorithm, *roles: Role) -> Signer:
    """Somebody with a fresh key."""
    key, kind = generate(algorithm), IdentityKind.SERVICE if roles == (Role.SERVICE,) else IdentityKind.PERSON
    return Signer(Identity(id=who, name=who, kind=kind, roles=roles, signing_key=key.public), key)


def device(folder: Path) -> tuple[Services, Signer]:
    """A device's log, and a service that may have a log of its own."""
    root = signer("root", KeyAlgorithm.P256, Role.RELEASE_MANAGER)
    service = signer("inference", KeyAlgorithm.ED25519, Role.SERVICE)
    log = AuditLog.create(
        f"sqlite:///{folder / 'evidence' / 'audit.db'}",
        origin="minivess.example/bench",
        device="bench",
        log_signer=signer("log", KeyAlgorithm.ED25519, Role.SERVICE),
        roots=(root.identity,),
        threshold=1,
        root_signer=root,
    )
    enrolled = {
        "identity": service.identity.model_dump(mode="json"),
        "actions": ["serving.enrolled", "serving.anchored"],
    }
    log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=enrolled), root)
    services = Services(
        workspace=folder,
        project=Project.model_validate(PROJECT),
        settings=load_settings(folder),
        log=log,
        relay=Relay(log, FileTransport(folder / "evidence" / "lineage" / "events.jsonl")),
        source=folder,
        progress=silent,
    )
    return services, service


def record(services: Services, service: Signer) -> None:
    """One answer, as `InferenceService` records it."""
    with recorded(
        services, "inference", service, inputs=INPUTS, context=CONTEXT, instant=True, trial=False
    ) as recording:
        for name in OUTPUTS:
            recording.output(name, DIGEST)
        recording.payload(**PAYLOAD)


def record_and_deliver(services: Services, service: Signer) -> None:
    """As 0.1.0 did: a trial write before, and delivery inside the request."""
    services.log.check_writable()
    record(services, service)
    services.deliver()


def append(services: Services, service: Signer) -> None:
    """The same entry, appended without anything around it."""
    made = tuple(Artifact(name=name, digest=DIGEST) for name in OUTPUTS)
    draft = Draft(
        action="inference", outcome=Outcome.COMPLETED, context=CONTEXT, inputs=INPUTS, outputs=made, payload=PAYLOAD
    )
    services.log.append(draft, service)


def milliseconds(act: Callable[[], object]) -> float:
    """CPU time of one act, the mean of several."""
    begun = time.thread_time()
    for _ in range(EACH):
        act()
    return (time.thread_time() - begun) / EACH * 1e3


def cost(folder: Path) -> None:
    """`recorded` beside a bare append, in turns."""
    services, service = device(folder)
    with open_serving_log(services, service, passphrase=PASSPHRASE) as serving:
        acts = [partial(act, serving.services, service) for act in (append, record, record_and_deliver)]
        rounds = [[milliseconds(act) for act in acts] for _ in range(ROUNDS)]
        bare, whole, before = (min(column) for column in zip(*rounds, strict=True))
    row("a bare append of the entry, CPU ms", f"{bare:.2f}")
    row("recorded() with its lineage event, CPU ms", f"{whole:.2f}")
    row(
        "recorded() / bare append", f"{whole / bare:.2f}", f"{before / bare:.2f} with trial and delivery inside (0.1.0)"
    )
    services.close()


def flushes(folder: Path) -> None:
    """Flushes an answer, as the kernel sees them, in a process that does nothing else."""
    tracer = shutil.which("strace")
    if tracer is None:
        row("flushes an answer", "-", "strace is not installed")
        return
    trace = folder / "trace"
    command = [tracer, "-f", "-e", "trace=fsync,fdatasync,write", "-s", "64", "-o", str(trace)]
    counts = []
    for how in ("now", "before"):
        run = [*command, sys.executable, __file__, "--only-answer", str(folder / how), how]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        text = trace.read_text(encoding="utf-8", errors="replace")
        between = re.search(r"answers begin(.*)answers end", text, re.DOTALL)
        counts.append(len(re.findall(r"f(?:data)?sync\(", between.group(1))) / FLUSHED if between else -1)
    row("flushes an answer", f"{counts[0]:.2f}", f"1; {counts[1]:.2f} with delivery inside (0.1.0)")


def only_answer(folder: Path, how: str) -> None:
    """What is traced."""
    act = record if how == "now" else record_and_deliver
    services, service = device(folder)
    with open_serving_log(services, service, passphrase=PASSPHRASE) as serving:
        act(serving.services, service)
        os.write(1, b"answers begin\n")
        for _ in range(FLUSHED):
            act(serving.services, service)
        os.write(1, b"answers end\n")
    services.close()


def growth(folder: Path, answers: int) -> None:
    """What many answers leave in both logs, and what a pack takes from the device's."""
    services, service = device(folder)
    pace = Pace(anchor_entries=1000)
    with open_serving_log(services, service, passphrase=PASSPHRASE, pace=pace) as serving:
        before = _taken(services)
        made = tuple(Artifact(name=name, digest=DIGEST) for name in OUTPUTS)
        draft = Draft(
            action="inference", outcome=Outcome.COMPLETED, context=CONTEXT, inputs=INPUTS, outputs=made, payload=PAYLOAD
        )
        for start in range(0, answers, 1000):
            count = min(1000, answers - start)
            serving.services.log.append_all([draft] * count, service)
            serving.anchor()
        size = sum(path.stat().st_size for path in serving.services.workspace.glob("evidence/serving/*.db*"))
        entries = serving.services.log.size
    services.deliver()
    after = _taken(services)
    row(f"{answers} answers: serving log, entries", f"{entries}")
    row("  its file, bytes an answer", f"{size / answers:.0f}")
    row("  device's log, entries more (one anchor every 1,000 answers)", f"{after[0] - before[0]}")
    row("  bytes of the device's log that a pack takes, before", f"{before[1]}")
    row("  the same after", f"{after[1]}", f"{(after[1] - before[1]) / answers:.1f} bytes an answer")
    row("  lineage file that a pack takes, bytes more", f"{after[2] - before[2]}", "of the anchors")
    begun = time.process_time()
    checks, _ = verify_log(services.log.pairs(), services.log.checkpoint())
    if not all(check.passed for check in checks):
        raise SystemExit("the device's log does not verify")
    row("  verifying the device's log with every signature, CPU s", f"{time.process_time() - begun:.2f}")
    services.close()


def _taken(services: Services) -> tuple[int, int, int]:
    """Entries of the device's log, their bytes with details, and the lineage file's."""
    pairs = list(services.log.pairs())
    file = services.settings.lineage_file
    taken = sum(len(line) + len(details or b"") for line, details in pairs)
    return len(pairs), taken, file.stat().st_size if file.exists() else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what answers cost.")
    parser.add_argument("--answers", type=int, default=10_000, help="how many answers the logs grow by")
    parser.add_argument("--only-answer", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument(
        "--load", action="store_true", help="load over HTTP instead: the options of serving_load.py follow"
    )
    given, rest = parser.parse_known_args()
    if given.load:
        from serving_load import main as load

        load(rest)
        return
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if given.only_answer is not None:
        only_answer(Path(given.only_answer[0]), given.only_answer[1])
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd()) as name:
        folder = Path(name)
        flushes(folder)
        cost(folder / "cost")
        growth(folder / "growth", given.answers)


if __name__ == "__main__":
    main()
