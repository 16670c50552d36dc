"""An FMEA becomes hazards, sequences of events, situations, harms, controls and risks."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import load_items
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-19")

ENGLISH = """\
Item / Function,Potential Failure Mode,Potential Effect(s) of Failure,Sev,Potential Causes,Occ,Controls,Det,RPN,S (2),O (2)
Pump,Overpressure,Tissue damage,2,Valve stuck,2,Pressure sensor,3,12,2,1
Pump,Overpressure,Tissue damage,2,Sensor broken,1,Pressure sensor,3,6,2,1
"""
MAPPING = """\
scales:
  severity: {2: 2}
  p1: {1: 1, 2: 2}
  p2: {"*": 2}
defaults: {kind: protective-measure}
"""


def _import(tmp_path: Path, text: str, mapping: str | None) -> Imported:
    path = tmp_path / "fmea.csv"
    path.write_text(text, encoding="utf-8")
    told = tmp_path / "mapping.yaml"
    told.write_text(mapping or "format: fmea\n", encoding="utf-8")
    return import_file(path, mapping=told, taken=(), known_origins={})


def test_rows_become_chains_and_equal_texts_one_item(tmp_path: Path) -> None:
    imported = _import(tmp_path, ENGLISH, MAPPING)
    assert [item.id for item in imported.items] == [
        *("HAZ-001", "SEQ-001", "HS-001", "HARM-001", "RC-001", "RISK-001", "SEQ-002", "RISK-002"),
    ]
    by_id = {item.id: dict(item.fields) for item in imported.items}
    assert by_id["HS-001"]["follows"] == ["SEQ-001", "SEQ-002"]
    origins = {name: fields.pop("origin") for name, fields in by_id.items()}
    assert all(origin.startswith(f"{name.split('-')[0]} ") for name, origin in origins.items())
    assert by_id["HAZ-001"]["statement"] == "Pump: Overpressure"
    assert by_id["SEQ-002"] == {"title": "Sensor broken", "statement": "Sensor broken", "from_hazard": "HAZ-001"}
    assert by_id["RISK-001"] == {
        "title": "Overpressure",
        "situation": "HS-001",
        "harm": "HARM-001",
        "controls": ["RC-001"],
        "initial": {"severity": 2, "p1": 2, "p2": 2},
        "residual": {"severity": 2, "p1": 1, "p2": 2},
    }
    missing = [(remark.item, remark.field) for remark in imported.remarks if remark.severity == "missing"]
    assert missing == [("RC-001", "implemented_by")]
    lost = {remark.field for remark in imported.remarks if remark.severity == "lost"}
    assert lost == {"Det", "RPN"}


def test_ratings_stay_out_without_a_scale(tmp_path: Path) -> None:
    imported = _import(tmp_path, ENGLISH, None)
    risk = next(item for item in imported.items if item.prefix == "RISK")
    assert "initial" not in risk.fields
    assert risk.missing == ("initial", "residual")
    said = [remark.message for remark in imported.remarks if remark.field == "severity"]
    assert "under `scales: severity:`" in said[0]


def test_a_completed_fmea_loads(tree: Path, tmp_path: Path) -> None:
    imported = _import(tmp_path, ENGLISH, MAPPING)
    text = imported.files["risk/imported-fmea.yaml"]
    text = text.replace(
        "    kind: protective-measure\n", "    kind: protective-measure\n    implemented_by: [REQ-001]\n"
    )
    (tree / "risk" / "imported-fmea.yaml").write_text(text, encoding="utf-8")
    assert set(load_items(tree).risks) == {"RISK-01", "RISK-001", "RISK-002"}


def test_columns_that_name_the_four_things_are_taken_apart(tmp_path: Path) -> None:
    text = (
        "ID;Gefährdung;Fehlermöglichkeit;Ursache;Gefährdungssituation;Schaden;Auswirkung;Bedeutung;Auftreten\n"
        "R-7;Hitze;Heizung bleibt an;Relais klebt;Haut berührt Gehäuse;Verbrennung;Gerät heiß;4,0;2\n"
        "R-7;Hitze;;;;;;;\n"
    )
    imported = _import(tmp_path, text, "scales: {severity: {4: 3}, p1: {2: 1}, p2: {'*': 1}}\n")
    fields = {item.prefix: item.fields for item in reversed(imported.items)}
    assert fields["HAZ"]["statement"] == "Hitze"
    assert fields["SEQ"]["statement"] == "Relais klebt\n\nHeizung bleibt an"
    assert fields["HS"]["statement"] == "Haut berührt Gehäuse"
    assert fields["HARM"]["statement"] == "Verbrennung"
    assert fields["RISK"]["initial"] == {"severity": 3, "p1": 1, "p2": 1}
    assert {remark.value for remark in imported.remarks if remark.severity == "lost"} == {"Gerät heiß"}
    assert [item.origin for item in imported.items if item.prefix == "RISK"] == ["R-7", "R-7 (2)"]


SHARED = (
    "ID,{first},Hazard,Cause,Hazardous situation,Harm,Severity,Occurrence,Risk control\n"
    "1,Missed,{one},Model,Plan is delivered,Death,5,2,Review\n"
    "2,Extra,{other},Model,Plan is delivered,Death,2,4,Review\n"
)


def _hazards_of(imported: Imported, risk: str) -> set[str]:
    """The hazards that a risk goes back to, through its situation, and those of others with the same control."""
    fields = {item.id: item.fields for item in imported.items}
    situations = {fields[risk]["situation"]}
    controls = set(fields[risk]["controls"])
    for other in imported.items:
        if other.prefix == "RISK" and controls & set(other.fields["controls"]):
            situations.add(other.fields["situation"])
    sequences = {name for one in situations for name in fields[one]["follows"]}
    return {fields[name]["from_hazard"] for name in sequences}


def test_rows_of_two_hazards_share_harms_alone(tmp_path: Path) -> None:
    imported = _import(tmp_path, SHARED.format(first="Failure mode", one="Too little", other="Too much"), None)
    assert [_hazards_of(imported, risk) for risk in ("RISK-001", "RISK-002")] == [{"HAZ-001"}, {"HAZ-002"}]
    assert [item.id for item in imported.items if item.prefix == "HARM"] == ["HARM-001"]
    assert any("2 hazards lead to this harm" in one.message and one.value == "Death" for one in imported.remarks)


def test_rows_of_one_hazard_share_what_they_say_in_the_same_words(tmp_path: Path) -> None:
    imported = _import(tmp_path, SHARED.format(first="Failure mode", one="Same", other="Same"), None)
    assert [_hazards_of(imported, risk) for risk in ("RISK-001", "RISK-002")] == [{"HAZ-001"}, {"HAZ-001"}]
    assert len([item for item in imported.items if item.prefix in {"HS", "RC"}]) == 2


def test_rows_without_a_hazard_share_nothing(tmp_path: Path) -> None:
    imported = _import(tmp_path, SHARED.format(first="Failure mode", one="", other=""), None)
    assert [item for item in imported.items if item.prefix == "HAZ"] == []
    assert len([item for item in imported.items if item.prefix == "HS"]) == 2
    assert sum("has no hazard" in one.message for one in imported.remarks) == 2


def test_the_same_failure_of_two_parts_is_two_hazards(tmp_path: Path) -> None:
    text = "Item,Failure mode,Effect,Cause,Severity,RPN\nPump,No output,No drug,Motor,5,1\nSensor,No output,No alarm,Wire,2,1\n"
    imported = _import(tmp_path, text, None)
    hazards = [item.fields["statement"] for item in imported.items if item.prefix == "HAZ"]
    assert hazards == ["Pump: No output", "Sensor: No output"]
    said = [one.value for one in imported.remarks if "no column names the hazard" in one.message]
    assert said == hazards


def _cell(number: int) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *(f"{letter}{number}" for letter in "ab")])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(*(_cell(at) for at in range(6))), min_size=2, max_size=6))
def test_no_chain_ever_leads_to_the_hazard_of_another_row(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    header = "ID,Failure mode,Hazard,Cause,Hazardous situation,Harm,Risk control,Severity\n"
    text = header + "".join(f"{at},{','.join(row)},1\n" for at, row in enumerate(rows))
    imported = _import(tmp_path, text, None)
    fields = {item.id: item.fields for item in imported.items}
    risks = {item.origin: item.fields for item in imported.items if item.prefix == "RISK"}
    for at, row in enumerate(rows):
        follows = fields.get(risks.get(str(at), {}).get("situation", ""), {}).get("follows", ())
        hazards = {fields[name]["from_hazard"] for name in follows if "from_hazard" in fields[name]}
        assert {fields[name]["statement"] for name in hazards} <= {row[1]}


def test_a_table_of_hazards_situations_and_harms_is_an_fmea(tmp_path: Path) -> None:
    path = tmp_path / "risks.csv"
    path.write_text("ID,Hazard,Hazardous situation,Harm\n1,Heat,Skin touches the case,Burn\n", encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    assert [item.id for item in imported.items] == ["HAZ-001", "HS-001", "HARM-001", "RISK-001"]


def test_items_of_a_row_with_an_id_are_known_by_it(tmp_path: Path) -> None:
    text = SHARED.format(first="Failure mode", one="Too little", other="Too much")
    first = _import(tmp_path, text, None)
    origins = {item.origin: item.id for item in first.items}
    assert set(origins) == {f"{row}{kind}" for row in "12" for kind in ("", " HAZ", " SEQ", " HS", " RC")} | {"1 HARM"}
    path = tmp_path / "fmea.csv"
    path.write_text(text.replace("Too little", "Far too little"), encoding="utf-8")
    again = import_file(path, mapping=tmp_path / "mapping.yaml", taken=set(origins.values()), known_origins=origins)
    assert again.new == ()
    before = {item.id: item.fields for item in first.items}
    assert {item.id for item in again.items if item.fields != before[item.id]} == {"HAZ-001"}
