"""Tables of requirements in Markdown and reStructuredText."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.exchange.foreign_items import Foreign
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.text_tables import read_text_tables
from minivess.foundation.errors import InputError

pytestmark = pytest.mark.verifies("SU-19")


def _read(text: str, *, rst: bool) -> Foreign:
    return read_text_tables(text.encode(), "a.rst" if rst else "a.md", ForeignMapping(), rst=rst)


def _items(text: str, *, rst: bool) -> list[tuple[str, str, int | None, str]]:
    return [(item.id, item.text, item.place.line, item.place.within) for item in _read(text, rst=rst).items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Alarms\n\n| ID | Text |\n|:--|--:|\n| R1 | a \\| `b`<br>c |\n| R2 | d |\n\nEnd.\n",
            [("R1", "a | `b`\nc", 5, "Alarms"), ("R2", "d", 6, "Alarms")],
        ),
        ("ID | Text\n---|---\nR1 | without borders\n", [("R1", "without borders", 3, "")]),
        ("| ID | Text |\n|---|---|\n| R1 |\n| R2 | b | beyond |\n", [("R1", "", 3, ""), ("R2", "b", 4, "")]),
        ("| ID | Text |\n|---|---|\n| R1 | a &lt; b &amp;&amp; c |\n", [("R1", "a < b && c", 3, "")]),
        ("```\n| ID | Text |\n|---|---|\n| R1 | in a fence |\n```\n", []),
        ("a | b\n\n---\n", []),
    ],
)
def test_tables_of_pipes(text: str, expected: list[tuple[str, str, int, str]]) -> None:
    assert _items(text, rst=False) == expected


GRID = """\
Alarms
======

+------+---------------+
| ID   | Text          |
+======+===============+
| R1   | The software  |
|      | shall beep.   |
|      |               |
|      | - loud        |
|      | - long        |
+------+---------------+
| R2   | Überdruck     |
+------+---------------+
"""
SIMPLE = """\
=====  ==================
ID     Text
=====  ==================
R1     The software
       shall beep.
R2     Über alles, weiter als die Spalte
=====  ==================

after
"""
LISTED = """\
.. list-table:: Listed
   :header-rows: 1
   :widths: 10 90

   * - ID
     - Text
   * - R1
     - The software
       shall beep.
   * - R2
     -
"""
SEPARATED = """\
.. csv-table:: Values
   :header: "ID", "Text"
   :widths: 10, 20

   R1, "The software, it
   shall beep."
   R2, second
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            GRID,
            [("R1", "The software shall beep.\n\n- loud\n- long", 7, "Alarms"), ("R2", "Überdruck", 13, "Alarms")],
        ),
        (SIMPLE, [("R1", "The software shall beep.", 4, ""), ("R2", "Über alles, weiter als die Spalte", 6, "")]),
        (LISTED, [("R1", "The software shall beep.", 7, "Listed"), ("R2", "", 10, "Listed")]),
        (SEPARATED, [("R1", "The software, it\nshall beep.", 5, "Values"), ("R2", "second", 7, "Values")]),
    ],
)
def test_tables_of_restructured_text(text: str, expected: list[tuple[str, str, int, str]]) -> None:
    assert _items(text, rst=True) == expected


SPANNED = """\
+----+-------+-------+
| ID | Text  | Title |
+====+=======+=======+
| R1 | both share    |
+----+-------+       |
| R2 | own   |       |
+----+-------+-------+
"""
DIRECTIVE = """\
.. req:: unknown to docutils
   :id: X

   .. table:: Inner

      === ======
      ID  Text
      === ======
      R1  inside
      === ======
"""


def test_a_cell_over_several_rows_is_in_each_of_them() -> None:
    text = SPANNED.replace("both share    ", "own2  | both  ")
    items = _read(text, rst=True).items
    assert [(item.id, item.text, item.title) for item in items] == [("R1", "own2", "both"), ("R2", "own", "both")]


def test_a_directive_that_is_not_known_is_read_as_its_content() -> None:
    assert _items(DIRECTIVE, rst=True) == [("R1", "inside", 9, "Inner")]


