"""What is registered in the log before the test set is looked at, and stays: the release policy beside the criteria.

After a look nothing of it becomes laxer than what the look was judged by.
"""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.release.gates import load_policy
from minivess.compliance.rules.registrations import Registrations
from minivess.foundation.errors import InputError, Reason, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.records.device.project import unplanned
from minivess.records.device.release_policy import MetricGate, ReleasePolicy
from minivess.records.device.strictness import below_least, gates_beyond_criteria
from minivess.records.evaluation.measures import measure_of
from minivess.records.log.receipt import Receipt
from minivess.workflows.session.project_file import show_hints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

POLICY = "release/policy"
"""How an entry names the policy that it registers."""


def policy_of(services: WorkspaceReader) -> ReleasePolicy:
    """The release policy: the project's own, else that of the source tree.

    Raises:
        UsageError: there is none.
        InputError: it is malformed, with file and line, limits a distance of which the project states no unit, or a
            measure that is not computed.
    """
    for folder in (services.workspace, services.source):
        path = folder / "release" / "policy.yaml"
        if path.is_file():
            policy = load_policy(path, say=show_hints)
            if below_least(policy):
                raise InputError(
                    "the policy does not judge the registered acceptance criteria",
                    path="release/policy.yaml",
                    hint="add the gate `- {id: criteria, kind: criteria}`",
                )
            _check_unit(policy, services)
            _check_computed(policy, services)
            _check_classes(policy, services)
            return policy
    raise UsageError("there is no release/policy.yaml", hint="`minivess init` writes one to start from")


@implements("REQ-324", "RC-136")
def _check_unit(policy: ReleasePolicy, services: WorkspaceReader) -> None:
    """A gate on a distance needs a tolerance that was stated: its limit is in the same unit.

    Raises:
        InputError: there is such a gate and no tolerance.
    """
    for gate in policy.gates:
        row = measure_of(gate.measure) if isinstance(gate, MetricGate) else None
        if row is not None and row.is_distance and services.project.evaluation.tolerance is None:
            raise InputError(
                f"the gate {gate.id} limits {row.name}, and `evaluation.tolerance` does not state a unit",
                path="release/policy.yaml",
                hint="state it in minivess.yaml, for example `tolerance: 2 µm`",
            )


@implements("REQ-380", "RC-154")
def _check_computed(policy: ReleasePolicy, services: WorkspaceReader) -> None:
    """A gate limits a measure that the evaluation computes.

    Raises:
        InputError: it limits another one.
    """
    for gate in policy.gates:
        if isinstance(gate, MetricGate) and unplanned([gate.measure], services.project.evaluation.measures):
            raise InputError(
                f"the gate {gate.id} limits {gate.measure}, which the evaluation does not compute",
                path="release/policy.yaml",
                hint=f"add {gate.measure} to `evaluation.measures` in minivess.yaml",
            )


@implements("REQ-319")
def _check_classes(policy: ReleasePolicy, services: WorkspaceReader) -> None:
    """A gate names a class that the data have, where there are several.

    Raises:
        InputError: it names another one, or there is one class.
    """
    known = [one.name for one in services.project.data.declared]
    for gate in policy.gates:
        named = gate.of_class if isinstance(gate, MetricGate) else None
        if named is not None and (len(known) < 2 or named not in known):
            several = ", ".join(known) if len(known) > 1 else "there is one class, so leave `of_class` out"
            raise InputError(
                f"the gate {gate.id} names the class {named!r}",
                path="release/policy.yaml",
                hint=f"classes in minivess.yaml: {several}",
            )


@implements("REQ-184", "REQ-185", "RC-66")
def register_policy(services: Services, signer: Signer) -> Receipt:
    """Write the gates and signatures of the release policy into the log, before the test set is looked at.

    Raises:
        RefusedError: the test set was looked at already, and this policy is laxer than the one of the look.
        UsageError, InputError: as `policy_of`.
    """
    policy = policy_of(services)
    with recorded(services, "policy.register", signer, instant=True) as record:
        refuse_laxer(registrations_of(services).laxer_than_looks(policy=policy))
        record.output(POLICY, digest_of(policy))
        record.payload(policy=policy)
    return record.receipt


def registrations_of(services: WorkspaceReader) -> Registrations:
    """What the log says was registered, followed to its newest signed checkpoint."""
    return services.log.standing.registrations


@implements("REQ-184")
def registered_policy(services: WorkspaceReader, registered: Registrations) -> str:
    """The digest of the release policy, which must be registered as it is now.

    Raises:
        RefusedError: it is not registered.
    """
    digest = digest_of(policy_of(services))
    if digest not in registered.policies:
        raise RefusedError(
            "this release policy is not in the log", hint="a release manager registers it: `minivess release policy`"
        )
    return digest


@implements("REQ-185", "RC-66")
def check_release_policy(services: WorkspaceReader) -> None:
    """Compare the policy that a release is built by with those of all looks at the test set.

    Raises:
        RefusedError: it is laxer; the message names what.
    """
    refuse_laxer(registrations_of(services).laxer_than_looks(policy=policy_of(services)))


def refuse_laxer(found: list[str]) -> None:
    """Refuse what became laxer after a look.

    Raises:
        RefusedError: `found` is not empty.
    """
    if found:
        what = "this is laxer than what was registered for an earlier look at the test set"
        hint = "put it back as it was registered, or seal other test cases in a new project"
        raise RefusedError(
            f"{what}: {'; '.join(found)}", hint=hint, reasons=[Reason(f"{what}: {one}", hint) for one in found]
        )


@implements("REQ-186")
def beyond_criteria(services: WorkspaceReader) -> list[str]:
    """Gates of the release policy that require more than the project's acceptance criteria, one sentence each.

    Nothing while there is no policy that can be read: a request is refused then.
    """
    try:
        policy = policy_of(services)
    except (UsageError, InputError):
        return []
    return gates_beyond_criteria(policy, services.project.evaluation.criteria)
