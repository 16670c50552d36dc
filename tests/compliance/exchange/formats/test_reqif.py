"""ReqIF as other tools write it, read through the `reqif` library."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.exchange.foreign_items import ForeignLink
from minivess.compliance.exchange.formats.reqif_file import read_reqif
from minivess.compliance.exchange.formats.rich_text import from_xhtml, to_xhtml
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.foundation.errors import InputError
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

with lazily("lxml"):
    from lxml import etree  # type: ignore[import-untyped]

pytestmark = pytest.mark.verifies("SU-19")

HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<REQ-IF xmlns="http://www.omg.org/spec/ReqIF/20110401/reqif.xsd" xmlns:xhtml="http://www.w3.org/1999/xhtml">
<THE-HEADER><REQ-IF-HEADER IDENTIFIER="h"><CREATION-TIME>2025-01-01T00:00:00Z</CREATION-TIME>
<SOURCE-TOOL-ID>DOORS</SOURCE-TOOL-ID><TITLE>Pumpe</TITLE></REQ-IF-HEADER></THE-HEADER>
<CORE-CONTENT><REQ-IF-CONTENT>
<DATATYPES>
<DATATYPE-DEFINITION-STRING IDENTIFIER="dt-s" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="T" MAX-LENGTH="255"/>
<DATATYPE-DEFINITION-XHTML IDENTIFIER="dt-x" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="X"/>
<DATATYPE-DEFINITION-ENUMERATION IDENTIFIER="dt-e" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="Class">
<SPECIFIED-VALUES>
<ENUM-VALUE IDENTIFIER="e-b" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="Klasse B"><PROPERTIES>
<EMBEDDED-VALUE KEY="1" OTHER-CONTENT=""/></PROPERTIES></ENUM-VALUE>
</SPECIFIED-VALUES></DATATYPE-DEFINITION-ENUMERATION>
</DATATYPES>
<SPEC-TYPES>
<SPEC-OBJECT-TYPE IDENTIFIER="t" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="Anforderung"><SPEC-ATTRIBUTES>
<ATTRIBUTE-DEFINITION-STRING IDENTIFIER="a-id" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="ReqIF.ForeignID">
<TYPE><DATATYPE-DEFINITION-STRING-REF>dt-s</DATATYPE-DEFINITION-STRING-REF></TYPE></ATTRIBUTE-DEFINITION-STRING>
<ATTRIBUTE-DEFINITION-XHTML IDENTIFIER="a-text" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="ReqIF.Text">
<TYPE><DATATYPE-DEFINITION-XHTML-REF>dt-x</DATATYPE-DEFINITION-XHTML-REF></TYPE></ATTRIBUTE-DEFINITION-XHTML>
<ATTRIBUTE-DEFINITION-ENUMERATION IDENTIFIER="a-class" LAST-CHANGE="2025-01-01T00:00:00Z"
 LONG-NAME="Sicherheitsklasse" MULTI-VALUED="false">
<TYPE><DATATYPE-DEFINITION-ENUMERATION-REF>dt-e</DATATYPE-DEFINITION-ENUMERATION-REF></TYPE>
</ATTRIBUTE-DEFINITION-ENUMERATION>
</SPEC-ATTRIBUTES></SPEC-OBJECT-TYPE>
<SPEC-RELATION-TYPE IDENTIFIER="r" LAST-CHANGE="2025-01-01T00:00:00Z" LONG-NAME="satisfies"/>
</SPEC-TYPES>
"""
TAIL = "</REQ-IF-CONTENT></CORE-CONTENT></REQ-IF>\n"


def _object(identifier: str, *, foreign: str = "", xhtml: str = "", more: str = "") -> str:
    values = more
    if foreign:
        values += (
            f'<ATTRIBUTE-VALUE-STRING THE-VALUE="{foreign}"><DEFINITION><ATTRIBUTE-DEFINITION-STRING-REF>a-id'
            "</ATTRIBUTE-DEFINITION-STRING-REF></DEFINITION></ATTRIBUTE-VALUE-STRING>\n"
        )
    if xhtml:
        values += (
            "<ATTRIBUTE-VALUE-XHTML><DEFINITION><ATTRIBUTE-DEFINITION-XHTML-REF>a-text"
            f"</ATTRIBUTE-DEFINITION-XHTML-REF></DEFINITION><THE-VALUE>{xhtml}</THE-VALUE></ATTRIBUTE-VALUE-XHTML>\n"
        )
    return (
        f'<SPEC-OBJECT IDENTIFIER="{identifier}" LAST-CHANGE="2025-01-01T00:00:00Z">\n<VALUES>{values}</VALUES>\n'
        "<TYPE><SPEC-OBJECT-TYPE-REF>t</SPEC-OBJECT-TYPE-REF></TYPE></SPEC-OBJECT>\n"
    )


