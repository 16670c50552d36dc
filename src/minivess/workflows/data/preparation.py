"""From files or the generator to validated, split, sealed and versioned cases."""

from __future__ import annotations

import os
from collections.abc import Iterable

from minivess.compliance.identity.keys import wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.leakage import LeakageReport
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import Split, SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.data.version import DataVersion
from minivess.records.device.registration import SealTerms
from minivess.records.device.workspace_files import (
    LEAKAGE,
    MANIFEST,
    NEAR_DUPLICATES,
    PROFILE,
    SEALED,
    SPLIT,
    VALIDATION,
    VERSION,
)
from minivess.records.log.entry import Outcome
from minivess.records.people.roles import Role
from minivess.workflows.data.capabilities import capability_findings, check_capabilities
from minivess.workflows.data.near_duplicates import kept_search
from minivess.workflows.data.seal_terms import terms_of
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import SEAL_CONTEXT, files_as_inputs, split_of, write_json

_PAGE_LIMIT = 1 << 30


@follows("ingest")
def ingest(services: Services, signer: Signer) -> DatasetManifest:
    """Read and normalise every case of the project."""
    from minivess.ml.cases import prepared

    workspace = Workspace(services.workspace)
    with recorded(services, "data.ingest", signer) as record:
        check_capabilities(services.project)
        manifest = prepared.ingest(
            services.project.data, services.workspace, workspace.prepared, progress=services.progress
        )
        check_capabilities(services.project, manifest)
        write_json(workspace, MANIFEST, manifest)
        record.context(data=manifest.root)
        record.output(MANIFEST, workspace.root / MANIFEST)
        places = sorted({place for case in manifest.cases for place in case.identifiers})
        accepted = {"accept_identifiers": services.project.data.accept_identifiers, "identifiers": places[:64]}
        record.payload(dataset=manifest.name, cases=len(manifest.cases), **(accepted if places else {}))
    return manifest


@follows("validate")
def validate(services: Services, signer: Signer) -> ValidationReport:
    """Run the rules over the cases as `run_rules` does, and record what was found."""
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.validate", signer):
        manifest = held.manifest
    with recorded(
        services,
        "data.validate",
        signer,
        inputs=[held.recorded(MANIFEST)],
        context=services.context(data=manifest.root),
    ) as record:
        found = run_rules(services)
        for name in (NEAR_DUPLICATES, PROFILE, VALIDATION):
            if (workspace.root / name).is_file():
                record.output(name, workspace.root / name)
        severities = [finding.severity.value for finding in found.findings]
        record.payload(
            rules=len(found.rules),
            notes=severities.count("note"),
            warnings=severities.count("warning"),
            blocking=severities.count("block"),
            changed=len(found.changed),
        )
    return found


def run_rules(services: WorkspaceReader) -> ValidationReport:
    """Run the rules over the cases; write the findings, the page a person reads, and the profile of the set.

    Nothing is recorded in the log. What was measured is remembered case by case, so that an interrupted validation goes
    on where it stopped, and another one takes little time.
    """
    from minivess.ml.quality import profile, rules, survey, validation
    from minivess.ml.quality.duplicates import near_search
    from minivess.ml.quality.pages import validation_page as report

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    manifest = held.manifest
    changes = services.project.data.rules
    rules.severities(changes)
    surveyed = survey.survey(manifest, workspace.prepared, memory=workspace.measures, progress=services.progress)
    searched = None
    if len(surveyed.measures) == len(manifest.cases) and not surveyed.faults:
        searched = near_search.search(manifest, workspace.prepared, known=kept_search(held), progress=services.progress)
    found = validation.validate(
        manifest,
        workspace.prepared,
        changes=changes,
        surveyed=surveyed,
        near=None if searched is None else searched.pairs,
        not_copies=services.project.split.not_copies,
        further=capability_findings(services.project, manifest),
        progress=services.progress,
    )
    figures = profile.summarise(surveyed) if surveyed.measures else None
    page = report.page(found, figures, surveyed, when=services.clock(), progress=services.progress)
    write_text_atomic(workspace.data / "validation.html", page)
    if figures is None:
        (workspace.root / PROFILE).unlink(missing_ok=True)
    else:
        write_json(workspace, PROFILE, figures)
    if searched is None:
        (workspace.root / NEAR_DUPLICATES).unlink(missing_ok=True)
    else:
        write_json(workspace, NEAR_DUPLICATES, searched)
    write_json(workspace, VALIDATION, found)
    return found


@implements("REQ-191", "REQ-180")
def _record_validation(services: Services, signer: Signer) -> None:
    """Validate again and record it, unless the newest validation in the log is about these cases and in its place."""
    if not (services.workspace / VALIDATION).is_file():
        return
    held = BoundInputs.of(services)
    try:
        if held.knows(VALIDATION):
            _ = held.validation
            return
    except VerificationError:
        pass
    validate(services, signer)


def _withdraw_pictures(workspace: Workspace, cases: Iterable[str]) -> None:
    """Take the pictures of cases that are being sealed out of the validation page; `data leakage` makes its page again."""
    from minivess.ml.quality.pages import validation_page as report

    (workspace.data / "leakage.html").unlink(missing_ok=True)
    path = workspace.data / "validation.html"
    if path.is_file():
        page = read_limited(path, limit=_PAGE_LIMIT).decode("utf-8")
        write_text_atomic(path, report.without_pictures(page, cases))


