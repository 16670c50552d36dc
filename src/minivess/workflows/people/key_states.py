"""How everybody that a project knows stands in its log: enrolled, revoked or locked, and what was checked about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.register import Register
from minivess.foundation.errors import InputError
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.records.people.identity import LOG_IDENTITY, Identity
from minivess.workflows.people.enrolment_checks import ENROLMENTS, checks_in


@dataclass(frozen=True)
class KnownIdentity:
    """A person or a service that a project knows."""

    identity: Identity
    state: str
    """In the log: `valid`, `locked`, `revoked`, `not enrolled`, or `another key`."""
    checked: str | None
    """What was checked before this person could sign, in words; None: nothing was."""


def known_identities(workspace: Workspace) -> tuple[KnownIdentity, ...]:
    """Everybody a project knows. No passphrase is needed."""
    known = Keyring.of(workspace).identities()
    checks: dict[str, str] = {}
    with _existing_log(workspace) as log:
        states = _states(log, known)
        if log is not None:
            checks = checks_in(log.entries(actions=ENROLMENTS))
    return tuple(KnownIdentity(one, states[one.id], checks.get(one.id)) for one in known)


def states_of(workspace: Workspace, identities: Iterable[Identity]) -> dict[str, str]:
    """The state of identities in the log, by id: `valid`, `locked`, `revoked`, `not enrolled`, or `another key`.

    A key that signs the checkpoints of a serving log is `valid` when the log knows that serving log.

    No passphrase is needed. Where no log was started, everybody is `not enrolled`.
    """
    with _existing_log(workspace) as log:
        return _states(log, identities)


@contextmanager
def _existing_log(workspace: Workspace) -> Iterator[LogReader | None]:
    """The log of a workspace, for reading; None where there is none."""
    log = None
    if workspace.project_file.is_file():
        with suppress(InputError):
            log = LogReader.reading(load_settings(workspace.root).database_url)
    if log is None:
        yield None
        return
    with closing(log):
        yield log


def _states(log: LogReader | None, identities: Iterable[Identity]) -> dict[str, str]:
    register, serving = Register(), set[str]()
    if log is not None:
        standing = log.standing
        register = standing.register
        serving = {head.log_key.key_id for head in standing.serving.heads.values()}
    return {one.id: "valid" if one.signing_key.key_id in serving else _state(register, one) for one in identities}


def _state(register: Register, identity: Identity) -> str:
    if identity.id == LOG_IDENTITY and register.log_keys:
        return "valid" if register.log_key == identity.signing_key else "another key"
    state = register.state(identity.id)
    return "another key" if state == "valid" and not counts(register, identity) else state


def counts(register: Register, identity: Identity) -> bool:
    """Whether the key of an identity counts now."""
    tenure = register.tenures.get(identity.signing_key.key_id)
    return tenure is not None and tenure.end is None
