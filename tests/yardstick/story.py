"""Four small logs that have an entry of every action, with every key at hand to sign any of them again.

`device()` follows action table 2 from its beginning. `adopting()` begins under table 1, with a look at the test set as in
version 0.1.0, and adopts table 2. `serving()` is a serving log. `restored()` repeats its own earlier roots in entries, as a
log does after a restore: every change before them is refused for that alone, so it has few entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.roots import Roots, sign_change
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, raw_ed25519, sign_note
from minivess.compliance.proofs.cosignature import WITNESS, VerifierKey
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import consistency_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.serving_logs import serving_origin
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.adoption import sign_adoption
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context, Entry, Outcome
from minivess.records.people.approval import Policy, PolicyRule
from minivess.records.people.identity import Identity, KeyAlgorithm, Meaning
from minivess.records.people.roles import IdentityKind, Role
from tests.support.builders.guarded_log import MODEL, PACK, SEALED, TERMS, GuardedLog, dan, grant, request
from tests.support.builders.pack_builder import (
    BEGIN,
    ORIGIN,
    ada,
    ben,
    cleo,
    log_key,
    opening_grant,
    opening_request,
    person,
    service,
)

SITE = "main"
Pair = tuple[bytes, bytes | None]


@dataclass
class YardLog(GuardedLog):
    """A log whose keys may change, and whose every entry has circumstances, inputs and outputs."""

    signers: dict[str, Signer] = field(default_factory=dict)
    """By key id."""
    log_keys: list[tuple[int, PrivateKey]] = field(default_factory=list)
    """The keys that sign checkpoints, each from a size on."""
    _lines: list[bytes] = field(default_factory=list)

    @property
    def lines(self) -> list[bytes]:
        self._lines += [canonical(entry) for entry in self.entries[len(self._lines) :]]
        return self._lines

    def append(self, signer: Signer, action: str, payload: dict[str, Any], /, **how: Any) -> Entry:
        self.signers[signer.key_id] = signer
        number = len(self.entries) + 1
        context = how.pop("context", None) or Context()
        how["context"] = Context(
            git_commit=f"{number:040x}",
            git_dirty=False,
            data=digest_bytes(b"data %d" % number),
            dvc=f"md5:{number:032x}.dir",
            model=context.model,
            configuration=digest_bytes(b"configuration %d" % number),
            environment=digest_bytes(b"environment %d" % number),
            device=f"cpu-{number}",
            seed=number,
            mlflow_run=f"run-{number}",
            openlineage_run=UUID(int=number),
        )
        how.setdefault("inputs", (_file("in", number),))
        how.setdefault("outputs", [_file("out", number)])
        if how.get("outcome") in {Outcome.FAILED, Outcome.REFUSED}:
            how.setdefault("error", f"OSError: disk {number} is full")
        return super().append(signer, action, payload, **how)

    @property
    def log_signer(self) -> Signer:
        """The service `log` with the key in force."""
        return self._log_signer(len(self.entries))

    def key_at(self, size: int) -> PrivateKey:
        """The key that signs the checkpoint of `size` entries."""
        return [key for start, key in self.log_keys if start <= size][-1]

    def _log_signer(self, size: int) -> Signer:
        key = self.key_at(size)
        return Signer(
            Identity(
                id="log",
                name="Audit log",
                kind=IdentityKind.SERVICE,
                roles=(Role.SERVICE,),
                signing_key=key.public,
            ),
            key,
        )

    def note_of(self, lines: list[bytes], size: int | None = None) -> str:
        """A checkpoint signed by the log over these lines."""
        head = len(lines) if size is None else size
        key = self.key_at(head)
        return sign_note(Checkpoint(self.origin, head, root([leaf_hash(line) for line in lines[:head]])), key)

    @property
    def checkpoint(self) -> str:
        return self.note_of(self.lines)


def _file(what: str, number: int) -> Artifact:
    return Artifact(name=f"{what}/{number}.bin", digest=digest_bytes(f"{what} {number}".encode()))


@cache
def _stored(name: str) -> PrivateKey:
    return generate(KeyAlgorithm.ED25519)


def _again(who: Signer, name: str) -> Signer:
    """Somebody with another signing key; the same name gives the same key within one run."""
    identity = who.identity
    new = _new_keys(name)
    return Signer(identity.model_copy(update={"signing_key": new.public}), new, who._encryption)


@cache
def _new_keys(name: str) -> PrivateKey:
    return generate(KeyAlgorithm.P256)


OBSERVED: dict[str, dict[str, Any]] = {
    "data.ingest": {
        "dataset": "synthetic",
        "cases": 8,
        "accept_identifiers": "names of volunteers",
        "identifiers": ["case 1: PatientName", "case 2: PatientName"],
    },
    "data.validate": {"rules": 3, "notes": 0, "warnings": 1, "blocking": 0, "changed": 2},
    "data.profile": {"cases": 8, "groups": 2},
    "data.split": {
        "train": 4,
        "calibration": 2,
        "test": 2,
        "folds": 3,
        "near_duplicates": 1,
        "not_copies": 1,
        "same": 1,
    },
    "data.leakage": {"across": 0, "within": 1},
    "data.add": {"folder": "data/raw", "dvc": f"md5:{'1' * 32}.dir", "files": 8, "size": 4096},
    "data.push": {"remote": "bucket", "files": 8, "size": 4096, "folders": {"data/raw": f"md5:{'1' * 32}.dir"}},
    "data.pull": {"remote": "folder", "files": 7, "size": 4095, "folders": {"data/raw": f"md5:{'2' * 32}.dir"}},
    "data.card": {"cases": 8, "missing": 1, "findings": 2, "openings": 0},
    "model.bento": {
        "tag": "vessels:1",
        "model": f"sha256:{'3' * 64}",
        "code": f"sha256:{'4' * 64}",
        "requirements": f"sha256:{'5' * 64}",
        "files": 12,
    },
    "model.map": {
        "tag": "vessels:1.0.0",
        "model": f"sha256:{'3' * 64}",
        "code": f"sha256:{'6' * 64}",
        "requirements": f"sha256:{'7' * 64}",
        "files": 14,
    },
}
"""Actions of a developer that change nothing."""
TREE = digest_bytes(b"tree")
JUDGED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("scenarios", {"passed": 3, "failed": 0, "skipped": 1, "tree": TREE}),
    ("risk.drill", {"noticed": 4, "unnoticed": 0, "tree": TREE}),
    ("tool.qualified", {"tool": {"name": "minivess", "version": "1"}, "code": TREE, "passed": 12, "failed": 0}),
    ("trace.review", {"links": [{"link": "REQ-001 derives_from UN-02", "digest": TREE}]}),
    ("trace.baseline", {"name": "b1", "items": 3, "digest": TREE}),
    ("trace.attest", {"item": "ATT-01", "clause": "4.1", "digest": TREE}),
    ("trace.approve", {"subject": "requirements", "digest": TREE}),
)
"""Actions of a reviewer that change nothing."""


@cache
def tess() -> Signer:
    return person("tess", "Tess Marchetti", Role.DEVELOPER)


@cache
def gus() -> Signer:
    return person("gus", "Gus Berg", Role.DEVELOPER)


@cache
def max_() -> Signer:
    return person("max", "Max Oduya", Role.RELEASE_MANAGER)


@cache
def serving() -> YardLog:
    """A serving log of two answers and one count of refusals."""
    log = YardLog(origin=serving_origin(ORIGIN, SITE), log_keys=[(0, _stored("serving"))])
    inference = service("inference")
    payload = {
        "device": "vessel-segmenter",
        "log_key": _stored("serving").public.model_dump(mode="json"),
        "roots": [inference.identity.model_dump(mode="json")],
        "threshold": 1,
        "serves": ORIGIN,
        "rules": table().adopted.model_dump(mode="json"),
    }
    log.append(inference, "log.created", payload)
    for fraction in (0.25, 0.5):
        said = {"decision": "answered", "foreground_fraction": fraction, "conformal": True}
        log.append(inference, "inference", said)
    several = [{"name": "artery", "foreground_fraction": 0.2, "conformal": True}]
    several.append({"name": "vein", "foreground_fraction": 0.1, "conformal": False})
    said = {"decision": "answered", "foreground_fraction": 0.3, "conformal": True, "classes": several}
    log.append(inference, "inference", said)
    log.append(inference, "inference", {"decision": "refused: too large"}, outcome=Outcome.REFUSED)
    since, until = "2026-11-20T08:00:00.000000Z", "2026-11-20T08:05:00.000000Z"
    log.append(inference, "inference.refusals", {"since": since, "until": until, "counts": {"volume": 2, "spacing": 1}})
    agreed = {"name": "artery", "images": 2, "mean_dice": 0.9, "least_dice": 0.8}
    counts = {"compared": 3, "changed": 1, "dropped": 2, "failed": 1, "classes": [agreed]}
    log.append(
        inference, "inference.shadow", {"since": since, "until": until, "candidate": f"sha256:{'5a' * 32}", **counts}
    )
    return log


def _serving_entries(log: YardLog) -> None:
    """The device's log takes in its serving log: first two entries of it, then three."""
    other, inference = serving(), service("inference")
    hashes = tree_of([leaf_hash(line) for line in other.lines])
    enrolled = {
        "origin": other.origin,
        "site": SITE,
        "log_key": _stored("serving").public.model_dump(mode="json"),
        "service": "inference",
        "note": other.note_of(other.lines, 2),
    }
    log.append(inference, "serving.enrolled", enrolled)
    proof = [to_base64(one) for one in consistency_proof(hashes, 2, 3)]
    log.append(
        inference, "serving.anchored", {"origin": other.origin, "note": other.note_of(other.lines, 3), "proof": proof}
    )
    _callers(log)


