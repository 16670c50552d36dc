"""Every value of a foreign file is in an item or in a remark: files are sown with marked words, and each is looked for."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from minivess.compliance.exchange.formats.junit import parse_junit
from minivess.compliance.exchange.importing import Imported, import_file
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-19")

CSV = """\
Pumpenliste zq1;;;
Stand zq2;;;
ID;Titel;Anforderung;Abgeleitet von;Priorität;;Notiz
A zq3;Titel zq4;"Text zq5
zweite Zeile zq6";zq7, zq8;hoch zq9;ohne Namen zq10;zq11;überzählig zq12

Kapitel zq13;;;;;
;;Text ohne Id zq14;;
A zq3;Nochmal zq15;zq16;;
ID;Titel;Anforderung;Abgeleitet von;Priorität;;Notiz
"""

MARKDOWN = """\
# Heading zq1

Words zq2.

```
| ID | Text |
|----|------|
| zq3 | in a fence |
```

| ID | Text | Owner |
| -- | ---- | ----- |
| R1 zq4 | must zq5<br>do zq6 | zq7 |
| R2 | a \\| b zq8 | | zq9 |

Tail zq10
"""

RST = """\
Heading zq1
===========

Words zq2.

+--------+-----------+
| ID     | Text      |
+========+===========+
| R zq3  | must zq4  |
|        | do zq5    |
+--------+-----------+

======  ======
ID      Text
======  ======
R zq6   do zq7
======  ======

.. list-table:: Title zq8

   * - ID
     - Text
     - Owner
   * - R zq9
     - shall zq10
     - zq11

.. csv-table:: zq12
   :file: zq13.csv
   :header: ID, Text

Tail zq14
"""

SDOC = """\
[DOCUMENT]
TITLE: Document zq1
UID: zq2

[TEXT]
STATEMENT: >>>
Intro zq3
<<<

[[SECTION]]
MID: zq4
TITLE: Section zq5

[REQUIREMENT]
MID: zq6
UID: SYS-zq7
STATUS: zq8
TITLE: Title zq9
STATEMENT: >>>
Text zq10
<<<
COMMENT: zq11
COMMENT: zq12
RELATIONS:
- TYPE: Parent
  VALUE: zq13
  ROLE: Refines zq14
- TYPE: File
  VALUE: zq15.py
  LINE_RANGE: zq16
stray zq17

[[/SECTION]]

outside zq18

[SECTION]
TITLE: Old zq19

[FREETEXT]
Free zq20
[/FREETEXT]

[COMPOSITE_REQUIREMENT]
UID: OLD-1
TITLE: zq21

[REQUIREMENT]
UID: OLD-2
STATEMENT: zq22
REFS:
- TYPE: Parent
  VALUE: OLD-1

[/COMPOSITE_REQUIREMENT]