def _relation(identifier: str, source: str, target: str) -> str:
    return (
        f'<SPEC-RELATION IDENTIFIER="{identifier}" LAST-CHANGE="2025-01-01T00:00:00Z">'
        f"<SOURCE><SPEC-OBJECT-REF>{source}</SPEC-OBJECT-REF></SOURCE>"
        f"<TARGET><SPEC-OBJECT-REF>{target}</SPEC-OBJECT-REF></TARGET>"
        "<TYPE><SPEC-RELATION-TYPE-REF>r</SPEC-RELATION-TYPE-REF></TYPE></SPEC-RELATION>\n"
    )


def _file(objects: str, relations: str = "") -> bytes:
    text = f"{HEAD}<SPEC-OBJECTS>\n{objects}</SPEC-OBJECTS>\n<SPEC-RELATIONS>{relations}</SPEC-RELATIONS>\n{TAIL}"
    return text.encode()


CLASS_B = (
    "<ATTRIBUTE-VALUE-ENUMERATION><VALUES><ENUM-VALUE-REF>e-b</ENUM-VALUE-REF></VALUES><DEFINITION>"
    "<ATTRIBUTE-DEFINITION-ENUMERATION-REF>a-class</ATTRIBUTE-DEFINITION-ENUMERATION-REF></DEFINITION>"
    "</ATTRIBUTE-VALUE-ENUMERATION>"
)


def test_objects_types_enumerations_and_relations_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.reqif"
    path.write_bytes(
        _file(
            _object(
                "_1", foreign="SW 1", xhtml="<xhtml:div>Die <xhtml:b>Software</xhtml:b> soll.</xhtml:div>", more=CLASS_B
            )
            + _object("_2", foreign="SW 2", xhtml="<xhtml:p>Ü &amp; ß</xhtml:p>"),
            _relation("l1", "_1", "_2") + _relation("l2", "_1", "_9") + _relation("l3", "_8", "_1"),
        )
    )
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    first, second = imported.items
    assert first.fields["statement"] == "Die Software soll."
    assert (first.fields["safety_class"], first.fields["origin"]) == ("B", "SW 1")
    assert first.fields["derives_from"] == [second.id]
    assert second.fields["statement"] == "Ü & ß"
    said = "\n".join(map(str, imported.remarks))
    assert "points to `_9`, which is nowhere" in said
    assert "begins at an object that is not in the file: _8 -> _1" in said


