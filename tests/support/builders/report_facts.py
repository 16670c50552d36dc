"""What a report states beside a record, and pictures of its cases made of small masks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.ml.evaluation.drawings import Album
from minivess.ml.evaluation.evaluate import CaseArrays
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.records.data.dataset import LabelClass
from minivess.records.evaluation.evaluation import AnalysisPlan
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.report.case_panels"):
    from minivess.ml.evaluation.report import case_panels

VESSEL = (LabelClass(value=1, name="vessel"),)


def report_facts(plan: AnalysisPlan | None = None, **changes: Any) -> ReportFacts:
    """The facts of a report on a sealed test part, by default under a plan without criteria."""
    facts = ReportFacts(
        device="finder 1.0",
        intended_use="Segmentation of vessels for a test.",
        data="synthetic",
        time=datetime(2026, 11, 30, 12, 0, tzinfo=UTC),
        plan=analysis_plan() if plan is None else plan,
    )
    return ReportFacts.model_validate({**{name: getattr(facts, name) for name in ReportFacts.model_fields}, **changes})


def case_arrays(
    name: str,
    dice: float = 0.5,
    *,
    shape: tuple[int, ...] = (6, 20, 20),
    classes: tuple[LabelClass, ...] = VESSEL,
    seed: int = 0,
    **changes: Any,
) -> CaseArrays:
    """A case of noise with masks of random voxels: each class, or the background, with the same chance."""
    rng = np.random.default_rng(seed)
    image: NDArray[Any] = rng.normal(100, 20, shape).astype(np.float32)
    reference, prediction = (rng.integers(0, len(classes) + 1, shape).astype(np.uint8) for _ in range(2))
    flat = len(shape) == 2
    given: dict[str, Any] = {
        "case": name,
        "spacing": (1.0, 1.0) if flat else (5.0, 1.0, 1.0),
        "unit": "px" if flat else "um",
        "classes": classes,
        "dice": dice,
        "image": image,
        "reference": reference,
        "prediction": prediction,
    }
    return CaseArrays(**{**given, **changes})


def album_of(cases: Iterable[CaseArrays], *, seed: int = 0, most: int = 128) -> Album:
    """The drawings of cases."""
    album = Album(seed, most)
    for case in cases:
        album.add(case_panels.draw_case(case))
    return album