def _callers(log: YardLog) -> None:
    """A caller of the service gets a key, gets another one, and is revoked."""
    until, overlap = "2027-02-20T08:00:00.000000Z", "2026-11-21T08:00:00.000000Z"
    made = {"caller": "pacs", "digest": digest_bytes(b"first key"), "scopes": ["infer", "read"], "expires": until}
    log.append(cleo(), "caller.created", {**made, "requests_a_minute": 60, "body_bytes": 1_000_000})
    other = {"caller": "pacs", "digest": digest_bytes(b"second key"), "expires": until, "overlap": overlap}
    log.append(cleo(), "caller.rotated", other)
    log.append(cleo(), "caller.revoked", {"caller": "pacs", "reason": "its host was replaced"})


def _people(log: YardLog) -> None:
    """Enrolments, a rotation, wrong passphrases, a lock, a revocation, other roots and another key of the log."""
    log.create(cleo())
    for who in (ada(), ben(), dan(), tess(), gus()):
        log.enrol(cleo(), who)
    log.enrol_service(cleo(), service("inference"), "serving.enrolled", "serving.anchored", "inference")
    new = _again(tess(), "tess")
    shown = new.sign(possession_statement(log.origin, "tess", tess().key_id, new.key_id))
    log.append(
        tess(), "identity.rotated", {"identity": new.identity.model_dump(mode="json"), "possession": to_base64(shown)}
    )
    log.append(log.log_signer, "identity.unlock-failed", {"identity": "tess", "attempt": 1})
    log.append(new, "identity.unlocked", {"identity": "tess"})
    for attempt in range(1, 6):
        log.append(log.log_signer, "identity.unlock-failed", {"identity": "tess", "attempt": attempt})
    log.append(log.log_signer, "identity.locked", {"identity": "tess", "attempts": 5})
    log.append(cleo(), "identity.reinstated", {"identity": "tess", "reason": "she came in person"})
    log.append(cleo(), "identity.revoked", {"identity": "gus", "reason": "he left"})
    log.append(
        log.log_signer,
        "identity.refused",
        {"identity": "gus", "key": gus().key_id, "attempted": "data.validate"},
    )
    _change_roots(log)


