"""Cross-fitting: no case is judged with what was fitted on its own group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.records.data.split import SplitManifest
from minivess.records.models.networks.unet import UNetSpec
from minivess.workflows.session.services import silent
from tests.support.lazy_modules import lazily
from tests.support.properties import given
from tests.support.properties import strategies as st

with lazily(
    "minivess.ml.evaluation.cross_fitting", "minivess.ml.inference.predictor", "minivess.ml.uncertainty.calibration"
):
    from minivess.ml.evaluation import cross_fitting
    from minivess.ml.inference import predictor
    from minivess.ml.uncertainty import calibration

pytestmark = pytest.mark.verifies("SU-160", "REQ-423")


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30))
def test_folds_divide_the_cases_by_group(names: list[str]) -> None:
    groups = {f"case-{number}": name for number, name in enumerate(names)}
    if len(set(names)) < 2:
        with pytest.raises(UsageError, match="at least two independent groups"):
            cross_fitting.folds_of(groups)
        return
    folds = cross_fitting.folds_of(groups)
    assert sorted(case for fold in folds for case in fold) == sorted(groups)
    assert len(folds) == min(len(set(names)), cross_fitting.MOST_FOLDS)
    assert sum(len({groups[case] for case in fold}) for fold in folds) == len(set(names))


@pytest.mark.parametrize(("groups", "guaranteed"), [(11, False), (12, False), (15, True)])
def test_a_class_has_conformal_masks_in_all_cases_or_in_none(groups: int, guaranteed: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)

    class Bright(predictor.PatchPredictor):
        """The brighter, the more probable."""

        def forward(self, patches: np.ndarray) -> np.ndarray:
            made: np.ndarray = 1 / (1 + np.exp(-2 * patches))
            return made.astype(np.float32)

    cases = []
    for number in range(groups):
        label = (rng.random((4, 8, 8)) < 0.3).astype(np.uint8)
        image = (rng.normal(size=label.shape) + 3 * label).astype(np.float32)
        cases.append(calibration.CalibrationCase(f"case-{number:02}", image, label))
    names = tuple(case.id for case in cases)
    digest = f"sha256:{'0' * 64}"
    split = SplitManifest(dataset=digest, seed=0, train=("a",), calibration=names, test=("b",), root=digest, cases=())
    made = cross_fitting.cross_fit(
        Bright(UNetSpec(patch=(4, 8, 8))),
        cases,
        split=split,
        groups={name: name for name in names},
        target_recall=0.9,
        confidence=0.9,
        seed=0,
        folder=tmp_path,
        progress=silent,
    )
    assert set(made.thresholds) == set(names)
    assert {one.conformal is not None for (one,) in made.thresholds.values()} == {guaranteed}
    with pytest.raises(UsageError, match="image of the calibration part"):
        made.predictor.predict(np.zeros((4, 8, 8), np.float32))
    answered = made.predictor.predict(cases[0].image)
    assert answered.shape == (1, 4, 8, 8)
