"""A folder to serve from where the device's log is elsewhere: the exported model, the serving log, and the service's keys.

`deploy` makes the folder beside the device's log. Elsewhere the service is started with an admission (`access.admission`) in
place of that log. Anchors of the serving log are made by `anchor_copy`, from a copy that is brought back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.serving_logs import ANCHORED, ENROLLED, ServingHead, ServingLogs, serving_origin
from minivess.compliance.verification.log_entries import read_entry
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import sqlite_url
from minivess.foundation.paths import Workspace
from minivess.foundation.settings import load_settings
from minivess.ml.inference.exported_model import ExportedModel
from minivess.records.device.workspace_files import EXPORT, file_of
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import ServingAnchored
from minivess.workflows.serving.access.admission import FileView
from minivess.workflows.serving.access.in_use import InUse
from minivess.workflows.serving.answers import OpenedModel, ServedModel
from minivess.workflows.serving.serving_log import Pace, ServingLog, check_continues, known_head
from minivess.workflows.serving.site import SITE, check_root, key_id_of, lock_site, open_serving_log, relay_of
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, silent


class DistantServingLog(ServingLog):
    """A serving log that is anchored elsewhere. What leads from the device's log to it comes from the admission."""

    def __init__(
        self, services: Services, signer: Signer, *, view: FileView, known: ServingHead, pace: Pace, lock: int
    ) -> None:
        self._view = view
        super().__init__(services, services, signer, known=known, pace=pace, lock=lock)

    def anchor(self) -> bool:
        """Nothing is anchored here."""
        return False

    def _outer(self, *, anchored: bool) -> tuple[Receipt, ...]:
        """The receipts of the admission, without the anchor where it is not wanted."""
        return self._view.admitted.file.through[: 3 if anchored else 2]


@implements("REQ-454")
def deploy(device: Services, signer: Signer, folder: Path, *, passphrase: str, site: str = SITE) -> None:
    """Make a folder to serve from: project file, exported model, serving log, and the two keys of the service.

    The serving log and its key are moved, so that no two processes can answer in one log. Before, the log is anchored, and
    enrolled where the site was not served yet.

    Args:
        device: the workspace, opened for writing.
        signer: the service identity.
        folder: to make; it must not be there.
        passphrase: of the service.
        site: names the serving log.

    Raises:
        UsageError: the folder is there, or a step before is missing.
        RefusedError: the site is being served.
        CannotWriteError: the folder cannot be written.
    """
    here, there = Workspace(device.workspace), Workspace(folder.absolute())
    if folder.exists():
        raise UsageError("the folder is there already", hint="name one that is to be made")
    export = here.root / file_of(EXPORT).place_of(EXPORT)
    if not export.is_file():
        raise UsageError("there is no exported model", hint="minivess model export")
    with open_serving_log(device, signer, passphrase=passphrase, site=site):
        pass
    key = key_id_of(site)
    try:
        for one in (there.serving, there.keystore, (there.root / file_of(EXPORT).place_of(EXPORT)).parent.parent):
            make_folder(one)
        shutil.copytree(export.parent, (there.root / file_of(EXPORT).place_of(EXPORT)).parent)
        shutil.copyfile(here.project_file, there.project_file)
        database = here.serving / f"{site}.db"
        with (
            closing(sqlite3.connect(database)) as source,
            closing(sqlite3.connect(there.serving / database.name)) as made,
        ):
            source.backup(made)
        shutil.copy2(here.keystore / f"{signer.identity.id}.json", there.keystore)
        shutil.move(here.keystore / f"{key}.json", there.keystore)
        for one in here.serving.glob(f"{site}.db*"):
            one.unlink()
    except OSError as error:
        raise CannotWriteError(f"the folder cannot be made: {error.strerror or type(error).__name__}") from error


@implements("REQ-171", "REQ-454", "RC-60")
def anchor_copy(device: Services, signer: Signer, database: Path, *, site: str = SITE) -> bool:
    """Put the newest checkpoint of a serving log from elsewhere into the device's log; returns whether there was anything new.

    Args:
        device: the workspace, opened for writing.
        signer: the service identity.
        database: a copy of the serving log, read and not changed.
        site: names the serving log.

    Raises:
        UsageError: the log of the site is not enrolled.
        InputError: there is no log in the file.
        VerificationError: it does not continue what the device's log knows of it.
    """
    known = known_head(device.log, serving_origin(device.log.origin, site))
    if known is None:
        raise UsageError(f"the log of site {site} is not enrolled", hint=f"minivess model deploy FOLDER --site {site}")
    with closing(LogReader.reading(sqlite_url(database.absolute()))) as log:
        head = check_continues(log, known)
        if head.size == known.head.size:
            return False
        note, proof = log.checkpoint(head.size), log.consistency(known.head.size, head.size)
    with recorded(device, ANCHORED, signer, instant=True) as record:
        record.payload(origin=known.origin, note=note, proof=[to_base64(one) for one in proof])
    return True


