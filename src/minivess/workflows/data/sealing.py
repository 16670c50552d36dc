"""Sealing the test part: encrypted, withdrawn from pages, and versioned."""

from __future__ import annotations

import os
from collections.abc import Iterable

from minivess.compliance.identity.keys import wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.seal import SealManifest
from minivess.records.data.version import DataVersion
from minivess.records.device.registration import SealTerms
from minivess.records.device.workspace_files import SEALED, SPLIT, VERSION
from minivess.records.people.roles import Role
from minivess.workflows.data.capabilities import check_capabilities
from minivess.workflows.data.near_duplicates import refuse_seen_images
from minivess.workflows.data.seal_terms import terms_of
from minivess.workflows.data.splitting import locked_split
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import SEAL_CONTEXT, write_json

_PAGE_LIMIT = 1 << 30


def _withdraw_pictures(workspace: Workspace, cases: Iterable[str]) -> None:
    """Take the pictures of cases that are being sealed out of the validation page; `data leakage` makes its page again."""
    from minivess.ml.quality.pages import validation_page as report

    (workspace.data / "leakage.html").unlink(missing_ok=True)
    path = workspace.data / "validation.html"
    if path.is_file():
        page = read_limited(path, limit=_PAGE_LIMIT).decode("utf-8")
        write_text_atomic(path, report.without_pictures(page, cases))


@implements("REQ-014", "REQ-016", "REQ-182", "RC-03")
@follows("seal")
def seal(services: Services, signer: Signer) -> SealManifest:
    """Encrypt the test part for every enrolled independent reviewer, remove its plain files, version the data with DVC.

    Whoever seals does not keep the data key: from here on it exists only wrapped to the reviewers. The entry fixes what
    holds for every look: how many there are, the level of the intervals, groups, unit and lowered validation rules.
    """
    from minivess.ml.cases.ingestion import drop_staged
    from minivess.ml.sealed import plain_copies, sealing
    from minivess.ml.versions import data_version

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.seal", signer):
        made = held.split
    with recorded(
        services,
        "data.seal",
        signer,
        inputs=[held.recorded(SPLIT)],
        context=services.context(data=made.root),
    ) as record:
        if locked_split(services) != held.recorded(SPLIT).digest:
            raise RefusedError("the split is not locked", hint="minivess data split locks it")
        register = services.log.standing.register
        approvers = {
            one.id: one.encryption_key
            for one in register.identities
            if {Role.REVIEWER, Role.CUSTODIAN} & set(one.roles)
            and one.encryption_key is not None
            and one.id != signer.identity.id
        }
        if not approvers:
            raise RefusedError(
                "no other person is enrolled who can approve a look: a reviewer or custodian with an encryption key",
                hint="minivess identity create … --role independent-reviewer",
            )
        terms: SealTerms | None = terms_of(services.project, held.manifest, made)
        if (workspace.root / SEALED).is_file():
            if held.sealing is not None:  # sealing again changes nothing, the terms least of all
                _, terms = held.seal, held.terms
            manifest = sealing.finish(workspace.prepared, made, workspace.sealed)
        elif (before := held.sealed_at(held.recorded(SPLIT).digest)) is not None:
            raise RefusedError(
                f"the test part of this split was sealed at entry {before}, and data/sealed/manifest.json is missing",
                hint="restore data/sealed; the same cases are not sealed twice, because their earlier looks would not count",
            )
        elif held.sealing is not None:
            raise RefusedError(
                f"entry {held.sealing[0]} sealed the test part of another split of this project",
                hint="restore data/sealed and data/split.json, or start another project folder for other data",
            )
        else:
            check_capabilities(services.project, held.manifest, made)
            refuse_seen_images(services, made)
            data_key = os.urandom(32)
            wrapped = {who: wrap_for(key, data_key, context=SEAL_CONTEXT) for who, key in approvers.items()}
            manifest = sealing.seal(
                workspace.prepared,
                made,
                data_key,
                workspace.sealed,
                wrap=wrapped,
                sources=plain_copies.sources_of(services.project.data, services.workspace, made.test),
                progress=services.progress,
            )
            del data_key
        drop_staged(workspace.staged)  # copies of test cases may be among them
        _withdraw_pictures(workspace, made.test)
        digest = data_version.version(services.workspace, [workspace.prepared, workspace.sealed])
        write_json(workspace, VERSION, DataVersion(dvc=digest, split=made.root))
        record.context(dvc=digest)
        record.output(SEALED, workspace.root / SEALED)
        record.payload(
            files=len(manifest.files), approvers=sorted(manifest.wrapped_keys), root=manifest.root, terms=terms
        )
    return manifest
