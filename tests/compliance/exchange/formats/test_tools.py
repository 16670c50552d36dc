"""Files of sphinx-needs, StrictDoc, Doorstop and jamb in their own syntax."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.exchange.foreign_items import Foreign, ForeignLink
from minivess.compliance.exchange.formats.doorstop import read_item_file, read_tree
from minivess.compliance.exchange.formats.needs import read_needs
from minivess.compliance.exchange.formats.strictdoc import read_strictdoc
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.foundation.errors import InputError

pytestmark = pytest.mark.verifies("SU-19")


def _needs(needs: dict[str, Any], **more: Any) -> bytes:
    version = {"created": "2026-01-01T00:00:00", "needs": needs, "needs_amount": len(needs), **more}
    return json.dumps({"current_version": "1.0", "project": "p", "versions": {"1.0": version}}, indent=1).encode()


def test_needs_are_read_with_the_roles_the_schema_gives() -> None:
    properties = {
        "links": {"field_type": "links", "default": []},
        "mitigates": {"field_type": "links", "default": []},
        "mitigates_back": {"field_type": "backlinks", "default": []},
        "layout": {"field_type": "core", "default": None},
        "rationale": {"field_type": "extra", "default": "none given"},
    }
    needs = {
        "R_1": {"id": "R_1", "type": "req", "title": "Zählen", "content": "It counts.", "mitigates_back": ["S_1"]},
        "S_1": {"id": "S_1", "type": "spec", "title": "How", "content": "So.", "links": ["R_1", "X"]}
        | {"mitigates": ["R_1"], "layout": None, "rationale": "none given"},
    }
    foreign = read_needs(_needs(needs, needs_schema={"properties": properties}), "needs.json", ForeignMapping())
    assert [item.kind for item in foreign.items] == ["req", "spec"]
    assert foreign.items[1].links == (
        ForeignLink("links", "R_1"),
        ForeignLink("links", "X"),
        ForeignLink("mitigates", "R_1"),
    )
    assert foreign.items[1].attributes == {"rationale": "none given"}
    assert foreign.items[0].attributes == {"rationale": "none given"}
    assert [(one.item, one.field) for one in foreign.remarks if one.severity == "changed"] == [("R_1", "rationale")]
    assert foreign.items[1].place.line is not None
    assert foreign.items[1].place.line > (foreign.items[0].place.line or 0) > 1


def test_an_older_needs_file_without_schema_is_read() -> None:
    needs = {
        "R_1": {"id": "R_1", "type": "req", "description": "Old text", "title": "T", "links": [], "tests": ["R_1"]}
    }
    item = read_needs(_needs(needs), "needs.json", ForeignMapping()).items[0]
    assert (item.text, item.links) == ("Old text", (ForeignLink("tests", "R_1"),))


def test_a_need_that_is_there_twice_is_read_twice() -> None:
    text = _needs({"A": {"id": "A", "title": "one"}, "B": {"id": "B", "title": "two"}}).decode().replace('"B"', '"A"')
    foreign = read_needs(text.encode(), "needs.json", ForeignMapping())
    assert [item.title for item in foreign.items] == ["one", "two"]


def test_numbers_of_a_needs_file_are_taken_as_written() -> None:
    text = _needs({"A": {"id": "A", "title": "t", "content": "c", "rationale": 0}}).decode()
    for written in ("1.10", "1e5", "12345678901234567890.0", "-0.0", "NaN", "9" * 5000):
        item = read_needs(
            text.replace('"rationale": 0', f'"rationale": {written}').encode(), "n.json", ForeignMapping()
        ).items[0]
        assert item.attributes == {"rationale": written}


@pytest.mark.parametrize(
    ("written", "taken"),
    [("1.10", "1.10"), ("0012", "0012"), ("no", "no"), ("1e5", "1e5"), ("TRUE", "TRUE"), ("2025-03-04", "2025-03-04")],
)
def test_plain_values_of_yaml_are_taken_as_written(tmp_path: Path, written: str, taken: str) -> None:
    path = tmp_path / "REQ001.yml"
    path.write_text(f"active: true\ntext: {written}\nlevel: {written}\n", encoding="utf-8")
    item = read_item_file(path, ForeignMapping()).items[0]
    assert (item.text, item.attributes) == (taken, {"level": taken})


@pytest.mark.parametrize("word", ["false", "False", "no", "NO", "off"])
def test_an_item_that_is_not_active_in_the_words_of_yaml_is_not_taken(tmp_path: Path, word: str) -> None:
    path = tmp_path / "REQ001.yml"
    path.write_text(f"active: {word}\ntext: x\nheader: null\n", encoding="utf-8")
    with pytest.raises(InputError, match="not active"):
        read_item_file(path, ForeignMapping())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "is not JSON"),
        (b"[]", "no `versions`"),
        (b'{"versions": {}}', "no `versions`"),
        (b'{"versions": {"1": {"filters": {}}}}', "has no `needs`"),
        (b'{"versions": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read|no `versions`"),
    ],
)
def test_what_is_no_needs_file_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_needs(data, "needs.json", ForeignMapping())


SDOC = """\
[DOCUMENT]
TITLE: Pump

[[SECTION]]
TITLE: Alarms

[REQUIREMENT]
UID: SYS-1
TITLE: Überdruck
STATEMENT: >>>
The pump shall

RELATIONS: of words too.
<<<
RATIONALE: Pressure.

[[/SECTION]]

[SW_REQ]
UID: SW-1
STATEMENT: The software shall beep.
RELATIONS:
- TYPE: Parent
  VALUE: SYS-1
  ROLE: Refines