def _change_roots(log: YardLog) -> None:
    old, new = Roots((cleo().identity,), 1), Roots((cleo().identity, max_().identity), 2)
    key, before = _stored("new log key"), log_key()
    envelopes = [
        sign_change(who, old, new, log_key=key.public, head=len(log.entries), now=BEGIN) for who in (cleo(), max_())
    ]
    shown = key.sign(possession_statement(log.origin, "log", before.public.key_id, key.public.key_id))
    payload = {
        "roots": [one.model_dump(mode="json") for one in new.members],
        "threshold": new.threshold,
        "envelopes": [one.model_dump(mode="json") for one in envelopes],
        "log_key": key.public.model_dump(mode="json"),
        "possession": to_base64(shown),
    }
    log.append(cleo(), "roots.changed", payload)
    log.log_keys.append((len(log.entries), key))


def _release(log: YardLog) -> None:
    chain = log.chain() | {"drill": log.reference("risk.drill"), "qualification": log.reference("tool.qualified")}
    chain["runs"][0]["disposition"] = log.reference("run.disposition")
    chain["looks"][0]["evaluation"] = log.references("evaluation")[0]
    log.prepare(cleo(), chain=chain)
    log.build(cleo())
    for who, role, meaning in (
        (dan(), Role.CUSTODIAN, Meaning.REVIEW),
        (max_(), Role.RELEASE_MANAGER, Meaning.APPROVAL),
    ):
        policy = Policy(name="release", rules=(PolicyRule(role=role, meaning=meaning),))
        envelope = approve(
            who,
            role=role,
            meaning=meaning,
            policy=policy,
            subjects=[Artifact(name="tagmanifest-sha512.txt", digest=PACK)],
            shown=digest_bytes(b"text"),
            head=len(log.entries),
            now=BEGIN,
        )
        payload = {"version": "1.0", "tag_manifest": PACK, "envelope": envelope.model_dump(mode="json")}
        log.append(who, "release.sign", payload)
    waived = {
        "gate": "trace",
        "version": "1.0",
        "found": "1 gap",
        "reason": "its test runs on the next tree",
        "owner": "cleo",
    }
    log.append(cleo(), "release.gate-waived", {**waived, "risk": "RISK-01", "until": "2027-06-30T23:59:59.999999Z"})
    revoked = {"version": "1.0", "tag_manifest": PACK, "model": MODEL, "reason": "it misses thin vessels"}
    log.append(cleo(), "release.revoked", {**revoked, "instructions": "Go back to 0.9.", "decided_by": "Cleo"})