@implements("REQ-448", "REQ-454", "RC-190")
def open_distant(
    folder: Path,
    signer: Signer,
    *,
    trust: Trust,
    view: FileView,
    passphrase: str,
    pace: Pace | None = None,
) -> tuple[DistantServingLog, OpenedModel]:
    """Open a folder that `deploy` made, with an admission in place of the device's log.

    Args:
        folder: with project file, exported model, serving log and keys.
        signer: the service identity.
        trust: names the key of the device's log.
        view: the admission, verified.
        passphrase: of the key of the serving log.
        pace: how often the work in the background is done.

    Raises:
        VerificationError: the model or the serving log is not the one of the admission.
        InputError: a file is missing or malformed.
        RefusedError: the passphrase is wrong, or the site is being served.
    """
    file = view.admitted.file
    workspace, project, settings = Workspace(folder), load_project(folder), load_settings(folder)
    known = _known(file.through, trust)
    lock = lock_site(workspace.serving / f"{file.site}.lock", file.site)
    try:
        key = Keystore(workspace.keystore).unlock(key_id_of(file.site), passphrase)
        if known.log_key != key.public or known.service != signer.identity.id:
            raise RefusedError(f"the serving log {file.site} has another key or service than the admission names")
        log = AuditLog.open(sqlite_url(workspace.serving / f"{file.site}.db"), log_signer=key)
        try:
            check_root(log, signer)
            check_continues(log, known)
            services = Services(
                workspace=folder,
                project=project,
                settings=settings,
                log=log,
                relay=relay_of(settings, log, file.site),
                source=(folder / project.source).resolve(),
                progress=silent,
            )
            serving = DistantServingLog(services, signer, view=view, known=known, pace=pace or Pace(), lock=lock)
            return serving, _opened(services, view)
        except BaseException:
            log.close()
            raise
    except BaseException:
        os.close(lock)
        raise


def _opened(services: Services, view: FileView) -> OpenedModel:
    """The exported model of a folder, if it is the one of the admission."""
    name = file_of(EXPORT).place_of(EXPORT)
    opened = ExportedModel.open((services.workspace / name).parent, expected=view.admitted.file.model)
    contract = opened.record.model
    if contract is None:
        raise InputError(
            "the exported model does not state its bounds", hint="minivess model export, with this version"
        )
    evaluated = [one.body.context for one in view.admitted.entries if one.body.action == "evaluation"][-1]
    model = ServedModel.of(
        opened,
        services.project.device,
        name=EXPORT,
        conformal=contract.conformal.thresholds,
        intended_use=contract.intended_use,
        calibrator=contract.calibrator,
    )
    context = services.context(model=opened.digest, device="cpu, ONNX Runtime", data=evaluated.data, dvc=evaluated.dvc)
    return OpenedModel(opened, model, context, InUse(view, opened.digest))


def _known(through: tuple[Receipt, ...], trust: Trust) -> ServingHead:
    """What the entries of an admission say of the serving log.

    Raises:
        VerificationError: a receipt does not hold, or they are not those that such a file has.
    """
    heads = ServingLogs()
    anchor: tuple[int, ServingAnchored] | None = None
    for one in through:
        verdict = verify_receipt(one, log_key=trust, actor=trust)
        if verdict.first_failure is not None:
            raise VerificationError(f"a receipt of the admission does not hold: {verdict.first_failure.detail}")
        entry = read_entry(one.entry.encode("utf-8"), one.index)
        if entry.body.action == ENROLLED:
            heads = heads.extend(entry)
        elif entry.body.action == ANCHORED:
            anchor = one.index, ServingAnchored.model_validate(entry.body.payload)
    if len(heads.heads) != 1:
        raise VerificationError("the admission does not name one serving log")
    (known,) = heads.heads.values()
    if anchor is None:
        return known
    index, said = anchor
    head = parse_note(said.note).verify(known.origin, known.log_key)
    if said.origin != known.origin:
        raise VerificationError("the admission anchors another serving log")
    return replace(known, head=head, note=said.note, anchored=index)
