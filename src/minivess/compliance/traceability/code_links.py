"""Links from code and tests to ids, read from the syntax tree. Nothing that is read here is ever imported.

In `src/**/*.py` every call of `implements("…")` counts (decorator of a function, class or method, or a call at module
level); in `tests/**/*.py` every `pytest.mark.verifies("…")` (decorator, `pytestmark`, or mark of a parameter). Ids must
be string literals, because what cannot be read cannot be traced.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.items import Source
from minivess.records.traceability import CodeLink, TestLink

_LIMIT = 4 << 20
_DECLARATION = "minivess.foundation.implements"

_Matcher = Callable[[frozenset[str], ast.Call], bool]
_Found = tuple[str, tuple[str, ...], Source]
_Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@implements("REQ-032")
def code_links(root: Path) -> list[CodeLink]:
    """The `implements(...)` declarations under `root/src`, in order of file and line.

    Names are dotted from the module on, for example `minivess.compliance.audit.log.AuditLog.append`.

    Raises:
        InputError: a file is not Python, or an id is not a string literal; with file and line.
    """
    return [
        CodeLink(name=name, ids=ids, source=source)
        for name, ids, source in _links(root, "src", "implements", _is_implements)
    ]


def test_links(root: Path) -> list[TestLink]:
    """The `pytest.mark.verifies(...)` marks under `root/tests`, in order of file and line.

    Raises:
        InputError: as `code_links`.
    """
    return [
        TestLink(name=name, ids=ids, source=source)
        for name, ids, source in _links(root, "tests", "verifies", _is_verifies)
    ]


test_links.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it wherever it is imported


def _links(root: Path, folder: str, word: str, matches: _Matcher) -> Iterator[_Found]:
    top = root / folder
    for path in sorted(top.rglob("*.py")) if top.is_dir() else ():
        shown = path.relative_to(root).as_posix()
        data = read_limited(path, limit=_LIMIT)
        if word.encode("ascii") not in data:
            continue
        try:
            tree = ast.parse(data, filename=shown)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            raise InputError("is not Python that can be read", path=shown, line=line) from None
        module = path.relative_to(top).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        names = _declared_names(tree) if word == "implements" else frozenset()
        wanted = re.compile("|".join({word, *names}).encode("utf-8"))
        lines = [number for number, line in enumerate(data.split(b"\n"), 1) if wanted.search(line)]
        yield from sorted(_walk(tree, module, shown, partial(matches, names), lines), key=lambda found: found[2].line)


def _declared_names(tree: ast.Module) -> frozenset[str]:
    """What `implements` is called in this module, after its imports."""
    return frozenset(
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == _DECLARATION
        for alias in node.names
        if alias.name == "implements"
    )


def _is_implements(names: frozenset[str], call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in names
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "implements"
        and ast.unparse(call.func.value) in {"implements", _DECLARATION}
    )


def _is_verifies(_names: frozenset[str], call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="verifies", value=ast.Attribute(attr="mark") | ast.Name(id="mark")):
            return True
    return False


def _walk(
    tree: ast.Module, module: str, shown: str, matches: Callable[[ast.Call], bool], lines: list[int]
) -> Iterator[_Found]:
    """Matching calls in a module; a decorator's call bears the name of what it decorates.

    Only what stands on one of `lines` is looked into: most of a file has nothing to find.
    """
    pending: list[tuple[ast.AST, str]] = [(tree, module)]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, _Scoped):
            scope = f"{scope}.{node.name}"
            children: Iterable[ast.AST] = (*node.decorator_list, *node.body)
        elif isinstance(node, ast.Call) and matches(node):
            yield scope, _literals(node, shown), Source(path=shown, line=node.lineno)
            continue
        else:
            children = ast.iter_child_nodes(node)
        pending.extend((child, scope) for child in children if _spans(child, lines))


def _spans(node: ast.AST, lines: list[int]) -> bool:
    """Whether a node stands on one of these lines; a definition begins with its decorators."""
    start, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if start is None or end is None:
        return True
    if isinstance(node, _Scoped) and node.decorator_list:
        start = node.decorator_list[0].lineno
    place = bisect_left(lines, start)
    return place < len(lines) and lines[place] <= end


def _literals(call: ast.Call, shown: str) -> tuple[str, ...]:
    ids = []
    for argument in call.args:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            raise InputError(
                "an id here is not a string literal",
                path=shown,
                line=argument.lineno,
                hint='write the ids out, for example "REQ-001"',
            )
        ids.append(argument.value)
    return tuple(dict.fromkeys(ids))
