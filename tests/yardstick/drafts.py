"""Random drafts from two processes: append accepts exactly what verification accepts.

Each process appends what it drew to the same log. What append takes must verify in the end. What append refuses is written by
hand as the next entry, signed by the same key and under a checkpoint signed by the log: verification must refuse it too.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, UsageError
from minivess.records.artifact import Artifact
from minivess.records.log.entry import ENTRY_FORMAT, Context, Draft, Outcome
from minivess.records.log.payloads.by_action import observed
from minivess.records.people.roles import Role
from tests.support.builders.guarded_log import MODEL, dan
from tests.support.builders.pack_builder import BEGIN, ORIGIN, ada, ben, cleo, log_key, person, service
from tests.yardstick.cases.case import log_signer
from tests.yardstick.fields import _bent
from tests.yardstick.story import Pair, YardLog, adopting, device, restored, serving

LEFT_OUT = frozenset({"log.created", "entry.erased", "roots.changed"})
"""Actions with doors of their own, and the one that gives the log another key, which these processes do not hold."""
_NOW = BEGIN + timedelta(hours=1)


def _now() -> datetime:
    return _NOW


@dataclass
class ProjectState:
    """What became of one process's drafts."""

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    raced: int = 0
    """Refused while the other process wrote, so that nobody can say on top of what."""
    faults: list[str] = field(default_factory=list)


def run(folder: Path, seed: int, count: int) -> list[ProjectState]:
    """Two processes with `count` drafts each; a fault for whatever was judged in two ways."""
    url = f"sqlite:///{folder / 'audit.db'}"
    everybody()  # made before the fork, so that both processes hold the same keys
    for make in (device, adopting, serving):
        make()
    with closing(_created(url)) as log:
        for who in (ada(), ben(), dan()):
            log.append(_enrolment(who), cleo())
        inference = _enrolment(service("inference"))
        named = inference.payload | {"actions": ["inference", "serving.enrolled", "serving.anchored"]}
        log.append(inference.model_copy(update={"payload": named}), cleo())
    context = get_context("fork")
    results: Any = context.Queue()
    workers = [context.Process(target=_work, args=(url, seed + place, count, results)) for place in (0, 1)]
    for worker in workers:
        worker.start()
    told = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    with closing(AuditLog.open(url, log_signer=None)) as log:
        checks = verify_entries(list(log.pairs()), log.checkpoint(), trust=log_key().public)[0]
        said = [check.detail for check in checks if not check.passed]
        size = 5 + sum(one.accepted.total() for one in told)
        if said or log.size != size:
            told[0].faults.append(f"{log.size} entries for {size} that were accepted; verification says {said}")
    return told


def _created(url: str) -> AuditLog:
    return AuditLog.create(
        url,
        origin=ORIGIN,
        device="vessel-segmenter",
        log_signer=log_signer(),
        roots=(cleo().identity,),
        threshold=1,
        root_signer=cleo(),
        clock=_now,
    )


def _enrolment(who: Signer) -> Draft:
    payload = {"identity": who.identity.model_dump(mode="json")}
    return Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=payload)


def everybody() -> list[Signer]:
    """Who draws: the people of the log, its service, the log itself, somebody enrolled by chance, and a stranger."""
    stranger = person("stranger", "Stranger", Role.RELEASE_MANAGER)
    eva = person("eva", "Eva Lindqvist", Role.DEVELOPER, Role.REVIEWER)
    return [cleo(), ada(), ben(), dan(), eva, service("inference"), log_signer(), stranger]


def _work(url: str, seed: int, count: int, results: Any) -> None:
    told, draw = ProjectState(), random.Random(seed)  # noqa: S311  reproducible on purpose
    try:
        with closing(AuditLog.open(url, log_signer=log_signer(), clock=_now, wait=60.0)) as log:
            drafts = _drafts()
            for _ in range(count):
                _try(log, *_drawn(draw, drafts, log.size), told)
    except Exception as error:  # a process that breaks is a fault, too
        told.faults.append(f"{type(error).__name__}: {error}")
    results.put(told)


