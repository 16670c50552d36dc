"""Each check of either verifier is taken out, one at a time, and changed packs that it refused must be judged otherwise.

A check is what `tests.yardstick.removal` takes for one. Which check refuses a changed pack is read off the traceback of the
refusal, so that each check is tried with the packs that reach it. A check that no changed pack reaches is listed.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any

from minivess.compliance import release
from minivess.compliance.verification import pack as product
from minivess.compliance.verification import pack_checks
from tests.support.builders.guarded_log import VERIFY
from tests.yardstick.packs.judging import Answers, judge
from tests.yardstick.removal import _checks, _codes, _functions, _Without, _words

Files = Mapping[str, bytes]
Site = tuple[str, int]
"""A source file, and a line in it."""

_NAMES = (
    "minivess.compliance.verification.pack",
    "minivess.compliance.verification.bag",
    "minivess.compliance.verification.conduct",
    "minivess.compliance.verification.holders",
    "minivess.compliance.verification.signatures",
    *(f"{package.__name__}.{one.name}" for package in (pack_checks, release) for one in iter_modules(package.__path__)),
)


@functools.cache
def modules() -> tuple[ModuleType, ...]:
    """The modules whose checks are taken out: those that judge packs, and `verify.py`."""
    return (*(importlib.import_module(name) for name in _NAMES), VERIFY)


@dataclass(frozen=True)
class Removal:
    """One check, by where it is and what it says."""

    module: ModuleType
    function: str
    number: int
    words: str
    site: tuple[str, int, int]
    """The source file, and the first and the last line."""

    def __str__(self) -> str:
        name = "verify.py" if self.module is VERIFY else self.module.__name__.removeprefix("minivess.compliance.")
        return f"{name} {self.function}: {self.words}"


def removals() -> Iterator[Removal]:
    """Every check, in order."""
    for module in modules():
        file = str(module.__file__)
        for name, node in _functions(_parsed(file)):
            for number, check in enumerate(_checks(node)):
                first, last = getattr(check, "lineno", 0), getattr(check, "end_lineno", 0)
                yield Removal(module, name, number, _words(check), (file, first, last))


@functools.cache
def _parsed(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"), file)


@contextmanager
def without(removal: Removal) -> Iterator[None]:
    """The process without one check."""
    function, file = _live(removal), removal.site[0]
    tree = _tree_without(removal)
    whole = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
    code: CodeType = next(one for one in _codes(whole) if one.co_qualname == removal.function)
    kept = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = kept


def _tree_without(removal: Removal) -> Any:
    fresh = ast.parse(Path(removal.site[0]).read_text(encoding="utf-8"), removal.site[0])
    return _Without(_checks(dict(_functions(fresh))[removal.function])[removal.number]).visit(fresh)


def _live(removal: Removal) -> FunctionType:
    """The function that runs, without the wrappers around it."""
    found: Any = removal.module
    for step in removal.function.split("."):
        found = found.__dict__[step]
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        found = (
            getattr(found, "__wrapped__", None)
            or getattr(found, "fget", None)
            or getattr(found, "func", None)
            or found.__func__
        )
    return found


@contextmanager
def recorded(sites: set[Site]) -> Iterator[None]:
    """Keep the lines that a refusal of either verifier passed through."""
    kept = vars(product)["_failed"], vars(VERIFY)["attempt"]

    def failed(name: str, error: Any) -> Any:
        sites.update(_sites(error))
        return kept[0](name, error)

    def attempt(check: Any, *more: Any) -> Any:
        def tried() -> Any:
            try:
                return check()
            except Exception as error:
                sites.update(_sites(error))
                raise

        return kept[1](tried, *more)

    vars(product)["_failed"], vars(VERIFY)["attempt"] = failed, attempt
    try:
        yield
    finally:
        vars(product)["_failed"], vars(VERIFY)["attempt"] = kept


def _sites(error: BaseException | None) -> Iterator[Site]:
    while error is not None:
        step: TracebackType | None = error.__traceback__
        while step is not None:
            yield step.tb_frame.f_code.co_filename, step.tb_lineno
            step = step.tb_next
        error = error.__cause__ or error.__context__


class Reached:
    """Changed packs by the lines that refused them: a few for each line."""

    def __init__(self, before: Files) -> None:
        self._before, self._packs = before, defaultdict[Site, list[tuple[Files, Answers]]](list)

    def add(self, files: Files, *, most: int = 3) -> None:
        """Judge a changed pack, and keep it for the lines that it is the first to reach."""
        sites = set[Site]()
        with recorded(sites):
            answers = judge(files, self._before)
        for site in sites:
            if len(self._packs[site]) < most:
                self._packs[site].append((files, answers))

    def of(self, removal: Removal) -> list[tuple[Files, Answers]]:
        """The packs that a check refused."""
        file, first, last = removal.site
        return [one for line in range(first, last + 1) for one in self._packs.get((file, line), ())]

    def noticed(self, removal: Removal) -> bool:
        """Whether a pack is judged otherwise without the check."""
        packs = self.of(removal)
        if not packs:
            return False
        with without(removal):
            return any(_said(files, self._before) != _words_of(answers) for files, answers in packs)


def _said(files: Files, before: Files) -> Any:
    try:
        return _words_of(judge(files, before))
    except Exception as error:  # a verifier that breaks has noticed
        return type(error).__name__


def _words_of(answers: Answers) -> Any:
    return dict(answers.product), dict(answers.script)


@dataclass(frozen=True)
class Found:
    """What was found about the checks."""

    count: int
    unreached: list[Removal]
    """No changed pack reaches them."""
    blind: list[Removal]
    """They refuse a changed pack, and without them it is judged the same."""


def unnoticed(before: Files, packs: Iterable[Files]) -> Found:
    """The checks that are not missed when they are taken out."""
    reached = Reached(before)
    for files in packs:
        reached.add(files)
    every = list(removals())
    unreached = [one for one in every if not reached.of(one)]
    blind = [one for one in every if reached.of(one) and not reached.noticed(one)]
    return Found(len(every), unreached, blind)


REASONS: tuple[tuple[str, str], ...] = ()


def reason_of(removal: Removal) -> str | None:
    """Why nothing needs to miss a check; None: something must."""
    return next((reason for pattern, reason in REASONS if re.fullmatch(pattern, str(removal))), None)
