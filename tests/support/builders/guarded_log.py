"""Logs that follow action table 2, with everything up to a signed release, made without the audit store.

`both(log)` judges a log with the product and with the pack's own `verify.py`, and says what each answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.keys import generate, raw_x25519
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.admission import LOOK_POLICIES
from minivess.compliance.rules.look_facts import criteria_digest, subject_of
from minivess.compliance.verification.log import SIGNATURES, verify_entries
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.device.registration import SealTerms
from minivess.records.device.release_policy import MetricGate, ReleasePolicy
from minivess.records.evaluation.evaluation import AnalysisPlan, level_of_all
from minivess.records.log.entry import Context, Entry, Outcome
from minivess.records.people.approval import Policy, PolicyRule, UnsealGrant, UnsealRequest
from minivess.records.people.identity import KeyAlgorithm, Meaning
from minivess.records.people.roles import Role
from minivess.records.references import ROLES
from tests.support.builders.pack_builder import (
    BEGIN,
    PLAN,
    LogBuilder,
    ada,
    ben,
    cleo,
    log_files,
    log_key,
    person,
    service,
)
from tests.support.source_states import CLEAN
from tests.support.verify_script import verify

VERIFY = verify
MODEL, CALIBRATION, WEIGHTS, ENSEMBLE, SEALED, PACK = (
    digest_bytes(name.encode()) for name in ("model", "calibration", "weights", "ensemble", "sealed", "pack")
)
RELEASE = Policy(name="release", rules=(PolicyRule(role=Role.REVIEWER, meaning=Meaning.REVIEW),))
SPLIT = digest_bytes(b"split")
TERMS = SealTerms(split=SPLIT, looks=3, level=level_of_all(3), groups=SPLIT, unit="subject")
GATES = ReleasePolicy(
    signatures=Policy(
        name="release",
        rules=(
            PolicyRule(role=Role.REVIEWER, meaning=Meaning.REVIEW),
            PolicyRule(role=Role.RELEASE_MANAGER, meaning=Meaning.APPROVAL),
        ),
    ),
    gates=(MetricGate(kind="metric", id="dice", measure="dice", at_least=0.85),),
)
INTERVAL = {"mean": 0.91, "lower": 0.88, "upper": 1.0, "n": 4, "level": TERMS.level}


@cache
def dan() -> Signer:
    """A custodian."""
    return person("dan", "Dan Okafor", Role.CUSTODIAN)


@cache
def both_roles() -> Signer:
    """A developer who is an independent reviewer too."""
    return person("eva", "Eva Lindqvist", Role.DEVELOPER, Role.REVIEWER)


def made(name: str, digest: str) -> Artifact:
    return Artifact(name=name, digest=digest)


def request(id: str = "open-1", *, requester: str = "ada", **changes: Any) -> UnsealRequest:  # noqa: A002
    """A request under the registered plan for the exported model."""
    fields: dict[str, Any] = {
        "id": id,
        "requester": requester,
        "purpose": "final evaluation",
        "release": "1.0",
        "model": MODEL,
        "calibration": CALIBRATION,
        "configuration": digest_bytes(b"configuration"),
        "plan": digest_of(PLAN),
        "criteria": criteria_digest(PLAN.criteria),
        "data": SEALED,
        "inputs": digest_bytes(b"inputs"),
        "policy": digest_of(GATES),
        "expires": BEGIN + timedelta(days=1),
        "ephemeral_key": raw_x25519(generate(KeyAlgorithm.X25519).public),
    }
    return UnsealRequest(**(fields | changes))


def grant(asked: UnsealRequest, approver: Signer, *, role: Role | None = None, **changes: Any) -> dict[str, Any]:
    """A signed answer to a request, as its entry holds it."""
    as_role = role or next(one for one in approver.identity.roles if one in LOOK_POLICIES)
    envelope = approve(
        approver,
        role=as_role,
        meaning=Meaning.APPROVAL,
        policy=LOOK_POLICIES[as_role],
        subjects=[subject_of(asked)],
        shown=digest_of(asked),
        head=1,
        now=BEGIN,
    )
    fields = {
        "request": asked.id,
        "approver": approver.identity.id,
        "key_digest": digest_bytes(b"wrapped"),
        "mode": "released",
        "envelope": envelope,
    }
    return UnsealGrant(**(fields | changes)).model_dump(mode="json", exclude_none=True)


@dataclass
class GuardedLog(LogBuilder):
    """A log under table 2."""

    serves: str | None = None
    services: tuple[str, ...] = ("serving.enrolled", "serving.anchored")
    packs: list[str] = field(default_factory=list)

    def create(self, *roots: Signer, threshold: int = 1) -> Entry:
        payload = {
            "device": "vessel-segmenter",
            "log_key": log_key().public.model_dump(mode="json"),
            "roots": [item.identity.model_dump(mode="json") for item in roots],
            "threshold": threshold,
            "rules": table().adopted.model_dump(mode="json"),
        }
        return self.append(roots[0], "log.created", payload)

    def enrol_service(self, by: Signer, who: Signer, *actions: str) -> Entry:
        payload = {"identity": who.identity.model_dump(mode="json"), "actions": list(actions)}
        return self.append(by, "identity.enrolled", payload)

    def seal(
        self,
        by: Signer,
        *approvers: str,
        terms: SealTerms | None = TERMS,
        root: str = SEALED,
        manifest: str | None = SEALED,
        split: str = SPLIT,
    ) -> Entry:
        payload = {
            "files": 2,
            "approvers": list(approvers),
            "root": root,
            "terms": None if terms is None else terms.model_dump(mode="json"),
        }
        outputs = [] if manifest is None else [made("data/sealed/manifest.json", manifest)]
        return self.append(by, "data.seal", payload, inputs=(made("data/split.json", split),), outputs=outputs)

    def train(self, by: Signer) -> Entry:
        return self.append(
            by,
            "training",
            {"architecture": "segresnet", "steps": 150},
            outputs=[made("models/weights.pt", WEIGHTS)],
            context=Context(model=WEIGHTS),
        )

    def combine(self, by: Signer) -> Entry:
        inputs = (made("models/members/weights", WEIGHTS),)
        outputs = [made("models/ensemble.json", ENSEMBLE)]
        return self.append(by, "ensemble", {"members": 1, "rule": "mean"}, outputs=outputs, inputs=inputs)

    def calibrate(self, by: Signer) -> Entry:
        inputs = (made("models/ensemble.json", ENSEMBLE),)
        payload = {"temperature": 1.0, "threshold": 0.2, "target_recall": 0.9, "cases": 2}
        outputs = [made("models/calibration.json", CALIBRATION)]
        return self.append(by, "calibration", payload, outputs=outputs, inputs=inputs)

    def export(self, by: Signer) -> Entry:
        inputs = (made("models/ensemble.json", ENSEMBLE), made("models/calibration.json", CALIBRATION))
        payload = {"opset": 18, "max_abs_difference": 0.0, "tolerance": 1e-4}
        outputs = [made("models/model.onnx", MODEL)]
        context = Context(model=MODEL)
        return self.append(by, "model.export", payload, outputs=outputs, inputs=inputs, context=context)

    def criteria(self, by: Signer, registered: AnalysisPlan = PLAN) -> Entry:
        plan = registered.model_dump(mode="json")
        return self.append(by, "criteria.register", {"criteria": plan["criteria"], "plan": plan})

    def policy(self, by: Signer, policy: ReleasePolicy | None = None) -> Entry:
        return self.append(by, "policy.register", {"policy": (policy or GATES).model_dump(mode="json")})

    def ask(self, by: Signer, asked: UnsealRequest) -> Entry:
        return self.append(by, "test-set.request", {"request": asked.model_dump(mode="json")})

    def approve(self, by: Signer, given: dict[str, Any]) -> Entry:
        return self.append(by, "test-set.approve", {"grant": given})

    def evaluate(
        self,
        by: Signer,
        asked: str = "open-1",
        *,
        model: str = MODEL,
        look: int = 1,
        level: float = TERMS.level,
        classes: Mapping[str, float] | None = None,
    ) -> Entry:
        """`classes`: the level of the intervals of each class; None: there is one class."""
        interval = {**INTERVAL, "level": level}
        payload = {"request": asked, "cases": 4, "aggregates": {"dice": interval}, "baseline_dice": 0.5, "look": look}
        if classes is not None:
            rest = {"baseline": INTERVAL, "conformal_recall": None, "ece": 0.1, "band_ece": 0.2}
            made_of = {name: {"dice": {**INTERVAL, "level": one}} for name, one in classes.items()}
            payload["classes"] = {name: {"aggregates": held, **rest} for name, held in made_of.items()}
        outputs = [made("evaluation/evaluation.json", digest_bytes(b"evaluation"))]
        return self.append(by, "evaluation", payload, outputs=outputs, context=Context(model=model))

    def promote(self, by: Signer, model: str = MODEL, stage: str = "production") -> Entry:
        return self.append(by, "model.promote", {"model": model, "stage": stage, "reason": "released"})

    def reference(self, action: str) -> dict[str, Any]:
        """A reference to the newest completed entry of an action."""
        found = [one.body for one in self.entries if (one.body.action, one.body.outcome) == (action, Outcome.COMPLETED)]
        return {"index": found[-1].index, "digest": digest_of(found[-1])}

    def references(self, action: str) -> list[dict[str, Any]]:
        """References to every entry of an action that ended."""
        ended = {Outcome.COMPLETED, Outcome.FAILED}
        found = [one.body for one in self.entries if one.body.action == action and one.body.outcome in ended]
        return [{"index": body.index, "digest": digest_of(body)} for body in found]

    def chain(self) -> dict[str, Any]:
        """The newest entry in each role of a release."""
        roles = {
            role: action
            for role, action in ROLES.items()
            if role not in {"run", "disposition", "drill", "qualification"}
        }
        return {
            **{role: self.reference(action) for role, action in roles.items()},
            "runs": [{"run": one} for one in self.references("training")],
            "looks": [{"approval": one} for one in self.references("test-set.approve")],
        }

    def gather(self, by: Signer) -> None:
        """The steps on data and the results that a release names, where they are not there yet."""
        parts = {"train": 4, "calibration": 2, "test": 4}
        counts = {"rules": 3, "notes": 0, "warnings": 0, "blocking": 0}
        results = {"passed": 3, "failed": 0, "skipped": 0, "tree": digest_bytes(b"tree")}
        there = {one.body.action for one in self.entries if one.body.outcome is Outcome.COMPLETED}
        for action, payload, name in (
            ("data.ingest", {"dataset": "synthetic", "cases": 10}, "data/manifest.json"),
            ("data.validate", counts, "data/validation.json"),
            ("data.split", parts, "data/split.json"),
            ("scenarios", results, "evidence/verification/results.json"),
        ):
            if action not in there:
                self.append(by, action, payload, outputs=[made(name, digest_bytes(name.encode()))])

    def prepare(
        self, by: Signer, *, model: str | None = MODEL, version: str = "1.0", chain: dict[str, Any] | None = None
    ) -> Entry:
        payload = {
            "layout": 2,
            "device": {
                "name": "vessel-segmenter",
                "version": version,
                "manufacturer": "Example Devices",
                "intended_use": "Delineates vessels.",
                "safety_class": "B",
            },
            "tool": {"name": "minivess", "version": "0.2.0"},
            "chain": chain or self.chain(),
            "source": CLEAN.model_dump(mode="json"),
            "environment": digest_bytes(b"lock"),
            "sbom": digest_bytes(b"sbom"),
            "manifest": digest_bytes(b"manifest"),
            "files": 12,
        }
        return self.append(by, "release.prepare", payload, context=Context(model=model))

    def build(self, by: Signer, *, model: str | None = MODEL) -> Entry:
        payload = {"version": "1.0", "tag_manifest": PACK, "gates": 1, "files": 1}
        return self.append(by, "release.build", payload, context=Context(model=model))

    def sign(self, by: Signer, *, pack: str = PACK, version: str = "1.0") -> Entry:
        envelope = approve(
            by,
            role=Role.REVIEWER,
            meaning=Meaning.REVIEW,
            policy=RELEASE,
            subjects=[made("tagmanifest-sha512.txt", pack)],
            shown=digest_bytes(b"text"),
            head=1,
            now=BEGIN,
        )
        payload = {"version": version, "tag_manifest": pack, "envelope": envelope.model_dump(mode="json")}
        return self.append(by, "release.sign", payload)

    def refuse(self, by: Signer, action: str) -> Entry:
        return self.append(by, action, {}, outcome=Outcome.REFUSED, error="RefusedError: no")


def begun() -> GuardedLog:
    """Cleo's log with Ada, Ben, Dan, Eva and the service that answers."""
    log = GuardedLog()
    log.create(cleo())
    for who in (ada(), ben(), dan(), both_roles()):
        log.enrol(cleo(), who)
    log.enrol_service(cleo(), service("inference"), "serving.enrolled", "serving.anchored")
    return log


