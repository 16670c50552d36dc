"""Ingest as a recorded action: what was accepted is in the entry, and networks are kept from what they cannot learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from minivess.foundation.digests import digest_json
from minivess.foundation.errors import RefusedError
from minivess.ml.cases.manifests import root_of
from minivess.records.data.split import Part, SplitManifest
from minivess.workflows.data import ingestion
from minivess.workflows.models.cases import cases_of
from minivess.workflows.session import workspace_files
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from tests.support import projects
from tests.support.builders.audit_logs import told

pytestmark = pytest.mark.verifies("SU-38")


def rewrite(project: projects.ProjectFolder, more: str = "") -> None:
    """Let the project's data be one picture with its mask."""
    path = project.workspace.project_file
    lines = path.read_text(encoding="utf-8").splitlines()
    rules = "\n    capability-patch: {severity: warning, reason: never trained on}"
    cases = f"  root: .\n  rules:{rules}\n  cases: [{{id: a, subject: s, image: i.png, label: l.png}}]" + more
    changed = {"  synthetic": cases, "  tolerance": "  tolerance: 2 px"}
    path.write_text("\n".join(changed.get(line.partition(":")[0], line) for line in lines), encoding="utf-8")


@pytest.mark.verifies("REQ-076", "REQ-079")
def test_the_entry_states_why_identifiers_were_accepted_and_training_gets_the_pictures(
    started_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    project = started_project.copy_to(tmp_path / "project")
    ada, root = project.signers["ada"], project.workspace.root
    text = PngInfo()
    text.add_text("Author", "Jane Doe")
    picture = np.arange(80, dtype=np.uint8).reshape(8, 10)
    Image.fromarray(picture).save(root / "i.png", pnginfo=text)
    Image.fromarray((picture > 40).astype(np.uint8) * 255).save(root / "l.png")
    rewrite(project)
    with project.services() as services, pytest.raises(RefusedError, match="PNG text 'Author'"):
        ingestion.ingest(services, ada)
    original = project.workspace.project_file.read_text(encoding="utf-8")
    project.workspace.project_file.write_text(
        original.replace("  root: .\n", "  root: .\n  accept_identifiers: the author consented\n"), encoding="utf-8"
    )
    with project.services() as services:
        manifest = ingestion.ingest(services, ada)
        *_, refused, ingested = [entry.body for entry in services.log.entries() if entry.body.action == "data.ingest"]
        assert refused.outcome.value != ingested.outcome.value
        payload = told(services.log, ingested).payload
        assert payload["accept_identifiers"] == "the author consented"
        assert list(payload["identifiers"]) == ["PNG text 'Author'"]
        assert "Jane" not in f"{ingested}{payload}"
        fields = {"dataset": manifest.root, "seed": 0, "train": ("a",), "calibration": (), "test": ()}
        split = SplitManifest(**fields, root=digest_json([]))
        with recorded(services, "data.split", ada) as record:
            workspace_files.write_json(
                project.workspace, "data/split.json", split.model_copy(update={"root": root_of(split)})
            )
            record.output("data/split.json", project.workspace.data / "split.json")
            record.payload(train=1, calibration=0, test=0)
        assert [case.record.axes for case in cases_of(BoundInputs.of(services), Part.TRAIN)] == ["yx"]
