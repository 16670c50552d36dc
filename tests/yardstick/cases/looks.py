"""Logs with looks, packs and kinds of logs that `tests.compliance.rules.test_admission` does not break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.look_facts import criteria_digest, subject_of
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_bytes
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.log.entry import Context, Outcome
from minivess.records.people.approval import Policy, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.compliance.rules import test_admission
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.pack_builder import BEGIN, PLAN, LogBuilder, ada, ben, cleo, log_key, service
from tests.yardstick import story
from tests.yardstick.cases.case import Case, log_signer, of


def _second_plan(log: GuardedLog) -> str:
    """Other acceptance criteria with their plan; returns their digest."""
    plan = PLAN.model_copy(update={"criteria": (Criterion(measure="dice", at_least=0.5),)})
    text = plan.model_dump(mode="json")
    log.append(ada(), "criteria.register", {"criteria": text["criteria"], "plan": text})
    return criteria_digest(plan.criteria)


def _given(wish: Any, by: Signer, **how: Any) -> dict[str, Any]:
    """A grant whose approval is signed for something else than it should be."""
    envelope = approve(
        by,
        role=how.get("role", Role.REVIEWER),
        meaning=how.get("meaning", Meaning.APPROVAL),
        policy=Policy(
            name=how.get("policy", "test-set-opening"),
            rules=(PolicyRule(role=how.get("role", Role.REVIEWER), meaning=how.get("meaning", Meaning.APPROVAL)),),
        ),
        subjects=[subject_of(wish)],
        shown=digest_of(wish),
        head=1,
        now=BEGIN,
    )
    return logs.grant(wish, ben()) | {"envelope": envelope.model_dump(mode="json"), "approver": by.identity.id}


def _three_requests(log: GuardedLog) -> None:
    wishes = [logs.request(f"open-{number}") for number in (11, 12, 13)]
    for wish in wishes:
        log.ask(ada(), wish)
    for wish in wishes:
        log.approve(ben(), logs.grant(wish, ben()))


def _revoked_requester(log: GuardedLog) -> None:
    wish = logs.request("open-14")
    log.ask(ada(), wish)
    log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "lost"})
    log.approve(ben(), logs.grant(wish, ben()))


def _approve(log: GuardedLog, given: Callable[[Any], dict[str, Any]], by: Signer | None = None) -> None:
    wish = logs.request("open-15")
    log.ask(ada(), wish)
    log.approve(by or ben(), given(wish))


def _own_request(log: GuardedLog) -> None:
    wish = logs.request("open-16", requester="eva")
    log.ask(logs.both_roles(), wish)
    log.approve(logs.both_roles(), logs.grant(wish, logs.both_roles()))


def _signed_release(log: GuardedLog, *, by: Signer, entered_by: Signer, pack: str) -> None:
    envelope = approve(
        by,
        role=Role.REVIEWER,
        meaning=Meaning.REVIEW,
        policy=logs.RELEASE,
        subjects=[logs.made("tagmanifest-sha512.txt", pack)],
        shown=digest_bytes(b"text"),
        head=1,
        now=BEGIN,
    )
    payload = {"version": "1.0", "tag_manifest": logs.PACK, "envelope": envelope.model_dump(mode="json")}
    log.append(entered_by, "release.sign", payload)


def _trained_by(who: Signer) -> GuardedLog:
    log = logs.begun()
    log.train(who)
    return log


def _waiver() -> dict[str, Any]:
    said = {"gate": "trace", "version": "1.0", "found": "1 gap", "reason": "its test is written", "owner": "cleo"}
    return {**said, "risk": "RISK-01", "until": "2027-06-30T23:59:59.999999Z"}


def of_looks() -> Iterator[Case]:
    """Looks at the test set, packs and promotions that `test_admission` does not break, or breaks in two ways at once."""
    eva = logs.both_roles()
    for name, start, step, words in (
        (
            "a seal without a root",
            logs.begun,
            lambda log: log.append(ada(), "data.seal", {"files": 2, "approvers": ["ben"]}),
            "names the root of what was sealed",
        ),
        (
            "a request under criteria of another plan",
            logs.exported,
            lambda log: log.ask(ada(), logs.request(criteria=_second_plan(log))),
            "other acceptance criteria than its analysis plan",
        ),
        (
            "a waiver by who trained a model",
            lambda: _trained_by(eva),
            lambda log: log.append(eva, "release.gate-waived", _waiver()),
            "eva",
        ),
        ("an approval of a look too many", logs.exported, _three_requests, "looked at 2 of 2 times"),
        ("an approval for who was revoked", logs.exported, _revoked_requester, "or is revoked"),
        ("an approval of one's own request", logs.exported, _own_request, "cannot approve it too"),
        (
            "an approval under another policy",
            logs.exported,
            lambda log: _approve(log, lambda wish: _given(wish, ben(), policy="release")),
            "which opens nothing",
        ),
        (
            "an approval with another meaning",
            logs.exported,
            lambda log: _approve(log, lambda wish: _given(wish, ben(), meaning=Meaning.REVIEW)),
            "which opens nothing",
        ),
        (
            "an approval in another role",
            logs.exported,
            lambda log: _approve(log, lambda wish: _given(wish, eva, role=Role.DEVELOPER), eva),
            "which opens nothing",
        ),
        (
            "a model that nobody made becomes a candidate",
            logs.evaluated,
            lambda log: log.promote(cleo(), test_admission.OTHER, "candidate"),
            "no completed model.export made this model",
        ),
        (
            "a signature entered by another",
            logs.built,
            lambda log: _signed_release(log, by=ben(), entered_by=eva, pack=logs.PACK),
            "the signature is by ben and the entry by eva",
        ),
        (
            "a signature of another pack",
            logs.built,
            lambda log: _signed_release(log, by=ben(), entered_by=ben(), pack=digest_bytes(b"another")),
            "signed another pack",
        ),
        (
            "a malformed request",
            logs.exported,
            lambda log: log.append(ada(), "test-set.request", {"request": {}}),
            "test-set.request",
        ),
    ):
        log = start()
        step(log)
        yield of(name, log, (f"entry {len(log.entries) - 1}", words))
    yield from _of_0_1_0()


def _of_0_1_0() -> Iterator[Case]:
    """What follows on a log that began under table 1."""
    old = story.adopting()
    granted = story.YardLog(log_keys=old.log_keys)
    for entry, details in zip(old.entries, old.details, strict=True):
        granted.entries.append(entry)
        granted.details.append(details)
    granted.append(
        ada(),
        "evaluation",
        {"request": "opening-1", "cases": 4, "aggregates": {"dice": logs.INTERVAL}, "baseline_dice": 0.5},
        context=Context(model=digest_bytes(b"fixed")),
    )
    where = f"entry {len(granted.entries) - 1}"
    yield of("an evaluation under a grant of 0.1.0", granted, (where, "under the rules of version 0.1.0"))
    for name, action, words in (
        ("a malformed request under table 1", "test-set.request", "the payload of 'test-set.request' is refused"),
        ("an action nobody knows under table 1", "data.unknown", "unknown action"),
    ):
        log = LogBuilder()
        log.create(cleo())
        log.append(cleo(), action, {"request": {}})
        yield of(name, log, ("entry 1", words))


def _misnamed_serving_key() -> Case:
    """A serving log is enrolled with its key under the id of another."""
    log, other, inference = logs.begun(), story.serving(), service("inference")
    public = other.key_at(1).public.model_copy(update={"key_id": log_key().public.key_id})
    told = {
        "origin": other.origin,
        "site": story.SITE,
        "log_key": public.model_dump(mode="json"),
        "service": "inference",
        "note": other.note_of(other.lines, 2),
    }
    log.append(inference, "serving.enrolled", told)
    return of("a serving log whose key has another id", log, ("does not have the id it claims",))


def of_kinds() -> Iterator[Case]:
    """Actions in a log of another kind, and logs whose roots do not fit their kind."""
    inference, device = service("inference"), "minivess.example/vessel-segmenter"
    for name, roots, signer, changes, words in (
        ("a device's log with a service for a root", (inference,), inference, {}, "and of no other log"),
        ("a serving log with a person for a root", (cleo(),), cleo(), {"serves": device}, "and of no other log"),
        ("a serving log with two roots", (inference, cleo()), cleo(), {"serves": device}, "and of no other log"),
        ("a log that its own key creates", (cleo(),), log_signer(), {}, "is not one of its roots"),
    ):
        log = GuardedLog()
        payload = {
            "device": "vessel-segmenter",
            "log_key": log_key().public.model_dump(mode="json"),
            "roots": [one.identity.model_dump(mode="json") for one in roots],
            "threshold": 1,
            "rules": table().adopted.model_dump(mode="json"),
            **changes,
        }
        log.append(signer, "log.created", payload)
        yield of(name, log, ("entry 0", words))
    log = logs.begun()
    counted = {"since": BEGIN, "until": BEGIN, "counts": {"volume": 1}}
    plain = {name: timestamp(value) if name != "counts" else value for name, value in counted.items()}
    log.append(inference, "inference.refusals", plain)
    yield of("refusals counted in a device's log", log, ("does not belong into the log of a device",))
    yield _misnamed_serving_key()
    other = story.YardLog(origin=story.serving().origin, log_keys=story.serving().log_keys)
    other.append(inference, "log.created", story.serving().entries[0].body.payload)
    other.append(inference, "scenarios", {}, outcome=Outcome.FAILED)
    yield of("scenarios in a serving log", other, ("entry 1", "does not belong into the log of a serving"))
