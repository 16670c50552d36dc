"""Every rule of an ensemble answers the same for arrays and tensors, and a predictor applies the rule it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.ensembles.registry import RULES
from minivess.ml.ensembles.rule import EnsembleRule
from minivess.ml.inference.predictor import EnsemblePredictor, PatchPredictor
from minivess.records.models.ensemble import MEAN, EnsembleMember, EnsembleRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from tests.support.lazy_modules import lazily

with lazily("torch"):
    import torch

pytestmark = pytest.mark.verifies("SU-30")

rows = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


class Constant(PatchPredictor):
    """The same probability everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__(SegResNetSpec(patch=(4, 8, 8)))
        self.value = np.float32(value)

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full_like(patches, self.value)


class Last:
    """The last member alone."""

    def combine(self, answers: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
        return list(answers)[-1]

    def combine_tensors(self, answers: Sequence[Any]) -> Any:
        return answers[-1]


@rows
@pytest.mark.parametrize("count", [1, 2, 5])
def test_arrays_and_tensors_are_combined_alike(rule: EnsembleRule, count: int) -> None:
    answers = np.log(np.random.default_rng(count).random((count, 2, 1, 3, 4, 5)))
    combined = rule.combine(iter(answers))
    assert combined.dtype == np.float64
    assert answers.min() - 1e-12 <= combined.min()
    assert combined.max() <= answers.max() + 1e-12
    graph = rule.combine_tensors([torch.from_numpy(answer.astype(np.float32)) for answer in answers])
    np.testing.assert_allclose(combined, graph.numpy(), atol=1e-6, rtol=1e-6)


@rows
def test_members_that_agree_are_not_changed(rule: EnsembleRule) -> None:
    answer = np.log(np.random.default_rng(0).random((1, 1, 2, 2, 2)))
    np.testing.assert_allclose(rule.combine([answer, answer]), answer, atol=1e-12)


@pytest.mark.verifies("REQ-018")
def test_the_mean_is_of_probabilities() -> None:
    answers = np.random.default_rng(1).random((3, 2, 4))
    np.testing.assert_allclose(np.exp(RULES[MEAN].combine(np.log(answers))), answers.mean(axis=0), rtol=1e-12)


@pytest.mark.verifies("REQ-018")
def test_a_predictor_applies_the_rule_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [Constant(0.2), Constant(0.6)]
    patches = np.zeros((1, 1, 4, 8, 8), np.float32)
    weights = "sha256:" + "0" * 64
    fixed = EnsembleRecord(model=SegResNetSpec(), members=(EnsembleMember(seed=0, weights=weights),))
    assert fixed.rule == MEAN
    np.testing.assert_allclose(EnsemblePredictor(members, fixed.rule).forward(patches), 0.4, atol=1e-6)
    monkeypatch.setitem(RULES, "last", Last())
    np.testing.assert_allclose(EnsemblePredictor(members, "last").forward(patches), 0.6, atol=1e-6)
    with pytest.raises(UsageError, match="no ensemble rule 'median'"):
        EnsemblePredictor(members, "median")
