"""The model of documents: reading templates, writing HTML, numbering, and the rules for templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis.strategies import SearchStrategy

from minivess.compliance.documents.content.citations import cite
from minivess.compliance.documents.model.blocks import (
    STATES,
    Block,
    Break,
    Cell,
    Code,
    DocumentModel,
    Fact,
    Facts,
    Figure,
    Heading,
    Inline,
    Link,
    Listing,
    Mark,
    Paragraph,
    Preformatted,
    Span,
    Swatch,
    Table,
    Text,
    TitleBlock,
    facts_in,
    numbered,
    plain,
)
from minivess.compliance.documents.model.fragments import read_fragment, trimmed
from minivess.compliance.documents.model.html import body_html, contents_html
from minivess.compliance.documents.model.template_rules import check_template
from minivess.compliance.documents.rendering import FRAMES, Renderer, coded
from minivess.foundation.errors import InputError
from tests.support.builders.release_builder import TEMPLATES
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-181"), pytest.mark.verifies("REQ-500")]

WORDS = st.text(st.sampled_from("abc é<&>\"'1"), min_size=1, max_size=12).map(
    lambda text: " ".join(text.split()) or "a"
)
TARGETS = st.sampled_from(["#a", "../index.html", "https://a.b/c"])
STYLES = st.sampled_from(["soft", "small soft", "strong", "em", "number"])


def inlines(depth: int = 1) -> SearchStrategy[tuple[Inline, ...]]:
    leaves: list[SearchStrategy[Inline]] = [
        WORDS.map(Text),
        WORDS.map(Code),
        st.builds(Mark, st.sampled_from(STATES), WORDS),
        st.builds(Fact, st.sampled_from(["a.b", "results.count"]), WORDS),
        st.just(Break()),
    ]
    if depth:
        inner = inlines(depth - 1)
        leaves += [
            st.builds(Span, STYLES, inner),
            st.builds(Link, st.sampled_from(["#a", "../index.html", "https://a.b/c"]), inner),
        ]
    return st.lists(st.one_of(leaves), min_size=1, max_size=4).map(trimmed).filter(bool)


def several(one: SearchStrategy[Any], *, least: int = 0) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, min_size=least, max_size=3).map(tuple)


ITEM = st.sampled_from(["", "REQ-001"])
CELLS = st.builds(
    Cell, inlines(), st.booleans(), st.sampled_from(["", "figure"]), st.sampled_from(["", "cases"]), st.integers(1, 3)
)
BLOCKS: SearchStrategy[Block] = st.one_of(
    st.builds(Heading, st.sampled_from([1, 2, 3]), inlines(), ITEM),
    st.builds(Paragraph, inlines(), st.sampled_from(["", "small soft"])),
    st.builds(Listing, several(inlines().map(lambda one: (Paragraph(one),)), least=1), st.booleans()),
    st.builds(Table, several(CELLS), several(several(CELLS)), inlines(), st.sampled_from(["", "stack", "chains"])),
    st.builds(Facts, several(st.tuples(inlines(), inlines()), least=1), st.sampled_from(["", "small"])),
    st.builds(Figure, st.just("a.png"), WORDS, inlines()),
    st.builds(Preformatted, WORDS),
)


@given(st.lists(BLOCKS, max_size=6).map(tuple))
def test_blocks_read_back_from_their_html_are_the_same(blocks: tuple[Block, ...]) -> None:
    assert read_fragment(str(body_html(blocks)), "a.html.j2") == blocks


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<script>x</script>", "<script> is no element"),
        ("<p onclick='x'>a</p>", "the attribute onclick"),
        ("<p style='color: red'>a</p>", "the attribute style"),
        ("<p>a", "<p> is not closed"),
        ("<p>a</b>", "</b> closes nothing"),
        ("<table>words</table>", "words stand in <table>"),
        ("<table><tr><td>a</td></tr></table>", "<tr> stands in <table>"),
        ("<dl><dt>a</dt></dl>", "a <dt> without its <dd>"),
        ("<p><img src='a' alt='b'></p>", "<img> stands in <p>"),
        ("<figure><img src='a.png'></figure>", "words in its place"),
        ("<a href='javascript:x'>a</a>", "is no address"),
        ("<a href='data:text/html,x'>a</a>", "is no address"),
        ("<a>a</a>", "is no address"),
        ("<span class='mark wonderful'>a</span>", "is no verdict"),
        ("<span class='swatch' title='url(x)'></span>", "a colour as its title"),
        ("<table><tbody><tr><td colspan='0'>a</td></tr></tbody></table>", "no number of columns"),
        ("<table><tbody><tr><td><p>a</p></td></tr></tbody></table>", "<td> has words alone"),
        ("<!doctype html>", "a declaration"),
        ("<div>" * 60, "nested too deep"),
    ],
)
def test_what_is_outside_the_subset_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=r"templates/documents/a\.html\.j2") as caught:
        read_fragment(text, "a.html.j2")
    assert reason in str(caught.value)


def test_a_swatch_is_drawn_and_words_between_blocks_are_a_paragraph() -> None:
    blocks = read_fragment('loose <span class="swatch" title="#00ff00"></span> words<p></p>', "a")
    assert blocks == (Paragraph((Text("loose "), Swatch("#00ff00"), Text(" words"))),)
    assert 'fill="#00ff00"' in body_html(blocks)


def test_headings_are_numbered_and_items_keep_their_ids() -> None:
    def heading(level: int, words: str, anchor: str = "") -> Heading:
        return Heading(level, (Text(words),), anchor)

    made = numbered(
        (
            heading(1, "a"),
            heading(2, "b"),
            heading(2, "REQ", "REQ-001"),
            heading(3, "c"),
            heading(2, "d"),
            heading(1, "e"),
        )
    )
    assert [one.number for one in made] == ["1", "1.1", "", "1.1.1", "1.2", "2"]
    document = DocumentModel("a", "A", "A", "about", TitleBlock(()), made, Table((), ()))
    assert [plain(one.content) for one in document.contents()] == ["a", "b", "d", "e"]
    listed = contents_html(document)
    assert listed.count("<ol>") == listed.count("</ol>") == 2
    assert listed.count("<li>") == listed.count("</li>") == 4


def test_facts_of_a_document_are_found_inside_links_and_cells() -> None:
    fact = Fact("a.b", "7")
    blocks = (Paragraph((Link("#a", (Span("soft", (fact,)),)),)), Table((), ((Cell((fact,)),),)))
    assert list(facts_in(blocks)) == [fact, fact]


@pytest.mark.verifies("REQ-501")
@pytest.mark.parametrize("path", sorted((TEMPLATES / "documents").glob("*.html.j2")), ids=lambda path: path.name)
def test_no_template_of_this_version_states_a_number_or_an_act(path: Path) -> None:
    if path.name in FRAMES:
        return
    environment = Renderer(TEMPLATES)._environment  # the environment in which it is rendered
    check_template(environment, path.name, path.read_text(encoding="utf-8"))


@pytest.mark.verifies("REQ-501")
@pytest.mark.parametrize(
    "text",
    [
        "<p>Between 3 and 5 mm.</p>",
        "<p>−0.5</p>",
        "<p title='a'>12</p>",
        "{{ 'a' if x else '7 of them' }}",
        "{{ x ~ ' 95 %' }}",
        "{{ x|default('9 mm') }}",
        "{{ 3 }}",
        "{{ 0.91 if x else y }}",
        "{% macro m() %}half of them{% endmacro %}",
        "{% set x = {'a': '12 mm'} %}",
        "{% for x in ['one', '2'] %}{{ x }}{% endfor %}",
        "{% if x %}<p>Users were interviewed.</p>{% endif %}",
        "{{ 'It was approved.' }}",
        "<p>It had been carefully assessed.</p>",
    ],
)
def test_numbers_and_acts_are_found_wherever_a_template_can_put_them(text: str) -> None:
    with pytest.raises(InputError, match="in its own words"):
        check_template(Renderer(TEMPLATES)._environment, "a.html.j2", text)


@pytest.mark.verifies("REQ-501")
@pytest.mark.parametrize(
    "text",
    [
        "<h2 id='s2'>P1 and AES-256-GCM</h2>",
        "{{ fact('a.1', '2 of them') }}{{ act('a 3') }}{{ cite('IEC 62304 5.2') }}",
        "{{ x|figure(3) }}{{ x[:100]|length }}{{ 'a' if x == '7' else 'b' }}",
        "{% if x|length > 20 %}many{% endif %}",
        "<p>\n{{ x }}\n</p>",
    ],
)
def test_names_and_comparisons_are_no_numbers(text: str) -> None:
    check_template(Renderer(TEMPLATES)._environment, "a.html.j2", text)


@pytest.mark.parametrize(
    "text",
    [
        "IEC 62304 5.2.3, 5.2.6",
        "ISO 14971 clause 7",
        "IEC 62304 5.1.1 c, 5.2.6",
        "21 CFR 11.50, 11.70",
        "BS/AAMI 34971",
        "IEC 62304:2006+A1:2015, clause 5.2",
        "MDR (EU) 2017/745 Annex VI",
    ],
)
def test_a_clause_is_cited_as_it_is_written(text: str) -> None:
    assert cite(text) == text


@pytest.mark.parametrize("text", ["12 cases", "ISO 99999 7", "IEC 62304 and 12 cases", "ISO 14971 clause 7 holds"])
def test_what_is_no_clause_is_not_cited(text: str) -> None:
    with pytest.raises(InputError):
        cite(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `a <b>` now", "run <code>a &lt;b&gt;</code> now"),
        ("one ` alone", "one ` alone"),
        ("`all`", "<code>all</code>"),
        ("<i>plain</i>", "&lt;i&gt;plain&lt;/i&gt;"),
    ],
)
def test_backticks_become_code(text: str, shown: str) -> None:
    assert str(coded(text)) == shown
