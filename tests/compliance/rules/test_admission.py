"""What may be appended to a log: each rule kept and broken once, judged by the product and by `verify.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.proofs.checkpoint import sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.look_facts import criteria_digest
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.device.preparation import ReleaseChain
from minivess.records.device.registration import LoweredRule, SealTerms
from minivess.records.device.release_policy import (
    BaselineGate,
    CalibrationGate,
    ConformalGate,
    CountGate,
    LatencyGate,
    MetricGate,
    ParityGate,
    ReleasePolicy,
    SubgroupGate,
    WitnessGate,
)
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.evaluation import (
    AnalysisPlan,
    Conventions,
    Criterion,
    CriterionOutcome,
    Looks,
)
from minivess.records.evaluation.margins import Margin
from minivess.records.evaluation.statistics.summaries import Interval, Limits
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.by_action import PAYLOADS, observed
from minivess.records.log.payloads.evidence import ReviewedLink
from minivess.records.log.witnessed import Checked
from minivess.records.models.training_run import Circumstances, RunPart
from minivess.records.people.approval import (
    Envelope,
    Manifestation,
    Policy,
    PolicyRule,
    UnsealGrant,
    UnsealRequest,
)
from minivess.records.people.identity import Identity, KeyAlgorithm, PublicKey
from minivess.records.people.roles import Role
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GATES, TERMS, GuardedLog, both_roles, dan, grant, request
from tests.support.builders.pack_builder import BEGIN, PLAN, ada, ben, cleo, person, service

pytestmark = pytest.mark.verifies("REQ-130", "RC-40", "SU-70")

OTHER = digest_bytes(b"another")
Story = Callable[[], GuardedLog]


def then(start: Story, step: Callable[[GuardedLog], Any]) -> Story:
    def told() -> GuardedLog:
        log = start()
        step(log)
        return log

    return told


def asked_then(step: Callable[[GuardedLog, Any], Any]) -> Story:
    def told() -> GuardedLog:
        log, wish = logs.asked()
        step(log, wish)
        return log

    return told


def _repeated(log: GuardedLog) -> None:
    log.evaluate(ada())
    log.evaluate(ada())


def _second_look(log: GuardedLog, number: int) -> None:
    wish = request("open-2")
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    log.evaluate(ada(), "open-2", look=number)


def _wish(log: GuardedLog) -> Any:
    wish = request("open-9")
    log.ask(ada(), wish)
    return wish


def _made_another() -> GuardedLog:
    log = logs.begun()
    log.seal(ada(), "ben", "dan", "eva")
    log.append(
        both_roles(),
        "training",
        {"architecture": "segresnet", "steps": 1},
        outputs=[Artifact(name="models/other.pt", digest=OTHER)],
    )
    for step in (log.train, log.combine, log.calibrate, log.export, log.criteria):
        step(ada())
    log.policy(cleo())
    return log


def _restored(log: GuardedLog, note: str, size: int = 0) -> None:
    payload = {
        "size": len(log.entries) + size,
        "root": to_base64(log.head.root),
        "abandoned": [note],
        "reason": "the disk was lost",
    }
    log.append(cleo(), "log.restored", payload)


def _foreign_note(log: GuardedLog) -> str:
    return sign_note(log.head, generate(KeyAlgorithm.ED25519))


def _rests_on(log: GuardedLog, action: str, *, index: int = 0, digest: str = "", name: str = "") -> None:
    """A repeated calibration that names an earlier entry: its index and digest may be those of another."""
    reference = log.reference(action)
    named = Artifact(name=name or f"log/{reference['index'] + index}", digest=digest or reference["digest"])
    payload = {"temperature": 1.0, "threshold": 0.2, "target_recall": 0.9, "cases": 2}
    outputs = [Artifact(name="models/calibration.json", digest=OTHER)]
    log.append(ada(), "calibration", payload, inputs=(named,), outputs=outputs)


WRONG_REFERENCES: dict[str, Callable[[GuardedLog], Any]] = {
    "an entry by another digest": lambda log: _rests_on(log, "ensemble", digest=OTHER),
    "the entry after it": lambda log: _rests_on(log, "ensemble", index=1),
    "itself": lambda log: _rests_on(log, "ensemble", index=len(log.entries) - log.reference("ensemble")["index"]),
    "an enrolment": lambda log: _rests_on(log, "identity.enrolled"),
    "a name that is no index": lambda log: _rests_on(log, "ensemble", name="log/01"),
}


def _prepare(log: GuardedLog, **roles: Any) -> None:
    log.prepare(cleo(), chain=log.chain() | roles)


def _prepare_on_failed(log: GuardedLog, action: str) -> None:
    log.append(ada(), action, {}, outcome=Outcome.FAILED, error="OSError: the disk is full")
    _prepare(log, **{action: log.references(action)[-1]})


WRONG_CHAINS: dict[str, Callable[[GuardedLog], Any]] = {
    "an entry by another digest": lambda log: _prepare(log, seal=log.reference("data.seal") | {"digest": OTHER}),
    "an entry to come": lambda log: _prepare(log, seal=log.reference("data.seal") | {"index": len(log.entries) + 4}),
    "an entry of another action": lambda log: _prepare(log, calibration=log.reference("ensemble")),
    "a calibration that failed": lambda log: _prepare_on_failed(log, "calibration"),
    "an entry that cannot be rested on": lambda log: _prepare(log, policy=log.reference("identity.enrolled")),
    "a run of another action": lambda log: _prepare(log, runs=[{"run": log.reference("ensemble")}]),
    "a disposition that is an ensemble": lambda log: _prepare(
        log, runs=[{"run": log.reference("training"), "disposition": log.reference("ensemble")}]
    ),
    "a look that nobody approved": lambda log: _prepare(log, looks=[{"approval": log.reference("test-set.request")}]),
    "no run": lambda log: _prepare(log, runs=[]),
    "no look": lambda log: _prepare(log, looks=[]),
    "a role that there is not": lambda log: _prepare(log, figures=log.reference("evaluation")),
}


def _lower(policy: ReleasePolicy, limit: float) -> ReleasePolicy:
    gates = tuple(gate.model_copy(update={"at_least": limit}) for gate in policy.gates)
    return policy.model_copy(update={"gates": gates})


def _plan(limit: float = 0.85, **changes: Any) -> AnalysisPlan:
    criteria = (PLAN.criteria[0].model_copy(update={"at_least": limit}), *PLAN.criteria[1:])
    return PLAN.model_copy(update={"criteria": criteria, **changes})


def _under(plan: AnalysisPlan, name: str = "open-7") -> Any:
    return request(name, plan=digest_of(plan), criteria=criteria_digest(plan.criteria))


def _registered_before() -> GuardedLog:
    """A look under the plan of all these logs, in a log where a laxer plan was registered before."""
    log = logs.exported()
    log.criteria(ada(), _plan(0.5))
    log.policy(cleo(), _lower(GATES, 0.5))
    wish = request()
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    return log


def _fresh(log: GuardedLog) -> None:
    log.seal(ada(), "ben", split=OTHER, manifest=OTHER, root=OTHER)
    log.criteria(ada(), _plan(0.5))
    log.policy(cleo(), _lower(GATES, 0.5))


def _stricter(log: GuardedLog) -> None:
    log.criteria(ada(), _plan(0.9))
    log.policy(cleo(), _lower(GATES, 0.9))
    log.ask(ada(), _under(_plan(0.9)))


def _laxer_before(log: GuardedLog) -> None:
    log.criteria(ada(), _plan(0.5))
    log.policy(cleo(), _lower(GATES, 0.5))


def _conventions(**changes: Any) -> Any:
    return _plan(conventions=PLAN.conventions.model_copy(update=changes))


def _by_group(**changes: Any) -> Any:
    conventions = {"statistics": "mean of groups", "bootstrap_unit": "group", "failure_dice": 0.5, **changes}
    return _conventions(**conventions)


def _sealed_by_group(**changes: Any) -> GuardedLog:
    log = logs.begun()
    terms = {"unit": "group", "statistics": "mean of groups", **changes}
    log.seal(ada(), "ben", "dan", terms=TERMS.model_copy(update=terms))
    for step in (log.train, log.combine, log.calibrate, log.export):
        step(ada())
    return log


def _looked_by_group() -> GuardedLog:
    """A look under a plan that counts groups."""
    log, plan = _sealed_by_group(), _by_group()
    log.criteria(ada(), plan)
    log.policy(cleo())
    wish = _under(plan, "open-1")
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    return log


def _seal_with(log: GuardedLog, **changes: Any) -> None:
    log.seal(ada(), "ben", terms=TERMS.model_copy(update=changes))


def _leave_out(log: GuardedLog) -> None:
    plan = PLAN.model_dump(mode="json")
    del plan["reuse"]
    log.append(ada(), "criteria.register", {"criteria": plan["criteria"], "plan": plan})


def _former(**more: Any) -> AnalysisPlan:
    """The plan as records of before state it: micrometres in the names of tolerance and measure."""
    plain = PLAN.model_dump(mode="json")
    tolerance = plain["conventions"].pop("tolerance")
    del plain["conventions"]["unit"]
    plain["conventions"]["tolerance_um"] = tolerance
    plain["measures"] = [name.replace("hd95", "hd95_um") for name in plain["measures"]]
    return AnalysisPlan.model_validate(plain | more)


def _states(log: GuardedLog, *left_out: str, measures: tuple[str, ...] = PLAN.measures, **stated: Any) -> None:
    """Register a plan whose conventions state other fields."""
    plan = PLAN.model_dump(mode="json") | {"measures": list(measures)}
    held = {name: value for name, value in plan["conventions"].items() if name not in left_out}
    plan["conventions"] = held | stated
    log.append(ada(), "criteria.register", {"criteria": plan["criteria"], "plan": plan})


def _looked_under_former() -> GuardedLog:
    log = logs.exported()
    log.criteria(ada(), _former())
    wish = _under(_former(), "open-1")
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    return log


def _saying(**sentences: str) -> AnalysisPlan:
    """The plan with further measures, and what it says that they give."""
    conventions = PLAN.conventions.model_copy(update={"of_measure": sentences})
    return PLAN.model_copy(update={"measures": (*PLAN.measures, *sentences), "conventions": conventions})


def _looked_saying() -> GuardedLog:
    log, planned = logs.exported(), _saying(iou="1 without a voxel")
    log.criteria(ada(), planned)
    wish = _under(planned, "open-1")
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))
    return log


LATE: dict[str, AnalysisPlan] = {
    "another unit of distances": _conventions(unit="mm"),
    "a lower criterion": _plan(0.84),
    "a criterion less": PLAN.model_copy(update={"criteria": PLAN.criteria[:-1]}),
    "a wider tolerance": _conventions(tolerance=9.0, unit="um"),
    "fewer resamples": _conventions(bootstrap=100),
    "another connectivity": _conventions(foreground_connectivity=6),
    "another border": _conventions(border="another"),
    "another skeleton": _conventions(skeleton="another"),
    "other words for empty masks": _conventions(both_empty="another"),
    "other words for one empty mask": _conventions(one_empty="another"),
    "less confidence": _plan(confidence=0.9),
    "a measure less": _plan(measures=PLAN.measures[1:]),
    "another mask": _plan(mask="another"),
    "another threshold": _plan(mask_threshold=0.4),
    "another seed": _plan(seed=PLAN.seed + 1),
    "other intervals": _plan(intervals="another"),
    "another baseline": _plan(baseline="another"),
    "other words for reuse": _plan(reuse="another"),
    "more looks": _plan(looks=Looks(per_release=2, total=3)),
}
"""Plans that are laxer than the one of the look in these logs, each in one thing."""

GOOD: dict[str, Story] = {
    "laxer plan and policy before a look": then(logs.exported, _laxer_before),
    "a plan with the statistics of its seal": then(_sealed_by_group, lambda log: log.criteria(ada(), _by_group())),
    "a further measure after a look, with its sentence": then(
        _looked_saying, lambda log: log.criteria(ada(), _saying(iou="1 without a voxel", ppv="undefined without one"))
    ),
    "a stricter limit of failures after a look": then(
        _looked_by_group, lambda log: log.criteria(ada(), _by_group(failure_dice=0.6))
    ),
    "a plan with its unit in its names, as before": then(logs.exported, lambda log: log.criteria(ada(), _former())),
    "the same limits under the present names after a look": then(
        _looked_under_former, lambda log: log.criteria(ada(), PLAN)
    ),
    "stricter plan and policy after a look": then(logs.evaluated, _stricter),
    "laxer plan and policy for another test part": then(logs.evaluated, _fresh),
    "the same seal once more": then(logs.evaluated, lambda log: log.seal(ada(), "ben", "dan")),
    "an entry that names what it rests on": then(logs.evaluated, lambda log: _rests_on(log, "model.export")),
    "everything up to a signed release": then(logs.built, lambda log: log.sign(ben())),
    "the same evaluation once more": then(logs.approved, _repeated),
    "an evaluation of two classes": then(
        logs.approved,
        lambda log: log.evaluate(ada(), classes={"artery": logs.TERMS.level, "vein": logs.TERMS.level}),
    ),
    "a custodian runs the evaluation": then(lambda: logs.approved("custodian"), lambda log: log.evaluate(ben())),
    "a custodian approves": asked_then(lambda log, wish: log.approve(dan(), grant(wish, dan()))),
    "a second look within the plan": then(logs.evaluated, lambda log: _second_look(log, 2)),
    "the evaluated model goes into production": then(logs.evaluated, lambda log: log.promote(cleo())),
    "a restore that gives up what this log signed": then(logs.begun, lambda log: _restored(log, log.checkpoint)),
    "a person was refused what they may not do": then(logs.begun, lambda log: log.refuse(ben(), "training")),
    "a reviewer of another model than the one they made": then(
        _made_another, lambda log: log.approve(both_roles(), grant(_wish(log), both_roles()))
    ),
}


def eva_trained() -> GuardedLog:
    log = logs.begun()
    log.seal(ada(), "ben", "eva")
    log.train(both_roles())
    for step in (log.combine, log.calibrate, log.export, log.criteria):
        step(ada())
    log.policy(cleo())
    return log


def _released(log: GuardedLog) -> None:
    """From an exported model to a pack that was built."""
    wish = _wish(log)
    log.approve(ben(), grant(wish, ben()))
    log.evaluate(ada(), wish.id)
    log.gather(ada())
    log.prepare(cleo())
    log.build(cleo())


def _eva_asked() -> GuardedLog:
    log = logs.begun()
    log.seal(ada(), "ben", "eva")
    for step in (log.train, log.combine, log.calibrate, log.export, log.criteria):
        step(ada())
    log.policy(cleo())
    log.ask(both_roles(), request("open-8", requester="eva"))
    return log


def _expired(log: GuardedLog) -> None:
    wish = request("open-3", expires=BEGIN + timedelta(seconds=len(log.entries) + 1))
    log.ask(ada(), wish)
    log.approve(ben(), grant(wish, ben()))


def _started_by_another(log: GuardedLog) -> None:
    index = log.append(ada(), "training", {}, outcome=Outcome.STARTED).body.index
    log.append(both_roles(), "training", {}, outcome=Outcome.FAILED, started=index, error="OSError: disk full")


def _other_spelling(log: GuardedLog) -> None:
    asked = request().model_dump(mode="json")
    asked["expires"] = asked["expires"].replace("Z", "+00:00")
    log.append(ada(), "test-set.request", {"request": asked})


def _sealed_again(log: GuardedLog) -> None:
    """A second entry about the same sealed part names another holder; the first one counts."""
    log.seal(ada(), "ben", "dan", "eva")
    log.approve(both_roles(), grant(_wish(log), both_roles()))


def _lowered_by_a_number(log: GuardedLog) -> None:
    terms = {**TERMS.model_dump(mode="json"), "lowered": [{"rule": "spacing", "usual": 7, "severity": "note"}]}
    inputs = (logs.made("data/split.json", logs.SPLIT),)
    outputs = [logs.made("data/sealed/manifest.json", logs.SEALED)]
    payload = {"files": 2, "approvers": ["ben"], "root": logs.SEALED, "terms": terms}
    log.append(ada(), "data.seal", payload, inputs=inputs, outputs=outputs)


def _key_of_another_algorithm(log: GuardedLog) -> None:
    identity = person("fay", "Fay Lindt", Role.DEVELOPER).identity.model_dump(mode="json")
    identity["encryption_key"]["algorithm"] = KeyAlgorithm.ED25519.value
    log.append(cleo(), "identity.enrolled", {"identity": identity})


BAD: dict[str, Story] = {
    "terms of a seal that lower a rule from a number": then(logs.begun, _lowered_by_a_number),
    "an encryption key of another algorithm than it says": then(logs.begun, _key_of_another_algorithm),
    "a service without named actions": then(logs.begun, lambda log: log.enrol(cleo(), service("bare"))),
    "a person with named actions": then(
        logs.begun, lambda log: log.enrol_service(cleo(), person("gus", "Gus", Role.DEVELOPER), "training")
    ),
    "a restore that follows other entries": then(logs.begun, lambda log: _restored(log, log.checkpoint, 1)),
    "a restore that gives up what this log did not sign": then(
        logs.begun, lambda log: _restored(log, _foreign_note(log))
    ),
    "a restore by a developer": then(
        logs.begun,
        lambda log: log.append(ada(), "log.restored", {}, outcome=Outcome.FAILED),
    ),
    **{
        f"after a look, a plan with {name}": then(logs.evaluated, lambda log, late=plan: log.criteria(ada(), late))
        for name, plan in LATE.items()
    },
    "after a look, a lower gate": then(logs.evaluated, lambda log: log.policy(cleo(), _lower(GATES, 0.8))),
    "after a look, a gate less": then(
        logs.evaluated,
        lambda log: log.policy(cleo(), GATES.model_copy(update={"gates": (CountGate(kind="runs", id="runs"),)})),
    ),
    "after a look, a signature less": then(
        logs.evaluated,
        lambda log: log.policy(
            cleo(),
            GATES.model_copy(
                update={"signatures": GATES.signatures.model_copy(update={"rules": GATES.signatures.rules[:1] * 2})}
            ),
        ),
    ),
    "after a look, a request under a laxer plan": then(
        _registered_before, lambda log: log.ask(ada(), _under(_plan(0.5)))
    ),
    "after a look, a request under a laxer policy": then(
        _registered_before, lambda log: log.ask(ada(), request("open-7", policy=digest_of(_lower(GATES, 0.5))))
    ),
    "a tolerance without its unit": then(logs.exported, lambda log: _states(log, "unit")),
    "a unit without a tolerance": then(logs.exported, lambda log: _states(log, "tolerance")),
    "no tolerance": then(logs.exported, lambda log: _states(log, "tolerance", "unit")),
    "a tolerance under both names": then(logs.exported, lambda log: _states(log, tolerance_um=2.0)),
    "a distance in micrometres beside a tolerance with its unit": then(
        logs.exported, lambda log: _states(log, measures=("dice", "hd95_um"))
    ),
    "a distance of no unit beside a tolerance in micrometres": then(
        logs.exported, lambda log: _states(log, "tolerance", "unit", measures=("dice", "hd95"), tolerance_um=2.0)
    ),
    "after a look, another sentence of a measure": then(
        _looked_saying, lambda log: log.criteria(ada(), _saying(iou="0 without a voxel"))
    ),
    "after a look, a measure without its sentence": then(
        _looked_saying,
        lambda log: log.criteria(ada(), PLAN.model_copy(update={"measures": (*PLAN.measures, "iou")})),
    ),
    "a sentence of an unknown measure": then(logs.exported, lambda log: _states(log, of_measure={"dise": "1"})),
    "a sentence that is none": then(logs.exported, lambda log: _states(log, of_measure={"iou": 1})),
    "no sentence of any measure, stated": then(logs.exported, lambda log: _states(log, of_measure={})),
    "sentences in a list": then(logs.exported, lambda log: _states(log, of_measure=["iou"])),
    "an unknown unit of distances": then(logs.exported, lambda log: _states(log, unit="inch")),
    "after a look under former names, another unit": then(
        _looked_under_former, lambda log: log.criteria(ada(), _conventions(unit="px"))
    ),
    "a plan that leaves out a field": then(logs.exported, _leave_out),
    "a plan with more looks than the seal": then(
        logs.exported, lambda log: log.criteria(ada(), _plan(looks=Looks(per_release=1, total=4)))
    ),
    "a plan that resamples another unit": then(
        logs.exported, lambda log: log.criteria(ada(), _conventions(bootstrap_unit="voxel"))
    ),
    "a plan with other statistics than its seal": then(
        lambda: _sealed_by_group(statistics="mean of cases"), lambda log: log.criteria(ada(), _by_group())
    ),
    "a plan with statistics of before under a seal of groups": then(
        _sealed_by_group, lambda log: log.criteria(ada(), _conventions(bootstrap_unit="group"))
    ),
    "a seal with statistics that are unknown": then(logs.begun, lambda log: _seal_with(log, statistics="another")),
    **{
        f"a plan with {words}": then(begin, lambda log, changes=changes: log.criteria(ada(), _by_group(**changes)))
        for words, begin, changes in (
            ("means of groups by subject", logs.begun, {"bootstrap_unit": "subject"}),
            ("statistics that are unknown", logs.begun, {"statistics": "another"}),
            ("a limit of failures of before", logs.begun, {"statistics": "mean of cases"}),
            ("a limit of failures above 1", logs.begun, {"failure_dice": 1.5}),
            ("a limit of failures of 0", logs.begun, {"failure_dice": 0.0}),
        )
    },
    "after a look, a lower limit of failures": then(
        _looked_by_group, lambda log: log.criteria(ada(), _by_group(failure_dice=0.4))
    ),
    "after a look, no limit of failures": then(
        _looked_by_group, lambda log: log.criteria(ada(), _by_group(failure_dice=None))
    ),
    "a request without its input files": then(logs.exported, lambda log: log.ask(ada(), request(inputs=None))),
    "a request without a policy": then(logs.exported, lambda log: log.ask(ada(), request(policy=None))),
    "a request under an unknown policy": then(logs.exported, lambda log: log.ask(ada(), request(policy=OTHER))),
    "a seal without terms": then(logs.begun, lambda log: log.seal(ada(), "ben", terms=None)),
    "a seal without a manifest": then(logs.begun, lambda log: log.seal(ada(), "ben", manifest=None)),
    "other terms of a seal": then(
        logs.exported, lambda log: log.seal(ada(), "ben", terms=TERMS.model_copy(update={"groups": OTHER}))
    ),
    "another root of a seal": then(logs.exported, lambda log: log.seal(ada(), "ben", root=OTHER)),
    "the same split sealed once more": then(logs.exported, lambda log: log.seal(ada(), "ben", manifest=OTHER)),
    "intervals of another level": then(logs.approved, lambda log: log.evaluate(ada(), level=0.95)),
    "intervals of a class with another level": then(
        logs.approved, lambda log: log.evaluate(ada(), classes={"artery": logs.TERMS.level, "vein": 0.95})
    ),
    "figures of classes of which there is none": then(logs.approved, lambda log: log.evaluate(ada(), classes={})),
    "a request that spells a time in another way": then(logs.exported, _other_spelling),
    "an approval by a holder who was named later": then(logs.exported, _sealed_again),
    **{
        f"a service appends {action}": then(
            logs.evaluated,
            lambda log, action=action: log.append(service("inference"), action, {}, outcome=Outcome.FAILED),
        )
        for action in sorted(PAYLOADS)
        if not action.startswith(("identity.", "log.", "serving."))
    },
    "a service appends an export of its own": then(logs.sealed, lambda log: log.export(service("inference"))),
    "a service evaluates": then(logs.approved, lambda log: log.evaluate(service("inference"))),
    "a service promotes": then(logs.evaluated, lambda log: log.promote(service("inference"))),
    "a service says that it was refused": then(
        logs.begun, lambda log: log.refuse(service("inference"), "model.promote")
    ),
    "a reviewer trains": then(logs.sealed, lambda log: log.train(ben())),
    "a release manager trains": then(logs.sealed, lambda log: log.train(cleo())),
    "a developer promotes": then(logs.evaluated, lambda log: log.promote(ada())),
    "a developer builds a release": then(logs.evaluated, lambda log: log.build(ada())),
    "a developer enrols": then(logs.begun, lambda log: log.enrol(ada(), person("gus", "Gus", Role.REVIEWER))),
    "a step makes nothing": then(
        logs.sealed, lambda log: log.append(ada(), "training", {"architecture": "segresnet", "steps": 1})
    ),
    "who seals holds the key": then(logs.begun, lambda log: log.seal(both_roles(), "ben", "eva")),
    "a developer holds the key": then(logs.begun, lambda log: log.seal(both_roles(), "ada")),
    "a stranger holds the key": then(logs.begun, lambda log: log.seal(ada(), "nobody")),
    "a request for another": then(logs.exported, lambda log: log.ask(ada(), request(requester="ben"))),
    "a request twice": asked_then(lambda log, wish: log.ask(ada(), wish)),
    "a request by a reviewer": then(logs.exported, lambda log: log.ask(ben(), request(requester="ben"))),
    "a request without a plan": then(logs.exported, lambda log: log.ask(ada(), request(plan=OTHER))),
    "a request under other criteria": then(logs.exported, lambda log: log.ask(ada(), request(criteria=OTHER))),
    "a request for a model that nobody exported": then(logs.exported, lambda log: log.ask(ada(), request(model=OTHER))),
    "a request for data that nobody sealed": then(logs.exported, lambda log: log.ask(ada(), request(data=OTHER))),
    "criteria without a plan": then(
        logs.exported, lambda log: log.append(ada(), "criteria.register", {"criteria": []})
    ),
    "an approval of nothing": then(logs.exported, lambda log: log.approve(ben(), grant(request(), ben()))),
    "an approval twice": asked_then(
        lambda log, wish: [log.approve(ben(), grant(wish, ben())), log.approve(dan(), grant(wish, dan()))]
    ),
    "an approval entered by another": asked_then(lambda log, wish: log.approve(dan(), grant(wish, ben()))),
    "an approval signed by another": asked_then(
        lambda log, wish: log.approve(dan(), grant(wish, ben()) | {"approver": "dan"})
    ),
    "an approval of another request": asked_then(
        lambda log, wish: log.approve(ben(), grant(request("open-7"), ben(), request=wish.id))
    ),
    "an approval in the form of 0.1.0": asked_then(
        lambda log, wish: log.approve(ben(), grant(wish, ben(), mode=None, key_digest=None, wrapped_key="AA=="))
    ),
    "an approval by who asked": then(
        _eva_asked, lambda log: log.approve(both_roles(), grant(request("open-8"), both_roles()))
    ),
    "an approval by who asked for the model before": then(
        _eva_asked, lambda log: log.approve(both_roles(), grant(_wish(log), both_roles()))
    ),
    "an approval by who trained": then(
        eva_trained, lambda log: log.approve(both_roles(), grant(_wish(log), both_roles()))
    ),
    "an approval by who the test set was not sealed for": asked_then(
        lambda log, wish: log.approve(both_roles(), grant(wish, both_roles()))
    ),
    "an approval after it expired": then(logs.exported, _expired),
    "an opening as in 0.1.0": then(
        logs.approved, lambda log: log.append(ada(), "test-set.open", {"request": "open-1"})
    ),
    "an evaluation without a request": then(logs.exported, lambda log: log.evaluate(ada())),
    "an evaluation without an approval": asked_then(lambda log, _: log.evaluate(ada())),
    "an evaluation of another model": then(logs.approved, lambda log: log.evaluate(ada(), model=OTHER)),
    "an evaluation by the approver of a released key": then(logs.approved, lambda log: log.evaluate(ben())),
    "an evaluation by the requester in a custodian run": then(
        lambda: logs.approved("custodian"), lambda log: log.evaluate(ada())
    ),
    "an evaluation with another number": then(logs.approved, lambda log: log.evaluate(ada(), look=2)),
    "the second look calls itself the first": then(logs.evaluated, lambda log: _second_look(log, 1)),
    "one look too many": then(
        logs.evaluated,
        lambda log: [_second_look(log, 2), log.ask(ada(), request("open-5"))],
    ),
    "production without an evaluation": then(logs.exported, lambda log: log.promote(cleo())),
    "a promotion of a model that nobody made": then(logs.evaluated, lambda log: log.promote(cleo(), OTHER)),
    "a release that names no model": then(logs.prepared, lambda log: log.build(cleo(), model=None)),
    "a release that was not prepared": then(logs.evaluated, lambda log: log.build(cleo())),
    "a release of another model than was prepared": then(logs.prepared, lambda log: log.build(cleo(), model=OTHER)),
    "a release of another version than was prepared": then(
        logs.prepared, lambda log: [log.prepare(cleo(), version="2.0"), log.build(cleo())]
    ),
    "a developer prepares a release": then(logs.prepared, lambda log: log.prepare(ada())),
    "a release is prepared with a model of nobody": then(logs.prepared, lambda log: log.prepare(cleo(), model=OTHER)),
    **{f"a release rests on {name}": then(logs.prepared, step) for name, step in WRONG_CHAINS.items()},
    **{f"an entry rests on {name}": then(logs.evaluated, step) for name, step in WRONG_REFERENCES.items()},
    "a signature under another pack": then(logs.built, lambda log: log.sign(ben(), pack=OTHER)),
    "a signature under another version": then(logs.built, lambda log: log.sign(ben(), version="2.0")),
    "a review by who trained": then(
        eva_trained,
        lambda log: [_released(log), log.sign(both_roles())],
    ),
    "an action that was started by another": then(logs.sealed, _started_by_another),
    "an action that the table does not have": then(
        logs.begun, lambda log: log.append(ada(), "data.invented", {}, outcome=Outcome.FAILED)
    ),
}


@pytest.mark.verifies("REQ-131", "RC-41")
@pytest.mark.parametrize("story", GOOD)
def test_what_the_table_allows_is_taken(story: str) -> None:
    assert logs.both(GOOD[story]()) == ("", "")


@pytest.mark.verifies("REQ-131", "RC-41")
@pytest.mark.parametrize("story", BAD)
def test_what_the_table_does_not_allow_is_refused_and_named(story: str) -> None:
    log = BAD[story]()
    last = len(log.entries) - 1
    product, script = logs.both(log)
    assert f"entry {last}" in product
    assert f"entry {last}" in script


def test_the_log_of_version_0_1_0_is_judged_by_its_own_table() -> None:
    from tests.support.builders import pack_builder

    log = pack_builder.story()
    assert logs.both(log) == ("", "")
    words = "permitted by action table 1 (the rules of version 0.1.0)"
    assert all(words in said for said in logs.words_of_both(log))


def test_both_name_the_table_that_a_log_follows() -> None:
    assert all("permitted by action table 2" in said for said in logs.words_of_both(logs.built()))


def test_verify_py_holds_the_published_table() -> None:
    assert logs.rules_digest() == table(2).digest
    assert table(1).digest == logs.VERIFY.TABLE_1


def test_verify_py_knows_the_fields_of_every_payload() -> None:
    def fields(action: str) -> str:
        known = PAYLOADS[action].model_fields.items()
        names = " ".join(name if field.is_required() else name + "?" for name, field in known)
        return f"* {names}" if observed(action) else names

    without_types = {
        action: re.sub(r"(?<=\w)(\??)[~*+!]*(=\S+)?", r"\1", told) for action, told in logs.VERIFY.FIELDS.items()
    }
    assert {action: fields(action) for action in PAYLOADS} == without_types


def test_every_action_that_can_be_recorded_is_in_the_table() -> None:
    assert set(table(2).rows) | {"test-set.open"} >= set(PAYLOADS)


PROBES: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    7,
    -1,
    1.5,
    "",
    "x",
    "7",
    "a b",
    "x" * 201,
    "sha256:" + "0" * 64,
    [],
    ["x"],
    [7],
    {},
    {"x": 0.5},
    {"x": None},
    {"x": 1},
    "dice",
    "failures",
    "mean",
    "developer",
    "approval",
    "person",
    "released",
    "retired",
    "ATT-01",
    "REQ-001 checks RC-1",
)
INNER: dict[str, type[Record]] = {
    "plan": AnalysisPlan,
    "conventions": Conventions,
    "looks": Looks,
    "criterion": Criterion,
    "margin": Margin,
    "outcome-of": CriterionOutcome,
    "interval": Interval,
    "limits": Limits,
    "registered": ReleasePolicy,
    "signatures": Policy,
    "rule": PolicyRule,
    "gate metric": MetricGate,
    "gate baseline": BaselineGate,
    "gate parity": ParityGate,
    "gate calibration": CalibrationGate,
    "gate criteria": CountGate,
    "gate conformal": ConformalGate,
    "gate subgroups": SubgroupGate,
    "gate latency": LatencyGate,
    "gate witness": WitnessGate,
    "request": UnsealRequest,
    "grant": UnsealGrant,
    "envelope": Envelope,
    "approval": Manifestation,
    "identity": Identity,
    "public-key": PublicKey,
    "checked": Checked,
    "reviewed": ReviewedLink,
    "terms": SealTerms,
    "lowered": LoweredRule,
    "source": SourceState,
    "chain": ReleaseChain,
    "run-part": RunPart,
    "circumstances": Circumstances,
}
"""Records inside payloads, by the form of each in verify.py."""
COMPARED = {
    "int",
    "0",
    "1",
    "number",
    "digest",
    "slug",
    "bool",
    "short",
    "statement",
    "measure",
    "aggregate",
    "statistic",
}
COMPARED |= {"shares", "role", "meaning", "mode", "stage", "holder-kind", "hex", "attestation", "link", "scope"}


@pytest.mark.parametrize("form", INNER)
def test_verify_py_knows_the_fields_of_every_record_in_a_payload(form: str) -> None:
    fields = INNER[form].model_fields
    only_clauses = {"standard"} if INNER[form] is CountGate else set[str]()
    assert set(logs.VERIFY.FORMS[form]) == set(fields) - only_clauses
    required = {name for name, (marks, _) in logs.VERIFY.FORMS[form].items() if "?" not in marks}
    assert required >= {name for name, field in fields.items() if field.is_required()}


def test_verify_py_compares_the_types_of_payloads_as_the_records_do() -> None:
    """Each field of each payload whose type verify.py names, with values of every kind of JSON."""
    records: dict[str, type[BaseModel]] = {**PAYLOADS, **INNER}

    def script_accepts(form: str, name: str, value: Any) -> bool:
        try:
            logs.VERIFY.fit_field(value, *logs.VERIFY.FORMS[form][name], name)
        except (logs.VERIFY.WrongError, AttributeError, TypeError, KeyError):
            return False
        return True

    def product_accepts(form: str, name: str, value: Any) -> bool:
        field = records[form].model_fields[name]
        whole = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        try:
            TypeAdapter(whole).validate_json(json.dumps(value), strict=True)
        except ValidationError:
            return False
        return True

    typed = [
        (form, name) for form in records for name, (_, kind) in logs.VERIFY.FORMS[form].items() if kind in COMPARED
    ]
    assert len(typed) > 150
    odd = [
        (form, name, value)
        for form, name in typed
        for value in PROBES
        if script_accepts(form, name, value) != product_accepts(form, name, value)
    ]
    assert odd == []


GATE = {"kind": "metric", "id": "dice", "measure": "dice", "statistic": "mean", "at_least": 0.5}
LEAST = [
    {"role": "independent-reviewer", "meaning": "review"},
    {"role": "release-manager", "meaning": "approval"},
]
CLEAN: dict[str, object] = {
    "tree": "sha256:" + "0" * 64,
    "folder": "",
    "commit": "0" * 40,
    "git_tree": "1" * 40,
    "repository": None,
    "submodules": [],
    "nested": [],
    "links": [],
    "hidden": [],
    "changed": [],
    "changes": 0,
    "uncommitted": None,
    "environment": None,
    "strangers": 0,
    "not_releasable": [],
}
MODULE = {"path": "lib", "commit": "2" * 40, "found": "2" * 40, "clean": True}


@pytest.mark.parametrize(
    ("rules", "gates", "fits"),
    [
        (LEAST, [GATE], True),
        (LEAST[:1], [GATE], False),
        (LEAST, [], False),
        (LEAST, [GATE, GATE], False),
        (LEAST, [GATE | {"at_most": 0.9}], False),
        (LEAST, [GATE | {"at_least": None}], False),
        (LEAST, [GATE | {"id": "counts"}], False),
        (LEAST, [GATE, {"kind": "source", "id": "source", "at_most": 0}], True),
        (LEAST, [{"kind": "counts", "id": "counts", "at_most": 1}], False),
        (LEAST, [{"kind": "unknown", "id": "x", "at_most": 1}], False),
        (LEAST, [{"kind": "parity", "id": "parity", "at_most": -1}], False),
    ],
)
def test_both_refuse_a_malformed_release_policy(rules: list[Any], gates: list[Any], fits: bool) -> None:
    policy = {"signatures": {"name": "release", "rules": rules}, "gates": gates}

    def script() -> None:
        logs.VERIFY.check_policy(logs.VERIFY.fit(policy, "registered", "the policy"))

    assert (
        refused(script) == refused(lambda: ReleasePolicy.model_validate_json(json.dumps(policy), strict=True)) != fits
    )


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"commit": None}, False),
        ({"commit": None, "git_tree": None, "not_releasable": ["no commit"]}, True),
        ({"repository": "no git", "commit": None, "git_tree": None, "not_releasable": ["no repository"]}, True),
        ({"repository": "no git", "not_releasable": ["no repository"]}, False),
        ({"submodules": [MODULE]}, True),
        ({"submodules": [MODULE | {"found": None}]}, False),
        ({"submodules": [MODULE | {"clean": False}], "not_releasable": ["submodule not at its recorded commit"]}, True),
        ({"nested": ["x"]}, False),
        ({"links": ["x"], "nested": ["y"], "not_releasable": ["nested repository", "link out of the tree"]}, True),
        ({"links": ["x"], "nested": ["y"], "not_releasable": ["link out of the tree", "nested repository"]}, False),
        ({"hidden": ["x"]}, False),
        ({"strangers": 1, "not_releasable": ["loaded files without an origin"]}, True),
        ({"changes": 1, "not_releasable": ["uncommitted changes"]}, False),
        ({"not_releasable": ["x"]}, False),
    ],
)
def test_both_refuse_a_source_state_that_contradicts_itself(fields: dict[str, Any], fits: bool) -> None:
    state = CLEAN | fields

    def script() -> None:
        logs.VERIFY.check_state(logs.VERIFY.fit(state, "source", "the source"))

    assert refused(script) == refused(lambda: SourceState.model_validate_json(json.dumps(state), strict=True)) != fits


def refused(judge: Callable[[], object]) -> bool:
    try:
        judge()
    except (logs.VERIFY.WrongError, ValidationError):
        return True
    return False


def _without_each(value: Any) -> Iterator[Any]:
    """A value of JSON with one field left out, for each field at any depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        if isinstance(value, dict):
            yield {name: one for name, one in value.items() if name != step}
        for less in _without_each(inner):
            yield {**value, step: less} if isinstance(value, dict) else [*value[:step], less, *value[step + 1 :]]


@pytest.mark.parametrize(("record", "form"), [(AnalysisPlan, "plan"), (ReleasePolicy, "registered")])
def test_both_ask_for_every_field_of_a_plan_and_a_policy(record: type[Record], form: str) -> None:
    whole = (PLAN if form == "plan" else GATES).model_dump(mode="json")
    assert logs.VERIFY.spelled_out(whole, form)
    left_out = 0
    for less in _without_each(whole):
        try:
            read = record.model_validate_json(json.dumps(less), strict=True)
        except ValidationError:
            continue
        left_out += 1
        assert logs.VERIFY.spelled_out(less, form) == (read.model_dump(mode="json") == less), less
    assert left_out > 1
