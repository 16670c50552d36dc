"""A measure is a row of the table and a module of `ml/measures/`: nothing else names it."""

from __future__ import annotations

import json
import pkgutil
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.result_tables import cases_csv
from minivess.compliance.release.gates import judge as judge_gates
from minivess.foundation.errors import UsageError
from minivess.ml import measures
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.measures.registry import function_of
from minivess.records.data.dataset import CaseRecord
from minivess.records.device.project import Project
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.measures import MEASURES, USUAL, heading_of, name_in
from minivess.records.evaluation.recomputation import first_difference
from minivess.records.lengths import Length, LengthUnit
from tests.support import earlier
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.builders.new_measure import add_measure
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.figures"):
    from minivess.ml.evaluation import figures

pytestmark = pytest.mark.verifies("SU-33")

DIGEST = f"sha256:{'5' * 64}"
SIGNATURES = {
    "name": "release",
    "rules": [
        {"role": "independent-reviewer", "meaning": "review"},
        {"role": "release-manager", "meaning": "approval"},
    ],
}
Vessels = Callable[[int], tuple[np.ndarray, np.ndarray]]


def test_every_measure_has_a_function_and_every_function_a_row() -> None:
    assert all(callable(function_of(name)) for name in MEASURES)
    modules = (import_module(f"{measures.__name__}.{found.name}") for found in pkgutil.iter_modules(measures.__path__))
    assert {one.__name__.rpartition(".")[2] for one in modules if hasattr(one, "count")} == {
        row.counted_as for row in MEASURES.values()
    }
    assert all(name == row.name for name, row in MEASURES.items())
    with pytest.raises(UsageError, match="no measure 'surface'"):
        function_of("surface")


@pytest.mark.verifies("REQ-200")
def test_a_new_measure_is_in_records_criteria_gates_and_pages(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vessels: Vessels,
    case_record: Callable[[str, str], CaseRecord],
) -> None:
    add_measure(monkeypatch)
    volumes = {name: vessels(seed) for seed, name in enumerate(("a", "b"))}
    criterion = Criterion.model_validate({"measure": "voxel_recall", "at_least": 0.5})
    plan = analysis_plan(criterion, bootstrap=100).model_copy(update={"measures": (*USUAL, "voxel_recall")})
    record, pictures = evaluate(
        ((case_record(name, name), image) for name, (image, _) in volumes.items()),
        lambda image, _: (image[np.newaxis] > 4).astype(np.float32),
        lambda case: volumes[case][1],
        evaluation_plan(plan, digest=DIGEST, request="r", cases=volumes),
    )
    image, mask = volumes["a"]
    expected = np.count_nonzero((image > 4) & mask) / np.count_nonzero(mask)
    assert record.cases[0].values["voxel_recall"] == expected
    assert EvaluationRecord.model_validate_json(record.model_dump_json()) == record
    (outcome,) = judge(record, [criterion])
    assert outcome.value == record.aggregates["voxel_recall"].mean
    assert "voxel_recall" in Project.model_json_schema()["$defs"]["Criterion"]["properties"]["measure"]["enum"]
    gate = {"kind": "metric", "id": "recall", "measure": "voxel_recall", "at_least": 0.999}
    policy = ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": [gate]})
    result, *_ = judge_gates(policy, GateFacts(evaluation=record))  # the built-in gates follow
    assert result.title == "Recall of voxels, mean"
    assert not result.passed
    assert cases_csv(record).splitlines()[0] == (
        "case,subject,dice,cldice,nsd,hd95,voxel_recall,baseline_dice,group,dice_tp,dice_fp,dice_fn,"
        "cldice_predicted_inside,cldice_predicted,cldice_reference_inside,cldice_reference,"
        "nsd_predicted_within,nsd_predicted,nsd_reference_within,nsd_reference,"
        "voxel_recall_found,voxel_recall_reference,baseline_tp,baseline_fp,baseline_fn,unit"
    )
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "page.html.j2").write_text(
        "{% for name in evaluation.aggregates %}{{ name|measure }}; {% endfor %}", encoding="utf-8"
    )
    assert "Recall of voxels; " in Renderer(tmp_path).render("page.html.j2", {"evaluation": record})
    assert [path.name for path in figures.write_figures(record, pictures, tmp_path)][-1] == "measures.svg"


