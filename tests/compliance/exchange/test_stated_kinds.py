"""The kind of a row is stated or asked for, and never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from minivess.compliance.exchange.importing import Imported, import_file
from minivess.foundation.errors import UsageError

pytestmark = [pytest.mark.verifies("SU-19"), pytest.mark.verifies("REQ-256")]


def _import(
    folder: Path, text: str, *, kind: str | None = None, mapping: str = "", known: Mapping[str, str] | None = None
) -> Imported:
    path, told = folder / "list.csv", folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    told.write_text(mapping or "format: csv\n", encoding="utf-8")
    return import_file(path, mapping=told, taken=(), known_origins=known or {}, kind=kind)


def _refused(folder: Path, text: str, *, mapping: str = "") -> str:
    with pytest.raises(UsageError) as caught:
        _import(folder, text, mapping=mapping)
    assert "--kind" in caught.value.hint
    assert "HAZ (hazard)" in caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "ID,Text\nH-1,Heat\nH-2,Cold\n",
            "the kind of 2 of 2 row(s) is not stated: 2 whose ids begin with H (H-1, H-2)",
        ),
        ("ID,Text\nSRS-1,x\n", "1 whose ids begin with SRS (SRS-1)"),
        ("ID,Text\n1,x\n2,y\n3,z\n4,w\n", "4 with other ids (1, 2, 3, …)"),
        ("Titel,Text\nx,y\n", "1 without an id (list.csv:2)"),
        (
            "ID,Type,Text\nA,Gizmo,x\nB,Requirement,y\n",
            "the kind of 1 of 2 row(s) is not stated: 1 of the kind `Gizmo` (A)",
        ),
        ("ID,Hazard,Harm,Text\nH1,Heat,Burn,x\n", "1 whose ids begin with H (H1)"),
        ("ID,Text\n" + "".join(f"{'x' * at}-1,y\n" for at in range(1, 15)), "; and 2 more groups"),
    ],
)
def test_rows_of_unknown_kind_are_refused_with_what_there_is(tmp_path: Path, text: str, said: str) -> None:
    assert said in _refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "mapping", "kind", "ids"),
    [
        ("ID,Type,Text\nA,Gefährdung,x\nB,Harm,y\n", "", None, ["HAZ-001", "HARM-001"]),
        ("ID,Text\nHAZ-7,x\nREQ-1,y\nUN 2,z\n", "", None, ["HAZ-007", "REQ-001", "UN-001"]),
        ("ID,Text\nH-1,x\nS-1,y\n", "kinds: {H: HAZ, S: REQ}\n", None, ["HAZ-001", "REQ-001"]),
        ("ID,Text\nH-1,x\n", "kind: HAZ\n", None, ["HAZ-001"]),
        ("ID,Text\nH-1,x\n", "kind: REQ\n", "HAZ", ["HAZ-001"]),
        ("ID,Type,Text\nH-1,,x\nH-2,Need,y\n", "", "HAZ", ["HAZ-001", "UN-001"]),
        ("ID,Type,Text\nH-1,Chapter,x\nH-2,,y\n", "", "HAZ", ["HAZ-001"]),
    ],
)
def test_a_column_an_id_of_our_form_a_mapping_or_a_person_states_the_kind(
    tmp_path: Path, text: str, mapping: str, kind: str | None, ids: list[str]
) -> None:
    found = _import(tmp_path, text.replace("HAZ-7", "HAZ-007").replace("REQ-1", "REQ-001"), mapping=mapping, kind=kind)
    assert [item.id for item in found.items] == ids


def test_an_earlier_import_states_the_kind(tmp_path: Path) -> None:
    found = _import(tmp_path, "ID,Text\nH-1,x\n", known={"H-1": "HAZ-004"})
    assert [(item.id, item.known) for item in found.items] == [("HAZ-004", True)]


def test_each_translated_word_is_named_once(tmp_path: Path) -> None:
    found = _import(tmp_path, "ID,Type,Text\nA,Story,x\nB,Story,y\nREQ-003,,z\n")
    said = [one.message for one in found.remarks if one.field == "kind"]
    assert said == [
        "the kind `Story` of 2 row(s) is taken as software requirement",
        "1 row(s) are taken as software requirement, as the beginning of their ids states",
    ]


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`FOO` is no kind of item"):
        _import(tmp_path, "ID,Text\nA,x\n", kind="FOO")


def test_an_empty_row_needs_no_kind(tmp_path: Path) -> None:
    found = _import(tmp_path, "ID,Text,Category\nA,,data\n")
    assert found.items == ()
    assert [one.severity for one in found.remarks if one.item == "A"] == ["lost"]


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        ("ID,Hazard\nH1,Heat\n", "HAZ", {"title": "Heat", "statement": "Heat"}),
        (
            "Nr;Gefährdung;Beschreibung\nH1;Heat;The case is hot.\n",
            "HAZ",
            {"title": "Heat", "statement": "The case is hot."},
        ),
        ("ID,Hazard,Title,Text\nH1,Heat,a,b\n", "HAZ", {"title": "a", "statement": "b"}),
        ("ID,User needs\nH1,Rest\n", "UN", {"title": "Rest", "statement": "Rest"}),
    ],
)
def test_a_column_that_is_called_like_the_stated_kind_is_its_text(
    tmp_path: Path, text: str, kind: str, fields: dict[str, str]
) -> None:
    [item] = _import(tmp_path, text, kind=kind).items
    assert item.fields == {**fields, "origin": "H1"}
