"""The RO-Crate metadata: what the pack's files are and which recorded actions made them.

RO-Crate 1.3 with the Process Run Crate profile 0.5, which rests on 1.1 (researchobject.org): each completed entry that has
outputs in the pack is a `CreateAction` with its agent, instrument, objects and results.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any

from minivess.compliance.documents.dossier import Dossier
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_bytes
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.log.entry import EntryBody, Outcome

_TYPES = {
    ".onnx": "application/octet-stream",
    ".jsonl": "application/jsonl",
    ".tlog-proof": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".pem": "application/x-pem-file",
    ".reqif": "application/xml",
    ".tsr": "application/timestamp-reply",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".feature": "text/plain",
    ".lock": "text/plain",
    ".diff": "text/plain",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".py": "text/x-python",
}
_FOLDERS = {
    "audit/": "The log, whose last entry binds the digests of all other files",
    "lineage/": "The OpenLineage events of its entries",
}
"""Folders whose files are written after this one."""
_RUN_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_VERSIONS = ("https://w3id.org/ro/crate/1.3", "https://w3id.org/ro/crate/1.1")
"""The newest version, whose context is used, and the one that the profile of runs is based on (ADR 79)."""


@implements("REQ-036", "REQ-594")
def crate(dossier: Dossier, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The JSON-LD of `ro-crate-metadata.json`.

    Args:
        dossier: the release.
        files: content by name relative to `data/`, without the metadata file itself, the log and its lineage.
    """
    names_by_digest: dict[str, list[str]] = {}
    for name in sorted(files):
        names_by_digest.setdefault(digest_bytes(files[name]), []).append(name)
    actions = [
        _action(entry.body, names_by_digest)
        for entry in dossier.log.entries
        if entry.body.outcome is Outcome.COMPLETED
        and any(item.digest in names_by_digest for item in entry.body.outputs)
    ]
    device, tool = dossier.project.device, dossier.inputs.tool
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Evidence of {device.name} {device.version}",
        "description": f"All that a receiver needs to verify the release of {device.name} {device.version} again, offline.",
        "datePublished": timestamp(dossier.inputs.time),
        "license": {"@id": "#terms"},
        "author": {"@id": "#manufacturer"},
        "publisher": {"@id": "#manufacturer"},
        "about": {"@id": "#device"},
        "conformsTo": {"@id": _RUN_PROFILE},
        "mainEntity": {"@id": "index.html"},
        "hasPart": [{"@id": name} for name in sorted([*files, *_FOLDERS])],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": version} for version in _VERSIONS],
    }
    context: list[dict[str, Any]] = [
        {"@id": _RUN_PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": "#terms",
            "@type": "CreativeWork",
            "name": "Terms of the evidence pack",
            "description": "Provided to auditors and users of the device as evidence of its release.",
        },
        {"@id": "#manufacturer", "@type": "Organization", "name": device.manufacturer},
        {
            "@id": "#device",
            "@type": "MedicalDevice",
            "name": device.name,
            "version": device.version,
            "description": device.intended_use,
        },
        {
            "@id": "#minivess",
            "@type": "SoftwareApplication",
            "name": "MiniVess",
            "version": tool.version,
            "url": f"pkg:pypi/{tool.name}@{tool.version}",
        },
        *(
            {
                "@id": f"#{item.id}",
                "@type": "Person" if item.kind.value == "person" else "Service",
                "name": item.name,
            }
            for item in sorted(
                {tenure.identity.id: tenure.identity for tenure in dossier.log.register.tenures.values()}.values(),
                key=lambda item: item.id,
            )
        ),
    ]
    folders = [{"@id": name, "@type": "Dataset", "name": words} for name, words in _FOLDERS.items()]
    return {
        "@context": f"{_VERSIONS[0]}/context",
        "@graph": [
            descriptor,
            root,
            *context,
            *folders,
            *(_file(name, files[name]) for name in sorted(files)),
            *actions,
        ],
    }


def _file(name: str, content: bytes) -> dict[str, Any]:
    suffix = name[name.rfind(".") :] if "." in name else ""
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {
        "@id": name,
        "@type": "File",
        "name": name.rsplit("/", 1)[-1],
        "contentSize": str(len(content)),
        "encodingFormat": kind,
        "sha256": digest_bytes(content).removeprefix("sha256:"),
    }


def _action(body: EntryBody, names: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "@id": f"#entry-{body.index}",
        "@type": "CreateAction",
        "name": body.action,
        "agent": {"@id": f"#{body.actor}"},
        "instrument": {"@id": "#minivess"},
        "description": f"Entry {body.index} of the audit log",
        "endTime": f"{body.time:%Y-%m-%dT%H:%M:%S}.{body.time.microsecond // 1000:03}+00:00",
        "actionStatus": "http://schema.org/CompletedActionStatus",
        **_named("object", body.inputs, names),
        **_named("result", body.outputs, names),
    }


def _named(field: str, artifacts: Iterable[Artifact], names: Mapping[str, list[str]]) -> dict[str, Any]:
    """The files of the pack that are inputs or outputs; a single one is no list, and none is left out."""
    found = [{"@id": name} for item in artifacts for name in names.get(item.digest, ())]
    return {field: found[0] if len(found) == 1 else found} if found else {}
