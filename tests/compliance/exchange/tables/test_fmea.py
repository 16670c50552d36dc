"""An FMEA becomes hazards, sequences of events, situations, harms, controls and risks."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import load_items

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
    by_id = {item.id: item.fields for item in imported.items}
    assert by_id["HS-001"]["follows"] == ["SEQ-001", "SEQ-002"]
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
    assert lost == {"Item / Function", "Det", "RPN"}


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