@follows("split")
@implements("REQ-089")
def split(services: Services, signer: Signer) -> SplitManifest:
    """Assign cases to parts and folds, and lock that: the entry names the split's digest, and no other split of these
    cases is taken any more. Refused while validation blocks, or where something leaks.

    Splitting again by the same plan gives the locked split. Other cases (after another ingest) are split anew.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.split", signer):
        manifest = held.manifest
    if (workspace.root / SEALED).is_file():
        raise RefusedError(
            "the test part is sealed: the split is final", hint="start another project folder for other data"
        )
    _record_validation(services, signer)
    held = BoundInputs.of(services)
    with recorded(
        services,
        "data.split",
        signer,
        inputs=[held.recorded(MANIFEST)],
        context=services.context(data=manifest.root),
    ) as record:
        record.input(VALIDATION, held.recorded(VALIDATION).digest)
        if held.validation.blocked:
            raise RefusedError(
                "validation blocks these cases",
                hint="correct what `minivess data validate` names, ingest and validate again",
            )
        made = _locked_by_plan(services, manifest) or propose(services)
        check_capabilities(services.project, manifest, made)
        locked = locked_split(services)
        if locked is not None and locked != digest_bytes(json_text(made).encode("utf-8")):
            raise RefusedError(
                "the split of these cases is locked, and the new split differs from it",
                hint="put `split` in minivess.yaml back as it was; other cases can be split anew",
            )
        write_json(workspace, SPLIT, made)
        record.context(data=made.root)
        record.output(SPLIT, workspace.root / SPLIT)
        record.payload(
            train=len(made.train),
            calibration=len(made.calibration),
            test=len(made.test),
            folds=len(made.folds),
            near_duplicates=len(made.near),
            **_counted(services.project.split),
        )
    return made


def _counted(plan: Split) -> dict[str, int]:
    """How many pairs the plan states, where it states any: other entries stay as they were."""
    counts = {"not_copies": len(plan.not_copies), "same": len(plan.same)}
    return {name: count for name, count in counts.items() if count}


def propose(services: WorkspaceReader) -> SplitManifest:
    """The split as it would be; nothing is written or recorded, except the page about leaks when there are any.

    Raises:
        RefusedError: something leaks; data/leakage.html shows the pairs.
    """
    from minivess.ml.splits import exceptions, leakage, splits
    from minivess.ml.splits.published import read_published

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    manifest, plan = held.manifest, services.project.split
    published = None if plan.published is None else read_published(services.workspace, plan.published, manifest)
    found = leakage.near(manifest, workspace.prepared, searched=kept_search(held), progress=services.progress)
    pairs = exceptions.apply(manifest, plan, found)
    made = splits.assign(manifest, plan, near=pairs.near, not_copies=pairs.not_copies, published=published)
    write_leakage(workspace, manifest, leakage.leaks(manifest, made))
    splits.check_leakage(manifest, made)
    return made


def locked_split(services: WorkspaceReader) -> str | None:
    """Digest of data/split.json as it was locked for the present cases; None while it is not.

    Raises:
        UsageError: there are no cases yet.
    """
    (cases,) = files_as_inputs(Workspace(services.workspace), MANIFEST)
    for entry in services.log.entries():
        body = entry.body
        if body.action == "data.split" and body.outcome is Outcome.COMPLETED and cases in body.inputs:
            for output in body.outputs:
                if output.name == SPLIT:
                    return output.digest
    return None


def _locked_by_plan(services: WorkspaceReader, manifest: DatasetManifest) -> SplitManifest | None:
    """The locked split, when it lies there unchanged and was made by the present plan."""
    from minivess.ml.splits import splits
    from minivess.ml.splits.published import read_published

    workspace, plan = Workspace(services.workspace), services.project.split
    locked = locked_split(services)
    if locked is None or not (workspace.root / SPLIT).is_file():
        return None
    (there,) = files_as_inputs(workspace, SPLIT)
    if there.digest != locked:
        return None
    published = None if plan.published is None else read_published(services.workspace, plan.published, manifest)
    made = split_of(workspace)
    return made if made.plan == splits.plan_digest(plan, published) else None


def write_leakage(workspace: Workspace, manifest: DatasetManifest, report: LeakageReport) -> None:
    """Write data/leakage.json and, with anything to show, data/leakage.html."""
    from minivess.ml.quality.pages.leakage_page import page

    path = workspace.data / "leakage.html"
    if report.across or report.within or report.not_copies:
        write_text_atomic(path, page(manifest, report, workspace.prepared))
    else:
        path.unlink(missing_ok=True)
    write_json(workspace, LEAKAGE, report)


@implements("REQ-014", "REQ-016", "REQ-182", "RC-03")
@follows("seal")
def seal(services: Services, signer: Signer) -> SealManifest:
    """Encrypt the test part for every enrolled independent reviewer, remove its plain files, version the data with DVC.

    Whoever seals does not keep the data key: from here on it exists only wrapped to the reviewers. The entry fixes what
    holds for every look: how many there are, the level of the intervals, groups, unit and lowered validation rules.
    """
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
        else:
            check_capabilities(services.project, held.manifest, made)
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
        _withdraw_pictures(workspace, made.test)
        digest = data_version.version(services.workspace, [workspace.prepared, workspace.sealed])
        write_json(workspace, VERSION, DataVersion(dvc=digest, split=made.root))
        record.context(dvc=digest)
        record.output(SEALED, workspace.root / SEALED)
        record.payload(
            files=len(manifest.files), approvers=sorted(manifest.wrapped_keys), root=manifest.root, terms=terms
        )
    return manifest