@pytest.mark.parametrize("option", [":file: {path}", ":url: file://{path}"])
def test_no_other_file_is_read(tmp_path: Path, option: str) -> None:
    other = tmp_path / "other.csv"
    other.write_text("ID,Text\nR1,secret\n", encoding="utf-8")
    for text in (f".. csv-table::\n   {option.format(path=other)}\n", f".. include:: {other}\n"):
        foreign = _read(text, rst=True)
        assert foreign.items == []
        assert any(remark.severity == "lost" for remark in foreign.remarks)


def test_a_table_in_a_list_is_read_and_one_in_code_is_not() -> None:
    table = ["| ID | Text |", "|---|---|", "| R1 | a |"]
    listed = "- point\n\n" + "\n".join(f"  {line}" for line in table)
    indented = "Text.\n\n" + "\n".join(f"    {line}" for line in table)
    assert _items(listed, rst=False) == [("R1", "a", 5, "")]
    assert _items(indented, rst=False) == []


def test_what_docutils_fails_at_is_refused() -> None:
    with pytest.raises(InputError, match="reStructuredText"):
        _read(".. csv-table:: :delim:", rst=True)


@pytest.mark.parametrize("text", ["=== ===\nID  Text\n", "+---+\n", ".. list-table::\n", "plain words\n", "|\n"])
@pytest.mark.parametrize("rst", [True, False])
def test_what_only_looks_like_a_table_is_named(text: str, rst: bool) -> None:
    foreign = _read(text, rst=rst)
    assert foreign.items == []
    assert foreign.remarks


def test_text_around_tables_is_named_by_its_lines() -> None:
    remarks = _read("one\ntwo\n\nthree\n", rst=False).remarks
    assert [(one.place.line, one.value) for one in remarks if one.severity == "lost"] == [(1, "one\ntwo"), (4, "three")]


CELLS = """\
.. list-table::

   * - ID
     - Text
   * - R1
     - shall stop

       .. note:: not at night
   * - R2
     - | line one
       | line two
   * - R3
     - .. not shown
   * - R4
     - 5. five
       6. six
   * - R5
     - .. image:: pump.png
   * - R6
     - 10\\ :sup:`-6` |x|
"""


def test_blocks_in_a_cell_stay_what_they_are() -> None:
    assert [item.text for item in _read(CELLS, rst=True).items] == [
        "shall stop\n\n.. note:: not at night",
        "line one\nline two",
        ".. not shown",
        "5. five\n6. six",
        ".. image:: pump.png",
        "10\\ :sup:`-6` |x|",
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (".. figure:: a.png\n\n   caption", ".. figure:: a.png\n\n   caption"),
        (".. unknown:: a\n\n   b", ".. unknown:: a\n\n   b"),
        (".. raw:: html\n\n   <b>a</b>", ".. raw:: html\n\n   <b>a</b>"),
        ("head\n====\n\ntext", "head\n====\n\ntext"),
        ("(c) a\n(d) b", "(c) a\n(d) b"),
        ("iii) a\niv) b", "iii) a\niv) b"),
        (":name: a", ":name: a"),
        ("a [#f]_\n\n.. [#f] note", "a [#f]_\n\n.. [#f] note"),
        ("a\n\n----\n\nb", "a\n\n----\n\nb"),
        ("+---+---+\n| a | b |\n+---+---+\n| c |   |\n+---+---+", "a | b\nc |"),
    ],
)
def test_a_block_in_a_cell_is_kept_in_its_markup(cell: str, text: str) -> None:
    inside = "\n       ".join(cell.split("\n"))
    items = _read(f".. list-table::\n\n   * - ID\n     - Text\n   * - R1\n     - {inside}\n", rst=True).items
    assert [item.text for item in items] == [text]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("`a \\* b`", "`a \\* b`"),
        ("``a ` &lt;`` &lt;", "``a ` &lt;`` <"),
        ("`<br>` a<br>b", "`<br>` a\nb"),
        ("\\`a\\* b\\`", "`a* b`"),
        ("~~not~~ 10<sup>-6</sup>", "~~not~~ 10<sup>-6</sup>"),
    ],
)
def test_nothing_is_unescaped_in_code(cell: str, text: str) -> None:
    assert _read(f"| ID | Text |\n|---|---|\n| R1 | {cell} |\n", rst=False).items[0].text == text
