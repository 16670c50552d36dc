"""Foreign items become ours: kinds, ids that stay, links translated, and no text made up."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from minivess.compliance.exchange import mapping
from minivess.compliance.exchange.importing import Imported, import_file, to_yaml
from minivess.compliance.exchange.mapping import read_mapping
from minivess.compliance.items.items import load_items
from minivess.foundation.errors import InputError, UsageError

pytestmark = pytest.mark.verifies("SU-19")


def _import(
    tmp_path: Path,
    text: str,
    *,
    mapping: str | None = None,
    taken: Collection[str] = (),
    known: Mapping[str, str] | None = None,
    kind: str | None = "REQ",
) -> Imported:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    told = None
    if mapping is not None:
        told = tmp_path / "mapping.yaml"
        told.write_text(mapping, encoding="utf-8")
    return import_file(path, mapping=told, taken=taken, known_origins=known or {}, kind=kind)


def _said(imported: Imported, severity: str) -> list[str]:
    return [remark.message for remark in imported.remarks if remark.severity == severity]


def test_ids_are_new_and_never_those_that_are_taken(tmp_path: Path) -> None:
    imported = _import(tmp_path, "ID,Text\nA,one\nREQ-003,two\nB,three\n", taken=["REQ-001", "REQ-007", "UN-09"])
    assert [(item.id, item.origin) for item in imported.items] == [
        ("REQ-008", "A"),
        ("REQ-003", "REQ-003"),
        ("REQ-009", "B"),
    ]
    assert [item.fields.get("origin") for item in imported.items] == ["A", "REQ-003", "B"]


@pytest.mark.parametrize("taken", [["REQ-003"], ["REQ-03"], ["REQ-00003"]])
def test_an_id_of_our_form_is_given_anew_where_it_is_taken(tmp_path: Path, taken: list[str]) -> None:
    imported = _import(tmp_path, "ID,Text\nREQ-003,two\n", taken=taken)
    assert [(item.id, item.fields["origin"]) for item in imported.items] == [("REQ-004", "REQ-003")]


def test_importing_again_gives_the_same_ids(tmp_path: Path) -> None:
    text = "ID,Text,Parent\nA 1,one,\n,no id here,A 1\nA 1,twice,\nUN-7,need,\n"
    first = _import(tmp_path, text, taken=["REQ-005"])
    origins = {item.origin: item.id for item in first.items}
    assert len(origins) == 4
    longer = text.replace("A 1,one,", "NEW,new,\nA 1,one,")
    second = _import(tmp_path, longer, taken=["REQ-005", *origins.values()], known=origins)
    assert {item.origin: item.id for item in second.known} == origins
    assert [(item.id, item.origin) for item in second.new] == [("REQ-009", "NEW")]
    assert "REQ-009" in second.files["requirements/imported-list.yaml"]
    assert "REQ-006" not in second.files["requirements/imported-list.yaml"]
    link = next(item for item in second.known if item.fields["statement"] == "no id here")
    assert link.fields["derives_from"] == [origins["A 1"]]


def test_a_source_keeps_equal_ids_of_two_files_apart(tmp_path: Path) -> None:
    known = {"A: 1": "REQ-001"}
    imported = _import(tmp_path, "ID,Text,Parent\n2,x,1\n", mapping="source: A\n", taken=["REQ-001"], known=known)
    assert [(item.origin, item.fields["derives_from"]) for item in imported.items] == [("A: 2", ["REQ-001"])]


def test_duplicate_ids_dangling_links_and_circles_are_named(tmp_path: Path) -> None:
    text = "ID,Text,Parent\nA,a,B\nB,b,C\nC,c,A\nA,again,\nD,d,D;nowhere\n"
    imported = _import(tmp_path, text)
    assert _said(imported, "note") == [
        "columns are read so: `ID` as id, `Text` as text, `Parent` as links",
        "the id is there twice (first at list.csv:2); links to it go to the first",
        "links go in a circle: REQ-001 -> REQ-002 -> REQ-003 -> REQ-001",
    ]
    lost = [(remark.item, remark.value) for remark in imported.remarks if remark.severity == "lost"]
    assert lost == [("D", "D"), ("D", "nowhere")]
    assert imported.items[0].fields["derives_from"] == ["REQ-002"]


def test_missing_fields_are_named_with_their_line_and_nothing_is_made_up(tmp_path: Path) -> None:
    imported = _import(tmp_path, "ID,Title,Text\nA,One,The software shall.\nB,Two,And more.\n")
    text = imported.files["requirements/imported-list.yaml"]
    remark = next(one for one in imported.remarks if one.item == "REQ-002" and one.field == "rationale")
    assert str(remark) == (
        "requirements/imported-list.yaml:7: REQ-002: lacks `rationale`: the file will not load until it is written"
    )
    assert text.split("\n")[6] == "  - id: REQ-002"
    assert text == (
        "requirements:\n  - id: REQ-001\n    title: One\n    statement: The software shall.\n    origin: A\n\n"
        "  - id: REQ-002\n    title: Two\n    statement: And more.\n    origin: B\n"
    )


def test_with_defaults_an_import_loads(tree: Path, tmp_path: Path) -> None:
    mapping = "defaults: {category: functional, safety_class: B, verification: test}\n"
    text = (
        "ID;Typ;Titel;Text;Begründung;Parent\n"
        "N1;Bedarf;Ruhe;Jemand braucht Ruhe.;;\nS1;SRS;Leise;Es soll leise sein.;Lärm: stört!;N1\n"
    )
    taken = load_items(tree).by_id
    imported = _import(tmp_path, text, mapping=mapping, taken=taken)
    assert not any(item.missing for item in imported.items)
    for name, content in imported.files.items():
        (tree / name).write_text(content, encoding="utf-8")
    items = load_items(tree).by_id
    assert items["UN-002"].title == "Ruhe"
    requirement = load_items(tree).requirements["REQ-002"]
    assert (requirement.rationale, requirement.derives_from) == ("Lärm: stört!", ("UN-002",))
    assert "`category` of 1 items is the mapping's default, functional" in _said(imported, "note")


def test_links_find_the_field_of_either_end(tmp_path: Path) -> None:
    text = "ID,Type,Text,Links\nC,Risk control,c,\nR,Requirement,r,C\nN,User need,n,R\nS,System requirement,s,N\n"
    imported = _import(tmp_path, text)
    fields = {item.origin: item.fields for item in imported.items}
    assert fields["C"]["implemented_by"] == ["REQ-001"]
    assert fields["R"]["derives_from"] == ["UN-001"]
    assert fields["S"]["derives_from"] == ["UN-001"]
    assert "`Links` to RC-001 is written there, as `implemented_by`" in _said(imported, "changed")


def test_a_mapping_says_kinds_relations_words_and_what_to_leave_out(tmp_path: Path) -> None:
    mapping = """\
