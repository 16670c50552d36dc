"""Revoke a release, on the record: it is not to be used any longer, and its model leaves production."""

from __future__ import annotations

import json

from minivess.compliance.audit.promotions import RELEASE_REVOKED
from minivess.compliance.changes.revocations import revocations
from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.evidence import ReleaseBuilt, ReleaseRevoked
from minivess.records.log.receipt import Receipt
from minivess.workflows.release.changes.previous import BUILT
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


@implements("REQ-575")
def revoke(
    services: Services,
    signer: Signer,
    version: str,
    *,
    reason: str,
    instructions: str,
    decided_by: str,
    pack: str | None = None,
) -> Receipt:
    """Revoke a release.

    Args:
        services: the workspace.
        signer: a release manager or an independent reviewer.
        version: of the release.
        reason: why, in one line.
        instructions: what users must do.
        decided_by: the person who decided it.
        pack: digest of the tag manifest, where several packs of the version were built.

    Raises:
        UsageError: the log has no such release, has several, or revokes it already; a text is empty or too long.
        RefusedError: the signer may not do this.
    """
    packs: dict[str, str] = {}
    for entry in services.log.entries(actions={BUILT}):
        if entry.body.outcome is Outcome.COMPLETED:
            built = ReleaseBuilt.model_validate(entry.body.payload)
            if built.version == version and entry.body.context.model is not None:
                packs[built.tag_manifest] = entry.body.context.model
    chosen = _chosen(packs, version, pack)
    if found := revocations(services.log.entries(actions={RELEASE_REVOKED}), chosen):
        raise UsageError(f"entry {found[0].index} revokes release {version} already")
    said = _said(
        version=version,
        tag_manifest=chosen,
        model=packs[chosen],
        reason=reason,
        instructions=instructions,
        decided_by=decided_by,
    )
    context = services.context(model=said.model)
    with recorded(services, RELEASE_REVOKED, signer, instant=True, context=context) as record:
        record.payload(**said.model_dump(mode="json"))
    return record.receipt


def _chosen(packs: dict[str, str], version: str, pack: str | None) -> str:
    if not packs:
        raise UsageError(f"the log has no release {version}", hint="`minivess audit log --action release.build`")
    if pack is None and len(packs) > 1:
        raise UsageError(
            f"{len(packs)} packs of release {version} were built", hint=f"name one with --pack: {', '.join(packs)}"
        )
    chosen = pack or next(iter(packs))
    if chosen not in packs:
        raise UsageError(f"no pack of release {version} has this digest", hint=f"one of {', '.join(packs)}")
    return chosen


def _said(**fields: str) -> ReleaseRevoked:
    try:
        return parse_json_record(json.dumps(fields), ReleaseRevoked)
    except InputError as error:
        raise UsageError(error.message) from None
