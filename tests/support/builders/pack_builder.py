"""Small but complete logs and evidence packs, made without the audit store and the evidence room.

`story()` gives a log from its creation to an evaluation; `payload()` the files under data/; `bag()` adds the BagIt
files; `sign()` the envelopes. Everything can be bent before the next step, which is what the tests of verification do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import LOG, verifier_key
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.proofs.merkle import inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.tlog_proof import TlogProof
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions, Criterion, Looks
from minivess.records.log.entry import Context, Entry, EntryBody, Outcome
from minivess.records.log.payloads.by_action import observed
from minivess.records.log.receipt import Receipt
from minivess.records.people.approval import Envelope, Policy, PolicyRule, UnsealGrant, UnsealRequest
from minivess.records.people.identity import Identity, KeyAlgorithm, Meaning
from minivess.records.people.roles import IdentityKind, Role

ORIGIN = "minivess.example/vessel-segmenter"
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
RUN = UUID("01890000-0000-7000-8000-000000000001")
TEMPLATES = Path(__file__).parents[3] / "templates" / "verify"
RELEASE_POLICY = Policy(
    name="release",
    rules=(
        PolicyRule(role=Role.REVIEWER, meaning=Meaning.REVIEW),
        PolicyRule(role=Role.RELEASE_MANAGER, meaning=Meaning.APPROVAL),
    ),
)
UNSEAL_POLICY = Policy(name="unseal", rules=(PolicyRule(role=Role.REVIEWER, meaning=Meaning.APPROVAL),))


@cache
def person(id: str, name: str, *roles: Role, demo: bool = False) -> Signer:  # noqa: A002
    """A person with fresh keys; the same arguments give the same person within one run."""
    signing, encryption = generate(KeyAlgorithm.P256), generate(KeyAlgorithm.X25519)
    identity = Identity(
        id=id,
        name=name,
        kind=IdentityKind.PERSON,
        roles=roles,
        signing_key=signing.public,
        encryption_key=encryption.public,
        demo=demo,
    )
    return Signer(identity, signing, encryption)


@cache
def service(id: str) -> Signer:  # noqa: A002
    """A service with a fresh Ed25519 key."""
    signing = generate(KeyAlgorithm.ED25519)
    identity = Identity(id=id, name=id, kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=signing.public)
    return Signer(identity, signing)


@cache
def log_key() -> PrivateKey:
    """The key that signs checkpoints."""
    return generate(KeyAlgorithm.ED25519)


def ada() -> Signer:
    """The developer."""
    return person("ada", "Ada Lovelace", Role.DEVELOPER)


def ben() -> Signer:
    """The independent reviewer."""
    return person("ben", "Benoît Müller", Role.REVIEWER)


def cleo() -> Signer:
    """The release manager and root of the log."""
    return person("cleo", "Cleo Papadopoulou", Role.RELEASE_MANAGER)


def log_files(pairs: Sequence[tuple[bytes, bytes | None]], checkpoint: str) -> dict[str, bytes]:
    """A log as the files of a pack."""
    return {
        "data/audit/entries.jsonl": b"".join(line + b"\n" for line, _ in pairs),
        "data/audit/details.jsonl": b"".join((b"null" if told is None else told) + b"\n" for _, told in pairs),
        "data/audit/checkpoint.txt": checkpoint.encode("utf-8"),
    }


_SIGNATURES: dict[tuple[str, bytes], str] = {}


def _signature(signer: Signer, text: bytes) -> str:
    """Of a text by a key, made once: most logs begin alike, and verifiers of the tests know signatures that they have seen."""
    made = _SIGNATURES.get((signer.key_id, text))
    if made is None:
        made = _SIGNATURES[signer.key_id, text] = to_base64(signer.sign(text))
    return made


@dataclass
class LogBuilder:
    """Appends signed entries and gives out lines, checkpoints, proofs and receipts."""

    origin: str = ORIGIN
    entries: list[Entry] = field(default_factory=list)
    details: list[bytes | None] = field(default_factory=list)

    def append(
        self,
        signer: Signer,
        action: str,
        payload: dict[str, Any],
        /,
        *,
        outcome: Outcome = Outcome.COMPLETED,
        error: str | None = None,
        outputs: Sequence[Artifact] = (),
        context: Context | None = None,
        **changes: Any,
    ) -> Entry:
        """One more entry; `changes` overrides any field of its body before it is signed."""
        index = len(self.entries)
        apart = observed(action) and bool(payload)
        details = {"error": error, "payload": payload if apart else {}, "salt": to_base64(bytes(16))}
        line = canonical(details) if apart or error else None
        body = EntryBody(
            action=action,
            outcome=outcome,
            context=context or Context(),
            outputs=tuple(outputs),
            payload={} if apart else payload,
            details=None if line is None else digest_bytes(line),
            log=self.origin,
            index=index,
            time=BEGIN + timedelta(seconds=index),
            actor=signer.identity.id,
            key=signer.key_id,
        ).model_copy(update=changes)
        entry = Entry(body=body, signature=_signature(signer, canonical(body)))
        self.entries.append(entry)
        self.details.append(line)
        return entry

    def create(self, *roots: Signer) -> Entry:
        """Entry 0."""
        payload = {
            "device": "vessel-segmenter",
            "log_key": log_key().public.model_dump(mode="json"),
            "roots": [item.identity.model_dump(mode="json") for item in roots],
            "threshold": 1,
        }
        return self.append(roots[0], "log.created", payload)

    def enrol(self, by: Signer, who: Signer) -> Entry:
        """Somebody joins."""
        return self.append(by, "identity.enrolled", {"identity": who.identity.model_dump(mode="json")})

    @property
    def lines(self) -> list[bytes]:
        """Canonical bytes of each entry."""
        return [canonical(entry) for entry in self.entries]

    @property
    def pairs(self) -> list[tuple[bytes, bytes | None]]:
        """Entries and details, as verification wants them."""
        return list(zip(self.lines, self.details, strict=True))

    @property
    def head(self) -> Checkpoint:
        """The head of the log."""
        return Checkpoint(self.origin, len(self.entries), root([leaf_hash(line) for line in self.lines]))

    @property
    def checkpoint(self) -> str:
        """The signed head."""
        return sign_note(self.head, log_key())

    def proof(self, index: int) -> TlogProof:
        """The proof of one entry under the present head."""
        hashes = [leaf_hash(line) for line in self.lines]
        return TlogProof(index, inclusion_proof(tree_of(hashes), index, len(hashes)), self.checkpoint)

    def receipt(self, index: int) -> Receipt:
        """The receipt of one entry."""
        proof = self.proof(index)
        return Receipt(
            index=index,
            entry=self.lines[index].decode("utf-8"),
            proof=tuple(to_base64(item) for item in proof.hashes),
            checkpoint=proof.checkpoint,
            details=None if self.details[index] is None else self.details[index].decode("utf-8"),
        )


def results() -> dict[str, bytes]:
    """The files that actions make."""
    return {
        "data/datasets/manifest.json": b'{"name":"synthetic"}',
        "data/models/model.onnx": bytes(range(256)) * 2,
        "data/evaluation/evaluation.json": b'{"dice":0.91}',
        "data/verification/results.json": b'{"passed":3}',
    }


PLAN = AnalysisPlan(
    mask_threshold=0.5,
    conventions=Conventions(tolerance=2.0, unit="um"),
    seed=0,
    looks=Looks(per_release=2, total=2),
    criteria=(Criterion(measure="dice", at_least=0.85),),
)


def opening_request(id: str = "opening-1", *, requester: str = "ada") -> UnsealRequest:  # noqa: A002
    """A request to open the test set."""
    digest = digest_bytes(b"fixed")
    return UnsealRequest(
        id=id,
        requester=requester,
        purpose="final evaluation",
        release="1.0",
        model=digest,
        calibration=digest,
        configuration=digest,
        plan=digest_of(PLAN),
        criteria=digest,
        data=digest,
        expires=BEGIN + timedelta(days=1),
        ephemeral_key=raw_x25519(generate(KeyAlgorithm.X25519).public),
    )


def opening_grant(request: UnsealRequest, approver: Signer, *, head: int = 8) -> UnsealGrant:
    """A signed answer to a request."""
    envelope = approve(
        approver,
        role=Role.REVIEWER,
        meaning=Meaning.APPROVAL,
        policy=UNSEAL_POLICY,
        subjects=[Artifact(name=f"test-set/{request.id}", digest=digest_of(request))],
        shown=digest_bytes(b"page"),
        head=head,
        now=BEGIN,
    )
    wrapped = wrap_for(request.ephemeral_key, b"k" * 32, context=request.id.encode())
    return UnsealGrant(request=request.id, approver=approver.identity.id, wrapped_key=wrapped, envelope=envelope)


def made(*names: str) -> list[Artifact]:
    """Artifacts of `results()`, as an entry names its outputs."""
    return [Artifact(name=name.removeprefix("data/"), digest=digest_bytes(results()[name])) for name in names]


def begin() -> LogBuilder:
    """A log with its people and one service."""
    log = LogBuilder()
    log.create(cleo())
    for who in (ada(), ben(), service("pipeline")):
        log.enrol(cleo(), who)
    return log


def register_criteria(log: LogBuilder) -> None:
    """Acceptance criteria."""
    plan = PLAN.model_dump(mode="json")
    log.append(ada(), "criteria.register", {"criteria": plan["criteria"], "plan": plan})


def open_test_set(log: LogBuilder, request: UnsealRequest, *, approver: Signer | None = None) -> None:
    """Request, approval and opening."""
    log.append(ada(), "test-set.request", {"request": request.model_dump(mode="json")})
    who = approver or ben()
    log.append(who, "test-set.approve", {"grant": opening_grant(request, who).model_dump(mode="json")})
    log.append(ada(), "test-set.open", {"request": request.id})


def evaluate(log: LogBuilder, request: UnsealRequest) -> None:
    """The result of an opening."""
    interval = {"mean": 0.91, "lower": 0.88, "upper": 1.0, "n": 4}
    payload = {"request": request.id, "cases": 4, "aggregates": {"dice": interval}, "baseline_dice": 0.5}
    log.append(service("pipeline"), "evaluation", payload, outputs=made("data/evaluation/evaluation.json"))


def story() -> LogBuilder:
    """A whole log: people, data, a failed and a good training, the one opening of the test set, its evaluation."""
    log, pipeline, request = begin(), service("pipeline"), opening_request()
    log.append(
        pipeline, "data.ingest", {"dataset": "synthetic", "cases": 8}, outputs=made("data/datasets/manifest.json")
    )
    start = log.append(pipeline, "training", {}, outcome=Outcome.STARTED, context=Context(seed=1, openlineage_run=RUN))
    log.append(pipeline, "training", {}, outcome=Outcome.FAILED, started=start.body.index, error="the disk was full")
    log.append(
        pipeline,
        "training",
        {"architecture": "segresnet", "steps": 150, "final_loss": 1.5e-7},
        outputs=made("data/models/model.onnx"),
        context=Context(seed=2, openlineage_run=RUN),
    )
    register_criteria(log)
    open_test_set(log, request)
    evaluate(log, request)
    counts = {"passed": 3, "failed": 0, "skipped": 0, "tree": digest_bytes(b"tree")}
    log.append(pipeline, "scenarios", counts, outputs=made("data/verification/results.json"))
    return log


def events(log: LogBuilder) -> bytes:
    """The lineage events of a log, as far as they are compared with it."""
    kinds = {"started": "START", "completed": "COMPLETE", "failed": "FAIL", "refused": "ABORT"}
    bodies = [entry.body for entry in log.entries if entry.body.context.openlineage_run is not None]
    lines = [
        {"eventType": kinds[body.outcome.value], "run": {"runId": str(body.context.openlineage_run)}} for body in bodies
    ]
    return b"".join(canonical(line) + b"\n" for line in lines)


def payload(log: LogBuilder, *, openings: int = 1) -> dict[str, bytes]:
    """Everything under data/."""
    files = results()
    files["data/evaluation/odometer.json"] = canonical({"openings": openings})
    files["data/lineage/events.jsonl"] = events(log)
    files["data/audit/entries.jsonl"] = b"".join(line + b"\n" for line in log.lines)
    files["data/audit/details.jsonl"] = b"".join((line or b"null") + b"\n" for line in log.details)
    files["data/audit/checkpoint.txt"] = log.checkpoint.encode("utf-8")
    for index in (0, len(log.entries) - 1):
        files[f"data/audit/proofs/{index}.tlog-proof"] = log.proof(index).text().encode("utf-8")
    files["data/release/policy.json"] = canonical({"policy": RELEASE_POLICY.model_dump(mode="json"), "gates": []})
    files["data/index.html"] = b"<!doctype html><title>Evidence</title>\n"
    for name in ("verify.py", "VERIFY.md"):
        files[f"data/verify/{name}"] = (TEMPLATES / name).read_bytes()
    return files


def bag(files: dict[str, bytes]) -> dict[str, bytes]:
    """Payload files, and the four BagIt files over them (RFC 8493). Signatures are dropped."""
    data = {name: content for name, content in files.items() if name.startswith("data/")}
    octets = sum(map(len, data.values()))
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Bagging-Date: 2026-11-20\nPayload-Oxum: {octets}.{len(data)}\n".encode(),
        "manifest-sha512.txt": _manifest(data),
    }
    return {**data, **tags, "tagmanifest-sha512.txt": _manifest(tags)}


def release_signature(
    files: dict[str, bytes], who: Signer, meaning: Meaning, *, head: int, role: Role | None = None
) -> Envelope:
    """One person's release signature over the tag manifest."""
    tag = "tagmanifest-sha512.txt"
    return approve(
        who,
        role=role or who.identity.roles[0],
        meaning=meaning,
        policy=RELEASE_POLICY,
        subjects=[Artifact(name=tag, digest=digest_bytes(files[tag]))],
        shown=digest_bytes(files["data/index.html"]),
        head=head,
        now=BEGIN + timedelta(hours=1),
    )


