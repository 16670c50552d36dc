"""Rules that prepared cases must meet before anything is learnt from them.

Every rule looks at one case (or, for duplicates, at the set) and answers with findings; `block` stops the pipeline. A
finding of a rule is a fact about the data, not an error of the software, so validation reports and never raises for
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.datasets.prepared import LoadedCase, load_case
from minivess.records.dataset import CaseRecord, DatasetManifest
from minivess.records.sinks import Progress
from minivess.records.validation import Finding, Severity, ValidationReport

Rule = Callable[[LoadedCase], Iterator[tuple[Severity, str]]]

_POSSIBLE_UM = (0.005, 20_000.0)
_MICROSCOPY_UM = (0.05, 20.0)
_FOREGROUND = (0.002, 0.40)
_SATURATED = 0.01
_SPECK = 8


def _mask_filled(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    fraction = float(np.mean(case.label))
    if fraction in {0.0, 1.0}:
        yield Severity.BLOCK, "the mask is empty" if fraction == 0 else "the mask covers every voxel"
    elif not _FOREGROUND[0] <= fraction <= _FOREGROUND[1]:
        yield Severity.WARNING, f"{100 * fraction:.2f} % of voxels are vessel; 0.2 % to 40 % is usual"
    if not np.isclose(fraction, case.record.foreground_fraction, atol=1e-9):
        yield Severity.BLOCK, "the record's foreground fraction is not the mask's"


def _mask_binary(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    if int(case.label.max()) > 1:
        yield Severity.BLOCK, f"the prepared mask holds {int(case.label.max())}, not 0 and 1"
    met = case.record.label_values
    if len(met) > 2:
        yield Severity.WARNING, f"the source mask held {len(met)} values ({', '.join(map(str, met[:6]))} …)"
    elif met not in {(0, 1), (0,), (1,)}:
        yield Severity.NOTE, f"the source mask held {' and '.join(map(str, met))}"


def _mask_specks(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    from scipy import ndimage

    labels, _ = ndimage.label(case.label, structure=np.ones((3, 3, 3), dtype=bool))
    sizes = np.bincount(labels.ravel())[1:]
    small = int(np.count_nonzero(sizes < _SPECK))
    if small:
        yield Severity.NOTE, f"{small} of {len(sizes)} mask components have fewer than {_SPECK} voxels"


def _spacing_range(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    spacing = case.record.spacing_um
    text = " × ".join(f"{value:g}" for value in spacing)
    if not all(_POSSIBLE_UM[0] <= value <= _POSSIBLE_UM[1] for value in spacing):
        yield Severity.BLOCK, f"a spacing of {text} µm is impossible"
        return
    usual = "microscop" not in case.record.modality or all(
        _MICROSCOPY_UM[0] <= value <= _MICROSCOPY_UM[1] for value in spacing
    )
    if not usual:
        yield Severity.WARNING, f"a spacing of {text} µm is unusual for {case.record.modality}"[:200]
    if max(spacing) > 10 * min(spacing):
        yield Severity.WARNING, f"voxels of {text} µm are more than ten times longer than wide"


def _image_varies(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    if not bool(np.isfinite(case.image).all()):
        yield Severity.BLOCK, "the image holds NaN or infinite voxels"
    elif float(case.image.min()) == float(case.image.max()):
        yield Severity.BLOCK, "the image is constant"


def _image_saturated(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    dtype = np.dtype(case.record.source_dtype)
    if dtype.kind in "ui" and dtype.itemsize <= 2:
        full = float(np.mean(case.image >= np.iinfo(dtype).max))
        if full > _SATURATED:
            yield Severity.WARNING, f"{100 * full:.1f} % of voxels are saturated"


def _planes_present(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    flat = np.flatnonzero(case.image.min(axis=(1, 2)) == case.image.max(axis=(1, 2)))
    if 0 < len(flat) < case.image.shape[0]:
        first = int(flat[0])
        yield Severity.WARNING, f"{len(flat)} planes are constant, the first at z = {first}: was the stack cut short?"
    bare = np.flatnonzero(~case.label.any(axis=(1, 2)))
    if 0 < len(bare) < case.label.shape[0]:
        yield Severity.NOTE, f"{len(bare)} planes have no vessel in the mask, the first at z = {int(bare[0])}"


def _contrast(case: LoadedCase) -> Iterator[tuple[Severity, str]]:
    mask = case.label.astype(bool)
    if mask.any() and not mask.all():
        inside, outside = float(case.image[mask].mean()), float(case.image[~mask].mean())
        if inside <= outside:
            yield Severity.WARNING, f"vessels are not brighter than the rest (means {inside:.4g} and {outside:.4g})"


CASE_RULES: dict[str, Rule] = {
    "mask-filled": _mask_filled,
    "mask-binary": _mask_binary,
    "mask-specks": _mask_specks,
    "spacing-range": _spacing_range,
    "image-varies": _image_varies,
    "image-saturated": _image_saturated,
    "planes-present": _planes_present,
    "contrast": _contrast,
}
"""Rules about one case, by name."""

SET_RULES = ("arrays-match", "duplicate-image")
"""Rules about the files and the set."""


@implements("REQ-047")
def validate(manifest: DatasetManifest, folder: Path, *, progress: Progress | None = None) -> ValidationReport:
    """Run every rule over every prepared case.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        progress: hears about each case.

    Raises:
        RefusedError: a case has been sealed already; validation comes before sealing.
    """
    findings = list(_duplicates(manifest))
    for done, record in enumerate(manifest.cases):
        if progress is not None:
            progress("validate", done, len(manifest.cases))
        findings.extend(_case(record, folder))
    if progress is not None:
        progress("validate", len(manifest.cases), len(manifest.cases))
    return ValidationReport(
        dataset=manifest.root, rules=tuple(sorted((*CASE_RULES, *SET_RULES))), findings=tuple(findings)
    )


def _case(record: CaseRecord, folder: Path) -> Iterator[Finding]:
    try:
        case = load_case(folder, record.id, verify=True)
    except (InputError, VerificationError) as error:
        yield Finding(rule="arrays-match", severity=Severity.BLOCK, case=record.id, message=error.message[:200])
        return
    if case.record != record:
        yield Finding(
            rule="arrays-match",
            severity=Severity.BLOCK,
            case=record.id,
            message="case.json differs from the manifest: ingest again",
        )
    for rule, check in CASE_RULES.items():
        for severity, message in check(case):
            yield Finding(rule=rule, severity=severity, case=record.id, message=message)


def _duplicates(manifest: DatasetManifest) -> Iterator[Finding]:
    first: dict[str, CaseRecord] = {}
    for case in manifest.cases:
        other = first.setdefault(case.image, case)
        if other is case:
            continue
        if other.subject != case.subject:
            severity, message = Severity.BLOCK, f"the same image as {other.id}, said to be of another subject"
        else:
            severity, message = Severity.WARNING, f"the same image as {other.id}"
        yield Finding(rule="duplicate-image", severity=severity, case=case.id, message=message)
