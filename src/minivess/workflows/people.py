"""Who may act: the start of the log, later enrolments, and the keys a verifier is given."""

from __future__ import annotations

import json

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.foundation.strict_yaml import read_record
from minivess.records.identity import IdentityKind, Role
from minivess.records.project import Project
from minivess.records.receipt import Receipt
from minivess.workflows.recording import recorded
from minivess.workflows.services import LOG_IDENTITY, Services

INFERENCE_IDENTITY = "inference"


@implements("REQ-009")
def start_log(workspace: Workspace, signer: Signer, *, log_passphrase: str) -> Receipt:
    """Write the first entry: the device, the log's own key and the roots (everybody in the keystore now).

    Raises:
        UsageError: the log was started before, or nobody is in the keystore.
    """
    settings = load_settings(workspace.root)
    keystore = Keystore(workspace.keystore)
    people = tuple(one for one in keystore.identities() if one.kind is IdentityKind.PERSON)
    if not people:
        raise UsageError("nobody is in the keystore", hint="`minivess identity create` makes keys for a person")
    known = {one.id for one in keystore.identities()}
    demo = signer.identity.demo
    if LOG_IDENTITY not in known:
        keystore.create(LOG_IDENTITY, "Audit log", IdentityKind.SERVICE, (Role.SERVICE,), log_passphrase, demo=demo)
    project = read_record(workspace.project_file, Project)
    workspace.evidence.mkdir(parents=True, exist_ok=True)
    log = AuditLog.create(
        settings.database_url,
        origin=f"minivess/{project.device.name}",
        device=project.device.name,
        log_signer=keystore.unlock(LOG_IDENTITY, log_passphrase),
        roots=people,
        threshold=1,
        root_signer=signer,
    )
    try:
        return log.prove(0)
    finally:
        log.close()


@implements("REQ-009")
def enrol(services: Services, signer: Signer, identifier: str) -> Receipt:
    """Let an identity of the keystore act from now on; signed by a root or a release manager."""
    identity = Keystore(Workspace(services.workspace).keystore).identity(identifier)
    with recorded(services, "identity.enrolled", signer, instant=True) as record:
        record.payload(identity=identity.model_dump(mode="json"))
    return record.receipt


def trusted_keys(services: Services) -> str:
    """The public keys of the log and of everybody enrolled, as the JSON that `--trust` reads."""
    register = Register.fold(services.log.entries())
    trust = {
        "log_key": register.log_key.model_dump(mode="json"),
        "people": [one.model_dump(mode="json") for one in register.identities],
    }
    return json.dumps(trust, indent=2, ensure_ascii=False) + "\n"
