"""Marks in code and tests that name ids, read from the syntax tree. Nothing that is read here is ever imported.

In `src/**/*.py` every call of `implements("…")` counts (decorator of a function, class or method, or a call at module
level); in `tests/**/*.py` every `pytest.mark.verifies("…")` (decorator, `pytestmark`, or mark of a parameter). Ids must
be string literals, because what cannot be read cannot be traced.

Marks are plain values and this module needs nothing but the standard library: thousands of them are read in another
process while this one imports what makes records of them.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.processes.forked_work import shared

_LIMIT = 4 << 20
_DECLARATION = "minivess.foundation.implements"
_WORDS = {"src": "implements", "tests": "verifies"}
"""What is looked for, by folder of the tree."""


class Mark(NamedTuple):
    """What names ids, and where."""

    name: str
    """Dotted from the module on, for example `minivess.compliance.audit.log.AuditLog.append`."""
    ids: tuple[str, ...]
    path: str
    line: int


class Marks(NamedTuple):
    """The marks of a tree, in order of file and line."""

    code: list[Mark]
    """`implements(...)` under `src`."""
    tests: list[Mark]
    """`pytest.mark.verifies(...)` under `tests`."""


_Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@contextmanager
@implements("REQ-032")
def reading_marks(root: Path) -> Iterator[Callable[[], Marks]]:
    """Begin to read the marks of a tree, and give what answers them; it is asked once.

    Raises:
        InputError: a file is not Python, or an id is not a string literal; with file and line. When asked.
    """
    files = {folder: sorted((root / folder).rglob("*.py")) for folder in _WORDS}
    with shared(
        [(folder, path) for folder, paths in files.items() for path in paths], partial(_marks_in, root)
    ) as all_:

        def marks() -> Marks:
            found = all_()
            code = len(files["src"])
            return Marks([mark for one in found[:code] for mark in one], [mark for one in found[code:] for mark in one])

        yield marks


def _marks_in(root: Path, file: tuple[str, Path]) -> list[Mark]:
    """The marks of one file, by line."""
    folder, path = file
    word = _WORDS[folder]
    shown = path.relative_to(root).as_posix()
    data = read_limited(path, limit=_LIMIT)
    if word.encode("ascii") not in data:
        return []
    try:
        tree = ast.parse(data, filename=shown)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise InputError("is not Python that can be read", path=shown, line=line) from None
    module = path.relative_to(root / folder).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    names = _declared_names(tree)
    matches = _is_verifies if folder == "tests" else partial(_is_implements, names)
    wanted = re.compile("|".join({word, *names}).encode("utf-8"))
    lines = [number for number, line in enumerate(data.split(b"\n"), 1) if wanted.search(line)]
    return sorted(_walk(tree, module, shown, matches, lines), key=lambda mark: mark.line)


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


def _is_verifies(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="verifies", value=ast.Attribute(attr="mark") | ast.Name(id="mark")):
            return True
    return False


def _walk(
    tree: ast.Module, module: str, shown: str, matches: Callable[[ast.Call], bool], lines: list[int]
) -> Iterator[Mark]:
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
            yield Mark(scope, _literals(node, shown), shown, node.lineno)
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
