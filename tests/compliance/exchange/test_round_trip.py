"""What is exported comes back the same, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from minivess.compliance.exchange.exporting import export_items, render_items
from minivess.compliance.exchange.foreign_items import ForeignItem, ForeignLink, Place, tidy, tidy_line
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.compliance.items.items import load_items
from minivess.foundation.errors import InputError, UsageError
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-19")

SUFFIXES = (".csv", ".tsv", ".xlsx", ".reqif", ".json", ".md")
_odd = st.sampled_from(
    [
        *("=1+1", "+a", "-b", "@c", "'=x", "''", "_x000A_", "a\nb", "  a  b", "a\n\n\n\nb", "\ta", "<b>&amp;</b>"),
        *("a|b", "\\|", "a\\", "<br>", "&lt;", "\u2028x", "a;b,c\td", '"', "'", "ＳＵＭ＝", "מזהה", "病", "🫀", "]]>"),
        *("a\u0308", "\x85x", "\xa0y"),
    ]
)
_text = st.one_of(st.text(max_size=40), _odd, st.lists(_odd, max_size=4).map("\n".join)).map(tidy)
_line = st.one_of(st.text(max_size=20), _odd).map(tidy_line)
_name = _line.filter(bool)


@st.composite
def items(draw: st.DrawFn) -> list[ForeignItem]:
    """Items with odd texts; ids differ, as links need them."""
    ids = draw(st.lists(_name, min_size=1, max_size=5, unique=True))
    relations = draw(st.lists(_name, min_size=1, max_size=3, unique=True))
    found = []
    for at, name in enumerate(ids):
        links = draw(
            st.lists(st.tuples(st.sampled_from(relations), st.one_of(st.sampled_from(ids), _name)), max_size=4)
        )
        attributes = draw(st.dictionaries(_name, _text.filter(bool), max_size=4))
        unique = tuple(dict.fromkeys(ForeignLink(relation, target) for relation, target in links))
        kind = draw(st.one_of(st.sampled_from(["REQ", "UN", ""]), _line))
        found.append(ForeignItem(name, kind, draw(_line), draw(_text), attributes, unique, Place("x", at)))
    return found


@pytest.mark.parametrize("suffix", SUFFIXES[:-1])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=items())
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str, written: list[ForeignItem]) -> None:
    path = tmp_path / f"items{suffix}"
    path.write_bytes(render_items(written, path))
    read = read_foreign(path, ForeignMapping())
    assert [item.content() for item in read.items] == [item.content() for item in written]
    assert [remark for remark in read.remarks if remark.severity == "lost"] == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=items())
def test_a_markdown_table_gives_back_all_items(tmp_path: Path, written: list[ForeignItem]) -> None:
    path = tmp_path / "items.md"
    path.write_bytes(render_items(written, path))
    assert [item.content() for item in read_foreign(path, ForeignMapping()).items] == [
        item.content() for item in written
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_items_of_the_project_come_back_as_the_same_yaml(tree: Path, tmp_path: Path, suffix: str) -> None:
    whole = tree / "requirements" / "all.yaml"
    whole.write_text(
        f"{whole.read_text(encoding='utf-8')}    origin: SW 17\n    rests_on: [weights]\n", encoding="utf-8"
    )
    before = load_items(tree)
    path = tmp_path / f"items{suffix}"
    export_items(before.all(), path, clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    assert [remark for remark in imported.remarks if remark.severity in {"lost", "missing"}] == []
    plan = (tree / "risk" / "plan.yaml").read_text(encoding="utf-8")
    for file, text in {**imported.files, "risk/plan.yaml": plan}.items():
        target = tmp_path / "again" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    after = load_items(tmp_path / "again")
    assert {name: item.model_dump(exclude={"source"}) for name, item in before.by_id.items()} == {
        name: item.model_dump(exclude={"source"}) for name, item in after.by_id.items()
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_export_does_not_depend_on_the_day_but_for_its_time(tree: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"items{suffix}"
    listed = list(load_items(tree).all())
    written = []
    for _ in range(2):
        export_items(listed, path, clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))
        written.append(path.read_bytes())
    if suffix != ".xlsx":  # openpyxl writes the time into the archive
        assert written[0] == written[1]


def test_no_cell_of_an_export_is_a_formula(tmp_path: Path) -> None:
    import openpyxl  # type: ignore[import-untyped]

    item = ForeignItem("=cmd|'/c calc'!A1", "REQ", "+1", "@SUM(1)", {"note": "-2+3"}, (), Place("x"))
    path = tmp_path / "items.xlsx"
    path.write_bytes(render_items([item], path))
    cells = [cell for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=2) for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert all(str(cell.value)[0] not in "=+-@" for cell in cells if cell.value is not None)
    text = render_items([item], tmp_path / "items.csv").decode("utf-8-sig")
    assert all(cell[0] not in "=+-@" for cell in text.split("\r\n")[1].replace('"', "").split(",") if cell)


def test_a_reqif_export_holds_to_the_schema(tree: Path, tmp_path: Path) -> None:
    import reqif  # type: ignore[import-untyped]
    import xmlschema

    path = tmp_path / "items.reqif"
    export_items(load_items(tree).all(), path)
    schema = Path(reqif.__file__).parent / "reqif_schema" / "reqif.xsd"
    xmlschema.XMLSchema(str(schema), allow="local").validate(str(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_a_format_cannot_carry_is_refused(tmp_path: Path, suffix: str) -> None:
    item = ForeignItem("A", "REQ", "title", "one\x00two", {}, (), Place("x", 3))
    with pytest.raises(InputError, match="control characters"):
        render_items([item], tmp_path / f"items{suffix}")


def test_a_text_too_long_for_a_cell_and_an_unknown_suffix_are_refused(tmp_path: Path) -> None:
    item = ForeignItem("A", "REQ", "title", "x" * 40_000, {}, (), Place("x"))
    with pytest.raises(InputError, match="does not fit a cell"):
        render_items([item], tmp_path / "items.xlsx")
    with pytest.raises(UsageError, match="names no format"):
        render_items([item], tmp_path / "items.doc")
    assert list(tmp_path.iterdir()) == []
