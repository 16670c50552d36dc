"""The whole story on embedded defaults: from synthetic volumes to a signed pack that fresh processes verify.

Every step is the workflow that the command line also offers alone. Nothing is mocked; only the people are made up, and
their keys say so everywhere.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.items.items import load_items
from minivess.compliance.standards.approved_subjects import BY_REVIEWER, required_approvals
from minivess.foundation.errors import CouldNotCheckError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited, write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.foundation.provenance import lock_file
from minivess.records.data.split import Part
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.log.witnessed import Checked
from minivess.records.people.identity import LOG_IDENTITY
from minivess.records.people.roles import IdentityKind, Role
from minivess.records.sinks import Progress
from minivess.records.verdict import VerdictState
from minivess.workflows.data import ingestion, sealing, splitting, validation
from minivess.workflows.models import calibration, ensembles, export, promotion, training
from minivess.workflows.people import accounts
from minivess.workflows.release import build, signing
from minivess.workflows.sealed import analysis_plan, final_evaluation, registration, requests
from minivess.workflows.session import workspace_files
from minivess.workflows.session.services import Services, open_services
from minivess.workflows.trace import link_reviews, verification_runs
from minivess.workflows.trace.pytest_runs import start_scenarios

MARKER = "DEMO"
PEOPLE = {
    "ada": ("Ada Demo", Role.DEVELOPER),
    "rosa": ("Rosa Demo", Role.REVIEWER),
    "max": ("Max Demo", Role.RELEASE_MANAGER),
}
STEPS = 12
SERVER_WAIT_S = 90


@dataclass
class Summary:
    """What the demo made, for the closing page."""

    seconds: float = 0.0
    evaluation: EvaluationRecord | None = None
    scenarios: str = ""
    service: str = ""
    refused: str = ""
    pack: Path = Path()
    page: Path = Path()
    verdict: str = ""
    entries: int = 0
    notes: list[str] = field(default_factory=list)


@implements("REQ-044")
def run(source: Path, folder: Path, *, say: Callable[[str], None], progress: Progress) -> Summary:
    """Tell the story in `folder`, starting afresh when a demo was there before, whole or interrupted.

    Args:
        source: the clone: requirements/, risk/, features/, tests/ and the lock file.
        folder: where everything is made; nothing outside it is changed.
        say: hears one line a step.
        progress: hears about long work inside a step.

    Raises:
        UsageError: `source` is no clone, or `folder` holds something that is no demo.
        RefusedError: a gate, a guard or a verification refused.
    """
    begun = time.monotonic()
    demo = _DemoRun(source, folder, say, progress)
    summary = demo.complete()
    summary.seconds = time.monotonic() - begun
    return summary


def prepare_folder(source: Path, workspace: Workspace) -> None:
    """Make the demo's folder a fresh project, in place of an earlier demo.

    Raises:
        UsageError: the folder holds something that is no demo; it is left alone.
    """
    root = workspace.root
    if root.exists() and any(root.iterdir()):
        if not (root / MARKER).is_file():
            raise UsageError(f"{root} holds something that is no demo", hint="choose another folder with --folder")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    write_text_atomic(root / MARKER, "Made by `minivess demo`, which may remove this folder to start again.\n")
    text = read_limited(templates_folder() / "demo" / "minivess.yaml", limit=1 << 20).decode("utf-8")
    relative = os.path.relpath(source, root)
    write_text_atomic(workspace.project_file, text.replace('source: ".."', f"source: {json.dumps(relative)}"))


class _DemoRun:
    def __init__(self, source: Path, folder: Path, say: Callable[[str], None], progress: Progress) -> None:
        if not (source / "features").is_dir() or lock_file(source) is None:
            raise UsageError(
                f"{source} is no clone of MiniVess: the demo verifies the software it runs",
                hint="clone the repository and run `uv run minivess demo` in it",
            )
        self.source, self.say, self.progress = source.resolve(), say, progress
        self.workspace = Workspace(folder.resolve())
        self.passphrases: dict[str, str] = {}
        self.step = 0
        self.begun = time.monotonic()

    def complete(self) -> Summary:
        summary = Summary()
        prepare_folder(self.source, self.workspace)
        # The scenarios run beside everything else: spinning threads would starve both.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
        scenarios: subprocess.Popen[bytes] | None = None
        try:
            scenarios = start_scenarios(self.source, self.workspace.results, tester="ada", slow=False)
            self._next("three people make keys, and the log starts with them as its roots")
            signers = self._people()
            with open_services(
                self.workspace.root, log_passphrase=self.passphrases["log"], progress=self.progress
            ) as services:
                ada, rosa, manager = signers["ada"], signers["rosa"], signers["max"]
                accounts.enrol(services, manager, accounts.INFERENCE_IDENTITY)
                self._data(services, ada)
                self._models(services, ada)
                summary.evaluation, summary.refused = self._evaluation(services, ada, rosa, manager)
                self._next("Max puts the model into production, and the service answers one volume with a receipt")
                reason = "To show the service; this demo is not in use"
                promotion.promote(services, manager, summary.evaluation.model, stage="production", reason=reason)
                summary.service = self._service(services)
                self._next("the software's own scenarios, run since the beginning, are recorded")
                report = verification_runs.run_scenarios(services, ada, running=scenarios)
                passed = sum(result.outcome == "passed" for result in report.results)
                summary.scenarios = (
                    f"{passed} of {len(report.results)} passed (those marked slow run with `uv run pytest -m slow`)"
                )
                self._next("Rosa approves the requirements and the risk file, Max the plans and the changes")
                self._approvals(services, rosa, manager)
                self._next("every gate is judged and the evidence pack is built")
                built = build.build(services, manager)
                self._next("two people sign the pack, each by the digest of its signing text")
                for signer in (rosa, manager):
                    signing.sign(services, signer, signing.examine(services, signer.identity.id, built.path))
                trust = self.workspace.root / "trust.json"
                write_text_atomic(trust, accounts.trusted_keys(services))
                summary.entries = services.log.size
            self._next("fresh processes verify the pack: minivess, then a bare Python without any package")
            summary.verdict = self._verify(built.path, trust)
            summary.pack = built.path
            summary.page = self._unpack(built.path) / "data" / "index.html"
        finally:
            if scenarios is not None and scenarios.poll() is None:
                scenarios.kill()
        return summary

    def _next(self, what: str) -> None:
        self.step += 1
        self.say(f"[{self.step:2d}/{STEPS} {time.monotonic() - self.begun:4.0f} s] {what}")

    def _people(self) -> dict[str, Signer]:
        everybody = [*PEOPLE, LOG_IDENTITY, accounts.INFERENCE_IDENTITY]
        self.passphrases = {who: "-".join(secrets.token_hex(3) for _ in range(3)) for who in everybody}
        lines = [
            "# Passphrases of made-up people, for trying commands in this demo. Real ones are never written down.\n"
        ]
        lines += [f"export {_variable(who)}={phrase}\n" for who, phrase in self.passphrases.items()]
        write_atomic(self.workspace.root / "demo-passphrases.env", "".join(lines).encode("utf-8"), mode=0o600)
        keystore = Keystore(self.workspace.keystore)
        for who, (name, role) in PEOPLE.items():
            keystore.create(who, name, IdentityKind.PERSON, (role,), self.passphrases[who], demo=True)
        keystore.create(
            accounts.INFERENCE_IDENTITY,
            "Inference service (demo)",
            IdentityKind.SERVICE,
            (Role.SERVICE,),
            self.passphrases[accounts.INFERENCE_IDENTITY],
            demo=True,
        )
        signers = {who: keystore.unlock(who, self.passphrases[who]) for who in PEOPLE}
        made_up = Checked(document="Made-up identity card (demo)", training="Made-up training record (demo)")
        accounts.start_log(
            self.workspace,
            signers["max"],
            log_passphrase=self.passphrases[LOG_IDENTITY],
            checked=dict.fromkeys(PEOPLE, made_up),
        )
        return signers

    def _data(self, services: Services, ada: Signer) -> None:
        self._next("volumes are generated, validated, split by subject, and the test part is sealed")
        ingestion.ingest(services, ada)
        report = validation.validate(services, ada)
        if report.blocked:
            raise RefusedError("validation blocks the demo's own volumes", hint="`minivess data validate` names why")
        splitting.split(services, ada)
        sealing.seal(services, ada)

    def _models(self, services: Services, ada: Signer) -> None:
        self._next("two networks are trained (the longest step)")
        training.train(services, ada)
        self._next("they become an ensemble, calibrated on cases neither trained nor tested on")
        ensembles.combine(services, ada)
        calibration.calibrate(services, ada)
        self._next("the ensemble becomes one ONNX graph that repeats PyTorch")
        export.export(services, ada)

    def _evaluation(
        self, services: Services, ada: Signer, rosa: Signer, manager: Signer
    ) -> tuple[EvaluationRecord, str]:
        self._next(
            "criteria are registered; Ada asks for a look at the test set, Rosa approves and runs the evaluation"
        )
        registration.register_policy(services, manager)
        analysis_plan.register_criteria(services, ada)
        asked = requests.request(services, ada, purpose="Final evaluation of the demo release")
        record = final_evaluation.approve_and_run(services, rosa, asked.id)
        try:
            final_evaluation.run(services, ada, asked.id)
        except RefusedError as refusal:
            return record, refusal.message
        raise VerificationError("the developer read the test set, whose key the custodian had kept")

    def _approvals(self, services: Services, rosa: Signer, manager: Signer) -> None:
        subjects = sorted(frozenset().union(*required_approvals(load_items(services.source)).values()))
        link_reviews.approve(services, rosa, [one for one in subjects if one in BY_REVIEWER])
        link_reviews.approve(services, manager, [one for one in subjects if one not in BY_REVIEWER])

    def _service(self, services: Services) -> str:
        from minivess.compliance.verification.receipt import verify_receipt
        from minivess.compliance.verification.trust import parse_trust
        from minivess.records.log.receipt import Receipt

        case = workspace_files.split_of(self.workspace).part(Part.CALIBRATION)[0]
        image = self.workspace.prepared / case / "image.npy"
        cases = workspace_files.manifest_of(self.workspace).cases
        spacing = next(one.physical_spacing for one in cases if one.id == case)
        with _server(self.workspace.root, self.passphrases, log=self.workspace.evidence / "service.log") as address:
            answer = _post_volume(f"{address}/v1/segment", read_limited(image, limit=1 << 30), spacing)
        receipt = Receipt.model_validate(answer["receipt"])
        trust = parse_trust(accounts.trusted_keys(services))
        verdict = verify_receipt(receipt, log_key=trust, actor=trust)
        if not verdict.holds:
            raise VerificationError("the receipt of the service does not hold")
        return f"{answer['decision']}, receipt for entry {receipt.index} verified"

    def _verify(self, pack: Path, trust: Path) -> str:
        ours = [sys.executable, "-m", "minivess.cli.main", "release", "verify", str(pack), "--trust", str(trust)]
        with zipfile.ZipFile(pack) as archive:
            script = archive.read("data/verify/verify.py")
        alone = self.workspace.root / "release" / "verify.py"
        write_atomic(alone, script)
        bare = [sys.executable, "-I", "-S", str(alone), str(pack), "--trust", str(trust)]
        verdicts = []
        for name, command in (("minivess release verify", ours), ("verify.py", bare)):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            last = (done.stdout + done.stderr).strip().splitlines()[-4:]
            said = last[-1].removeprefix("VERDICT: ") if last else ""
            if done.returncode != 0 and not said.startswith(_NOT_RELEASABLE):
                raise VerificationError(f"{name}: {' / '.join(last)}")
            verdicts.append(said if said.startswith(_NOT_RELEASABLE) else "VERIFIED")
        if len(set(verdicts)) > 1:
            raise VerificationError(f"the two verifiers disagree: {' / '.join(verdicts)}")
        return f"{verdicts[0]} (minivess release verify, and the pack's own verify.py)"

    def _unpack(self, pack: Path) -> Path:
        folder = pack.parent / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(pack) as archive:
            archive.extractall(folder)
        return folder


_NOT_RELEASABLE = VerdictState.NOT_RELEASABLE.value
"""A demonstration of a source tree with uncommitted changes goes through, and both verifiers say that of its pack."""


def _variable(who: str) -> str:
    return f"MINIVESS_PASSPHRASE_{who.upper()}"


@contextmanager
def _server(workspace: Path, passphrases: dict[str, str], *, log: Path) -> Iterator[str]:
    """`minivess serve` in a process of its own on a free loopback port; yields its address when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(os.environ)
    for who in (LOG_IDENTITY, accounts.INFERENCE_IDENTITY):
        environment[_variable(who)] = passphrases[who]
    command = [sys.executable, "-m", "minivess.cli.main", "-C", str(workspace), "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + SERVER_WAIT_S
        while not _is_up(f"{address}/v1/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CouldNotCheckError("the service did not start", hint=f"{log.name} in evidence/ says why")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  always loopback http
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _post_volume(url: str, volume: bytes, spacing_um: tuple[float, ...] | None) -> dict[str, Any]:
    """POST one `.npy` image as multipart form data (RFC 7578), with its spacing where a physical size is known."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="volume"; filename="volume.npy"\r\n'.encode(),
        b"Content-Type: application/octet-stream\r\n\r\n" + volume + f"\r\n--{boundary}--\r\n".encode(),
    ]
    if spacing_um is not None:
        spacing = f"{' x '.join(str(value) for value in spacing_um)} um"
        field = f'--{boundary}\r\nContent-Disposition: form-data; name="spacing"\r\n\r\n{spacing}\r\n'
        parts.insert(0, field.encode())
    request = urllib.request.Request(  # noqa: S310  always loopback http
        url, data=b"".join(parts), headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
            body: dict[str, Any] = json.load(answer)
            return body
    except urllib.error.HTTPError as error:
        raise CouldNotCheckError(
            f"the service answered {error.code}: {error.read(500).decode('utf-8', 'replace')}"
        ) from None
