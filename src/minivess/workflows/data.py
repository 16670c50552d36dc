"""From files or the generator to validated, split, sealed and versioned cases."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.keys import wrap_for
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.dataset import DatasetManifest
from minivess.records.identity import Role
from minivess.records.seal import SealManifest
from minivess.records.split import SplitManifest
from minivess.records.validation import ValidationReport
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services, first_error

SEAL_CONTEXT = b"minivess/test-set/data-key/1"
_LIMIT = 64 << 20


def read_json[R: Record](workspace: Workspace, name: str, kind: type[R], *, hint: str) -> R:
    """Read one of the workspace's own JSON records.

    Raises:
        UsageError: it is not there yet; `hint` names the step that makes it.
        InputError: it is not what it should be.
    """
    path = workspace.root / name
    if not path.is_file():
        raise UsageError(f"{name} is not there yet", hint=hint)
    try:
        return kind.model_validate_json(read_limited(path, limit=_LIMIT))
    except ValidationError as error:
        raise InputError(first_error(error), path=path, hint="make it again with the step that wrote it") from None


def write_json(workspace: Workspace, name: str, value: Record | dict[str, Any]) -> None:
    """Write one of the workspace's own JSON records, whole or not at all."""
    plain = value.model_dump(mode="json") if isinstance(value, Record) else value
    write_text_atomic(workspace.root / name, json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def manifest_of(workspace: Workspace) -> DatasetManifest:
    """The manifest of the ingested cases."""
    return read_json(workspace, "data/manifest.json", DatasetManifest, hint="minivess data ingest")


def split_of(workspace: Workspace) -> SplitManifest:
    """The split of the cases."""
    return read_json(workspace, "data/split.json", SplitManifest, hint="minivess data split")


def seal_of(workspace: Workspace) -> SealManifest:
    """The public manifest of the sealed test part."""
    return read_json(workspace, "data/sealed/manifest.json", SealManifest, hint="minivess data seal")


def made_of(workspace: Workspace, *names: str) -> list[Artifact]:
    """Files of the workspace as inputs of an action, by name and digest."""
    return [Artifact(name=name, digest=digest_file(workspace.root / name)) for name in names]


class DataVersion(Record):
    """Which version of the data everything after the sealing worked with."""

    dvc: str
    split: str


def version_of(workspace: Workspace) -> dict[str, Any]:
    """The data digests every later entry carries: the split's root and DVC's digest."""
    version = read_json(workspace, "data/version.json", DataVersion, hint="minivess data seal")
    return {"data": version.split, "dvc": version.dvc}


def ingest(services: Services, signer: Signer) -> DatasetManifest:
    """Read and normalise every case of the project."""
    from minivess.ml.datasets import prepared

    workspace = Workspace(services.workspace)
    with recorded(services, "data.ingest", signer) as record:
        manifest = prepared.ingest(
            services.project.data, services.workspace, workspace.prepared, progress=services.progress
        )
        write_json(workspace, "data/manifest.json", manifest)
        record.context(data=manifest.root)
        record.output("data/manifest.json", workspace.data / "manifest.json")
        record.payload(dataset=manifest.name, cases=len(manifest.cases))
    return manifest


def validate(services: Services, signer: Signer) -> ValidationReport:
    """Run the rules over the cases and keep the report."""
    from minivess.ml.datasets.checking import validation

    workspace = Workspace(services.workspace)
    manifest = manifest_of(workspace)
    with recorded(
        services,
        "data.validate",
        signer,
        inputs=made_of(workspace, "data/manifest.json"),
        context=services.context(data=manifest.root),
    ) as record:
        report = validation.validate(manifest, workspace.prepared, progress=services.progress)
        write_json(workspace, "data/validation.json", report)
        record.output("data/validation.json", workspace.data / "validation.json")
        severities = [finding.severity.value for finding in report.findings]
        record.payload(
            rules=len(report.rules),
            notes=severities.count("note"),
            warnings=severities.count("warning"),
            blocking=severities.count("block"),
        )
    return report


def split(services: Services, signer: Signer) -> SplitManifest:
    """Assign subjects to parts; refused while validation blocks."""
    from minivess.ml.datasets import splits

    workspace = Workspace(services.workspace)
    manifest = manifest_of(workspace)
    if (workspace.sealed / "manifest.json").is_file():
        raise RefusedError(
            "the test part is sealed: the split stands", hint="start another project folder for other data"
        )
    with recorded(
        services,
        "data.split",
        signer,
        inputs=made_of(workspace, "data/manifest.json"),
        context=services.context(data=manifest.root),
    ) as record:
        report = read_json(workspace, "data/validation.json", ValidationReport, hint="minivess data validate")
        if report.blocked or report.dataset != manifest.root:
            raise RefusedError(
                "validation blocks these cases" if report.blocked else "validation was for other cases",
                hint="mend what `minivess data validate` names, ingest and validate again",
            )
        made = splits.split(manifest, services.project.split)
        splits.check_leakage(manifest, made)
        write_json(workspace, "data/split.json", made)
        record.context(data=made.root)
        record.output("data/split.json", workspace.data / "split.json")
        record.payload(train=len(made.train), calibration=len(made.calibration), test=len(made.test))
    return made


@implements("REQ-014", "REQ-016", "RC-03")
def seal(services: Services, signer: Signer) -> SealManifest:
    """Encrypt the test part for every enrolled independent reviewer, remove its plain files, version the data with DVC.

    Whoever seals does not keep the data key: from here on it exists only wrapped to the reviewers.
    """
    from minivess.ml.datasets import sealing, versioning

    workspace = Workspace(services.workspace)
    made = split_of(workspace)
    with recorded(
        services,
        "data.seal",
        signer,
        inputs=made_of(workspace, "data/split.json"),
        context=services.context(data=made.root),
    ) as record:
        register = Register.fold(services.log.entries())
        approvers = {
            one.id: one.encryption_key
            for one in register.identities
            if Role.REVIEWER in one.roles and one.encryption_key is not None and one.id != signer.identity.id
        }
        if not approvers:
            raise RefusedError(
                "nobody could ever open the test set: no independent reviewer with an encryption key is enrolled",
                hint="minivess identity create … --role independent-reviewer",
            )
        if (workspace.sealed / "manifest.json").is_file():
            manifest = sealing.finish(workspace.prepared, made, workspace.sealed)
        else:
            data_key = os.urandom(32)
            wrapped = {who: wrap_for(key, data_key, context=SEAL_CONTEXT) for who, key in approvers.items()}
            manifest = sealing.seal(workspace.prepared, made, data_key, workspace.sealed, wrap=wrapped)
            del data_key
        digest = versioning.version(services.workspace, [workspace.prepared, workspace.sealed])
        write_json(workspace, "data/version.json", DataVersion(dvc=digest, split=made.root))
        record.context(dvc=digest)
        record.output("data/sealed/manifest.json", workspace.sealed / "manifest.json")
        record.payload(files=len(manifest.files), approvers=sorted(manifest.wrapped_keys))
    return manifest
