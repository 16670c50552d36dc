"""Validation: each rule finds what it is for, and only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import RefusedError, UsageError
from minivess.ml.cases.prepared import mark_sealed
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.quality.survey import survey
from minivess.ml.quality.validation import validate
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.data.validation import RuleChange, Severity, ValidationReport
from tests.support.builders.prepared_sets import manifest, picture, put

pytestmark = pytest.mark.verifies("SU-60")

IMAGE, LABEL = picture(0)
VOLUME, MASK = picture(1, (10, 48, 48))


def checked(folder: Path, *records: CaseRecord) -> ValidationReport:
    return validate(manifest(records), folder)


def rules(report: ValidationReport) -> set[str]:
    return {finding.rule for finding in report.findings}


@pytest.mark.verifies("REQ-047")
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("shape", [(48, 48), (10, 48, 48)])
def test_a_good_case_has_no_finding(tmp_path: Path, shape: tuple[int, ...], colour: bool) -> None:
    image, label = picture(3, shape)
    axes = "zyx" if len(shape) == 3 else "yx"
    if colour:
        image, axes = np.stack([image, image * 0.7, image * 0.5], axis=-1), f"{axes}c"
    report = checked(tmp_path, put(tmp_path, "a", image, label, axes=axes))
    assert report.findings == ()
    assert not report.blocked
    assert set(report.rules) == set(RULES)


def with_values(array: np.ndarray, where: object, value: float) -> np.ndarray:
    changed = array.copy()
    changed[where] = value
    return changed


def dimmed() -> np.ndarray:
    changed = VOLUME.copy()
    changed[6:] /= 8
    return changed


SPECKLED = with_values(LABEL, (slice(40, 46, 3), slice(2, 30, 4)), 1)
CASES: dict[str, tuple[str, np.ndarray, np.ndarray, dict]] = {
    "nan": ("image-finite", with_values(IMAGE, (3, slice(4)), np.nan), LABEL, {}),
    "infinite": ("image-finite", with_values(VOLUME, (5, 3, 3), np.inf), MASK, {}),
    "constant": ("image-varies", np.full_like(IMAGE, 7), LABEL, {}),
    "outside-its-type": ("image-range", with_values(IMAGE, (1, 1), 300), LABEL, {}),
    "saturated": ("image-saturated", with_values(IMAGE, slice(0, 3), 255), LABEL, {}),
    "clipped": ("image-clipped", np.minimum(IMAGE, 150), LABEL, {"source_dtype": "uint16"}),
    "floor": ("image-floor", np.maximum(IMAGE, 75), LABEL, {}),
    "posterised": ("levels-few", IMAGE // 8 * 8, LABEL, {}),
    "no-contrast": ("contrast-low", IMAGE - 90 * LABEL, LABEL, {}),
    "end-missing": ("stack-truncated", with_values(VOLUME, slice(8, 10), 0), with_values(MASK, slice(8, 10), 0), {}),
    "frames-lost": ("plane-constant", with_values(VOLUME, slice(4, 6), 0), MASK, {}),
    "frame-repeated": ("plane-repeated", np.repeat(VOLUME[:5], 2, axis=0), MASK, {}),
    "lamp-changed": ("intensity-step", dimmed(), MASK, {"source_dtype": "float32"}),
    "empty": ("mask-empty", IMAGE, LABEL * 0, {}),
    "full": ("mask-full", IMAGE, LABEL * 0 + 1, {}),
    "sparse": ("mask-share", IMAGE, with_values(LABEL * 0, (20, slice(20, 22)), 1), {}),
    "undeclared": ("mask-undeclared", IMAGE, with_values(LABEL, slice(0, 4), 2), {}),
    "jpeg": ("mask-grey", IMAGE, LABEL, {"label_values": (0, 1, 2, 3, 250, 254, 255)}),
    "scaled": ("mask-scaled", IMAGE, LABEL, {"label_values": (0, 254)}),
    "specks": ("mask-specks", IMAGE + 90 * (SPECKLED - LABEL), SPECKLED, {}),
    "gap": ("mask-gap", VOLUME, with_values(MASK, slice(4, 6), 0), {}),
    "unfinished": ("mask-cut-off", VOLUME, with_values(MASK, slice(7, 10), 0), {}),
    "readers": ("readers-disagree", IMAGE, LABEL, {"reader_agreement": 0.5}),
    "identifiers": ("identifiers", IMAGE, LABEL, {"identifiers": ("(0010,0010)",)}),
    "notes": ("read-with-notes", IMAGE, LABEL, {"notes": ("alpha channel left out",)}),
}


@pytest.mark.verifies("REQ-047")
@pytest.mark.parametrize("name", CASES)
def test_each_flaw_is_found_by_its_rule(tmp_path: Path, name: str) -> None:
    rule, image, label, facts = CASES[name]
    report = checked(tmp_path, put(tmp_path, "a", image, label, **facts))
    found = {finding.rule: finding for finding in report.findings}
    # an image of one value has no contrast, specks change nothing else, an empty mask has no share of its own
    tolerated = {"image-floor"} if name == "outside-its-type" else {"mask-specks"} if name == "sparse" else set()
    assert set(found) - tolerated == {rule}
    assert found[rule].severity is RULES[rule].severity
    assert report.blocked == (RULES[rule].severity is Severity.BLOCK)


@pytest.mark.verifies("REQ-047")
def test_findings_count_and_name_the_plane_where_it_matters(tmp_path: Path) -> None:
    label = MASK.copy()
    label[7, 40, 40] = 1
    label[8:] = 0
    image = VOLUME.copy()
    image[3, :12] = 255
    report = checked(tmp_path, put(tmp_path, "a", image, label))
    found = {finding.rule: finding for finding in report.findings}
    assert found["mask-specks"].message.startswith("1 of 2 components have fewer than 8 voxels; the largest has 2560")
    assert found["mask-specks"].plane == 7
    assert found["image-saturated"].plane == 3
    assert "ends at plane 7" in found["mask-cut-off"].message
    assert found["mask-cut-off"].plane == 8


@pytest.mark.verifies("REQ-047")
def test_masks_that_end_where_the_structure_ends_are_not_cut_off(tmp_path: Path) -> None:
    image = VOLUME.copy()
    image[7:] -= 90 * MASK[7:]
    assert rules(checked(tmp_path, put(tmp_path, "a", image, with_values(MASK, slice(7, 10), 0)))) == set()


@pytest.mark.verifies("REQ-047")
def test_what_does_not_go_with_the_others(tmp_path: Path) -> None:
    records = [put(tmp_path, f"n{n}", *picture(n)) for n in range(7)]
    image, label = picture(19)
    records.append(put(tmp_path, "inverted", 250 - image, label))
    report = checked(tmp_path, *records)
    assert {(finding.rule, finding.case) for finding in report.findings} == {
        ("subjects-own", None),
        ("intensity-outlier", "inverted"),
        ("contrast-inverted", "inverted"),
    }


@pytest.mark.verifies("REQ-047")
def test_classes_that_are_missing_or_rare(tmp_path: Path) -> None:
    classes = tuple(LabelClass(value=value, name=name) for value, name in ((1, "box"), (2, "dot"), (3, "ghost")))
    image, label = picture(0, (64, 64))
    label[40:42, 40] = 2
    report = checked(tmp_path, put(tmp_path, "a", image, label, classes=classes, label_values=(0, 1, 2)))
    messages = {finding.rule: finding.message for finding in report.findings}
    assert messages.keys() == {"class-missing", "class-balance", "mask-specks"}
    assert "ghost (3)" in messages["class-missing"]
    assert "dot (2)" in messages["class-balance"]


@pytest.mark.verifies("REQ-047", "RC-02")
def test_one_image_or_mask_in_two_cases(tmp_path: Path) -> None:
    other, _ = picture(5)
    irregular = with_values(LABEL, (slice(30, 34), slice(3, 20)), 1)
    for subjects, expected, blocked in (
        (("s", "t"), {"duplicate-image", "subjects-own"}, True),
        (("s", "s"), {"repeated-image"}, False),
    ):
        pair = [put(tmp_path / "i", name, IMAGE, LABEL, subject=who) for name, who in zip("ab", subjects, strict=True)]
        report = checked(tmp_path / "i", *pair)
        assert rules(report) == expected
        assert report.blocked is blocked
        [copy] = [finding for finding in report.findings if finding.rule != "subjects-own"]
        assert (copy.case, copy.others) == ("b", ("a",))
        pair = [
            put(tmp_path / "m", name, picture_, irregular, subject=who)
            for name, picture_, who in zip("ab", (IMAGE + 90 * (irregular - LABEL), other), subjects, strict=True)
        ]
        report = checked(tmp_path / "m", *pair)
        assert rules(report) == ({"duplicate-mask", "subjects-own"} if blocked else {"repeated-mask"})
    empty = [put(tmp_path / "e", name, picture(n)[0], LABEL * 0, subject="s") for n, name in enumerate("ab")]
    assert rules(checked(tmp_path / "e", *empty)) == {"mask-empty"}


@pytest.mark.verifies("REQ-047")
def test_a_changed_copy_is_named_with_its_original(tmp_path: Path) -> None:
    from scipy import ndimage

    rng = np.random.default_rng(4)
    scene = ndimage.gaussian_filter(rng.normal(0, 1, (160, 160)), 2)
    scene = 40 + 160 * (scene - scene.min()) / np.ptp(scene)
    label = (scene > 140).astype(np.uint8)
    first = put(tmp_path, "a", np.rint(scene), label)
    brighter = np.rint(scene * 1.15)[2:, 3:]
    second = put(tmp_path, "b", brighter, label[2:, 3:])
    found = [finding for finding in checked(tmp_path, first, second).findings if finding.rule == "near-duplicate"]
    assert [(finding.case, finding.others) for finding in found] == [("b", ("a",))]


@pytest.mark.verifies("REQ-047")
def test_files_that_no_longer_match_block(tmp_path: Path) -> None:
    records = [put(tmp_path, name, *picture(n)) for n, name in enumerate("abc")]
    path = tmp_path / "b" / "label.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    (tmp_path / "c" / "image.npy").unlink()
    stated = [records[0].model_copy(update={"subject": "someone"}), *records[1:]]
    put(tmp_path, "stranger", *picture(7))
    report = checked(tmp_path, *stated)
    assert {(finding.rule, finding.case) for finding in report.findings} == {
        ("arrays-match", "a"),
        ("arrays-match", "b"),
        ("arrays-match", "c"),
        ("case-unlisted", None),
        ("subjects-own", None),
    }


@pytest.mark.verifies("REQ-047")
def test_what_is_sealed_is_not_looked_at(tmp_path: Path) -> None:
    record = put(tmp_path, "a", IMAGE, LABEL)
    mark_sealed(tmp_path, "a")
    with pytest.raises(RefusedError, match="sealed"):
        checked(tmp_path, record)


@pytest.mark.verifies("REQ-047", "RC-15")
def test_impossible_and_unusual_spacing(tmp_path: Path) -> None:
    for spacing, expected in (
        ((2.0, 1e5, 1e5), {"spacing-possible"}),
        ((2.0, 30.0, 30.0), {"spacing-usual", "spacing-long"}),
    ):
        record = put(tmp_path, "a", VOLUME, MASK, spacing=spacing, modality="two-photon microscopy")
        assert rules(checked(tmp_path, record)) == expected


@pytest.mark.verifies("REQ-082")
def test_a_project_changes_severities_and_never_silences(tmp_path: Path) -> None:
    record = put(tmp_path, "a", IMAGE, LABEL * 0)
    data = manifest([record])
    lowered = {"mask-empty": RuleChange(severity=Severity.NOTE, reason="healthy controls")}
    report = validate(data, tmp_path, changes=lowered)
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("mask-empty", Severity.NOTE)]
    assert not report.blocked
    [changed] = report.changed
    assert (changed.usual, changed.severity, changed.reason) == (Severity.BLOCK, Severity.NOTE, "healthy controls")
    raised = {"mask-specks": RuleChange(severity=Severity.BLOCK)}
    speckled = put(tmp_path / "s", "a", IMAGE + 90 * (SPECKLED - LABEL), SPECKLED)
    assert validate(manifest([speckled]), tmp_path / "s", changes=raised).blocked
    with pytest.raises(UsageError, match="without a reason"):
        validate(data, tmp_path, changes={"mask-empty": RuleChange(severity=Severity.WARNING)})
    with pytest.raises(UsageError, match="no rule 'mask-emty'") as caught:
        validate(data, tmp_path, changes={"mask-emty": RuleChange(severity=Severity.NOTE, reason="x")})
    assert "mask-empty" in caught.value.hint
    with pytest.raises(ValueError, match="severity"):
        RuleChange.model_validate({"severity": "off", "reason": "x"})


@pytest.mark.verifies("REQ-047")
def test_an_interrupted_validation_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minivess.ml.quality import case_measures
    from minivess.ml.quality import survey as module

    data = manifest([put(tmp_path, name, *picture(n)) for n, name in enumerate("abcd")])
    memory = tmp_path / "data" / "measures.jsonl"
    seen: list[str] = []
    real = case_measures.measure

    def watched(case: object) -> object:
        seen.append(case.record.id)  # type: ignore[attr-defined]
        return real(case)

    monkeypatch.setattr(module, "measure", watched)

    def stop(label: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(data, tmp_path, memory=memory, progress=stop)
    assert seen == ["a", "b"]
    memory.write_bytes(memory.read_bytes() + b'\n{"version": 1, "torn')
    whole = survey(data, tmp_path, memory=memory)
    assert seen == ["a", "b", "c", "d"]
    fresh = survey(data, tmp_path)
    assert validate(data, tmp_path, surveyed=whole) == validate(data, tmp_path)
    assert whole.measures == fresh.measures
    seen.clear()
    changed = put(tmp_path, "b", *picture(9))
    survey(manifest([changed, *(case for case in data.cases if case.id != "b")]), tmp_path, memory=memory)
    assert seen == ["b"]


@pytest.mark.verifies("REQ-047")
def test_ingested_cases_pass(from_arrays: Callable, tmp_path: Path) -> None:
    from minivess.ml.cases.ingestion import ingest

    data, base = from_arrays({"a": ("s", VOLUME.astype(np.uint8), MASK)})
    assert rules(validate(ingest(data, base, tmp_path / "out"), tmp_path / "out")) <= {"read-with-notes"}