- TYPE: Child
  VALUE: SW-2

[REQUIREMENT]
UID: SW-2
STATEMENT: >>>
never closed
"""


def _sdoc(text: str) -> Foreign:
    return read_strictdoc(text.encode(), "a.sdoc", ForeignMapping())


def test_strictdoc_nodes_are_read() -> None:
    foreign = _sdoc(SDOC)
    first, second, third = foreign.items
    assert first.content()[:4] == ("SYS-1", "REQUIREMENT", "Überdruck", "The pump shall\n\nRELATIONS: of words too.")
    assert first.attributes == {"rationale": "Pressure.", "SECTION": "Alarms"}
    assert (second.kind, second.links) == ("SW_REQ", (ForeignLink("Refines", "SYS-1"), ForeignLink("Child", "SW-2")))
    assert third.text == "never closed"
    assert [item.place.line for item in foreign.items] == [7, 19, 29]
    assert any("<<< is missing" in remark.message for remark in foreign.remarks)


def test_a_child_of_strictdoc_becomes_a_link_of_the_child(tmp_path: Path) -> None:
    path = tmp_path / "a.sdoc"
    path.write_text(SDOC, encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    assert [item.fields.get("derives_from") for item in imported.items] == [None, ["REQ-001"], ["REQ-002"]]


def test_a_file_without_nodes_is_no_strictdoc() -> None:
    with pytest.raises(InputError, match="no StrictDoc node"):
        _sdoc("just words\n")


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


DOORSTOP = {
    "un/.doorstop.yml": "settings:\n  digits: '3'\n  itemformat: yaml\n  prefix: UN\n  sep: '-'\n",
    "un/UN-001.yml": (
        "active: true\nderived: false\nheader: Bedarf\nlevel: 1.0\nlinks: []\nnormative: true\nref: ''\n"
        "reviewed: null\ntext: |\n  Der Nutzer braucht Alarm.\n"
    ),
    "srs/.doorstop.yml": "settings:\n  digits: '3'\n  parent: UN\n  prefix: SRS\n  sep: '-'\n",
    "srs/SRS-001.yml": (
        "active: true\nderived: false\nheader: ''\nlevel: 1.10\nlinks:\n- UN-001: 9TcFUzsQWU=\n- UN-002\n"
        "normative: true\nref: ''\nreviewed: 9TcFUzsQ\ntext: |\n  Die Software soll\n  warnen.\n"
    ),
}


def test_a_doorstop_tree_is_read(tmp_path: Path) -> None:
    imported = import_file(_tree(tmp_path, DOORSTOP), mapping=None, taken=(), known_origins={})
    by_origin = {item.origin: item for item in imported.items}
    assert by_origin["UN-001"].fields == {
        "title": "Bedarf",
        "statement": "Der Nutzer braucht Alarm.",
        "origin": "UN-001",
    }
    assert by_origin["UN-001"].id == "UN-001"
    requirement = by_origin["SRS-001"]
    assert requirement.fields["statement"] == "Die Software soll\nwarnen."
    assert requirement.fields["derives_from"] == ["UN-001"]
    said = "\n".join(map(str, imported.remarks))
    assert "srs/SRS-001.yml:1 (SRS-001): SRS-001: the link `parent` points to `UN-002`, which is nowhere" in said


def test_a_jamb_tree_its_export_and_single_items_are_read(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path / "reqs",
        {
            "sys/.jamb.yml": "settings:\n  prefix: SYS\n  digits: 3\n  sep: ''\n",
            "sys/SYS001.yml": "active: true\ntype: requirement\ntext: System.\nreviewed: null\n",
            "srs/.jamb.yml": "settings:\n  prefix: SRS\n  digits: 3\n  sep: ''\n  parents:\n  - SYS\n",
            "srs/SRS001.yml": 'active: true\nlinks:\n- uid: SYS001\n  hash: "e5f6"\ntestable: false\ntext: Software.\n',
        },
    )
    foreign = read_tree(tree, ForeignMapping())
    assert [(item.id, item.kind, item.links) for item in foreign.items] == [
        ("SRS001", "SRS", (ForeignLink("parent", "SYS001"),)),
        ("SYS001", "SYS", ()),
    ]
    assert foreign.items[0].attributes == {"testable": "false"}
    exported = tmp_path / "export.yml"
    exported.write_text(
        "documents:\n- prefix: SYS\n  path: sys\n- prefix: SRS\n  path: srs\n  parents:\n  - SYS\n"
        "items:\n- uid: SYS001\n  text: System.\n- uid: SRS001\n  text: Software.\n  header: Head\n  links:\n  - SYS001\n"
        "- just words\n",
        encoding="utf-8",
    )
    foreign = read_item_file(exported, ForeignMapping())
    assert [(item.id, item.kind, item.title, len(item.links)) for item in foreign.items] == [
        ("SYS001", "SYS", "", 0),
        ("SRS001", "SRS", "Head", 1),
    ]
    assert [remark.place.line for remark in foreign.remarks if remark.severity == "lost"] == [16]
    single = read_item_file(tree / "srs" / "SRS001.yml", ForeignMapping())
    assert [(item.id, item.kind) for item in single.items] == [("SRS001", "SRS")]


def test_yaml_with_aliases_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "REQ001.yml"
    path.write_text("active: true\ntext: &a hello\nheader: *a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"REQ001\.yml:2: anchors and aliases are refused"):
        read_item_file(path, ForeignMapping())
