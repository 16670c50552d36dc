"""YAML that is written reads back the same, and no reader of foreign bytes fails in a way of its own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from minivess.compliance.exchange.foreign_items import Foreign, tidy, tidy_line
from minivess.compliance.exchange.formats.junit import parse_junit
from minivess.compliance.exchange.formats.needs import read_needs
from minivess.compliance.exchange.formats.reqif_file import read_reqif
from minivess.compliance.exchange.formats.strictdoc import read_strictdoc
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.delimited import read_delimited
from minivess.compliance.exchange.tables.text_tables import read_text_tables
from minivess.compliance.exchange.tables.workbook import read_workbook
from minivess.compliance.exchange.writer import write_items
from minivess.foundation.errors import InputError
from minivess.foundation.reading.strict_yaml import parse_yaml
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-19")

_ODD = [
    *(
        "null",
        "true",
        "No",
        "~",
        "1e3",
        "0x1F",
        "12.",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "@x",
        "%",
        "'",
        '"',
        "{",
        "[a]",
        "*a",
    ),
    *("&a", "!t", "|", ">", "key:", "?", "a\nb", "a\n\n b", " a", "\ta", "x  y", "\u2028", "\x85", "\ufeff", "🫀" * 30),
    *(
        "word " * 50,
        "---",
        "...",
        "<<",
        "=",
        "long" * 60,
        "trailing\n",
        "a\n  indented\nb",
        "ünïcödé",
        "1.10",
        "2026-11-21",
    ),
]
_value = st.one_of(st.text(), st.sampled_from(_ODD), st.lists(st.sampled_from(_ODD), max_size=3).map("\n".join))


@settings(max_examples=300, deadline=None)
@given(st.lists(_value, min_size=1, max_size=4), st.lists(_value, max_size=4))
def test_texts_read_back_the_same(texts: list[str], listed: list[str]) -> None:
    items = [
        ("REQ", f"REQ-{at:03d}", {"title": one, "statement": one, "rests_on": listed}) for at, one in enumerate(texts)
    ]
    written = write_items(items)
    text = written.files["requirements/imported.yaml"]
    found = parse_yaml(text)["requirements"]
    assert [(one["title"], one["statement"], one["rests_on"]) for one in found] == [(one, one, listed) for one in texts]
    lines = text.split("\n")
    assert all(lines[line - 1] == f"  - id: {name}" for name, (_, line) in written.lines.items())


@given(st.text())
def test_the_normal_form_is_one(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert tidy_line(tidy_line(text)) == tidy_line(text)


def _markdown(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    return read_text_tables(data, file, mapping, rst=False)


def _rst(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    return read_text_tables(data, file, mapping, rst=True)


def _junit(data: bytes, file: str, _: ForeignMapping) -> object:
    return parse_junit(data, file)


def _zipped(data: bytes, file: str, mapping: ForeignMapping) -> object:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", data)
        archive.writestr("[Content_Types].xml", data)
    return read_workbook(stream.getvalue(), file, mapping)


_READERS: list[Callable[[bytes, str, ForeignMapping], object]] = [
    *(read_delimited, read_workbook, read_needs, read_strictdoc, read_reqif, _markdown, _rst, _junit, _zipped),
]
_PIECES = [
    *(
        b"ID",
        b",",
        b";",
        b"\t",
        b"|",
        b'"',
        b"\n",
        b"\r",
        b"---",
        b"+--+",
        b"== ==\n",
        b"[DOCUMENT]\n",
        b"[/SECTION]\n",
    ),
    *(
        b"UID: x\n",
        b"STATEMENT: >>>\n",
        b"RELATIONS:\n",
        b"- TYPE: Parent\n",
        b"{",
        b"}",
        b'"versions":',
        b'"needs"',
        b":",
    ),
    *(b"<REQ-IF>", b"</REQ-IF>", b"<CORE-CONTENT><REQ-IF-CONTENT>", b"<SPEC-OBJECTS>", b"<testsuite>", b"<testcase/>"),
    *(
        b"PK\x03\x04",
        b"\xff\xfe",
        b"\x00",
        b"\xe4",
        b".. list-table::\n",
        b"   * - a\n",
        b".. csv-table::\n   :delim: \n",
    ),
]


@pytest.mark.parametrize("read", _READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join)))
def test_any_bytes_are_read_or_refused(read: Callable[[bytes, str, ForeignMapping], object], data: bytes) -> None:
    refused = ""
    try:
        read(data, "file", ForeignMapping())
    except InputError as error:
        refused = error.message
    assert not refused or refused.startswith("file")