def _drafts() -> list[tuple[str, Outcome, dict[str, Any], Signer | None]]:
    """What was done in the stories: action, outcome, payload, and by whom."""
    found: list[tuple[str, Outcome, dict[str, Any], Signer | None]] = []
    for log in (device(), adopting(), serving(), restored()):
        for entry, details in zip(log.entries, log.details, strict=True):
            body = entry.body
            if body.action in LEFT_OUT:
                continue
            said = body.payload or ({} if details is None else json.loads(details)["payload"])
            found.append((body.action, body.outcome, said, _author(log, body.key)))
    return found


def _author(log: YardLog, key: str) -> Signer | None:
    signer = log.signers[key]
    return next((one for one in everybody() if one.identity.id == signer.identity.id), None)


def _drawn(
    draw: random.Random, drafts: Sequence[tuple[str, Outcome, dict[str, Any], Signer | None]], size: int
) -> tuple[Draft, Signer]:
    """A draft of the stories, mostly by its own author, often with something bent."""
    action, outcome, payload, author = draw.choice(drafts)
    signer = author if author is not None and draw.random() < 0.7 else draw.choice(everybody())
    if draw.random() < 0.2:
        outcome = draw.choice(list(Outcome))
    if draw.random() < 0.15 and payload:
        name = draw.choice(sorted(payload))
        payload = payload | {name: _bent(payload[name])}
    if outcome is not Outcome.COMPLETED and draw.random() < 0.7:
        payload = {}
    started = draw.randrange(size) if draw.random() < 0.1 else None
    model = MODEL if draw.random() < 0.7 else None
    outputs = (Artifact(name="out/1.bin", digest=MODEL),) if draw.random() < 0.8 else ()
    error = "OSError: disk full" if outcome in {Outcome.FAILED, Outcome.REFUSED} else None
    context = Context(model=model, seed=draw.randrange(100), openlineage_run=UUID(int=draw.getrandbits(64)))
    made = Draft(
        action=action,
        outcome=outcome,
        context=context,
        outputs=outputs,
        started=started,
        payload=payload,
        error=error,
    )
    return made, signer


def _try(log: AuditLog, draft: Draft, signer: Signer, told: ProjectState) -> None:
    before = log.size
    try:
        log.append(draft, signer)
    except MinivessError as refusal:
        told.refused[draft.action] += 1
        pairs = list(log.pairs())
        if len(pairs) != before:
            told.raced += 1
            return
        if isinstance(refusal, UsageError) and "canonical" in refusal.message:
            return
        note, forged = _forged(pairs, draft, signer)
        checks = verify_entries(forged, note, trust=log_key().public)[0]
        if all(check.passed for check in checks):
            told.faults.append(f"append refuses ({refusal.message}), verification accepts: {draft.action} {signer}")
    else:
        told.accepted[draft.action] += 1


def _forged(pairs: list[Pair], draft: Draft, signer: Signer) -> tuple[str, list[Pair]]:
    """The log with the draft written as its next entry."""
    apart = observed(draft.action) and bool(draft.payload)
    details = None
    if apart or draft.error is not None:
        said = {"error": draft.error, "payload": draft.payload if apart else {}, "salt": to_base64(bytes(16))}
        details = canonical(said)
    body = draft.model_dump(mode="json", exclude={"error"}) | {
        "actor": signer.identity.id,
        "details": None if details is None else digest_bytes(details),
        "format": ENTRY_FORMAT,
        "index": len(pairs),
        "key": signer.key_id,
        "log": ORIGIN,
        "payload": {} if apart else draft.payload,
        "time": timestamp(_NOW),
    }
    line = canonical({"body": body, "signature": to_base64(signer.sign(canonical(body)))})
    forged = [*pairs, (line, details)]
    head = Checkpoint(ORIGIN, len(forged), root([leaf_hash(one) for one, _ in forged]))
    return sign_note(head, log_key()), forged
