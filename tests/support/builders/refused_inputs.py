"""Small inputs that the product refuses, one maker a fault, and what it says of each: a corpus of messages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from minivess.foundation.errors import MinivessError
from minivess.foundation.reading.json_records import parse_json_record
from minivess.foundation.reading.yaml_records import read_record
from minivess.ml.quality import survey, validation
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.reading.case import read_case
from minivess.ml.reading.sources import case_sources
from minivess.records.data.dataset import CodedTerm, DatasetManifest, LabelClass
from minivess.records.data.source import CaseSource, Data
from minivess.records.device.project import Project
from tests.support import projects
from tests.support.builders import prepared_sets, specimens

DAMAGED = 10
"""Damaged files of each kind."""


class Message(NamedTuple):
    """What a person gets: where it came from, the sentence, and what to do."""

    source: str
    text: str
    hint: str


def _said(source: str, do: Callable[[], object]) -> Iterator[Message]:
    """The messages of a refusal; none where nothing is refused. Any other exception is one of the program."""
    try:
        do()
    except MinivessError as error:
        yield from (Message(source, reason.message, reason.hint) for reason in error.reasons)


# damaged files


def damaged_files(folder: Path) -> Iterator[Message]:
    """Files of every kind with flipped, cut and doubled bytes."""
    (folder / "series").mkdir()
    for kind in specimens.KINDS:
        chance = random.Random(f"messages {kind}")  # noqa: S311
        path = folder / f"x.{kind}"
        for _ in range(DAMAGED):
            path.write_bytes(specimens.damage(specimens.valid(kind), chance))
            for one in _said(kind, partial(specimens.read, kind, path, folder / "series")):
                yield one._replace(text=one.text.replace(f"{folder}/", ""))


# cases that do not fit together

STACK = np.random.default_rng(3).integers(0, 200, (4, 12, 14)).astype(np.uint8)
DRAWN = (STACK > 120).astype(np.uint8)
ON_SERIES = (np.arange(4 * 5 * 7).reshape(4, 5, 7) % 3 == 0).astype(np.uint8)


def _npy(folder: Path, name: str, array: Any) -> str:
    np.save(folder / name, np.asarray(array))
    return name


def _nifti(
    folder: Path, name: str, array: np.ndarray, *, unit: str = "mm", step: float = 1.0, flip: bool = False
) -> str:
    import nibabel

    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([-step if flip else step, step, 2 * step, 1.0]))
    if unit:
        image.header.set_xyzt_units(unit)
    image.to_filename(folder / name)
    return name


def _png(folder: Path, name: str, array: np.ndarray) -> str:
    Image.fromarray(array).save(folder / name)
    return name


def _series(folder: Path, **fields: Any) -> str:
    (folder / "ct").mkdir(exist_ok=True)
    for number, dataset in enumerate(specimens.series()):
        for name, value in fields.items():
            setattr(dataset, name, value if number == 1 else getattr(dataset, name))
        (folder / "ct" / f"{number}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    return "ct"


Stated = dict[str, Any]
CASES: dict[str, Callable[[Path], Stated]] = {
    "no file": lambda at: {"image": "absent.npy", "label": _npy(at, "l.npy", DRAWN)},
    "an empty folder": lambda at: ((at / "empty").mkdir(exist_ok=True), {"image": "empty", "label": "empty"})[1],
    "an unknown kind": lambda at: ((at / "i.xyz").write_bytes(b"1"), {"image": "i.xyz", "label": "i.xyz"})[1],
    "a path that leaves the folder": lambda _: {"image": "../x.npy", "label": "../y.npy"},
    "no spacing": lambda at: {"image": _npy(at, "i.npy", STACK), "label": _npy(at, "l.npy", DRAWN)},
    "a spacing of two numbers": lambda at: {
        "image": _npy(at, "i.npy", STACK),
        "label": _npy(at, "l.npy", DRAWN),
        "spacing": "1 x 2 um",
    },
    "another shape": lambda at: {
        "image": _npy(at, "i.npy", STACK),
        "label": _npy(at, "l.npy", DRAWN[:2]),
        "spacing": "2 x 1 x 1 um",
    },
    "no numbers": lambda at: {
        "image": _npy(at, "i.npy", np.where(DRAWN, np.nan, 1.0)),
        "label": _npy(at, "l.npy", DRAWN),
        "spacing": "2 x 1 x 1 um",
    },
    "complex numbers": lambda at: {"image": _npy(at, "i.npy", STACK * 1j), "label": _npy(at, "l.npy", DRAWN)},
    "objects": lambda at: (
        np.save(at / "o.npy", np.array([{}, None], object), allow_pickle=True),
        {"image": "o.npy", "label": "o.npy"},
    )[1],
    "five axes": lambda at: {"image": _npy(at, "i.npy", np.zeros((2,) * 5)), "label": _npy(at, "l.npy", DRAWN)},
    "no unit": lambda at: {"image": _nifti(at, "i.nii", STACK, unit=""), "label": _nifti(at, "l.nii", DRAWN, unit="")},
    "another spacing": lambda at: {"image": _nifti(at, "i.nii", STACK), "label": _nifti(at, "l.nii", DRAWN, step=1.5)},
    "a mirrored mask": lambda at: {"image": _nifti(at, "i.nii", STACK), "label": _nifti(at, "l.nii", DRAWN, flip=True)},
    "a fractional mask": lambda at: {
        "image": _nifti(at, "i.nii", STACK),
        "label": _nifti(at, "l.nii", DRAWN.astype(np.float32) / 3),
    },
    "a mask of classes": lambda at: {"image": _nifti(at, "i.nii", STACK), "label": _nifti(at, "l.nii", STACK % 4)},
    "an image as mask": lambda at: {"image": _png(at, "i.png", STACK[0]), "label": _png(at, "i.png", STACK[0])},
    "a mask in colours": lambda at: {
        "image": _png(at, "i.png", STACK[0]),
        "label": _png(at, "c.png", np.dstack([STACK[0], STACK[1], STACK[2]])),
    },
    "a name in a series": lambda at: {
        "image": _series(at, PatientName="Doe^Jane"),
        "label": _npy(at, "l.npy", ON_SERIES),
    },
    "two patients": lambda at: {"image": _series(at, PatientID="other"), "label": _npy(at, "l.npy", ON_SERIES)},
    "a lost position": lambda at: {
        "image": _series(at, ImagePositionPatient=[10.0, 20.0, 99.0]),
        "label": _npy(at, "l.npy", ON_SERIES),
    },
    "another pixel size": lambda at: {
        "image": _series(at, PixelSpacing=[0.1, 0.1]),
        "label": _npy(at, "l.npy", ON_SERIES),
    },
    "a second term": lambda at: {
        "image": _series(at),
        "label": ((at / "s.dcm").write_bytes(specimens.valid("seg.dcm")), "s.dcm")[1],
    },
}
TERM = (LabelClass(value=1, name="artery", code=CodedTerm(value="1", scheme="99X", meaning="Artery")),)


def case_messages(folder: Path) -> Iterator[Message]:
    """What reading says of cases that do not fit together."""
    for number, (name, make) in enumerate(CASES.items()):
        at = folder / f"case-{number}"
        at.mkdir()
        source = CaseSource.model_validate({"id": "a", "subject": "s", **make(at)})
        yield from _said(name, partial(read_case, source, at, classes=TERM if name == "a second term" else ()))


# project files

CHANGES: tuple[tuple[str, str], ...] = (
    ("safety_class: B", "safety_class: D"), ("filters: 8", "filters: x"), ("filters: 8", "filters: 1"),
    ("seed: 0", "seed: 1.5"), ("seed: 0", "sed: 0"), ("licence: Apache-2.0", "licence: 3"),
    ("version: 0.1.0", "version: a b"), ("architecture: segresnet", "architecture: resnet"),
    ("members: [0]", "members: []"), ("members: [0]", "members: [zero]"), ("at_least: 0.1", "at_least: [1]"),
    ("measure: dice", "measure: dise"), ("bootstrap: 100", "bootstrap: 1"), ("split: {", "split: ["),
    ("  name: toy\n", ""), ("  name: toy\n", "  name: [toy]\n"), ("  name: toy\n", "  name: toy\n  classes: {1: 5}\n"),
    ("  name: toy\n", "  name: toy\n  classes: {1: {name: a, color: red}}\n"),
    ("  name: toy\n", "  name: toy\n  classes: {1: {name: a, colour: red}}\n"),
    ("  name: toy\n", "  name: toy\n  subject_from: '('\n"), ("  name: toy\n", "  name: toy\n  rules: {a: {severity: x}}\n"),
    ("per_release: 2", "per_release: 9"), ("calibration: 1", "calibration: one"), ("calibration: 1", "same: [[a, a, b]]"),
    ("subjects: 5", "subjects: 1"), ("shape: [16, 48, 48]", "shape: [16, 48]"), ("photons: 30.0", "photons: .nan"),
    ("device:\n", "device: 1\nother:\n"), ("source: .", "source: ."),
)  # fmt: skip
TABLES: dict[str, str] = {
    "columns": "id,image,label,subjct\na,b,c,d\n",
    "cells": "id,image,label,subject\na,b\n",
    "number": "id,image,label,subject,spacing_z_um,spacing_y_um,spacing_x_um\na,b,c,d,x,1,1\n",
    "name": "id,image,label,subject\na b,b,c,d\n",
    "twice": "id,image,label,subject\na,b,c,d\na,b,c,d\n",
    "empty": "id,image,label,subject\n",
    "quotes": 'id,image,label,subject\n"a,b,c,d\n',
}


def _listed(data: Data, folder: Path) -> list[CaseSource]:
    return list(case_sources(data, folder))


def project_messages(folder: Path) -> Iterator[Message]:
    """What is said of project files, tables of cases and patterns with a fault."""
    text = projects.PROJECT.format(source=".")
    for number, (old, new) in enumerate(CHANGES):
        path = folder / f"{number}.yaml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        yield from _said(new.strip(), partial(read_record, path, Project, shown="minivess.yaml"))
    stated = {"name": "set", "licence": "CC0", "source": "test", "root": "."}
    for name, table in TABLES.items():
        (folder / "t.csv").write_text(table, encoding="utf-8")
        yield from _said(name, partial(_listed, Data.model_validate({**stated, "table": "t.csv"}), folder))
    for pairs in ({"images": "*.nii", "labels": "*.png"}, {"images": "[", "labels": "**x"}):
        plan = Data.model_validate({**stated, "pairs": pairs})
        yield from _said(str(pairs["images"]), partial(_listed, plan, folder))
    for record in ("{", "[]", '{"name": 1}', '{"name": "a", "licence": "b", "source": "c", "cases": 1, "root": "d"}'):
        yield from _said(
            record, partial(parse_json_record, record, DatasetManifest, path="data/manifest.json", hint="restore it")
        )


# findings


def finding_messages(folder: Path) -> Iterator[Message]:
    """What validation finds in prepared cases with faults; the hint is the rule's."""
    image, mask = prepared_sets.picture(1)
    volume, drawn = prepared_sets.picture(2, (6, 48, 48))
    bright = volume.copy()
    bright[2:4] = 255
    repeated = volume.copy()
    repeated[3] = repeated[2]
    faults: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any]]] = {
        "empty": (image, mask * 0, {}), "flat": (np.full_like(image, 9), mask, {}), "whole": (image, mask * 0 + 1, {}),
        "sparse": (mask * 0.0 + (np.arange(48 * 48).reshape(48, 48) == 7), mask, {}),
        "infinite": (np.where(image > 160, np.inf, image), mask, {}), "bright": (bright, drawn, {"subject": "one"}),
        "repeated": (repeated, drawn, {"subject": "One"}), "px": (image, mask, {"unit": "px", "modality": "CT"}),
        "wide": (volume, drawn, {"spacing": (900.0, 1.0, 1.0)}), "far": (volume * 1000, drawn, {"scanner": "two"}),
    }  # fmt: skip
    records = [prepared_sets.put(folder, name, *arrays, **facts) for name, (*arrays, facts) in faults.items()]
    (folder / "sparse" / "image.npy").write_bytes(b"cut")
    data = prepared_sets.manifest(records)
    report = validation.validate(data, folder, surveyed=survey.survey(data, folder), near=())
    for one in report.findings:
        yield Message(f"{one.rule} {one.case}", one.message, one.hint or RULES[one.rule].hint)


def rule_texts() -> Iterator[Message]:
    """What the catalogue of rules says."""
    for name, rule in RULES.items():
        yield Message(name, rule.title, rule.hint)
        yield Message(name, rule.meaning, rule.hint)


MAKERS: tuple[Callable[[Path], Iterator[Message]], ...] = (
    damaged_files, case_messages, project_messages, finding_messages, lambda _: rule_texts(),
)  # fmt: skip
"""Every maker of messages; each gets an empty folder."""


def corpus(folder: Path) -> list[Message]:
    """All messages."""
    found: list[Message] = []
    for number, make in enumerate(MAKERS):
        (folder / str(number)).mkdir()
        found += make(folder / str(number))
    return found
