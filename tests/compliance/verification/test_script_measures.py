"""Measures in `verify.py`: from the same counts the same values, and the same counts are refused, as in the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.verification.pack import judge_files
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import FORMER, MEASURES, range_of
from minivess.records.evaluation.recomputation import figures_of, first_difference
from minivess.records.models.task import SegmentationTask
from tests.support.builders import release_builder
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.guarded_log import VERIFY as verify  # noqa: N811  it is a module
from tests.support.builders.pack_builder import PLAN
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("REQ-381"), pytest.mark.verifies("SU-04")]

ALL = PLAN.model_copy(update={"measures": tuple(MEASURES)})
SMALL, LENGTH = st.integers(0, 3), st.none() | st.sampled_from([0.0, 1.5, 2.25])
FIELDS = {
    "boundary_iou": ("both", "predicted", "reference"),
    "topology": tuple(
        f"{mask}_{part}" for mask in ("predicted", "reference") for part in ("components", "tunnels", "cavities")
    ),
    "objects": ("tp", "fp", "fn"),
}
OVERLAPS = st.tuples(SMALL, SMALL, SMALL)


def counts_of_more(draw: Any) -> dict[str, dict[str, object]]:
    """Counts under the further names, most of which fit no pair of masks."""
    drawn: dict[str, dict[str, object]] = {
        name: dict.fromkeys(fields, None) | {field: draw(SMALL) for field in fields} for name, fields in FIELDS.items()
    }
    drawn["distances"] = {name: draw(LENGTH) for name in ("hd", "assd", "masd")}
    drawn["network"] = {
        f"{mask}_{part}": draw(values)
        for mask in ("predicted", "reference")
        for part, values in (("branches", SMALL), ("length", st.sampled_from([0.0, 2.5])), ("radius", LENGTH))
    }
    return drawn


def fitting(overlap: tuple[int, int, int], distance: float) -> dict[str, dict[str, object]]:
    """Counts that fit masks with these voxels."""
    tp, fp, fn = overlap
    found, true = tp + fp, tp + fn
    some, there = min(found, 1), min(true, 1)
    alone = (found == 0) != (true == 0)
    return {
        "boundary_iou": {"both": min(tp, 1), "predicted": found, "reference": true},
        "topology": {
            "predicted_components": some, "predicted_tunnels": 2 * some, "predicted_cavities": 0,
            "reference_components": there, "reference_tunnels": 0, "reference_cavities": there,
        },
        "objects": {"tp": 0, "fp": some, "fn": there},
        "distances": dict.fromkeys(("hd", "assd", "masd"), None if alone else distance),
        "network": {
            "predicted_branches": some, "predicted_length": distance * some, "predicted_radius": 1.5 if some else None,
            "reference_branches": there, "reference_length": 3.5 * there, "reference_radius": 2.5 if there else None,
        },
    }  # fmt: skip


def case_with(overlap: tuple[int, int, int], more: dict[str, dict[str, object]], name: str = "a") -> dict[str, Any]:
    distance = None if (overlap[0] + overlap[1] == 0) != (overlap[0] + overlap[2] == 0) else 2.5
    plain: dict[str, Any] = json.loads(canonical(counted_case(name, overlap=overlap, distance=distance)))
    plain["counts"].update(more)
    return plain


def accepted(plain: dict[str, Any]) -> tuple[bool, bool]:
    """Whether verify.py and the product take a case."""
    found = []
    for check, error in ((script, verify.WrongError), (TypeAdapter(CaseCounts).validate_python, ValidationError)):
        try:
            check(plain)
            found.append(True)
        except error:
            found.append(False)
    return found[0], found[1]


def script(plain: dict[str, Any]) -> None:
    verify.fit(plain, "case", "the case")
    verify.check_case(plain)


@given(st.data())
def test_both_refuse_the_same_counts(data: st.DataObject) -> None:
    kinds = data.draw(st.sets(st.sampled_from([*FIELDS, "distances", "network"]), min_size=1, max_size=2))
    drawn = counts_of_more(data.draw)
    plain = case_with(data.draw(OVERLAPS), {name: drawn[name] for name in kinds})
    assert len(set(accepted(plain))) == 1


@given(overlap=OVERLAPS, distance=st.floats(0, 50))
def test_counts_that_fit_are_taken_and_give_the_same_values(overlap: tuple[int, int, int], distance: float) -> None:
    plain = json.loads(json.dumps(case_with(overlap, fitting(overlap, distance))))
    assert accepted(plain) == (True, True)
    values = CaseCounts.model_validate(plain).values
    assert list(values) == list(MEASURES)
    assert {name: verify.value_of(name, plain) for name in MEASURES} == values


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("boundary_iou", "both"), 9),
        (("boundary_iou", "predicted"), 0),
        (("topology", "reference_components"), 10**6),
        (("topology", "reference_components"), 0),
        (("topology", "reference_tunnels"), -1),
        (("objects", "fp"), 0),
        (("objects", "fn"), 10**6),
        (("distances", "hd"), None),
        (("distances", "assd"), -1.0),
        (("network", "predicted_radius"), None),
        (("network", "predicted_branches"), 0),
        (("network", "reference_length"), -0.5),
        (("network", "more"), 1),
        (("hd95", "value"), -2.0),
    ],
)
def test_counts_that_no_masks_have_are_refused_by_both(place: tuple[str, str], wrong: object) -> None:
    plain = case_with((4, 3, 2), fitting((4, 3, 2), 1.5))
    assert accepted(plain) == (True, True)
    plain["counts"][place[0]][place[1]] = wrong
    assert accepted(plain) == (False, False)


@given(st.data())
def test_figures_of_every_measure_are_those_of_the_product(data: st.DataObject) -> None:
    rows = []
    for number in range(data.draw(st.integers(2, 5))):
        overlap = data.draw(OVERLAPS)
        rows.append(case_with(overlap, fitting(overlap, data.draw(st.floats(0, 50))), f"c{number}"))
    cases = [CaseCounts.model_validate(row) for row in rows]
    made = figures_of(cases, ALL.conventions, seed=ALL.seed, level=0.98, measures=MEASURES)
    told = verify.figures_of(rows, json.loads(canonical(ALL)), 0.98)
    assert told == json.loads(made.model_dump_json())


def test_a_record_has_the_measures_of_its_plan_and_the_counts_they_follow_from() -> None:
    cases = [
        CaseCounts.model_validate(case_with((4, 3, 2), fitting((4, 3, 2), float(number)), f"c{number}"))
        for number in range(4)
    ]
    chosen = ALL.model_copy(update={"measures": ("iou", "skeleton_recall", "hd")})
    kept = [
        case.model_copy(update={"counts": {name: case.counts[name] for name in ("dice", "cldice", "distances")}})
        for case in cases
    ]
    record = counted_evaluation(kept, chosen, model=DIGEST, data=DIGEST, request="r", looks=3)
    again = EvaluationRecord.model_validate_json(record.model_dump_json())
    assert again == record
    assert record.measured == ("dice", "iou", "hd", "skeleton_recall")
    assert [row.name for row in record.measures] == list(record.measured)
    assert set(record.aggregates) >= set(record.measured)
    assert "ppv" not in record.aggregates
    assert first_difference(record, chosen) is None
    other = chosen.model_copy(update={"measures": ("iou", "hd")})
    found = first_difference(record, other)
    assert found is not None
    assert found.figure == "measures"
    with pytest.raises(ValidationError, match="betti0_error does not follow from the counts"):
        EvaluationRecord.model_validate(record.model_dump(mode="json") | {"measured": ["dice", "betti0_error"]})


def test_a_pack_with_every_measure_is_verified_by_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = {row.name: row.convention for row in MEASURES.values() if row.convention}
    conventions = release_builder.PLAN.conventions.model_copy(update={"of_measure": sentences})
    update = {
        "measures": ("iou", *(name for name in MEASURES if name not in {"iou", "nsd"})),
        "conventions": conventions,
    }
    monkeypatch.setattr(release_builder, "PLAN", release_builder.PLAN.model_copy(update=update))
    counted = release_builder._counted

    def with_all(tested: Sequence[str], task: SegmentationTask, *, scored: bool = False) -> list[CaseCounts]:
        rows = [one.model_dump(mode="json") for one in counted(tested, task, scored=scored)]
        for number, row in enumerate(rows):
            overlap = row["counts"]["dice"]
            row["counts"].update(fitting((overlap["tp"], overlap["fp"], overlap["fn"]), number + 0.1))
            del row["counts"]["nsd"]
        return [CaseCounts.model_validate(row) for row in rows]

    monkeypatch.setattr(release_builder, "_counted", with_all)
    pack = release_builder.make_release(tmp_path / "release").build(tmp_path / "pack.zip")
    files = read_archive(pack.path.read_bytes())
    text = files["data/signing-text.txt"].decode("utf-8")
    assert "length_error: mean" in text
    assert "nsd: mean" not in text
    judged = verify.Judgement(None).judge(dict(files)).checks
    assert [(name, words) for name, held, words in judged if not held] == [
        ("release signatures", "the pack is not signed")
    ]
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    assert [check.name for check in verdict.checks if not check.passed] == ["release signatures"]


def test_both_know_the_same_measures_with_the_same_range() -> None:
    assert set(verify.FORMULAS) == {*MEASURES, *FORMER}
    for name in MEASURES:
        assert verify.FORMULAS[name][0] == MEASURES[name].counted_as
        assert verify.RANGES.get(name, (0.0, 1.0)) == range_of(name)


DIGEST = f"sha256:{'5' * 64}"
