"""The RO-Crate metadata: what the pack's files are and which recorded actions made them.

RO-Crate 1.2 with the Process Run Crate profile 0.5 (researchobject.org): each completed entry that has outputs in the
pack is a `CreateAction` with its agent, instrument, objects and results.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from minivess.compliance.documents.dossier import Dossier
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_bytes
from minivess.foundation.implements import implements
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


@implements("REQ-036")
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
    device = dossier.project.device
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Evidence of {device.name} {device.version}",
        "description": f"All that a receiver needs to verify the release of {device.name} {device.version} again, offline.",
        "datePublished": timestamp(dossier.inputs.time),
        "license": "Provided to auditors and users of the device as evidence of its release.",
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
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
    }
    context: list[dict[str, Any]] = [
        {"@id": _RUN_PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {"@id": "#manufacturer", "@type": "Organization", "name": device.manufacturer},
        {
            "@id": "#device",
            "@type": "SoftwareApplication",
            "name": device.name,
            "softwareVersion": device.version,
            "description": device.intended_use,
        },
        {
            "@id": "#minivess",
            "@type": "SoftwareApplication",
            "name": "MiniVess",
            **({"softwareVersion": dossier.inputs.commit} if dossier.inputs.commit else {}),
        },
        *(
            {
                "@id": f"#{item.id}",
                "@type": "Person" if item.kind.value == "person" else "SoftwareApplication",
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
        "@context": "https://w3id.org/ro/crate/1.2/context",
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
        "endTime": timestamp(body.time),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "object": [{"@id": name} for item in body.inputs for name in names.get(item.digest, ())],
        "result": [{"@id": name} for item in body.outputs for name in names.get(item.digest, ())],
    }