def _witness_of(log: YardLog) -> str:
    """The key of Ben's cosignatures, as he announces it."""
    return VerifierKey(f"{log.origin}/ben", WITNESS, raw_ed25519(_stored("ben's cosignatures").public)).text()


@cache
def restored() -> YardLog:
    """A person announces the key of their cosignatures, times are attested, and the log goes on from a backup."""
    log = YardLog(log_keys=[(0, log_key())])
    log.create(cleo())
    log.enrol(cleo(), ben())
    log.append(ben(), "identity.witness", {"key": _witness_of(log)})
    for kind, token in (("cosignature", None), ("rfc3161", "AAAA")):
        attested = {"kind": kind, "size": len(log.entries), "note": log.checkpoint, "token": token}
        log.append(ben(), "time.attested", attested)
    size, other = len(log.entries), [*log.lines[:-1], b"{}"]
    payload = {
        "size": size,
        "root": to_base64(root([leaf_hash(line) for line in log.lines])),
        "abandoned": [log.note_of(other), log.note_of([*log.lines, b"{}"])],
        "reason": "the disk was replaced",
    }
    log.append(cleo(), "log.restored", payload)
    return log


@cache
def device() -> YardLog:
    """A device's log under table 2, from its creation to a signed release, a promotion and an erasure."""
    log = YardLog(log_keys=[(0, log_key())])
    _people(log)
    for action, payload in OBSERVED.items():
        log.append(ada(), action, payload)
    log.seal(ada(), "ben", "dan")
    started = log.append(ada(), "training", {}, outcome=Outcome.STARTED).body.index
    failed = log.append(ada(), "training", {}, outcome=Outcome.FAILED, started=started).body.index
    log.refuse(ben(), "training")
    for step in (log.train, log.combine, log.calibrate, log.export, log.criteria):
        step(ada())
    log.policy(cleo())
    disposed = {"run": started, "verdict": "discarded", "reason": "the disk was full"}
    log.append(ada(), "run.disposition", disposed)
    wish = request(expires=BEGIN + timedelta(days=1))
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    log.evaluate(ada())
    second = request("open-2")
    log.ask(ada(), second)
    log.approve(dan(), grant(second, dan(), mode="custodian", key_digest=None))
    log.evaluate(dan(), "open-2", look=2, classes={"artery": TERMS.level, "vein": TERMS.level})
    for action, payload in JUDGED:
        log.append(ben(), action, payload)
    log.promote(cleo())
    _release(log)
    _serving_entries(log)
    log.append(ben(), "identity.witness", {"key": _witness_of(log)})
    log.append(cleo(), "entry.erased", {"entry": failed, "reason": "it names a person"})
    log.details[failed] = None
    return log


@cache
def adopting() -> YardLog:
    """A log of version 0.1.0 with a look at the test set that adopts table 2, and one entry after it."""
    log = YardLog(log_keys=[(0, log_key())])
    payload = {
        "device": "vessel-segmenter",
        "log_key": log_key().public.model_dump(mode="json"),
        "roots": [cleo().identity.model_dump(mode="json")],
        "threshold": 1,
    }
    log.append(cleo(), "log.created", payload)
    for who in (ada(), ben()):
        log.enrol(cleo(), who)
    log.criteria(ada())
    wish = opening_request()
    log.ask(ada(), wish)
    log.append(
        ben(), "test-set.approve", {"grant": opening_grant(wish, ben()).model_dump(mode="json", exclude_none=True)}
    )
    log.append(ada(), "test-set.open", {"request": wish.id})
    register = _register_of(log)
    new = table(2)
    agreed = sign_adoption(
        cleo(), register, table(1), new, log=log.origin, head=len(log.entries), now=BEGIN
    ).model_dump(mode="json")
    log.append(cleo(), "rules.adopted", {**new.adopted.model_dump(mode="json"), "envelopes": [agreed]})
    log.append(ada(), "data.validate", OBSERVED["data.validate"])
    return log


def _register_of(log: YardLog) -> Any:
    from minivess.compliance.identity.register import Register

    return Register.fold(log.entries)


def signed_again(log: YardLog, body: dict[str, Any]) -> bytes:
    """The canonical bytes of an entry with this body, signed by whoever holds the key that it names (or `log`'s author)."""
    signer = log.signers[body["key"]]
    return canonical({"body": body, "signature": to_base64(signer.sign(canonical(body)))})


__all__ = ["MODEL", "SEALED", "YardLog", "adopting", "device", "restored", "serving", "signed_again"]