@pytest.mark.verifies("REQ-374", "REQ-381")
def test_an_evaluation_has_the_measures_of_its_plan_and_each_count_once(
    tmp_path: Path, vessels: Vessels, case_record: Callable[[str, str], CaseRecord]
) -> None:
    volumes = {name: vessels(seed) for seed, name in enumerate(("a", "b", "c"))}
    plan = analysis_plan(bootstrap=100).model_copy(
        update={"measures": tuple(name for name in MEASURES if name != "nsd")}
    )
    record, pictures = evaluate(
        ((case_record(name, name), image) for name, (image, _) in volumes.items()),
        lambda image, _: (image[np.newaxis] > 4).astype(np.float32),
        lambda case: volumes[case][1],
        evaluation_plan(plan, digest=DIGEST, request="r", cases=volumes),
    )
    shared = ("dice", "cldice", "hd95", "distances", "boundary_iou", "topology", "objects", "network")
    assert all(isinstance(one, CaseCounts) and tuple(one.counts) == shared for one in record.cases)
    assert record.measured == plan.measures
    assert set(record.aggregates) - {"dice_over_baseline"} == set(plan.measures)
    assert first_difference(record, plan) is None
    assert EvaluationRecord.model_validate_json(record.model_dump_json()) == record
    heading = cases_csv(record).splitlines()[0]
    assert ",radius_error,baseline_dice," in heading
    assert "nsd" not in heading
    assert [path.name for path in figures.write_figures(record, pictures, tmp_path)][-1] == "measures.svg"


@pytest.mark.verifies("REQ-323")
def test_a_distance_is_named_with_the_unit_of_its_evaluation() -> None:
    units: tuple[LengthUnit, ...] = ("um", "mm", "px")
    assert [name_in("hd95", unit) for unit in units] == ["hd95 (µm)", "hd95 (mm)", "hd95 (px)"]
    assert [name_in(name, "mm") for name in ("dice", "failures", "hd95_um")] == ["dice", "failures", "hd95_um"]
    assert [heading_of("hd95", unit) for unit in units] == [
        f"95th percentile Hausdorff distance ({word})" for word in ("µm", "mm", "px")
    ]
    assert [MEASURES["hd95"].digits_in(unit) for unit in units] == [1, 3, 1]
    assert MEASURES["dice"].digits_in("mm") == 3


@pytest.mark.verifies("REQ-024")
def test_values_are_read_only_in_the_order_of_the_table_and_flat_in_json() -> None:
    row = CaseMeasures.model_validate_json(
        '{"baseline_dice": 0.5, "case": "a", "cldice": 1, "dice": 0.25, "hd95_um": null, "subject": "s"}'
    )
    assert list(row.values) == ["dice", "cldice", "hd95_um"]
    assert row.dice == 0.25
    assert list(json.loads(row.model_dump_json())) == ["case", "subject", "dice", "cldice", "hd95_um", "baseline_dice"]
    with pytest.raises(TypeError):
        row.values["dice"] = 1.0


@pytest.mark.verifies("REQ-024")
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "needs a value of dice"),
        ({"dice": None}, "needs a value of dice"),
        ({"dice": 1, "nsd": None}, "nsd is defined for every case"),
        ({"dice": 1, "dise": 1}, "Input should be 'dice', 'cldice', 'nsd', 'hd95', "),
        ({"dice": float("nan")}, "finite number"),
    ],
)
def test_values_that_no_measure_gives_are_refused(values: dict[str, float | None], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        CaseMeasures.model_validate({"case": "a", "subject": "a", "baseline_dice": 0.5, **values})


@pytest.mark.verifies("REQ-024")
def test_an_evaluation_of_version_0_1_0_is_read_and_written_as_it_was() -> None:
    with zipfile.ZipFile(earlier.FOLDER / "evidence.zip") as pack:
        text = pack.read("data/evaluation/evaluation.json").decode("utf-8")
    record = EvaluationRecord.model_validate_json(text)
    assert record.cases[0].values == {
        "dice": 0.7290334368719167,
        "cldice": 1.0,
        "nsd": 0.9324866310160428,
        "hd95_um": 2.23606797749979,
    }
    assert (record.conventions.within, record.unit) == (Length(2.0, "um"), "um")
    assert [measure.heading(record.unit) for measure in record.measures][
        -1
    ] == "95th percentile Hausdorff distance (µm)"
    written = json.loads(record.model_dump_json())
    assert written["cases"] == json.loads(text)["cases"]
    assert written["aggregates"] == json.loads(text)["aggregates"]
    assert written["conventions"]["tolerance_um"] == 2.0
    assert not {"tolerance", "unit"} & set(written["conventions"])