[/SECTION]
"""

NEEDS = json.dumps(
    {
        "created": "2026-01-01",
        "current_version": "2.0",
        "project": "p",
        "versions": {
            "1.0 zq1": {"needs": {"OLD": {"id": "OLD", "title": "t"}}},
            "2.0": {
                "needs": {
                    "R_zq2": {
                        "id": "R_zq2",
                        "type": "req",
                        "type_name": "Requirement zq3",
                        "title": "Title zq4",
                        "content": "Text zq5",
                        "links": ["zq6", "S_1"],
                        "links_back": ["zq7"],
                        "tags": ["zq8"],
                        "status": "zq9",
                        "parts": {"1": {"id": "1", "content": "zq10"}},
                        "docname": "zq11",
                        "custom": {"deep": ["zq12"]},
                    },
                    "S_1": {"id": "S_other_zq13", "type": "zq14", "title": "zq15", "description": "zq16"},
                    "T_1": {"id": "T_1", "type": "test", "title": "zq17"},
                    "odd": "zq18",
                }
            },
        },
    },
    indent=1,
)

FMEA = """\
Nr;Funktion;Fehlerart;Fehlerfolge;S;Fehlerursache;A;Vermeidungsmaßnahme;E;RPZ;Empfohlene Maßnahme;Verantwortlich
zq1;zq2;Überdruck zq3;Schaden zq4;zq5;Ventil zq6;zq7;Sensor zq8;zq9;zq10;zq11;zq12
zq13;;;;;;;;;;;
"""

JUNIT = """\
<testsuites><testsuite name="suite zq1" tests="3">
<properties><property name="os" value="zq2"/><property name="requirement" value="REQ-001"/></properties>
<testcase name="a zq3" classname="zq4" time="0.5" odd="zq5"><properties><property name="p" value="zq6"/></properties></testcase>
<testcase name="b"><failure message="zq7">zq8</failure><system-out>zq9</system-out></testcase>
<testcase name="c" status="zq10"><rerunFailure>zq11</rerunFailure><strange>zq12</strange></testcase>
<system-err>zq13</system-err></testsuite></testsuites>
"""


def _missing(sown: str, imported: Imported) -> set[str]:
    found = "\n".join(imported.files.values())
    found += "\n".join(f"{remark} {remark.value} {remark.place}" for remark in imported.remarks)
    return set(re.findall(r"zq[0-9]+", sown)) - set(re.findall(r"zq[0-9]+", found))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CSV),
        ("a.md", MARKDOWN),
        ("a.rst", RST),
        ("a.sdoc", SDOC),
        ("needs.json", NEEDS),
        ("fmea.csv", FMEA),
    ],
)
def test_each_word_of_a_text_file_is_in_an_item_or_a_remark(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert _missing(text, import_file(path, mapping=None, taken=(), known_origins={}, kind="REQ")) == set()


def test_each_word_of_a_workbook_is_in_an_item_or_a_remark(tmp_path: Path) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.comments import Comment  # type: ignore[import-untyped]

    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "zq1"
    sheet.append(["List zq2"])
    sheet.merge_cells("A1:C1")
    sheet.append(["ID", "Title", "Text", "Owner"])
    sheet.append(["R zq3", "zq4", "zq5", "zq6"])
    sheet.append(["R2", "t", '="zq7"&"x"', None])
    sheet["B3"].comment = Comment("zq8", "somebody")
    other = workbook.create_sheet("Hidden zq9")
    other.sheet_state = "hidden"
    other.append(["zq10"])
    stream = io.BytesIO()
    workbook.save(stream)
    path = tmp_path / "a.xlsx"
    path.write_bytes(stream.getvalue())
    sown = " ".join(f"zq{number}" for number in range(1, 11))
    assert _missing(sown, import_file(path, mapping=None, taken=(), known_origins={}, kind="REQ")) == set()


def test_each_word_of_a_doorstop_tree_is_in_an_item_or_a_remark(tmp_path: Path) -> None:
    texts = {
        "reqs/.doorstop.yml": "settings:\n  digits: 3\n  prefix: REQ\n  sep: ''\n",
        "reqs/REQ001.yml": (
            "active: true\nderived: true\nheader: zq1\nlevel: 1.0\nlinks:\n- SYSzq2: abc\n- SYSzq3\nnormative: true\n"
            "ref: 'zq4'\nreferences:\n- path: zq5.c\n  type: file\nreviewed: zq6\ntext: |\n  Text zq7\n"
            "invented-by: zq8\n"
        ),
        "reqs/REQ002.yml": "active: false\nheader: zq9\nlinks: []\ntext: zq10\n",
        "reqs/REQ003.yml": "active: true\nlevel: 1.0\nnormative: false\ntext: zq11\n",
        "reqs/REQ004.yml": "active: true\ntext: &anchor zq12\n",
        "reqs/zq13.yml": "something: else\n",
        "reqs/REQ005.md": "---\nactive: true\nlinks: []\nowner: zq14\n---\n\n# Head zq15\n\nBody zq16\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    imported = import_file(tmp_path, mapping=None, taken=(), known_origins={}, kind="REQ")
    found = _missing(" ".join(texts.values()) + " zq13", imported)
    assert found == {"zq12"}  # the file that cannot be read is named instead
    assert any("REQ004.yml:2" in str(remark) and "anchors" in remark.message for remark in imported.remarks)


def test_each_word_of_a_junit_file_is_in_a_result_or_a_remark() -> None:
    found = parse_junit(JUNIT.encode(), "j.xml")
    said = "\n".join(f"{one} {one.value}" for one in found.remarks) + "\n".join(map(str, found.results))
    assert set(re.findall(r"zq[0-9]+", JUNIT)) - set(re.findall(r"zq[0-9]+", said)) == set()


_HEADERS = st.sampled_from(
    [
        *("ID", "Titel", "Beschreibung", "Text", "Requirement", "Anforderung", "Type", "Parent", "Children", "Links"),
        *(
            "Begründung",
            "Rationale",
            "Category",
            "Sicherheitsklasse",
            "Verification",
            "Status",
            "Owner",
            "Priority",
            "",
        ),
        *("Fehlerart", "Ursache", "Folge", "S", "A", "E", "RPZ", "Maßnahmen", "kind", "origin", "initial.severity"),
        *("controls", "modules", "safety_related", "link:x", "field:y", "ID (2)"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), headers=st.lists(_HEADERS, min_size=1, max_size=8), count=st.integers(0, 4))
def test_each_word_of_any_table_is_in_an_item_or_a_remark(
    tmp_path: Path, data: st.DataObject, headers: list[str], count: int
) -> None:
    number = iter(range(1, 1000))
    cell = st.sampled_from(["", "{}", "{}", "REQ {}", "a {};b {}", "{}\nand {}", "x" * 250 + " {}"])
    rows = [
        [re.sub(r"\{\}", lambda _: f"zq{next(number)}", data.draw(cell)) for _ in range(data.draw(st.integers(0, 9)))]
        for _ in range(count)
    ]
    kinds = data.draw(
        st.sampled_from(["Requirement", "User need", "Risk", "Hazard", "Software unit", "Anomaly", "Test"])
    )
    path = tmp_path / "a.csv"
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([[*headers, "Issue Type"], *([*row[: len(headers)], kinds] for row in rows)])
    path.write_text(stream.getvalue(), encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={}, kind="REQ")
    assert _missing(stream.getvalue(), imported) == set()
