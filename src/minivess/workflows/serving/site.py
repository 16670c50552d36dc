"""Where a service's log is: opened, or made and enrolled when a site is served first."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.serving_logs import ServingHead, serving_origin
from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_new
from minivess.foundation.names.sqlite_urls import sqlite_url
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import Settings
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import transport_for
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.serving.serving_log import (
    ANCHOR,
    ANOTHER_SITE,
    RESTORE,
    Pace,
    ServingLog,
    check_continues,
    known_head,
    letting_in,
)
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, open_reader

SITE = "main"
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)


@implements("REQ-170", "RC-60")
def open_serving_log(
    device: Services,
    signer: Signer,
    *,
    passphrase: str,
    site: str = SITE,
    pace: Pace | None = None,
    elapsed: Callable[[], float] = time.monotonic,
) -> ServingLog:
    """Open the serving log of a site; make it, and enrol it in the device's log, when this site is served first.

    Args:
        device: the workspace, opened for writing.
        signer: the service identity.
        passphrase: of the service; the serving log's own key is kept under it.
        site: names the log among those of this device; a file name.
        pace: how often the work in the background is done.
        elapsed: seconds that never run backwards.

    Raises:
        UsageError: the site has no proper name, or one that is the name of another site's files.
        RefusedError: the site is being served already, its log belongs to another service or key, the passphrase is
            wrong, or the service was not enrolled for this.
        VerificationError: the serving log does not continue what the device's log knows of it.
        CouldNotCheckError: one of the two logs is out of reach.
    """
    if not _SITE.fullmatch(site):
        raise UsageError(f"{site!r} cannot name a site", hint="letters, digits, . _ - (32 at most)")
    served = [one.stem for one in Workspace(device.workspace).serving.glob("*.db")]
    if site not in served:
        check_new(site, served, "site")
    letting_in(device.log, signer)
    origin = serving_origin(device.log.origin, site)
    folder = Workspace(device.workspace).serving
    try:
        make_folder(folder)
        lock = lock_site(folder / f"{site}.lock", site)
    except OSError as error:
        raise CannotWriteError(f"the serving log cannot be made: {error.strerror or type(error).__name__}") from error
    try:
        known = known_head(device.log, origin)
        key = _log_key(device, signer, passphrase, site, make=known is None)
        log = _open_or_create(device, signer, key, site=site, known=known)
        services = replace(device, log=log, relay=relay_of(device.settings, log, site))
        try:
            check_root(log, signer)
            if known is None:
                known = _enrol(device, services, signer, site)
            else:
                check_continues(log, known)
            serving = ServingLog(device, services, signer, known=known, pace=pace or Pace(), lock=lock, elapsed=elapsed)
            serving.attempt(serving.anchor, ANCHOR)
            return serving
        except BaseException:
            log.close()
            raise
    except BaseException:
        os.close(lock)
        raise


@implements("REQ-171")
def newest_note(workspace: Path, site: str) -> bytes:
    """The newest checkpoint that the device's log knows of a site's log: that log must continue it.

    Raises:
        VerificationError: the device's log does not know that log, or does not verify.
    """
    with open_reader(workspace) as device:
        known = known_head(device.log, serving_origin(device.log.origin, site))
    if known is None:
        raise VerificationError(f"the device's log has no entry of the serving log {site}")
    return known.note.encode("utf-8")


def key_id_of(site: str) -> str:
    """The id in the keystore of the key that signs a site's checkpoints."""
    return f"serving-{site}"


def _open_or_create(device: Services, signer: Signer, key: Signer, *, site: str, known: ServingHead | None) -> AuditLog:
    path = Workspace(device.workspace).serving / f"{site}.db"
    url = sqlite_url(path)
    if known is not None and known.log_key != key.public:
        raise RefusedError(f"the serving log {site} uses another key than the one in the keystore", hint=ANOTHER_SITE)
    if path.exists():
        try:
            return AuditLog.open(url, log_signer=key, clock=device.clock)
        except InputError:  # the first start was interrupted before the first entry
            if known is not None:
                raise
    elif known is not None:
        raise VerificationError(
            f"the serving log {site} is missing, and the device's log knows {known.head.size} entries of it",
            hint=RESTORE,
        )
    return AuditLog.create(
        url,
        origin=serving_origin(device.log.origin, site),
        device=device.project.device.name,
        log_signer=key,
        roots=(signer.identity,),
        threshold=1,
        root_signer=signer,
        serves=device.log.origin,
        clock=device.clock,
    )


def _log_key(device: Services, signer: Signer, passphrase: str, site: str, *, make: bool) -> Signer:
    keystore, identifier = Keystore(Workspace(device.workspace).keystore), key_id_of(site)
    if not keystore.holds(identifier):
        if not make:
            raise RefusedError(f"the key of the serving log {site} is not in this keystore", hint=ANOTHER_SITE)
        name = f"Serving log {site}"
        demo = signer.identity.demo
        keystore.create(identifier, name, IdentityKind.SERVICE, (Role.SERVICE,), passphrase, demo=demo)
    return keystore.unlock(identifier, passphrase)


def check_root(log: AuditLog, signer: Signer) -> None:
    """Raise `RefusedError` unless a serving log was created with the key of this service."""
    created = log.entry(0).body
    roots = created.payload.get("roots", [])
    if [root.get("signing_key", {}).get("key_id") for root in roots] != [signer.key_id]:
        raise RefusedError(
            f"the serving log was created with another key than that of {signer.identity.id}", hint=ANOTHER_SITE
        )


def _enrol(device: Services, services: Services, signer: Signer, site: str) -> ServingHead:
    log = services.log
    note = log.checkpoint()
    with recorded(device, "serving.enrolled", signer, instant=True) as record:
        record.payload(origin=log.origin, site=site, log_key=log.key, service=signer.identity.id, note=note)
    known = known_head(device.log, log.origin)
    if known is None:
        raise VerificationError("the device's log does not hold the enrolment that was just recorded")
    return known


def relay_of(settings: Settings, log: AuditLog, site: str) -> Relay:
    """Lineage of answers goes where other lineage goes, but into a file of its own: packs take the other one whole."""
    beside = settings.lineage_file.parent / "serving" / f"{site}.jsonl"
    return Relay(log, transport_for(settings.model_copy(update={"lineage_file": beside})))


def lock_site(path: Path, site: str) -> int:
    """Let no other process serve a site; closing what is returned lets it.

    Raises:
        RefusedError: another process serves it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RefusedError(
            f"the site {site} is being served by another process", hint="stop that one, or serve another --site"
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