def sign(files: dict[str, bytes], *, head: int = 1000) -> dict[str, bytes]:
    """Sign a bag by reviewer and release manager."""
    signed = dict(files)
    for who, meaning in ((ben(), Meaning.REVIEW), (cleo(), Meaning.APPROVAL)):
        envelope = release_signature(files, who, meaning, head=head)
        signed[f"signatures/{who.identity.id}.dsse.json"] = envelope_bytes(envelope)
    return signed


def complete_pack() -> dict[str, bytes]:
    """The files of a pack in which everything holds."""
    return sign(bag(payload(story())))


def trust_file(people: Iterable[Signer] | None = None, **changes: object) -> dict[str, Any]:
    """A trust file of format 2 for the log of `begin`, with other fields where given; None leaves a field out."""
    signers = [who.identity for who in people or (ben(), cleo())]
    root, log = cleo().identity, verifier_key(ORIGIN, log_key().public, LOG)
    whole: dict[str, Any] = {
        "format": "minivess-trust/2",
        "policy": f"log {log.text()}\nquorum none\n",
        "roots": {"threshold": 1, "keys": [_trusted(root)]},
        "release": {
            "rules": [
                {"role": "independent-reviewer", "meaning": "review"},
                {"role": "release-manager", "meaning": "approval"},
            ],
            "signers": [
                {**_trusted(one), "name": one.name, "roles": [role.value for role in one.roles]} for one in signers
            ],
        },
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def trusted_keys(people: Iterable[Signer] | None = None, **changes: object) -> bytes:
    """The file a verifier passes as `--trust`."""
    return canonical(trust_file(people, **changes))


def trusted_keys_of_0_1_0(people: Iterable[Signer] | None = None, **more: object) -> bytes:
    """The same in format 1, which 0.1.0 wrote."""
    identities = [who.identity.model_dump(mode="json") for who in people or (ben(), cleo())]
    return canonical({"log_key": log_key().public.model_dump(mode="json"), "people": identities, **more})


def _trusted(identity: Identity) -> dict[str, Any]:
    return {"id": identity.id, "key": identity.signing_key.model_dump(mode="json")}


def _manifest(files: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("ascii")
