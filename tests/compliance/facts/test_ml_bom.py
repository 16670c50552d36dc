"""The bill of materials of a model: measures by subgroup with intervals, and weights that a member started from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.documents.documents import card_of
from minivess.compliance.documents.dossier import gather
from minivess.compliance.facts.cyclonedx import validate_bom
from minivess.compliance.facts.ml_bom import ModelFacts, ml_bom
from minivess.compliance.facts.sbom import BillFacts
from minivess.records.evaluation.subgroups.figures import Subgroup
from minivess.records.evaluation.subgroups.sections import sections_of, subgroup_tables
from minivess.records.models.model_card import ModelCardFacts
from tests.support.builders.layout2_pack import small_pack

pytestmark = pytest.mark.verifies("REQ-531", "SU-190")


@pytest.fixture(scope="module")
def known() -> ModelFacts:
    dossier = gather(small_pack().release.inputs())
    places = ("north", "south", "south")
    cases = [
        one.model_copy(update={"attributes": {"site": site}})
        for one, site in zip(dossier.evaluation.cases, places, strict=True)
    ]
    stated = ModelCardFacts(intended_users="Readers.", limitations="Thin vessels.", ethics="Missed vessels.")
    return ModelFacts(
        export=dossier.export,
        runs=dossier.runs,
        calibration=dossier.calibration,
        evaluation=dossier.evaluation.model_copy(update={"cases": tuple(cases)}),
        plan=dossier.inputs.chain.plan,
        data=card_of(dossier),
        stated=stated,
    )


def _made(known: ModelFacts) -> dict[str, Any]:
    facts = BillFacts(
        Path("none"),
        device="d",
        version="1",
        timestamp=datetime(2026, 11, 30, tzinfo=UTC),
        manufacturer="Maker",
        intended_use="To show.",
    )
    document = ml_bom(facts, known)
    validate_bom(document)
    return document


def test_subgroups_are_slices_with_the_intervals_of_the_reports(known: ModelFacts) -> None:
    tables = subgroup_tables(known.evaluation, known.plan)
    assert tables == sections_of(known.evaluation, known.plan).subgroups
    [model] = [one for one in _made(known)["components"] if one["bom-ref"] == "model"]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    slices = {(one["type"], one["slice"]): one for one in metrics}
    rows: list[tuple[str, Subgroup]] = [(table.measure, row) for table in tables for row in table.rows]
    assert {row.value for _, row in rows} >= {"north", "south"}
    for measure, row in rows:
        found = slices[measure, f"sealed test set, {row.attribute} {row.value} ({row.groups} groups)"]
        assert found["value"] == f"{row.mean:.4f}"
        assert ("confidenceInterval" in found) == (row.interval is not None)
    assert len(metrics) == len(rows) + sum(one.n > 0 for one in known.evaluation.aggregates.values())


def test_what_the_project_states_is_a_consideration(known: ModelFacts) -> None:
    [model] = [one for one in _made(known)["components"] if one["bom-ref"] == "model"]
    assert model["modelCard"]["considerations"] == {
        "users": ["Readers."],
        "useCases": ["To show."],
        "technicalLimitations": ["Thin vessels."],
        "ethicalConsiderations": [{"name": "Missed vessels."}],
    }


def test_the_data_sets_have_their_digests_and_sizes(known: ModelFacts) -> None:
    listed = {one["bom-ref"]: one for one in _made(known)["components"] if one["type"] == "data"}
    assert f"sha256:{listed['data']['hashes'][0]['content']}" == known.data.root
    for row in known.data.parts:
        properties = {
            one["name"]: one["value"] for one in listed[f"data-{row.part.value}"]["data"][0]["contents"]["properties"]
        }
        assert properties["minivess:cases"] == str(row.cases)
        assert properties["minivess:independent groups"] == str(row.groups)


def test_the_same_facts_give_the_same_document(known: ModelFacts) -> None:
    assert _made(known) == _made(known)
