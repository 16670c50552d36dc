"""Small real logs and services for tests: real keys (not wrapped, to save time), a real database, a real relay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.serving_logs import serving_origin
from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.settings import load_settings
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from minivess.records.device.project import Project
from minivess.records.log.entry import Details, Draft, EntryBody, Outcome
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.session.services import Services, silent

ORIGIN = "minivess.test/toy"
VALIDATED = {"rules": 3, "notes": 0, "warnings": 1, "blocking": 0, "changed": 0}
PROJECT = {
    "device": {
        "name": "toy",
        "version": "0.1.0",
        "manufacturer": "Nobody",
        "intended_use": "Tests of this project.",
        "safety_class": "B",
    },
    "data": {"name": "toy", "licence": "Apache-2.0", "source": "the generator", "synthetic": {}},
    "evaluation": {"tolerance": "2 µm", "criteria": [{"measure": "dice", "at_least": 0.1}]},
}


def person(who: str, *roles: Role) -> Signer:
    """A person with fresh keys that were never wrapped."""
    signing, encryption = generate(KeyAlgorithm.P256), generate(KeyAlgorithm.X25519)
    identity = Identity(
        id=who,
        name=who.title(),
        kind=IdentityKind.PERSON,
        roles=roles or (Role.DEVELOPER,),
        signing_key=signing.public,
        encryption_key=encryption.public,
    )
    return Signer(identity, signing, encryption)


def service(who: str) -> Signer:
    """A service with a fresh Ed25519 key."""
    signing = generate(KeyAlgorithm.ED25519)
    identity = Identity(
        id=who, name=who.title(), kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=signing.public
    )
    return Signer(identity, signing)


def draft(outcome: Outcome = Outcome.COMPLETED, **changes: Any) -> Draft:
    """Something to append: by default a finished validation."""
    payload = VALIDATED if outcome is Outcome.COMPLETED else {}
    return Draft(**{"action": "data.validate", "outcome": outcome, "payload": payload, **changes})


def lineage_event(number: int, **more: Any) -> dict[str, Any]:
    """The least that is a valid OpenLineage run event, with a number to know it by."""
    return {
        "eventTime": "2026-11-21T00:00:00Z",
        "eventType": "OTHER",
        "job": {"name": "test", "namespace": "minivess"},
        "n": number,
        "producer": "urn:minivess:producer:test",
        "run": {"runId": str(UUID(int=number))},
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
        **more,
    }


def told(log: AuditLog, body: EntryBody) -> Details:
    """What an entry says, whether it stands in the entry or in its details."""
    return log.details(body.index) or Details(salt=f"{'A' * 22}==", payload=body.payload, error=None)


@dataclass
class Desk:
    """A folder with a log, the people who write it, and services on top."""

    folder: Path
    log: AuditLog
    log_signer: Signer
    ada: Signer
    max: Signer
    url: str

    @property
    def events(self) -> Path:
        return self.folder / "evidence" / "lineage" / "events.jsonl"

    def reopened(self, *, url: str | None = None, wait: float = 5.0, clock: Clock = utc_now) -> AuditLog:
        return AuditLog.open(url or self.url, log_signer=self.log_signer, wait=wait, clock=clock)

    def services(self, log: AuditLog | None = None, relay: Relay | None = None) -> Services:
        log = log or self.log
        return Services(
            workspace=self.folder,
            project=Project.model_validate(PROJECT),
            settings=load_settings(self.folder),
            log=log,
            relay=relay or Relay(log, FileTransport(self.events)),
            source=self.folder,
            progress=silent,
        )


def start(folder: Path, *, clock: Clock = utc_now, url: str = "", threshold: int = 1) -> Desk:
    """A log with two roots: Ada, a developer, and Max, the release manager who signs entry 0. By default in SQLite."""
    url = url or f"sqlite:///{folder / 'evidence' / 'audit.db'}"
    folder.mkdir(parents=True, exist_ok=True)
    ada, manager, log_signer = person("ada"), person("max", Role.RELEASE_MANAGER), service("log")
    log = AuditLog.create(
        url,
        origin=ORIGIN,
        device="toy",
        log_signer=log_signer,
        roots=(ada.identity, manager.identity),
        threshold=threshold,
        root_signer=manager,
        clock=clock,
        wait=5.0,
    )
    return Desk(folder, log, log_signer, ada, manager, url)


def enrolled_serving_log(folder: Path, who: Signer, device: str) -> dict[str, Any]:
    """What the entry says that enrols a fresh serving log of a service."""
    origin, key = serving_origin(device, "main"), service("serving-main")
    log = AuditLog.create(
        f"sqlite:///{folder / 'serving.db'}",
        origin=origin,
        device="toy",
        log_signer=key,
        roots=(who.identity,),
        threshold=1,
        root_signer=who,
        serves=device,
    )
    note = log.checkpoint()
    log.close()
    return {"origin": origin, "site": "main", "log_key": key.public, "service": who.identity.id, "note": note}
