"""Which model runs beside the one in production: an export that the device's log knows, promoted or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.inference.exported_model import ExportedModel, read_export
from minivess.records.artifact import Artifact
from minivess.records.models.exports.export import RECORD
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.serving.shadowing.shadow import Candidate, Comparison, Shadow
from minivess.workflows.session.services import Services


@implements("REQ-465", "RC-195")
def open_candidate(services: Services, choice: str, task: SegmentationTask) -> Candidate:
    """Open an exported model to run beside the one in production, on one thread.

    Args:
        services: the workspace with the device's log.
        choice: the folder of the export, or the digest of a model whose export is in the workspace.
        task: of the model in production.

    Raises:
        InputError: the folder has no exported model.
        UsageError: no export in the workspace has the digest, the model is for other images or classes, or its record states no
            bounds.
        VerificationError: the device's log has no export of the model, or its files are not those of its record.
    """
    folder = Path(choice) if Path(choice).is_dir() else _folder_of(Workspace(services.workspace), choice)
    _, digest = read_export(folder)
    _check_known(services, digest)
    opened = ExportedModel.open(folder, expected=digest, threads=1)
    contract = opened.record.model
    if opened.task != task:
        raise UsageError(f"the candidate is for {opened.task.words}; the model in production for {task.words}")
    if contract is None:
        raise UsageError("the record of the candidate states no bounds", hint="export it with this version")
    stated = contract.decision.threshold
    return Candidate(digest, opened, task, MASK_THRESHOLD if stated is None else stated, contract.intended_use)


@implements("RC-195")
def _check_known(services: Services, digest: Digest) -> None:
    if digest not in Promotions.fold(services.log.entries(actions=PROMOTING)).known:
        raise VerificationError(
            f"the device's log has no export of the model {digest[:19]}…",
            hint="export it in this workspace: minivess model export",
        )


def _folder_of(workspace: Workspace, digest: str) -> Path:
    for path in sorted(workspace.root.rglob(RECORD)):
        try:
            found: Digest = read_export(path.parent)[1]
        except InputError:
            continue
        if found == digest:
            return path.parent
    raise UsageError(
        f"{digest!r} is neither a folder nor the digest of a model that was exported in this workspace",
        hint="`minivess audit log --action model.export` lists exports",
    )


@contextmanager
def shadowing(
    serving: ServingLog,
    production: ServedModel,
    choice: str | None,
    *,
    notify: Callable[[Comparison], None] | None = None,
) -> Iterator[Shadow | None]:
    """Run a candidate beside the model in production while a service runs.

    Args:
        serving: the serving log.
        production: what is served.
        choice: as `open_candidate`; None: there is no candidate.
        notify: is told of each comparison.

    Raises:
        InputError, UsageError, VerificationError: as `open_candidate`.
    """
    if choice is None:
        yield None
        return
    candidate = open_candidate(serving.device, choice, production.task)
    shadow = Shadow(
        serving,
        Artifact(name=production.name, digest=production.digest),
        candidate,
        seconds=serving.pace.count_seconds,
        notify=notify,
    ).start()
    try:
        yield shadow
    finally:
        shadow.close()