@pytest.mark.parametrize(
    ("xhtml", "text"),
    [
        ("<xhtml:div>a\n      b<xhtml:br/>c</xhtml:div>", "a b\nc"),
        ("<xhtml:ul><xhtml:li>one</xhtml:li><xhtml:li>two</xhtml:li></xhtml:ul>", "- one\n- two"),
        ("<xhtml:p>one</xhtml:p>\n<xhtml:p>two</xhtml:p>", "one\ntwo"),
        ("<xhtml:pre>a  b\n c</xhtml:pre>", "a  b\n c"),
        ('<div xmlns="http://www.w3.org/1999/xhtml">own <i>name</i> space</div>', "own name space"),
        ("plain", "plain"),
        (
            "<xhtml:table><xhtml:tr><xhtml:td>a</xhtml:td><xhtml:td>b</xhtml:td></xhtml:tr></xhtml:table>",
            "a | b",
        ),
        (
            "<xhtml:table><xhtml:tr><xhtml:th>m</xhtml:th><xhtml:th>n</xhtml:th></xhtml:tr>"
            "<xhtml:tr><xhtml:td/><xhtml:td>7</xhtml:td></xhtml:tr><xhtml:tr><xhtml:td>8</xhtml:td><xhtml:td/></xhtml:tr>"
            "</xhtml:table>",
            "m | n\n| 7\n8 |",
        ),
        (
            '<xhtml:table><xhtml:tr><xhtml:td rowspan="2">a|b</xhtml:td><xhtml:td colspan="2">c</xhtml:td></xhtml:tr>'
            "<xhtml:tr><xhtml:td>1<xhtml:br/>2</xhtml:td><xhtml:td>d</xhtml:td></xhtml:tr></xhtml:table>",
            "a\\|b | c | c\na\\|b | 1 / 2 | d",
        ),
        (
            "<xhtml:ul><xhtml:li>a<xhtml:ol start='3'><xhtml:li>b</xhtml:li><xhtml:li>c</xhtml:li></xhtml:ol></xhtml:li>"
            "<xhtml:li>d</xhtml:li></xhtml:ul>",
            "- a\n  3. b\n  4. c\n- d",
        ),
        ("<xhtml:p>10<xhtml:sup>-6</xhtml:sup> x<xhtml:sub>max</xhtml:sub></xhtml:p>", "10⁻⁶ x_{max}"),
        ('<xhtml:p>10<xhtml:span style="vertical-align: super">3</xhtml:span></xhtml:p>', "10³"),
        ("<xhtml:p>shall<xhtml:del> not</xhtml:del> stop</xhtml:p>", "shall [struck out: not] stop"),
        ('<xhtml:p>a<xhtml:span style="text-decoration: line-through">b</xhtml:span></xhtml:p>', "a[struck out: b]"),
        ('<xhtml:p><xhtml:span style="display:none">b</xhtml:span></xhtml:p>', "[hidden: b]"),
        (
            '<xhtml:p>see <xhtml:a href="http://x/y">the <xhtml:b>spec</xhtml:b></xhtml:a>.</xhtml:p>',
            "see the spec (http://x/y).",
        ),
        ('<xhtml:p><xhtml:a href="http://x/y">http://x/y</xhtml:a></xhtml:p>', "http://x/y"),
        ('<xhtml:p><xhtml:img src="a.png" alt="a pump"/></xhtml:p>', "[file a.png: a pump]"),
        (
            "<xhtml:p>a <xhtml:q>b</xhtml:q></xhtml:p><xhtml:hr/>"
            "<xhtml:dl><xhtml:dt>t</xhtml:dt><xhtml:dd>d</xhtml:dd></xhtml:dl>",
            "a “b”\n---\nt\n  d",
        ),
    ],
)
def test_rich_text_reads_as_it_looks(xhtml: str, text: str) -> None:
    assert read_reqif(_file(_object("_1", xhtml=xhtml)), "a.reqif", ForeignMapping()).items[0].text == text


def test_an_object_the_library_cannot_read_loses_no_other() -> None:
    broken = '<SPEC-OBJECT IDENTIFIER="_b" LAST-CHANGE="x"><VALUES/><TYPE/></SPEC-OBJECT>\n'
    odd = _object("_o", more="<ATTRIBUTE-VALUE-STRANGE THE-VALUE='hello'/>")
    data = _file(
        broken + _object("_1", foreign="A", xhtml="<xhtml:p>x</xhtml:p>") + odd + _object("_1", foreign="again")
    )
    foreign = read_reqif(data, "a.reqif", ForeignMapping())
    assert [item.id for item in foreign.items] == ["A"]
    said = [str(remark) for remark in foreign.remarks if remark.severity == "lost"]
    assert len(said) == 3
    assert "_b" in said[0]
    assert "hello" in said[1]
    assert "again" in said[2]
    assert all(remark.place.line for remark in foreign.remarks if remark.severity == "lost")


def test_pictures_and_other_tools_parts_are_named() -> None:
    picture = '<xhtml:div>see <xhtml:object data="files/a.png" type="image/png"/></xhtml:div>'
    text = _file(_object("_1", foreign="A", xhtml=picture)).decode()
    text = text.replace("</CORE-CONTENT>", "</CORE-CONTENT><TOOL-EXTENSIONS><X>secret sauce</X></TOOL-EXTENSIONS>")
    foreign = read_reqif(text.encode(), "a.reqif", ForeignMapping())
    assert foreign.items[0].text == "see [file files/a.png]"
    assert {one.value for one in foreign.remarks if one.severity == "lost"} == {"files/a.png", "secret sauce"}


