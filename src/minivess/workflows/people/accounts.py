"""Who may act: the start of the log, enrolments, passphrases, rotations, revocations, roots, and the keys a verifier is given."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.register import ATTEMPTS, Register
from minivess.compliance.identity.roots import Roots, sign_change
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.trust import write_trust
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.foundation.files import exclusive, make_folder
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.records.base import Record
from minivess.records.log.receipt import Receipt
from minivess.records.log.witnessed import Checked
from minivess.records.people.approval import Envelope, PolicyRule
from minivess.records.people.identity import LOG_IDENTITY, Identity, PublicKey
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.data.capabilities import check_capabilities
from minivess.workflows.people.key_states import counts
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

INFERENCE_IDENTITY = "inference"
SERVICE_ACTIONS = ("serving.enrolled", "serving.anchored")
"""What a service may append to the device's log: that it has a log of its own, and what that has come to."""


@implements("REQ-009")
def start_log(
    workspace: Workspace,
    signer: Signer,
    *,
    log_passphrase: str,
    threshold: int | None = None,
    checked: dict[str, Checked] | None = None,
) -> Receipt:
    """Write the first entry: the device, the log's own key and the roots (every person the project knows).

    Args:
        workspace: the project folder.
        signer: the root who signs.
        log_passphrase: for the log's own key.
        threshold: how many roots must agree on who the roots are; by default more than half of them.
        checked: what the signer checked about the roots, by id.

    Raises:
        UsageError: the log was started before, the project has no people, or somebody was checked who is none of them.
        RefusedError: no training could take what the project file states.
    """
    settings = load_settings(workspace.root)
    ring = Keyring.of(workspace)
    people = tuple(one for one in ring.identities() if one.kind is IdentityKind.PERSON)
    if not people:
        raise UsageError("this project has no people yet", hint="`minivess identity create` makes keys for a person")
    strangers = sorted(set(checked or {}) - {one.id for one in people})
    if strangers:
        raise UsageError(
            f"{', '.join(strangers)}: this project has no such person", hint="`minivess identity list` names the people"
        )
    project = load_project(workspace.root)
    check_capabilities(project)
    keystore, demo = ring.shared, signer.identity.demo
    make_folder(workspace.evidence)
    with exclusive(workspace.evidence, "the log"):  # who starts a log at the same time must not replace its key
        if not keystore.holds(LOG_IDENTITY):
            keystore.create(LOG_IDENTITY, "Audit log", IdentityKind.SERVICE, (Role.SERVICE,), log_passphrase, demo=demo)
        log = AuditLog.create(
            settings.database_url,
            origin=new_origin(project.device.name),
            device=project.device.name,
            log_signer=keystore.unlock(LOG_IDENTITY, log_passphrase),
            roots=people,
            threshold=len(people) // 2 + 1 if threshold is None else threshold,
            root_signer=signer,
            checked=checked,
        )
    try:
        return log.prove(0)
    finally:
        log.close()


@implements("REQ-163")
def new_origin(device: str) -> str:
    """A name for a new log: `minivess/<device>/<8 random hexadecimal digits>`, so that no two logs are taken for one."""
    return f"minivess/{device}/{secrets.token_hex(4)}"


@implements("REQ-009", "REQ-167")
def enrol(services: Services, signer: Signer, identifier: str, checked: Checked | None = None) -> Receipt:
    """Let somebody the project knows act from now on; signed by a root or a release manager.

    Args:
        services: the workspace.
        signer: who lets them in, and checked what `checked` names.
        identifier: whom.
        checked: the document of identity and the record of training, for a person.

    Raises:
        UsageError: the project does not know them, or a service was checked.
    """
    identity = _ring(services).identity(identifier)
    if checked is not None and identity.kind is IdentityKind.SERVICE:
        raise UsageError(f"{identifier} is a service, which has no document of identity and no training")
    with recorded(services, "identity.enrolled", signer, instant=True) as record:
        record.payload(identity=identity.model_dump(mode="json"))
        if identity.kind is IdentityKind.SERVICE:
            record.payload(actions=SERVICE_ACTIONS)
        if checked is not None:
            record.payload(checked=checked)
    return record.receipt


@implements("REQ-058", "RC-17")
def unlock(services: Services, identifier: str, passphrase: str) -> Signer:
    """Unwrap the keys of an identity; wrong passphrases are entries, and the fifth in a row locks the identity.

    A person's keys are not unwrapped for a log that does not continue what the person saw of it. Attempts on one identity go
    one after the other. They cannot be counted for an identity that is not enrolled yet, and for the log's own key, without
    which nothing can be written.

    Raises:
        RefusedError: the passphrase is wrong, or the identity is locked.
        VerificationError: the log does not continue what the person saw.
        CannotWriteError: the log cannot be written, so nothing is unlocked.
        UsageError, InputError, CouldNotCheckError: as `Keystore.unlock`.
    """
    return _attempt(services, identifier, lambda ring: ring.unlock(identifier, passphrase), lambda signer: signer)


