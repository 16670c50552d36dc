"""The plan's arithmetic: exact products, an explicit bin convention, a matrix that cannot be bent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.records.items.risk_items import ControlKind, Estimate, Risk
from minivess.records.items.risk_plan import ProbabilityScale, RiskPlan, missing_bases, missing_reasons
from tests.support.builders.random_plans import limits
from tests.support.properties import example, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-05")

_UPPERS = ("0.00001", "0.001", "0.01", "0.1", "1")


def _scale(inclusive: str = "upper", uppers: tuple[str, ...] = _UPPERS) -> ProbabilityScale:
    steps = [{"word": "w", "meaning": "m", "upper": upper} for upper in uppers]
    return ProbabilityScale.model_validate(
        {"inclusive": inclusive, "combine": "product-of-upper-limits", "steps": steps}
    )


def _plan(**changes: Any) -> RiskPlan:
    fields: dict[str, Any] = {
        "scope": "s",
        "severity": [{"word": "minor", "meaning": "m"}, {"word": "critical", "meaning": "m"}],
        "probability": _scale(uppers=("0.01", "1")),
        "software_p1": "s",
        "levels": [
            {"name": "low", "acceptable": True, "meaning": "m"},
            {"name": "high", "acceptable": False, "meaning": "m"},
        ],
        "matrix": [["low", "low"], ["low", "high"]],
        "overall": "o",
        "review": "r",
    }
    return RiskPlan.model_validate(fields | changes)


def _risk(**changes: Any) -> Risk:
    fields: dict[str, Any] = {
        "id": "RISK-01",
        "title": "t",
        "situation": "HS-01",
        "harm": "HARM-01",
        "initial": {"severity": 2, "p1": 2, "p2": 2},
        "residual": {"severity": 2, "p1": 1, "p2": 2},
        "controls": ["RC-01"],
        "source": {"path": "risk/risks.yaml", "line": 1},
    }
    return Risk.model_validate(fields | changes)


@pytest.mark.verifies("REQ-034")
@pytest.mark.parametrize(("inclusive", "step"), [("upper", 3), ("lower", 4)])
def test_the_inclusive_limit_decides_a_product_on_the_border(inclusive: str, step: int) -> None:
    scale = _scale(inclusive)
    assert scale.step_of(Decimal("0.01")) == step
    assert scale.combined(4, 4) == step  # 0.1 times 0.1, which binary floating point puts above 0.01


@pytest.mark.verifies("REQ-261", "RC-11")
@given(st.sampled_from(("upper", "lower")), limits)
@example("lower", list(_UPPERS))
@example("upper", list(_UPPERS))
@example("lower", ["0.3333333333333333333333", "0.6666666666666666666666", "1"])
@settings(max_examples=40)
def test_the_arithmetic_of_probabilities_over_all_pairs_of_steps(inclusive: str, uppers: list[str]) -> None:
    """Certain times p is p; commutative; rising in both factors; at most the factors; no product in the steps is above it."""
    scale, certain = _scale(inclusive, tuple(uppers)), len(uppers)
    steps = range(1, certain + 1)
    table = {(a, b): scale.combined(a, b) for a in steps for b in steps}
    assert [table[certain, step] for step in steps] == list(steps)
    for (a, b), found in table.items():
        assert found == table[b, a] <= min(a, b)
        assert a == 1 or table[a - 1, b] <= found
        assert _step(inclusive, uppers, _largest(inclusive, uppers, a) * _largest(inclusive, uppers, b)) <= found
        product = Fraction(uppers[a - 1]) * Fraction(uppers[b - 1])
        assert found == min(a, b, _step(inclusive, uppers, product))


def _largest(inclusive: str, uppers: list[str], step: int) -> Fraction:
    """A probability of a step; the largest where there is one, else one just below the limit."""
    upper = Fraction(uppers[step - 1])
    return upper if inclusive == "upper" or upper == 1 else upper * (1 - Fraction(1, 10**60))


def _step(inclusive: str, uppers: list[str], probability: Fraction) -> int:
    """The step that a probability is in, with exact fractions."""
    below = [Fraction(u) < probability if inclusive == "upper" else Fraction(u) <= probability for u in uppers]
    return min(sum(below), len(uppers) - 1) + 1


def test_certainty_is_on_the_scale_under_both_conventions() -> None:
    assert _scale("upper").step_of(Decimal(1)) == _scale("lower").step_of(Decimal(1)) == 5


@pytest.mark.verifies("REQ-034")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix": [["low", "low"]]}, "1 rows for 2 severities"),
        ({"matrix": [["low", "low"], ["low"]]}, "1 levels for 2 probabilities"),
        ({"matrix": [["low", "low"], ["low", "hihg"]]}, "`hihg`, which is no level"),
        ({"matrix": [["low", "high"], ["low", "low"]]}, "may not give a better level"),
        ({"matrix": [["high", "low"], ["high", "high"]]}, "may not give a better level"),
        (
            {
                "levels": [
                    {"name": "low", "acceptable": False, "meaning": "m"},
                    {"name": "high", "acceptable": True, "meaning": "m"},
                ]
            },
            "best to worst",
        ),
    ],
)
def test_a_matrix_with_a_hole_or_a_bend_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _plan(**changes)


@pytest.mark.parametrize("uppers", [("0.1", "0.01", "1"), ("0.1", "0.5"), ("0.1", "0.1", "1")])
def test_a_scale_must_rise_and_reach_one(uppers: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        _scale(uppers=uppers)


@pytest.mark.verifies("REQ-034")
def test_a_typed_verdict_is_compared_with_the_computed_one() -> None:
    plan = _plan()
    assert plan.contradiction(_risk()) is None
    assert plan.contradiction(_risk(verdict="acceptable")) is None
    worst = {"severity": 2, "p1": 2, "p2": 2}
    problem = plan.contradiction(_risk(residual=worst, verdict="acceptable"))
    assert problem is not None
    assert "typed for RISK-01 is acceptable, but the plan's matrix gives unacceptable" in problem
    off = plan.contradiction(_risk(initial={"severity": 2, "p1": 3, "p2": 1}))
    assert off == "initial: p1 3 is not on the plan's scale of 1 to 2"


@pytest.mark.parametrize(
    ("changes", "kinds", "owed"),
    [
        ({}, (ControlKind.PROTECTIVE,), 0),
        ({"residual": {"severity": 1, "p1": 1, "p2": 1}}, (ControlKind.PROTECTIVE,), 1),
        ({"residual": {"severity": 1, "p1": 1, "p2": 1}, "severity_reason": "r"}, (ControlKind.PROTECTIVE,), 0),
        ({}, (ControlKind.INFORMATION,), 1),
        ({"information_reason": "r"}, (ControlKind.INFORMATION,), 0),
        ({}, (ControlKind.INFORMATION, ControlKind.INHERENT), 0),
        ({}, (), 1),
    ],
)
def test_reasons_that_are_owed(changes: dict[str, Any], kinds: tuple[ControlKind, ...], owed: int) -> None:
    assert len(missing_reasons(_risk(**changes), kinds)) == owed


def _basis(*of: str, kind: str = "expert", **more: str) -> dict[str, Any]:
    said = {"name": "Ada Byron", "date": "2026-11-29"} if kind == "expert" else {}
    return {"of": of, "kind": kind, "text": "t", **said, **more}


@pytest.mark.verifies("REQ-265")
@given(
    *(st.tuples(st.integers(1, 4), st.integers(1, 4)) for _ in range(3)),
    st.sets(st.sampled_from(("severity", "p1", "p2"))),
)
def test_what_is_lowered_without_a_basis_is_named(
    severity: tuple[int, int], p1: tuple[int, int], p2: tuple[int, int], based: set[str]
) -> None:
    risk = _risk(
        initial={"severity": severity[0], "p1": p1[0], "p2": p2[0]},
        residual={"severity": severity[1], "p1": p1[1], "p2": p2[1]},
        bases=[_basis(*sorted(based))] if based else [],
    )
    owed = {"severity": severity[0] > severity[1], "p1": p1[0] - p1[1] > 1, "p2": p2[0] > p2[1]}
    words = [
        f"lowers {name.upper() if len(name) == 2 else name} from" for name in owed if owed[name] and name not in based
    ]
    found = missing_bases(risk)
    assert len(found) == len(words)
    assert all(word in message for word, message in zip(words, found, strict=True))


@pytest.mark.verifies("REQ-265")
@pytest.mark.parametrize(
    "basis",
    [
        {"of": ["p1"], "kind": "expert", "text": "t"},
        {"of": ["p1"], "kind": "expert", "text": "t", "name": "Ada Byron"},
        {"of": ["p1"], "kind": "expert", "text": "t", "date": "2026-11-29"},
        _basis("p1", date="2026-02-30"),
        _basis("p1", kind="guess"),
        _basis("p3", kind="data"),
        _basis(kind="data"),
        _basis("p1", kind="data", text=""),
    ],
)
def test_a_basis_is_whole(basis: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _risk(bases=[basis])
    assert _risk(bases=[_basis("p1"), _basis("p2", kind="literature")]).bases[0].source == (
        "expert judgement, Ada Byron, 2026-11-29"
    )


@pytest.mark.verifies("REQ-266")
def test_only_the_best_level_owes_no_statement_on_further_reduction() -> None:
    plan, worst = _plan(), {"severity": 2, "p1": 2, "p2": 2}
    assert plan.missing_reduction(_risk()) is None
    assert plan.missing_reduction(_risk(residual=worst)) is not None
    assert plan.missing_reduction(_risk(residual=worst, as_far_as_possible="Nothing helps.")) is None


def test_estimates_are_made_of_steps() -> None:
    with pytest.raises(ValidationError):
        Estimate(severity=0, p1=1, p2=1)


@pytest.mark.verifies("REQ-074")
@given(step=st.integers(1, 5), trials=st.integers(0, 10**6), part=st.floats(0, 1))
def test_counts_move_a_probability_towards_what_was_seen(step: int, trials: int, part: float) -> None:
    scale = _plan().probability
    step = min(step, len(scale.steps))
    events = int(part * trials)
    found = scale.updated(step, events, trials)
    assert scale.updated(step, min(events + 1, trials), trials) >= found
    if not trials:
        assert found == step
    if trials >= 10**5:  # much more than any estimate is worth
        assert abs(found - scale.step_of(max(Decimal(events) / trials, Decimal("1e-9")))) <= 1
