"""What both verifiers say about a pack, and whether they say the same."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

from minivess.compliance.verification import pack as product
from tests.support.builders.guarded_log import VERIFY
from tests.yardstick.fast import remembered_signatures

_NAMED = (
    re.compile(r"\bentry \d+", re.ASCII),
    re.compile(r"\bgate [a-z0-9-]+"),
    re.compile(r"\bcase [a-z0-9-]+"),
)
"""What a message can name beside a file and a person."""
_SIGNER = re.compile(r"signatures/([a-z0-9-]+)\.")


@dataclass(frozen=True)
class Answers:
    """The checks that failed, with their words, in the order of judgement. The checks of the log are one."""

    product: Mapping[str, str]
    script: Mapping[str, str]
    files: frozenset[str]
    """The names that files can have."""

    @property
    def refused(self) -> bool:
        """Whether both refuse."""
        return bool(self.product) and bool(self.script)

    @property
    def fault(self) -> str:
        """How they differ; empty: they give the same verdict, and their first failed checks name the same."""
        both = f"product {_first(self.product)!r}, verify.py {_first(self.script)!r}"
        if bool(self.product) != bool(self.script):
            return both
        mine, theirs = (self._named(_first(failed)) for failed in (self.product, self.script))
        if "is malformed (" in _first(self.script) or ((mine or theirs) and not mine & theirs):
            return both
        return ""

    @property
    def other_check(self) -> str:
        """The names of the checks that failed first, where they differ."""
        first = [next(iter(failed), "") for failed in (self.product, self.script)]
        return "" if first[0] == first[1] else f"product {first[0]!r}, verify.py {first[1]!r}"

    def _named(self, words: str) -> set[str]:
        """The files, people, entries, gates and cases that a message names."""
        files = {name for name in self.files if name in words}
        people = {match[1] for name in self.files if (match := _SIGNER.match(name))}
        files |= {who for who in people if re.search(rf"\b{who}\b", words)}
        return files | {match for pattern in _NAMED for match in pattern.findall(words)}


def _first(failed: Mapping[str, str]) -> str:
    return next((f"{name}: {words}" for name, words in failed.items()), "")


def judge(files: Mapping[str, bytes], before: Mapping[str, bytes]) -> Answers:
    """What both say about the files of a pack, judged by its own keys.

    Args:
        files: of the changed pack.
        before: of the pack before the change, for the names of files.
    """
    verdict = product.judge_files(files, subject="pack", container="", trusted=None)
    mine = _joined((check.name, check.passed, check.detail) for check in verdict.checks)
    theirs = _joined(VERIFY.Judgement(None).judge(files).checks)
    return Answers(mine, theirs, frozenset(files) | frozenset(before))


def _joined(checks: Any) -> dict[str, str]:
    """The failed checks; those of the log are one, with the words of the first."""
    found: dict[str, str] = {}
    for name, passed, words in checks:
        if not passed:
            found.setdefault("log" if name.startswith("log") else name, words)
    return found


@contextmanager
def remembered() -> Iterator[None]:
    """Both verifiers remember signatures, and what they said about a log that they judged before."""
    module, pack = vars(product), VERIFY.Pack
    kept_product, kept_script = module["verify_entries"], pack.check_log
    with remembered_signatures():
        module["verify_entries"], pack.check_log = _Logs(kept_product), _script_log(kept_script)
        try:
            yield
        finally:
            module["verify_entries"], pack.check_log = kept_product, kept_script


class _Logs:
    """The product's judgement of the newest logs."""

    def __init__(self, judge: Callable[..., Any]) -> None:
        self._judge, self._known = judge, dict[Any, Any]()

    def __call__(self, pairs: Any, checkpoint: str, *, trust: Any = None) -> Any:
        held = tuple(pairs)
        key = (held, checkpoint, id(trust))
        if key not in self._known:
            _forget_old(self._known)
            self._known[key] = self._judge(iter(held), checkpoint, trust=trust)
        return self._known[key]


def _script_log(judge: Callable[[Any], str]) -> Callable[[Any], str]:
    known = dict[Any, Any]()
    names = ("data/audit/entries.jsonl", "data/audit/details.jsonl", "data/audit/checkpoint.txt")

    @functools.wraps(judge)
    def check_log(pack: Any) -> str:
        code = getattr(judge, "__code__", None)  # another one while a check of it is taken out
        key = (*(pack.files.get(name) for name in names), id(pack.trust), code)
        if key not in known:
            words = judge(pack)  # what is refused is not remembered
            _forget_old(known)
            known[key] = {name: value for name, value in vars(pack).items() if name != "files"}, words
        state, words = known[key]
        vars(pack).update({name: copy(value) if name == "bodies" else value for name, value in state.items()})
        return str(words)

    return check_log


def _forget_old(known: dict[Any, Any]) -> None:
    if len(known) > 4:
        del known[next(iter(known))]