kinds: {Wunsch: UN, Notiz: ignore}
fields: {Was: text, Wer: ignore, Woher: links, Wie: verification}
relations: {Woher: derives_from}
values: {verification: {Hinsehen: inspection}}
"""
    text = "ID;Typ;Was;Wer;Woher;Wie\nW;Wunsch;w;Anna;;\nR;Anforderung;r;Bert;W;Hinsehen\nN;Notiz;n;;;\nX;Anforderung;x;;;raten\n"
    imported = _import(tmp_path, text, mapping=mapping)
    assert [item.id for item in imported.items] == ["UN-001", "REQ-001", "REQ-002"]
    assert imported.items[1].fields["verification"] == "inspection"
    assert imported.items[1].fields["derives_from"] == ["UN-001"]
    lost = {remark.value.split("\n")[0] for remark in imported.remarks if remark.severity == "lost"}
    assert lost == {"Anna", "Bert", "N", "raten"}


@pytest.mark.parametrize(
    ("mapping", "said", "hint"),
    [
        ("kinds: {A: FOO}\n", ":1: `kinds`: `FOO` is none of ", ""),
        ("fields: {A: txet}\n", ":1: `fields`: `txet` is none of ", ""),
        ("relations:\n  a: title\n", ":1: `relations`: `title` is none of ", ""),
        ("kind: XX\n", ":1: `kind`: `XX` is none of ", ""),
        ("defaults: {colour: red}\n", ":1: `defaults`: `colour` is none of ", ""),
        ("feilds: {}\n", ":1: unknown field `feilds`", "`fields`"),
        ("format: word\n", ":1: `format`", ""),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(tmp_path: Path, mapping: str, said: str, hint: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(mapping, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_mapping(path)
    assert said in str(caught.value)
    assert hint in caught.value.hint


def test_the_mapping_that_is_shown_can_be_read(tmp_path: Path) -> None:
    shown = (mapping.__doc__ or "").split("optional):\n", 1)[1]
    path = tmp_path / "mapping.yaml"
    path.write_text(textwrap.dedent(shown), encoding="utf-8")
    assert read_mapping(path).fields == {"Anforderung": "text", "Wird abgeleitet aus": "derives_from"}


def test_unknown_kinds_and_long_titles_are_taken_with_a_remark(tmp_path: Path) -> None:
    imported = _import(tmp_path, f"ID,Type,Title,Text\nA,Gizmo,{'word ' * 60},t\nB,Heading,Alarms,\n")
    assert _said(imported, "changed") == [
        "spaces at the ends of 1 value(s) of `Title` are not taken",
        "the kind `Gizmo` is not known: taken as software requirement",
        "the title has 299 characters and is shortened to 200",
    ]
    assert len(imported.items[0].fields["title"]) <= 200
    assert [remark.item for remark in imported.remarks if remark.severity == "lost"] == ["B"]


def test_fixed_values_are_understood_in_two_languages(tmp_path: Path) -> None:
    text = (
        "ID;Text;Sicherheitsklasse;Kategorie;Verifikationsmethode\n"
        "1;a;Klasse C;Schnittstelle;Prüfung\n2;b;class b;FUNCTIONAL;T\n3;c;B;it-sicherheit;Review\n4;d;D;Sonstiges;raten\n"
    )
    imported = _import(tmp_path, text)
    found = [
        (item.fields.get("safety_class"), item.fields.get("category"), item.fields.get("verification"))
        for item in imported.items
    ]
    assert found == [
        ("C", "interfaces", "test"),
        ("B", "functional", "test"),
        ("B", "security", "inspection"),
        (None, None, None),
    ]
    assert {remark.value for remark in imported.remarks if remark.severity == "lost"} == {"D", "Sonstiges", "raten"}


def test_nothing_tells_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"hello")
    with pytest.raises(UsageError, match="its format is not known"):
        import_file(path, mapping=None, taken=(), known_origins={})
    with pytest.raises(UsageError, match=r"without \.doorstop"):
        import_file(tmp_path, mapping=None, taken=(), known_origins={})
    with pytest.raises(InputError, match="no such file"):
        import_file(tmp_path / "none.csv", mapping=None, taken=(), known_origins={})


def test_all_items_can_be_written_not_only_new_ones(tmp_path: Path) -> None:
    imported = _import(tmp_path, "ID,Text\nA,a\n", known={"A": "REQ-004"})
    assert imported.files == {}
    assert to_yaml(imported.items, name="again")["requirements/again.yaml"].startswith(
        "requirements:\n  - id: REQ-004\n"
    )


def test_ids_can_run_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no id left"):
        _import(tmp_path, "ID,Text\nA,a\n", taken=["REQ-99999"])


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("7", 7),
        ("4,0", 4),
        ("4.00", 4),
        ("0012", 12),
        ("1,000", None),
        ("1.000", None),
        ("1e5", None),
        ("1_000", None),
        ("seven", None),
    ],
)
def test_a_whole_number_is_never_another_one(tmp_path: Path, written: str, taken: int | None) -> None:
    imported = _import(tmp_path, f'ID,Text,exposures\nA,x,"{written}"\n', kind="FC")
    assert imported.items[0].fields.get("exposures") == taken
    told = [one for one in imported.remarks if one.field == "exposures" and one.severity in {"lost", "changed"}]
    assert [one.value for one in told] == ([] if str(taken) == written else [written])


@pytest.mark.parametrize(
    ("written", "taken"),
    [("0.9", 0.9), ("0,9", 0.9), ("0,900", 0.9), ("1,5", 1.5), ("1,000", None), ("1.000,5", None), ("9e-1", 0.9)],
)
def test_a_real_number_is_never_another_one(tmp_path: Path, written: str, taken: float | None) -> None:
    imported = _import(tmp_path, f'ID,Text,at_least\nA,x,"{written}"\n', kind="SAC")
    assert imported.items[0].fields.get("at_least") == taken
    told = [one for one in imported.remarks if one.field == "at_least" and one.severity in {"lost", "changed"}]
    assert [one.value for one in told] == ([] if str(taken) == written else [written])


def test_words_numbers_and_lists_that_are_taken_otherwise_are_named_once(tmp_path: Path) -> None:
    text = "ID;Text;Verification;Category\n1;a;Prüfung;sicherheit\n2;b;Prüfung;functional\n"
    assert _said(_import(tmp_path, text), "changed")[-4:] == [
        "has no title; the beginning of its text is taken: a",
        "has no title; the beginning of its text is taken: b",
        "`verification`: `Prüfung` is taken as test (2 times)",
        "`category`: `sicherheit` is taken as risk-control (1 times)",
    ]
    listed = _import(tmp_path, 'ID,Text,interfaces\nA,x,"Offers a; asks b"\n', kind="SI")
    assert listed.items[0].fields["interfaces"] == ["Offers a", "asks b"]
    assert any("is taken as 2 entries" in one for one in _said(listed, "changed"))


def test_a_relation_of_unknown_meaning_is_named(tmp_path: Path) -> None:
    path = tmp_path / "needs.json"
    need = {"type": "req", "title": "t", "content": "c"}
    needs = {"A": need | {"id": "A", "blocks": ["B"], "links": ["B"]}, "B": need | {"id": "B"}}
    path.write_text(json.dumps({"current_version": "1", "versions": {"1": {"needs": needs}}}), encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    assert imported.items[0].fields["derives_from"] == ["REQ-002"]
    [said] = [one for one in imported.remarks if one.severity == "changed"]
    assert said.value == "blocks"
    assert "1 link(s) of it are taken as `derives_from`" in said.message


def test_what_a_column_is_does_not_depend_on_empty_cells(tmp_path: Path) -> None:
    imported = _import(tmp_path, "ID,Requirement,Description\nA,one,two\nB,three,\n")
    assert [item.fields["title"] for item in imported.items] == ["one", "three"]
    assert [item.fields["statement"] for item in imported.items] == ["two", "three"]
    assert [one.item for one in imported.remarks if "has no text; its title" in one.message] == ["B"]
