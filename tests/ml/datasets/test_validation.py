"""Validation: each rule finds what it is for, and only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minivess.ml.datasets.checking.validation import validate
from minivess.ml.datasets.manifests import cases_root
from minivess.ml.datasets.prepared import ingest
from minivess.records.validation import Severity, ValidationReport

RNG = np.random.default_rng(1)
LABEL = np.zeros((6, 20, 20), np.uint8)
LABEL[:, 4:9, 4:9] = 1
IMAGE = (RNG.integers(0, 50, LABEL.shape) + 100 * LABEL).astype(np.uint8)


def report(from_arrays: Callable, tmp_path: Path, image=IMAGE, label=LABEL, **more) -> ValidationReport:
    data, base = from_arrays({"a": ("s", image, label), **more})
    manifest = ingest(data, base, tmp_path / "out")
    return validate(manifest, tmp_path / "out")


def rules(report: ValidationReport, severity: Severity) -> set[str]:
    return {finding.rule for finding in report.findings if finding.severity is severity}


@pytest.mark.verifies("REQ-047")
def test_a_good_case_has_no_finding(from_arrays: Callable, tmp_path: Path) -> None:
    result = report(from_arrays, tmp_path)
    assert result.findings == ()
    assert not result.blocked
    assert "duplicate-image" in result.rules


@pytest.mark.verifies("REQ-047")
@pytest.mark.parametrize(
    ("image", "label", "rule"),
    [
        (IMAGE, np.zeros_like(LABEL), "mask-filled"),
        (IMAGE, np.ones_like(LABEL), "mask-filled"),
        (np.full_like(IMAGE, 7), LABEL, "image-varies"),
    ],
)
def test_what_nothing_can_be_learnt_from_blocks(from_arrays: Callable, tmp_path: Path, image, label, rule: str) -> None:
    result = report(from_arrays, tmp_path, image, label)
    assert result.blocked
    assert rules(result, Severity.BLOCK) == {rule}


@pytest.mark.verifies("REQ-047")
def test_warnings_and_notes_do_not_block(from_arrays: Callable, tmp_path: Path) -> None:
    image, label = IMAGE.copy(), (LABEL * 2).astype(np.uint8)
    image[4:] = 3
    image[0, 10:] = 255
    label[:, 15:, 15:] = 1
    label[0, 0, 0] = 1
    label[5] = 0
    result = report(from_arrays, tmp_path, image, label)
    assert not result.blocked
    assert rules(result, Severity.WARNING) == {"planes-present", "image-saturated", "mask-binary"}
    assert rules(result, Severity.NOTE) == {"mask-specks", "planes-present"}
    inverted = report(from_arrays, tmp_path, 200 - IMAGE, LABEL)
    assert rules(inverted, Severity.WARNING) == {"contrast"}


@pytest.mark.verifies("REQ-047", "RC-02")
def test_one_image_under_two_subjects_blocks(from_arrays: Callable, tmp_path: Path) -> None:
    result = report(from_arrays, tmp_path, b=("other", IMAGE, LABEL))
    assert result.blocked
    assert rules(result, Severity.BLOCK) == {"duplicate-image"}
    assert "a" in result.findings[0].message
    same = report(from_arrays, tmp_path, b=("s", IMAGE, LABEL))
    assert not same.blocked


@pytest.mark.verifies("REQ-047")
def test_files_that_no_longer_match_block(workspace) -> None:
    path = workspace.prepared / "mouse-02" / "label.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    result = validate(workspace.manifest, workspace.prepared)
    assert [(f.rule, f.case) for f in result.findings if f.severity is Severity.BLOCK] == [("arrays-match", "mouse-02")]
    cases = workspace.manifest.cases
    other = (cases[0].model_copy(update={"subject": "someone"}), *cases[1:])
    changed = workspace.manifest.model_copy(update={"cases": other, "root": cases_root(other)})
    assert ("arrays-match", "mouse-01") in {(f.rule, f.case) for f in validate(changed, workspace.prepared).findings}


@pytest.mark.verifies("REQ-047", "RC-15")
def test_impossible_and_unusual_spacing(workspace) -> None:
    for spacing, severity in (((2.0, 1e5, 1.0), Severity.BLOCK), ((2.0, 30.0, 30.0), Severity.WARNING)):
        cases = tuple(case.model_copy(update={"spacing": spacing}) for case in workspace.manifest.cases)
        changed = workspace.manifest.model_copy(update={"cases": cases})
        for record in cases:
            from minivess.ml.datasets.manifests import read_record, write_record
            from minivess.ml.datasets.prepared import PreparedCase

            path = workspace.prepared / record.id / "case.json"
            write_record(path, read_record(path, PreparedCase).model_copy(update={"record": record}))
        found = validate(changed, workspace.prepared).findings
        assert {(f.rule, f.severity) for f in found if f.rule == "spacing-range"} == {("spacing-range", severity)}
