"""Everything that a release requires, judged before anything is built: the gates, the chain of entries, and the holders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from minivess.compliance.release.chain import JudgedChain, check_chain, propose_chain
from minivess.compliance.release.gates import stopping
from minivess.foundation.errors import Reason, RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.preparation import ReleaseChain
from minivess.records.device.release import GateResult
from minivess.records.device.workspace_files import STEPS
from minivess.records.references import ROLES
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.release.gates import judge_gates
from minivess.workflows.release.signing import unannounced
from minivess.workflows.sealed.registration import check_release_policy, policy_of
from minivess.workflows.session.services import WorkspaceReader
from minivess.workflows.session.workspace_files import model_of

_AGAIN = "make the steps after that entry again; `minivess audit show` shows an entry"


@dataclass(frozen=True)
class ReleaseCheck:
    """What stands between a project and its release."""

    gates: tuple[GateResult, ...]
    chain: JudgedChain | None
    """The entries that the release rests on; None while they do not fit each other."""
    further: tuple[Reason, ...]
    """What is missing besides gates."""
    first_missing: str | None
    """The command of the first step before a release that was not done; None: all were."""
    demo: bool = False
    """Whether the log is that of a demonstration, in which the state of the source tree stops no build."""

    @property
    def failing(self) -> tuple[GateResult, ...]:
        """The gates that stop the release."""
        return stopping(self.gates, demo=self.demo)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why a release cannot be built, each with its own hint; empty when it can."""
        failing = (Reason(f"gate {gate.id} fails: {gate.message}", gate.mend) for gate in self.failing)
        first = None if self.first_missing is None else f"first `{self.first_missing}`"
        found = [*failing, *self.further]
        return tuple(
            Reason(one.message, "; ".join(filter(None, (first if place == 0 else None, one.hint))))
            for place, one in enumerate(found)
        )

    def require(self) -> JudgedChain:
        """The chain of a release that can be built.

        Raises:
            RefusedError: it cannot; names every failing gate and every further reason, each with its own hint.
        """
        reasons = self.reasons
        if not reasons and self.chain is not None:
            return self.chain
        failing = self.failing
        gates = f"{len(failing)} of {len(self.gates)} gates fail: " if failing else ""
        words = [*(f"{gate.id}: {gate.message}" for gate in failing), *(one.message for one in self.further)]
        hints = dict.fromkeys(one.hint for one in reasons if one.hint)
        raise RefusedError(gates + "; ".join(words), hint="; ".join(hints), reasons=reasons)


@implements("REQ-229")
def check_release(services: WorkspaceReader, release: ReleaseFacts | None = None) -> ReleaseCheck:
    """Judge every gate and the chain of a release. Nothing is written and nothing is recorded.

    Args:
        services: the workspace.
        release: the source tree and the log; without it they are read as they are now.

    Raises:
        UsageError, InputError: there is no release policy, or a file is malformed.
    """
    known = ReleaseFacts.read(services) if release is None else release
    gates = judge_gates(services, known)
    further: list[Reason] = []
    chain = None
    try:
        check_release_policy(services)
    except RefusedError as error:
        further += error.reasons
    try:
        chain = _chain(services, known)
    except RefusedError as error:
        further += (Reason(one.message, one.hint or _AGAIN) for one in error.reasons)
    further += (
        Reason(f"the log has no witness key of {one}, who can open the test set", f"minivess audit cosign --as {one}")
        for one in unannounced(services)
    )
    step = known.inputs(services).first_missing("release")
    missing = None if step.name == "release" else step.line
    return ReleaseCheck(gates, chain, tuple(further), missing, demo=known.log.register.demo)


def _chain(services: WorkspaceReader, known: ReleaseFacts) -> JudgedChain:
    """The chain of the model that is in the workspace.

    Raises:
        RefusedError: a step is missing, entries do not fit each other, or the policy is another one than the look was
            requested under.
    """
    entries = known.earlier
    version, model = services.project.device.version, model_of(Workspace(services.workspace))
    chain = check_chain(entries, propose_chain(entries, version), version, model)
    refuse_unknown(chain.references, services.log.standing.references.entries)
    if policy_of(services) != chain.policy:
        raise RefusedError(
            "release/policy.yaml is not the policy that the look at the test set was requested under, which entry "
            f"{chain.bodies['policy'].index} registered",
            hint="put it back as it was registered; a stricter policy requires a new look",
        )
    return chain


def refuse_unknown(chain: ReleaseChain, known: Collection[int]) -> None:
    """Refuse a chain with an entry that no other can rest on, because the log followed the rules of version 0.1.0 then.

    Raises:
        RefusedError: names the first such entry, with the command of its step.
    """
    for role, reference in chain.references():
        if reference.index not in known:
            command = next((f": `{step.line}`" for step in STEPS if step.action == ROLES[role]), "")
            raise RefusedError(
                f"entry {reference.index} ({ROLES[role]}) is older than the action table that the log follows, so a release "
                "cannot rest on it",
                hint=f"make this step and the later ones again{command}",
            )