def unlock_to_restore(services: Services, identifier: str, passphrase: str) -> Signer:
    """As `unlock`, on a log that went back: to append `log.restored` and nothing else."""
    act = partial(Keyring.unlock, id=identifier, passphrase=passphrase)
    return _attempt(services, identifier, act, lambda signer: signer, continues=False)


@implements("REQ-052")
def rotate(
    services: Services,
    identifier: str,
    passphrase: str,
    *,
    new_passphrase: str | None = None,
    token: str | None = None,
) -> Identity:
    """Go on under a new signing key, by an entry signed with the old one; goes on where it was interrupted.

    Args:
        services: the workspace.
        identifier: whose key.
        passphrase: the one of the key in use.
        new_passphrase: the one of the new key; without it, it stays the same.
        token: the PKCS #11 URI of the new key, when it is in a token.

    Raises:
        RefusedError: the passphrase is wrong, or the identity is locked, or a root, whose key changes with `change_roots`.
    """
    keystore = _ring(services)
    if keystore.identity(identifier) in register_of(services).roots:
        raise RefusedError(
            f"{identifier} is a root, and roots do not rotate alone",
            hint="`minivess identity roots propose` names the new key, and a threshold of the roots signs it",
        )
    old, new = _attempt(
        services,
        identifier,
        lambda store: store.prepare_rotation(identifier, passphrase, new_passphrase=new_passphrase, token=token),
        lambda pair: pair[0],
    )
    try:
        if not counts(register_of(services), new.identity):
            with recorded(services, "identity.rotated", old, instant=True) as record:
                record.payload(identity=new.identity, possession=_possession(services, old, new))
    finally:
        old.close()
        new.close()
    others = remembered_checkpoints.other_logs(services.log, new.identity)
    return keystore.finish_rotation(identifier, keep_former=others)


@implements("REQ-052")
def revoke(services: Services, signer: Signer, identifier: str, reason: str) -> Receipt:
    """Let the key of an identity count no longer, from this entry's index on; signed by a root or a release manager."""
    with recorded(services, "identity.revoked", signer, instant=True) as record:
        record.payload(identity=identifier, reason=reason)
    return record.receipt


@implements("REQ-058", "RC-17")
def reinstate(services: Services, signer: Signer, identifier: str, reason: str) -> Receipt:
    """Let a locked identity be unlocked again; signed by another root or release manager."""
    with recorded(services, "identity.reinstated", signer, instant=True) as record:
        record.payload(identity=identifier, reason=reason)
    return record.receipt


class RootsProposal(Record):
    """Roots and log key to be, and who agreed so far."""

    roots: Annotated[tuple[Identity, ...], Field(min_length=1)]
    threshold: Annotated[int, Field(ge=1)]
    envelopes: Annotated[tuple[Envelope, ...], Field(max_length=64)] = ()
    log_key: PublicKey | None = None
    """None: it stays."""
    possession: str | None = None


@implements("REQ-057", "REQ-116")
def propose_roots(
    services: WorkspaceReader, members: Sequence[str], threshold: int, *, log_passphrase: str | None = None
) -> RootsProposal:
    """Name the roots to be, by their ids; a rotation that was prepared is what counts.

    Args:
        services: the workspace.
        members: the roots to be.
        threshold: how many of them must agree on changes.
        log_passphrase: with it the log gets a new key as well, which rests under the same passphrase.

    Raises:
        RefusedError: the passphrase is wrong.
        UsageError: the project does not know somebody, or the threshold cannot be met.
    """
    keystore = _ring(services)
    roots = tuple(keystore.pending_rotation(one) or keystore.identity(one) for one in members)
    try:
        Roots(roots, threshold).check()
    except VerificationError as error:
        raise UsageError(error.message) from None
    if log_passphrase is None:
        return RootsProposal(roots=roots, threshold=threshold)
    old, new = keystore.prepare_rotation(LOG_IDENTITY, log_passphrase)
    try:
        possession = _possession(services, old, new)
        return RootsProposal(roots=roots, threshold=threshold, log_key=new.public, possession=possession)
    finally:
        old.close()
        new.close()


