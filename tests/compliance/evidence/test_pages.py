"""Rendering, and the matrix behind the start page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minivess.compliance.evidence.documents import DOCUMENTS, documents
from minivess.compliance.evidence.dossier import Dossier, gather
from minivess.compliance.evidence.index import index_page, key_figures, odometer_sentence
from minivess.compliance.evidence.rendering import Renderer, embed
from minivess.compliance.evidence.trace_view import matrix_csv, trace_items
from minivess.foundation.errors import InputError
from tests.compliance.evidence.release_builder import TEMPLATES, make_release

VOID = {"meta", "link", "br", "img", "input", "hr"}


class _Balance(HTMLParser):
    """Fails on an element that is not closed, or on an id that stands twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                assert value not in self.ids, f"{value} stands twice"
                self.ids.add(value or "")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    return gather(make_release(tmp_path_factory.mktemp("release")).inputs())


@pytest.mark.verifies("REQ-041")
def test_every_page_is_well_formed(dossier: Dossier) -> None:
    renderer = Renderer(TEMPLATES)
    pages = documents(renderer, dossier)
    assert set(pages) == {item.name for item in DOCUMENTS}
    for page in (*pages.values(), index_page(renderer, dossier, [])):
        parser = _Balance()
        parser.feed(page)
        parser.close()
        assert parser.stack == []


@pytest.mark.verifies("REQ-041")
def test_links_of_the_matrix_are_closed_and_lead_from_risk_to_code(dossier: Dossier) -> None:
    items = {item.id: item for item in trace_items(dossier.matrix, 21)}
    assert all(name in items for item in items.values() for name in (*item.up, *item.down))
    assert items["RISK-01"].down == ("RC-01",)
    assert items["RC-01"].down == ("REQ-001", "SC-001")
    requirement = items["REQ-001"]
    assert requirement.up == ("UN-01", "RC-01")
    assert requirement.status == "passed"
    assert requirement.code[0].where.startswith("src/thing/sums.py:")
    assert requirement.entries == (21,)
    assert items["SC-001"].up == ("REQ-001", "RC-01")


def test_a_result_that_does_not_count_is_open(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    (release.source / "src" / "thing" / "more.py").write_text("changed = True\n", encoding="utf-8")
    items = {item.id: item for item in trace_items(gather(release.inputs()).matrix, 21)}
    assert items["REQ-001"].status == "open"


@pytest.mark.verifies("REQ-023")
def test_the_odometer_says_who_for_what_and_after_what(dossier: Dossier) -> None:
    sentence = odometer_sentence(dossier)
    for words in (
        "exactly once",
        "Ada Lovelace",
        "final evaluation",
        "Benoît Müller",
        "criteria stood in the log before",
    ):
        assert words in sentence


def test_key_figures_keep_to_their_scale(dossier: Dossier) -> None:
    figures = key_figures(dossier)
    assert [item.name[:4] for item in figures] == ["Dice", "clDi", "Norm", "95th"]
    assert figures[0].limit == 0.85
    assert figures[0].baseline is not None
    for item in figures:
        assert 0 <= item.span[0] <= item.place <= item.span[1] <= 100


@given(value=st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_json_is_the_same_json_and_cannot_end_its_element(value: Any) -> None:
    text = str(embed(value))
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def _templates(folder: Path, text: str) -> Path:
    (folder / "documents").mkdir()
    (folder / "documents" / "x.j2").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "{{ facts.__class__.__mro__ }}", "{% if %}", "{% include 'gone' %}", "{{ 'x'|gone }}"]
)
def test_a_template_that_names_what_is_not_there_or_not_allowed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="cannot be rendered"):
        Renderer(_templates(tmp_path, text)).render("x.j2", {"facts": ()})


def test_text_is_escaped_whatever_the_template_is_called(tmp_path: Path) -> None:
    assert Renderer(_templates(tmp_path, "{{ word }}")).render("x.j2", {"word": "<i>&"}) == "&lt;i&gt;&amp;"


def test_formulas_in_tables_are_text(dossier: Dossier) -> None:
    rows = [{**row, "title": "=1+1"} for row in dossier.matrix["rows"]]
    assert "'=1+1" in matrix_csv({**dossier.matrix, "rows": rows})
