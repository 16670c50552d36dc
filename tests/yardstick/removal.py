"""Each check of the log's verification and admission is taken out, one at a time, and the battery must notice.

A check is a `raise`, a call whose result nobody uses, or a failed `Check` that is returned. It is taken out of the code
object of the function that it is in; nothing is written to the disk. The cases that the check refuses are judged first.
"""

from __future__ import annotations

import ast
import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, FunctionType
from typing import Any

from minivess.compliance import rules
from minivess.compliance.verification.log import verify_entries, verify_log
from minivess.foundation.errors import MinivessError
from tests.support.builders.guarded_log import refusal_of_script
from tests.yardstick.cases.battery import battery
from tests.yardstick.cases.case import Case

MODULES = (
    "minivess.compliance.verification.log",
    "minivess.compliance.verification.log_entries",
    *(f"{rules.__name__}.{one.name}" for one in sorted(iter_modules(rules.__path__), key=lambda one: one.name)),
    "minivess.compliance.identity.register",
    "minivess.compliance.identity.tenure",
    "minivess.compliance.identity.roots",
)
_NO_CHECKS = frozenset({"append", "add", "update", "extend", "pop", "progress", "shutdown", "setdefault"})
"""Calls whose result nobody uses, and that change something instead."""

_NO_JUDGES = ("sign_",)
"""Functions that sign, and judge nothing."""
_TOOL = 4
"""A number of `sys.monitoring` that no debugger and no measurement of coverage takes."""

Line = tuple[str, int]
"""A source file, and a line in it."""


@dataclass(frozen=True)
class Removal:
    """One check, by where it is and what it says."""

    module: str
    function: str
    number: int
    words: str
    lines: tuple[int, int] = (0, 0)
    """The first and the last line in the file of the module."""

    def __str__(self) -> str:
        return f"{self.module.removeprefix('minivess.compliance.')}.{self.function}: {self.words}"


def removals() -> Iterator[Removal]:
    """Every check of `MODULES`, in order."""
    for module in MODULES:
        for name, node in _functions(_parsed(module)):
            for number, check in enumerate(_checks(node)):
                if name.startswith(_NO_JUDGES):
                    continue
                lines = getattr(check, "lineno", 0), getattr(check, "end_lineno", 0)
                yield Removal(module, name, number, _words(check), lines)


@functools.cache
def _source(module: str) -> str:
    file = importlib.import_module(module).__file__
    assert file is not None
    return Path(file).read_text(encoding="utf-8")


def _parsed(module: str) -> ast.Module:
    return ast.parse(_source(module), module)


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods by their qualified names; those inside others belong to the outer one."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")