@pytest.mark.parametrize(
    ("xhtml", "severity", "said"),
    [
        ("10<xhtml:sup>3</xhtml:sup>", "changed", "superscripts"),
        ("<xhtml:s>not</xhtml:s>", "changed", "struck-out words"),
        ("<xhtml:ins>not</xhtml:ins>", "changed", "inserted words"),
        ("<xhtml:table><xhtml:tr><xhtml:td>x</xhtml:td></xhtml:tr></xhtml:table>", "changed", "tables"),
        ("<xhtml:ruby>x</xhtml:ruby>", "changed", "<ruby> read as its text"),
        ("x<xhtml:script>y</xhtml:script>", "changed", "<script> left out"),
        ('<xhtml:span style="color:red">tbd</xhtml:span>', "note", "colours"),
        ("<xhtml:b>must</xhtml:b>", "note", "bold"),
    ],
)
def test_what_text_cannot_carry_is_named_with_its_whole_markup(xhtml: str, severity: str, said: str) -> None:
    foreign = read_reqif(_file(_object("_1", xhtml=f"<xhtml:div>{xhtml}</xhtml:div>")), "a.reqif", ForeignMapping())
    [remark] = foreign.remarks
    assert (remark.severity, remark.field) == (severity, "ReqIF.Text")
    assert said in remark.message
    assert re.sub(r' xmlns(:\w+)?="[^"]*"', "", remark.value).replace("xhtml:", "") in (
        f"<THE-VALUE><div>{xhtml}</div></THE-VALUE>".replace("xhtml:", "")
    )


def test_a_merged_cell_is_not_repeated_without_end() -> None:
    cells = '<xhtml:td rowspan="100000" colspan="100000">xxxxxxxxxx</xhtml:td>' * 20
    rows = "<xhtml:tr/>" * 1000
    table = f"<xhtml:table><xhtml:tr>{cells}</xhtml:tr>{rows}</xhtml:table>"
    text = read_reqif(_file(_object("_1", xhtml=table)), "a.reqif", ForeignMapping()).items[0].text
    assert len(text) < 20 * 100 * 100 * 5


def test_a_simplified_value_and_a_default_of_a_type_are_named() -> None:
    data = _file(_object("_1", foreign="A", xhtml="<xhtml:p>short</xhtml:p>")).decode()
    data = data.replace("<ATTRIBUTE-VALUE-XHTML>", '<ATTRIBUTE-VALUE-XHTML IS-SIMPLIFIED="true">')
    data = data.replace("</THE-VALUE>", "</THE-VALUE><THE-ORIGINAL-VALUE><xhtml:p>long</xhtml:p></THE-ORIGINAL-VALUE>")
    kind = "<TYPE><DATATYPE-DEFINITION-STRING-REF>dt-s</DATATYPE-DEFINITION-STRING-REF></TYPE>"
    default = (
        '<DEFAULT-VALUE><ATTRIBUTE-VALUE-STRING THE-VALUE="A-0"><DEFINITION><ATTRIBUTE-DEFINITION-STRING-REF>a-id'
        "</ATTRIBUTE-DEFINITION-STRING-REF></DEFINITION></ATTRIBUTE-VALUE-STRING></DEFAULT-VALUE>"
    )
    assert kind in data
    foreign = read_reqif(data.replace(kind, kind + default).encode(), "a.reqif", ForeignMapping())
    assert [(one.severity, one.value) for one in foreign.remarks] == [("lost", "A-0"), ("changed", "long")]


def test_utf_16_and_an_archive_with_attachments_are_read() -> None:
    data = _file(_object("_1", foreign="Ä 1", xhtml="<xhtml:p>x</xhtml:p>"))
    wide = data.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.reqif", wide)
        archive.writestr("a.png", b"picture")
    foreign = read_reqif(stream.getvalue(), "a.reqifz", ForeignMapping())
    assert [item.id for item in foreign.items] == ["Ä 1"]
    assert [remark.value for remark in foreign.remarks] == ["a.png"]
    assert foreign.items[0].place.file == "a.reqifz#a.reqif"


def test_objects_without_an_id_of_their_own_keep_the_identifier() -> None:
    data = _file(
        _object("_1", xhtml="<xhtml:p>a</xhtml:p>") + _object("_2", xhtml="<xhtml:p>b</xhtml:p>"),
        _relation("l", "_1", "_2"),
    )
    items = read_reqif(data, "a.reqif", ForeignMapping()).items
    assert [item.id for item in items] == ["_1", "_2"]
    assert items[0].links == (ForeignLink("satisfies", "_2"),)


