"""The text of a cell of a reStructuredText table: paragraphs on one line each, other blocks in their mark-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

_Blocks = Callable[[Any], Iterator[str]]
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


def cell_text(entry: Any) -> str:
    """What a cell (a docutils node) contains."""
    return "\n\n".join(_blocks(entry)).strip()


def rows_of(table: Any) -> Iterator[Any]:
    """The rows of a table, without those of tables in its cells."""
    from docutils import nodes

    for row in table.findall(nodes.row):
        above = row.parent
        while not isinstance(above, nodes.table):
            above = above.parent
        if above is table:
            yield row


def _blocks(parent: Any) -> Iterator[str]:
    for node in parent.children:
        ways = (_ways().get(kind) for kind in type(node).__mro__)
        way = next((one for one in ways if one is not None), _as_written)
        yield from way(node)


@cache
def _ways() -> Mapping[type, _Blocks]:
    """By kind of node: how it is written."""
    from docutils import nodes

    return {
        nodes.paragraph: _paragraph,
        nodes.bullet_list: _list,
        nodes.enumerated_list: _list,
        nodes.block_quote: _blocks,
        nodes.definition_list: _blocks,
        nodes.definition_list_item: _blocks,
        nodes.definition: _blocks,
        nodes.container: _blocks,
        nodes.compound: _blocks,
        nodes.attribution: lambda node: iter([f"-- {node.astext()}"]),
        nodes.transition: lambda _: iter(["----"]),
        nodes.field_list: _fields,
        nodes.line_block: _lines,
        nodes.comment: lambda node: iter([f".. {node.astext()}"]),
        nodes.Admonition: _admonition,
        nodes.figure: _figure,
        nodes.footnote: _footnote,
        nodes.citation: _footnote,
        nodes.table: _table,
        nodes.system_message: _refused,
    }


def _as_written(node: Any) -> Iterator[str]:
    yield node.rawsource or node.astext()


def _paragraph(node: Any) -> Iterator[str]:
    yield " ".join(line.strip() for line in node.rawsource.splitlines())


def _list(node: Any) -> Iterator[str]:
    yield "\n".join(_points(node))


def _points(node: Any) -> Iterator[str]:
    first = int(node.get("start", 1))
    kind, prefix, suffix = node.get("enumtype", "arabic"), node.get("prefix", ""), node.get("suffix", ".")
    for number, item in enumerate(node.children, first):
        mark = node.get("bullet") or f"{prefix}{_numeral(number, kind)}{suffix}"
        yield f"{mark} " + "\n".join(_blocks(item)).replace("\n", "\n  ")


def _numeral(number: int, kind: str) -> str:
    """A number as an enumerated list writes it (docutils: arabic, lower and upper letters, lower and upper Roman)."""
    if kind.endswith("alpha") and 1 <= number <= 26:
        letter = chr(ord("a") + number - 1)
        return letter.upper() if kind.startswith("upper") else letter
    if kind.endswith("roman") and 1 <= number < 4000:
        written, left = "", number
        for value, sign in _ROMAN:
            written += sign * (left // value)
            left %= value
        return written.upper() if kind.startswith("upper") else written
    return str(number)


def _fields(node: Any) -> Iterator[str]:
    for one in node.children:
        name, body = one.children
        yield f":{name.rawsource or name.astext()}: " + "\n\n".join(_blocks(body))


def _lines(node: Any) -> Iterator[str]:
    from docutils import nodes

    yield "\n".join(line.rawsource or line.astext() for line in node.findall(nodes.line))


def _admonition(node: Any) -> Iterator[str]:
    yield f".. {type(node).__name__}:: " + "\n\n".join(_blocks(node))


def _figure(node: Any) -> Iterator[str]:
    """The source of a figure is kept at its picture."""
    from docutils import nodes

    written = next((image.rawsource for image in node.findall(nodes.image) if image.rawsource), "")
    yield written or "\n\n".join(_blocks(node))


def _footnote(node: Any) -> Iterator[str]:
    from docutils import nodes

    label = next((one.astext() for one in node.findall(nodes.label)), "")
    name = label or "".join(("#" if node.get("auto") else "", *node.get("names", ())))
    inside = "\n\n".join(" ".join(one.rawsource.split("\n")) for one in node.findall(nodes.paragraph))
    yield f".. [{name}] {inside}"


def _table(node: Any) -> Iterator[str]:
    """A table in a cell: a line a row."""
    from docutils import nodes

    title = next((one.astext() for one in node.children if isinstance(one, nodes.title)), "")
    rows = (
        " | ".join(cell_text(entry).replace("|", "\\|").replace("\n", " / ") for entry in row.children)
        for row in rows_of(node)
    )
    yield "\n".join([*([title] if title else []), *rows])


def _refused(node: Any) -> Iterator[str]:
    """A block that docutils does not read, as it is written; a mere word of docutils about the source is left out."""
    from docutils import nodes

    yield from (block.astext() for block in node.findall(nodes.literal_block))