def sealed() -> GuardedLog:
    log = begun()
    log.seal(ada(), "ben", "dan")
    return log


def exported() -> GuardedLog:
    log = sealed()
    for step in (log.train, log.combine, log.calibrate, log.export, log.criteria):
        step(ada())
    log.policy(cleo())
    return log


def asked() -> tuple[GuardedLog, UnsealRequest]:
    log, wish = exported(), request()
    log.ask(ada(), wish)
    return log, wish


def approved(mode: str = "released") -> GuardedLog:
    log, wish = asked()
    key = {"key_digest": None} if mode == "custodian" else {}
    log.approve(ben(), grant(wish, ben(), mode=mode, **key))
    return log


def evaluated() -> GuardedLog:
    log = approved()
    log.evaluate(ada())
    return log


def prepared() -> GuardedLog:
    log = evaluated()
    log.gather(ada())
    log.prepare(cleo())
    return log


def built() -> GuardedLog:
    log = prepared()
    log.build(cleo())
    return log


def both(log: GuardedLog) -> tuple[str, str]:
    """What the product and what `verify.py` say is wrong with a log; empty: nothing."""
    checks, _, _ = verify_entries(log.pairs, log.checkpoint)
    product = next((check.detail for check in checks if not check.passed), "")
    return product, refusal_of_script(log.pairs, log.checkpoint)


def refusal_of_script(pairs: Sequence[tuple[bytes, bytes | None]], checkpoint: str) -> str:
    """What `verify.py` says is wrong with a log; empty: nothing."""
    try:
        VERIFY.Pack(log_files(pairs, checkpoint), None).check_log()
    except (VERIFY.WrongError, KeyError) as error:  # a missing field fails the check of the log too
        return str(error)
    return ""


def words_of_both(log: GuardedLog) -> tuple[str, str]:
    """What the product and what `verify.py` say of the signatures of a good log."""
    checks, _, _ = verify_entries(log.pairs, log.checkpoint)
    words = VERIFY.Pack(log_files(log.pairs, log.checkpoint), None).check_log()
    return next(check.detail for check in checks if check.name == SIGNATURES), words


def rules_digest() -> str:
    """The digest of the table in `verify.py`."""
    return str(VERIFY.digest_of(VERIFY.TABLES[2]))