@implements("REQ-057")
def sign_roots(services: Services, signer: Signer, proposal: RootsProposal) -> RootsProposal:
    """The proposal with one more agreement.

    Raises:
        RefusedError: the signer is neither an old nor a new root.
    """
    register = register_of(services)
    old, new = Roots(register.roots, register.threshold), Roots(proposal.roots, proposal.threshold)
    envelope = sign_change(signer, old, new, log_key=proposal.log_key, head=services.log.size, now=services.clock())
    return proposal.model_copy(update={"envelopes": (*proposal.envelopes, envelope)})


@implements("REQ-057", "REQ-116")
def change_roots(
    services: Services, signer: Signer, proposal: RootsProposal, *, log_passphrase: str | None = None
) -> Receipt:
    """Put the proposal into force, once a threshold of the old and of the new roots agreed.

    Args:
        services: the workspace.
        signer: a root or a release manager.
        proposal: what was agreed.
        log_passphrase: opens the log's new key, when the proposal names one.

    Raises:
        RefusedError: too few agreed, a signature does not hold, or the log's new key is not in this workspace.
    """
    keystore = _ring(services)
    if proposal.log_key is not None:
        pending = keystore.pending_rotation(LOG_IDENTITY)
        if log_passphrase is None or pending is None or pending.signing_key != proposal.log_key:
            raise RefusedError(
                "the new key of the log is not here", hint="apply the proposal where it was made, with its passphrase"
            )
        old, new = keystore.prepare_rotation(LOG_IDENTITY, log_passphrase)
        old.close()
        services.log.hold_next_key(new)
    with recorded(services, "roots.changed", signer, instant=True) as record:
        record.payload(**proposal.model_dump(mode="json", exclude_none=True))
    if proposal.log_key is not None:
        keystore.finish_rotation(LOG_IDENTITY)
    for root in proposal.roots:
        if keystore.pending_rotation(root.id) == root:
            keystore.finish_rotation(root.id)
    return record.receipt


@implements("REQ-151")
def trusted_keys(services: WorkspaceReader) -> str:
    """The trust file that `--trust` reads: what this log says of itself now, and what a release of it needs."""
    return write_trust(
        register_of(services),
        services.log.origin,
        witnesses=services.project.witnesses,
        rules=_release_rules(services),
        known=services.log.checkpoint(),
        layout=services.log.standing.rules.layout,
    )


def _release_rules(services: WorkspaceReader) -> tuple[PolicyRule, ...]:
    """The signatures that the release policy asks for, and where there is none the two that every release needs."""
    from minivess.compliance.release.gates import load_policy

    for folder in (services.workspace, services.source):
        path = folder / "release" / "policy.yaml"
        if path.is_file():
            return load_policy(path).signatures.rules
    return LEAST_RULES


def _possession(services: WorkspaceReader, old: Signer, new: Signer) -> str:
    """The new key's signature for going on with it in place of the old one."""
    return to_base64(new.sign(possession_statement(services.log.origin, old.identity.id, old.key_id, new.key_id)))


def _ring(services: WorkspaceReader) -> Keyring:
    return Keyring.of(services.workspace)


def register_of(services: WorkspaceReader) -> Register:
    """Who may act now, as the log says."""
    return services.log.standing.register


def _attempt[T](
    services: Services,
    identifier: str,
    act: Callable[[Keyring], T],
    signer_in: Callable[[T], Signer],
    *,
    continues: bool = True,
) -> T:
    """Try a passphrase once, on the record."""
    keystore = _ring(services)
    identity = keystore.identity(identifier)
    if continues:
        remembered_checkpoints.require(services.log, identity)
    if register_of(services).state(identifier) == "not enrolled":
        return act(keystore)
    with keystore.attempts_lock(identifier):
        register = register_of(services)
        if identifier in register.locked:
            raise RefusedError(
                f"{identifier} is locked after {ATTEMPTS} wrong passphrases",
                hint="another root or release manager reinstates them with `minivess identity reinstate`",
            )
        services.log.check_writable()
        failures = register.failures.get(identifier, 0)
        try:
            opened = act(keystore)
        except RefusedError as wrong:
            left = _count_failure(services, identifier, failures + 1)
            words = f"{left} attempts are left" if left else f"{identifier} is now locked"
            raise RefusedError(f"{wrong.message}; {words}", hint=wrong.hint) from None
        if failures:
            with recorded(services, "identity.unlocked", signer_in(opened), instant=True) as record:
                record.payload(identity=identifier)
    return opened


def _count_failure(services: Services, identifier: str, count: int) -> int:
    log_signer = services.log.signer
    with recorded(services, "identity.unlock-failed", log_signer, instant=True) as record:
        record.payload(identity=identifier, attempt=count)
    if count >= ATTEMPTS:
        with recorded(services, "identity.locked", log_signer, instant=True) as record:
            record.payload(identity=identifier, attempts=count)
    return max(0, ATTEMPTS - count)
