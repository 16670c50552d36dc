"""The files of a pack that entries of the log made: results, models, data sets, and pages without pictures of cases."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.release.layout import layout
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.device.workspace_files import file_of

LIMIT = 1 << 30
"""Bytes of one file."""
_OPTIONAL = ("datasets/validation.html", "evaluation/report.html", "verification/coverage.json")
"""Files that are in the pack where their entry made them."""


@implements("REQ-632")
def recorded_files(inputs: PackInputs) -> dict[str, bytes]:
    """Files that the entries of the chain made, as they are, by name relative to `data/`.

    Raises:
        RefusedError: one is not there.
    """
    workspace = inputs.workspace
    found = {
        "models/model.onnx": workspace.onnx,
        "models/export.json": workspace.export / "export.json",
        "models/calibration.json": workspace.models / "calibration.json",
        "models/ensemble.json": workspace.models / "ensemble.json",
        "datasets/manifest.json": workspace.data / "manifest.json",
        "datasets/split.json": workspace.data / "split.json",
        "datasets/validation.json": workspace.data / "validation.json",
        "datasets/sealed.json": workspace.sealed / "manifest.json",
        "evaluation/evaluation.json": workspace.evaluation / "evaluation.json",
        "evaluation/criteria.json": workspace.evaluation / "criteria.json",
        "verification/results.json": workspace.results,
    }
    for name in _OPTIONAL:
        row = layout().row(name)
        if row is not None and row.made_by and row.output and inputs.chain.output(row.made_by, row.output):
            found[name] = workspace.root / file_of(row.output).place
    for record in inputs.chain.member_records:
        found[f"models/members/{Path(record).parent.name}.json"] = workspace.root / record
    for graph in sorted((workspace.export / "graphs").glob("*.onnx")):
        found[f"models/graphs/{graph.name}"] = graph
    for picture in sorted((workspace.evaluation / "figures").glob("*")):
        if picture.is_file() and picture.suffix in {".png", ".svg"}:
            found[f"evaluation/figures/{picture.name}"] = picture
    found |= _qualification(inputs)
    return {name: read_file(path) for name, path in found.items()}


@implements("REQ-591")
def _qualification(inputs: PackInputs) -> dict[str, Path]:
    """The report of the qualification that the release rests on, where there is one."""
    body, workspace = inputs.chain.bodies.get("qualification"), inputs.workspace
    if body is None:
        return {}
    folder = f"{workspace.name(workspace.qualification)}/"
    names = [one.name for one in body.outputs if one.name.startswith(folder)]
    return {f"qualification/{name.removeprefix(folder)}": workspace.root / name for name in names}


def read_file(path: Path) -> bytes:
    """A file that the pack needs.

    Raises:
        RefusedError: it is not there.
    """
    if not path.is_file():
        raise RefusedError(
            f"the pack needs {path.parent.name}/{path.name}, which is not there", hint="run the step that makes it"
        )
    return read_limited(path, limit=LIMIT)