LAUGHS = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("declared", [LAUGHS, OUTSIDE, '<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd">'])
def test_document_types_are_refused_before_the_library_sees_them(declared: str, encoding: str) -> None:
    text = _file(_object("_1", foreign="A")).decode().replace("?>\n", f"?>\n{declared}\n", 1)
    text = text.replace('encoding="UTF-8"', f'encoding="{encoding}"')
    with pytest.raises(InputError, match="document type"):
        read_reqif(text.encode(encoding), "a.reqif", ForeignMapping())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<REQ-IF/>", "no REQ-IF-CONTENT"),
        (b"<other/>", "its root is <other>"),
        (b"<REQ-IF>", "is not XML"),
        (b"<a>" * 200 + b"</a>" * 200, "more than 100 deep"),
        (b"PK\x03\x04broken", "zip"),
    ],
)
def test_what_is_no_reqif_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_reqif(data, "a.reqif", ForeignMapping())


def test_each_word_of_a_reqif_file_is_in_an_item_or_a_remark(tmp_path: Path) -> None:
    valued = _relation("l9", "_1", "_2").replace(
        "</SPEC-RELATION>",
        '<VALUES><ATTRIBUTE-VALUE-STRING THE-VALUE="zq1"><DEFINITION><ATTRIBUTE-DEFINITION-STRING-REF>a-id'
        "</ATTRIBUTE-DEFINITION-STRING-REF></DEFINITION></ATTRIBUTE-VALUE-STRING></VALUES></SPEC-RELATION>",
    )
    described = _object("_2", foreign="B zq2", xhtml="<xhtml:p>zq3</xhtml:p>").replace(
        "LAST-CHANGE", 'DESC="zq4" LONG-NAME="zq5" LAST-CHANGE', 1
    )
    unknown = _object("_3 zq6", xhtml="<xhtml:p>zq7</xhtml:p>").replace(">a-text<", ">zq8<").replace(">t<", ">zq9<")
    text = _file(_object("_1", foreign="A") + described + unknown, valued + _relation("l", "_1", "zq10")).decode()
    text = text.replace(
        TAIL,
        '<SPECIFICATIONS><SPECIFICATION IDENTIFIER="s" LAST-CHANGE="x" LONG-NAME="zq11"><CHILDREN>'
        '<SPEC-HIERARCHY IDENTIFIER="p" LAST-CHANGE="x"><OBJECT><SPEC-OBJECT-REF>zq12</SPEC-OBJECT-REF></OBJECT>'
        "</SPEC-HIERARCHY></CHILDREN></SPECIFICATION></SPECIFICATIONS>"
        f'<SPEC-RELATION-GROUPS><RELATION-GROUP IDENTIFIER="g" LONG-NAME="zq13"/></SPEC-RELATION-GROUPS>{TAIL}',
    )
    path = tmp_path / "a.reqif"
    path.write_text(text, encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    said = "\n".join(imported.files.values()) + "\n".join(f"{one} {one.value} {one.field}" for one in imported.remarks)
    assert set(re.findall(r"zq\d+", text)) - set(re.findall(r"zq\d+", said)) == set()


_NAMES = st.sampled_from(
    [
        *(
            "p",
            "div",
            "span",
            "b",
            "i",
            "sup",
            "sub",
            "del",
            "ins",
            "a",
            "q",
            "ul",
            "ol",
            "li",
            "table",
            "tbody",
            "tr",
            "td",
        ),
        *("th", "caption", "blockquote", "pre", "h1", "dl", "dt", "dd", "object", "strange", "br", "hr", "img"),
    ]
)
_tree: st.SearchStrategy[tuple[str, list[Any]]] = st.recursive(
    st.builds(lambda name: (name, []), _NAMES),
    lambda inside: st.tuples(_NAMES, st.lists(inside, max_size=3)),
    max_leaves=12,
)


def _written(tree: tuple[str, list[Any]], words: Iterator[int]) -> str:
    name, children = tree
    inner = "".join(f"zq{next(words)} {_written(child, words)} zq{next(words)}" for child in children)
    return f"<xhtml:{name}>zq{next(words)}{inner}</xhtml:{name}>"


@settings(max_examples=40)
@given(tree=_tree)
def test_each_word_of_any_rich_text_is_in_a_text_that_goes_out_and_comes_back(tree: tuple[str, list[Any]]) -> None:
    written = _written(tree, itertools.count(1))
    node = etree.fromstring(f'<v xmlns:xhtml="http://www.w3.org/1999/xhtml">{written}</v>')
    text = from_xhtml(node).text
    assert set(re.findall(r"zq\d+", written)) == set(re.findall(r"zq\d+", text))
    assert text == from_xhtml(etree.fromstring(f"<v>{to_xhtml(text)}</v>".replace("xhtml:", ""))).text
