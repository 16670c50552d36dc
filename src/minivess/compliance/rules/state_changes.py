"""What completed entries change in the state of a log: one function an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from minivess.compliance.identity.register import REGISTER_ACTIONS
from minivess.compliance.identity.witness_keys import WITNESS_ACTIONS
from minivess.compliance.proofs.serving_logs import SERVING_ACTIONS
from minivess.compliance.rules.actions import adopted_table
from minivess.compliance.rules.looks import ACTIONS as TEST_SET_ACTIONS
from minivess.compliance.rules.looks import EVALUATION
from minivess.compliance.rules.makers import STEPS
from minivess.compliance.rules.references import Preparation, is_link
from minivess.compliance.rules.registrations import ACTIONS as REGISTRATIONS
from minivess.compliance.rules.restores import RESTORED, restore_in
from minivess.compliance.rules.standing import Standing
from minivess.records.log.action_table import RulesAdopted
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.evidence import ReleaseBuilt
from minivess.records.log.payloads.identities import IdentityEnrolled
from minivess.records.log.payloads.looks import LookRequested
from minivess.records.people.roles import IdentityKind


def changes_state(action: str) -> bool:
    """Whether a completed entry of an action changes the state by what it says."""
    return action in _FOLDS


def folded(standing: Standing, body: Any) -> Standing:
    """The state after an entry that may stand where it stands.

    Args:
        standing: the state before it.
        body: as for `admission.admit`.

    Raises:
        VerificationError, RefusedError, ValidationError: the entry does not say what such an entry must.
    """
    fold = _FOLDS.get(body.action)
    if fold is not None and (body.outcome == Outcome.COMPLETED or body.action == EVALUATION):
        return _linked(fold(standing, body), body)
    return _linked(standing, body)


def _linked(standing: Standing, body: Any) -> Standing:
    """The state in which later entries can rest on this one, if it is of that kind."""
    if standing.rules.number == 1 or not is_link(body):
        return standing
    return replace(standing, references=standing.references.extend(body))


def _people_changed(standing: Standing, body: EntryBody) -> Standing:
    entry = Entry.model_construct(body=body, signature="")
    after = standing.with_register(standing.register.extend(entry))
    return replace(after, witnesses=standing.witnesses.extend(entry)) if body.action in WITNESS_ACTIONS else after


def _witness_announced(standing: Standing, body: EntryBody) -> Standing:
    return replace(standing, witnesses=standing.witnesses.extend(Entry.model_construct(body=body, signature="")))


def _adopted(standing: Standing, body: EntryBody) -> Standing:
    adopted = RulesAdopted.model_validate(body.payload)
    return replace(standing, rules=adopted_table(adopted), adopted=body.index + 1, allowed=set())


def _step_done(standing: Standing, body: EntryBody) -> Standing:
    return replace(standing, makers=standing.makers.with_step(body))


def _serving(standing: Standing, body: EntryBody) -> Standing:
    return replace(standing, serving=standing.serving.extend(Entry.model_construct(body=body, signature="")))


def _restored(standing: Standing, body: EntryBody) -> Standing:
    return replace(standing, restores=(*standing.restores, restore_in(body)))


def _prepared(standing: Standing, body: EntryBody) -> Standing:
    from minivess.records.device.preparation import ReleasePrepared  # loads the records of the project file

    prepared = ReleasePrepared.model_validate(body.payload)
    return replace(standing, prepared=Preparation(prepared.device.version, body.context.model))


def _built(standing: Standing, body: EntryBody) -> Standing:
    built = ReleaseBuilt.model_validate(body.payload)
    pack = Preparation(built.version, body.context.model)
    return replace(standing, packs={**standing.packs, built.tag_manifest: pack})


def _in_history(standing: Standing, body: EntryBody) -> Standing:
    after = replace(standing, test_set=standing.test_set.extend(body))
    return _registered(after, body) if body.action in REGISTRATIONS else after


def _registered(standing: Standing, body: EntryBody) -> Standing:
    return replace(standing, registrations=standing.registrations.extend(body))


def _requested(standing: Standing, body: EntryBody) -> Standing:
    request = LookRequested.model_validate(body.payload).request
    after = _in_history(standing, body)
    return replace(after, makers=after.makers.with_request(request.model, body.actor))


def _evaluated(standing: Standing, body: EntryBody) -> Standing:
    after = _in_history(standing, body)
    if body.outcome is Outcome.COMPLETED and body.context.model is not None:
        return replace(after, makers=after.makers.with_evaluation(body.context.model))
    return after


def _enrolled(standing: Standing, body: EntryBody) -> Standing:
    standing, enrolled = _people_changed(standing, body), IdentityEnrolled.model_validate(body.payload)
    if enrolled.identity.kind is IdentityKind.PERSON:
        return standing
    named = None if enrolled.actions is None else frozenset(enrolled.actions)
    return replace(standing, service_actions={**standing.service_actions, enrolled.identity.id: named})


_FOLDS: Mapping[str, Callable[[Standing, EntryBody], Standing]] = MappingProxyType(
    {
        **dict.fromkeys(REGISTER_ACTIONS, _people_changed),
        **dict.fromkeys(TEST_SET_ACTIONS, _in_history),
        **dict.fromkeys(STEPS, _step_done),
        "identity.enrolled": _enrolled,
        RESTORED: _restored,
        "rules.adopted": _adopted,
        "data.seal": _registered,
        "policy.register": _registered,
        "test-set.request": _requested,
        EVALUATION: _evaluated,
        "release.prepare": _prepared,
        "release.build": _built,
        **dict.fromkeys(SERVING_ACTIONS, _serving),
        "identity.witness": _witness_announced,
    }
)
"""What completed entries change in the state, by action."""
