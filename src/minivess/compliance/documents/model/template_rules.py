"""What a template of a document must not say by itself: a number, or what a person did.

Both are facts about one release. A template that states them would state them of every release. Numbers enter by
`{{ fact("…") }}` or from a record, acts of people by `{{ act("…") }}`, which the log answers. A clause of a standard is written
by `{{ cite("…") }}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, nodes

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

_NUMBER = re.compile(r"(?<![\w.])(?<![A-Z]-)[+−-]?\d[\d.,]*\s*%?")
"""A word that begins with a digit. Digits inside a name (AES-256, P1) are no number of their own."""
_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    r"hundred|thousand|million|dozen|half|twice|thrice|per cent|percent)\b",
    re.IGNORECASE,
)
_DONE = (
    "reviewed|approved|signed|authorised|authorized|inspected|trained|qualified|assessed|confirmed|accepted|audited|witnessed|"
    "attested|agreed|fixed|fitted|measured|calibrated|evaluated|decided|adjudicated|annotated|verified|validated|released|interviewed|observed|consulted|informed"
)
_ACT = re.compile(rf"\b(?:was|were|has been|have been|had been|got)\s+(?:\w+\s+)?(?:{_DONE})\b", re.IGNORECASE)
FUNCTIONS = frozenset({"fact", "known", "act", "cite"})
"""What a template calls by the name of something that is computed or published."""
_TAG = re.compile(r"<[^>]*(?:>|$)")


@implements("REQ-501", "RC-207")
def check_template(environment: Environment, name: str, text: str) -> None:
    """Refuse a template that states a number or an act of a person in its own words.

    Args:
        environment: parses it.
        name: of the template, for errors.
        text: its source.

    Raises:
        InputError: names the line and the words.
        jinja2.TemplateSyntaxError: it is malformed.
    """
    tree = environment.parse(text, name)
    for line, found, what, instead in _offences(tree):
        raise InputError(
            f"states {what} in its own words: {found!r}",
            path=f"templates/documents/{name}",
            line=line,
            hint=f"write {instead}",
        )


def _offences(tree: nodes.Template) -> Iterator[tuple[int, str, str, str]]:
    inside = False
    for line, text in _literals(tree):
        shown, inside = _shown(text, inside=inside)
        for pattern, what, instead in (
            (_NUMBER, "a number", '`{{ fact("…") }}`, or `{{ cite("…") }}` for a clause'),
            (_WORDS, "a number", '`{{ fact("…") }}`'),
            (_ACT, "what a person did", '`{{ act("…") }}`'),
        ):
            hit = pattern.search(shown)
            if hit is not None:
                yield line + shown.count("\n", 0, hit.start()), " ".join(hit[0].split()), what, instead


def _literals(node: nodes.Node) -> Iterator[tuple[int, str]]:
    """The words of a template in their order: outside of expressions, and constants that can be shown."""
    match node:
        case nodes.TemplateData():
            yield node.lineno, node.data
        case nodes.Output():
            for one in node.nodes:
                yield from _literals(one) if isinstance(one, nodes.TemplateData) else _constants(one, shown=True)
        case nodes.Import() | nodes.FromImport() | nodes.Include() | nodes.Extends():
            return
        case nodes.Expr():
            yield from _constants(node, shown=False)
        case _:
            for child in node.iter_child_nodes():
                yield from _literals(child)


def _constants(node: nodes.Node, *, shown: bool) -> Iterator[tuple[int, str]]:
    """Constants of an expression: every text, except where it is a name or is compared; numbers where they are shown."""
    if _asks(node):
        return
    match node:
        case nodes.Const(value=str() as value):
            yield node.lineno, value
        case nodes.Const(value=int() | float() as value) if shown and not isinstance(value, bool):
            yield node.lineno, str(value)
        case nodes.Getitem():
            yield from _constants(node.node, shown=False)
        case nodes.CondExpr():
            yield from _constants(node.expr1, shown=shown)
            if node.expr2 is not None:
                yield from _constants(node.expr2, shown=shown)
        case nodes.Concat():
            for one in node.nodes:
                yield from _constants(one, shown=shown)
        case nodes.Filter():
            for number, child in enumerate(node.iter_child_nodes()):
                yield from _constants(child, shown=shown and number == 0)
        case _:
            for child in node.iter_child_nodes():
                yield from _constants(child, shown=False)


def _asks(node: nodes.Node) -> bool:
    """Whether an expression only asks or names: nothing of it is shown."""
    if isinstance(node, nodes.Call):
        return isinstance(node.node, nodes.Name) and node.node.name in FUNCTIONS
    return isinstance(node, nodes.Compare | nodes.Test)


def _shown(text: str, *, inside: bool) -> tuple[str, bool]:
    """A piece of HTML without its tags, and whether it ends inside one; line breaks are kept."""
    if inside:
        before, end, text = text.partition(">")
        if not end:
            return "\n" * before.count("\n"), True
        lead = "\n" * before.count("\n")
    else:
        lead = ""
    cut = text.rfind("<")
    open_at_end = cut >= 0 and ">" not in text[cut:]
    return lead + _TAG.sub(lambda found: " " + "\n" * found[0].count("\n"), text), open_at_end