def _checks(function: ast.FunctionDef) -> list[ast.AST]:
    return [node for node in ast.walk(function) if _is_check(node)]


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _called(node.value) not in _NO_CHECKS
    if isinstance(node, ast.Call) and _called(node) == "Check":
        return any(
            word.arg == "passed" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in node.keywords
        )
    return False


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _words(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 150 else text[:147] + "..."


class _Without(ast.NodeTransformer):
    def __init__(self, check: ast.AST) -> None:
        self._check = check

    def visit(self, node: ast.AST) -> Any:
        if node is not self._check:
            return self.generic_visit(node)
        if isinstance(node, ast.Call):
            for word in node.keywords:
                if word.arg == "passed":
                    word.value = ast.copy_location(ast.Constant(True), word.value)
            return node
        return ast.copy_location(ast.Pass(), node)


def _code_of(removal: Removal) -> CodeType:
    """The code of the function without the check."""
    tree = _parsed(removal.module)
    function = dict(_functions(tree))[removal.function]
    changed = _Without(_checks(function)[removal.number]).visit(tree)
    whole = compile(ast.fix_missing_locations(changed), "without a check", "exec", dont_inherit=True)
    return next(code for code in _codes(whole) if code.co_qualname == removal.function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _live(removal: Removal) -> FunctionType:
    """The function that runs, without the wrappers around it."""
    found: Any = importlib.import_module(removal.module)
    for step in removal.function.split("."):
        found = found.__dict__[step]
    while not isinstance(found, FunctionType):
        found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found.__wrapped__
    return found


@contextmanager
def without(removal: Removal) -> Iterator[None]:
    """The process without one check."""
    function = _live(removal)
    kept = function.__code__
    function.__code__ = _code_of(removal)
    _forget()
    try:
        yield
    finally:
        function.__code__ = kept
        _forget()


def _forget() -> None:
    for module in MODULES:
        for item in vars(importlib.import_module(module)).values():
            if isinstance(item, functools._lru_cache_wrapper):
                item.cache_clear()


def verdict(case: Case) -> str:
    """What verification says is wrong with a case; empty: nothing."""
    if case.ask is not None:
        return case.ask()
    how: dict[str, Any] = {"trust": case.trusted}
    if case.known is None and not case.quick:
        checks = verify_entries(case.pairs, case.note, **how)[0]
    else:
        checks = verify_log(case.pairs, case.note, known=case.known, quick=case.quick, **how)[0]
    return next((check.detail for check in checks if not check.passed), "")


def fault(case: Case) -> str:
    """How a case is judged otherwise than it must be; empty: it is judged as it must."""
    try:
        said = verdict(case)
    except MinivessError as error:
        return f"{case.name}: verification raised {type(error).__name__}"
    except Exception as error:
        return f"{case.name}: verification broke: {type(error).__name__}: {error}"
    if case.words is None:
        return f"{case.name}: refused: {said}" if said else ""
    if not said:
        return f"{case.name}: accepted"
    missing = [word for word in case.words if word not in said]
    return f"{case.name}: the refusal does not say {missing[0]!r}: {said}" if missing else ""


@dataclass(frozen=True)
class Judged:
    """A case as the whole verification judges it."""

    case: Case
    fault: str
    raised: frozenset[Line]
    """The lines from which something was raised."""


@functools.cache
def judged() -> tuple[Judged, ...]:
    """Every case of the battery, judged once a process."""
    found = []
    for case in battery():
        with _raised() as lines:
            words = fault(case)
        found.append(Judged(case, words, frozenset(lines)))
    return tuple(found)


@contextmanager
def _raised() -> Iterator[set[Line]]:
    lines, watch = set[Line](), sys.monitoring

    def note(code: CodeType, _: int, error: BaseException) -> None:
        if error.__traceback__ is not None:
            lines.add((code.co_filename, error.__traceback__.tb_lineno))

    watch.use_tool_id(_TOOL, "yardstick")
    try:
        watch.register_callback(_TOOL, watch.events.RAISE, note)
        watch.set_events(_TOOL, watch.events.RAISE)
        yield lines
    finally:
        watch.set_events(_TOOL, watch.events.NO_EVENTS)
        watch.free_tool_id(_TOOL)


def _refuses(removal: Removal, one: Judged) -> bool:
    file, (first, last) = str(importlib.import_module(removal.module).__file__), removal.lines
    return any((file, line) in one.raised for line in range(first, last + 1))


def for_script() -> Iterator[Case]:
    """The cases that verify.py can judge: it has no quick judgement, and tests of trust files ask it about those."""
    return (one for one in battery() if not (one.ask or one.known or one.trusted or one.quick))


def fault_of_script(case: Case) -> str:
    """How verify.py judges a case otherwise than it must; empty: as it must."""
    said = refusal_of_script(case.pairs, case.note)
    if bool(said) == (case.words is not None):
        return ""
    return f"{case.name}: verify.py refuses: {said}" if said else f"{case.name}: verify.py accepts"


def noticed(removal: Removal) -> Case | None:
    """The case that notices first when a check is taken out: those that the check refuses are asked first."""
    order = sorted(judged(), key=lambda one: not _refuses(removal, one))
    with without(removal):
        return next((one.case for one in order if fault(one.case)), None)
