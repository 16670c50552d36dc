"""What the registered plan and the kind of run allow a report to show."""

from __future__ import annotations

import pytest

from minivess.records.evaluation.evaluation import PUBLISHED, PUBLISHED_BEFORE
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.report_facts"):
    from minivess.workflows.sealed import report_facts

pytestmark = [pytest.mark.verifies("REQ-400"), pytest.mark.verifies("SU-39")]


@pytest.mark.parametrize(
    ("published", "custodian", "why"),
    [
        (PUBLISHED, False, ""),
        (PUBLISHED, True, "the custodian gives out measures alone"),
        (PUBLISHED_BEFORE, True, "the custodian gives out measures alone"),
        (PUBLISHED_BEFORE, False, "the registered plan publishes pictures of the best and the worst case only"),
        ("whatever else", False, "the registered plan publishes pictures of the best and the worst case only"),
    ],
)
def test_pictures_are_shown_only_when_the_registered_plan_says_so(published: str, custodian: bool, why: str) -> None:
    plan = analysis_plan().model_copy(update={"published": published})
    assert report_facts.pictures_withheld(plan, custodian=custodian) == why
    assert analysis_plan().published == PUBLISHED_BEFORE  # a plan that does not say is one of before


def test_the_versions_are_those_of_what_computes_figures() -> None:
    held = {one.term: one.value for one in report_facts.software_facts()}
    assert {"minivess", "numpy", "scipy", "scikit-image", "onnxruntime"} <= set(held)
