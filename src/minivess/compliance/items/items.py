"""Items of a source tree, each with file and line, and the risk plan.

`requirements/*.yaml` and `risk/*.yaml` hold lists of items (`records.items.items.KINDS` says which), several to a file;
`risk/plan.yaml` is the plan (IEC 62304 5.2, 5.3, 7.1-7.3; ISO 14971 4.4, 5.4, 7).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.yaml_records import read_folder, read_items, read_record
from minivess.records.items.items import Item, Requirement, Source, UserNeed
from minivess.records.items.justification import Justification, doubled
from minivess.records.items.kinds import KINDS, links_of
from minivess.records.items.risk_items import Risk, RiskControl
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.items.trace import Gap

FOLDERS: dict[str, dict[str, type[Item]]] = {
    folder: {kind.list: kind.record for kind in KINDS if kind.folder == folder} for folder in ("requirements", "risk")
}
"""Lists a file may hold and the records in them, by folder."""
JUSTIFICATIONS = "justifications.yaml"
OTHER_FILES: dict[str, frozenset[str]] = {
    "requirements": frozenset({JUSTIFICATIONS}),
    "risk": frozenset({"plan.yaml", "vex.yaml"}),
}
"""Files of these folders that hold no items."""

_DOCUMENT_LIMIT = 1 << 20
_RISK = re.compile(r"\bRISK-[0-9]{2,5}\b", re.ASCII)
_PREFIX = {kind.record: kind.prefix for kind in KINDS}


@dataclass(frozen=True)
class Items:
    """Everything typed in `requirements/` and `risk/`, by id, in the order of the files."""

    by_id: Mapping[str, Item]
    plan: RiskPlan | None
    """None when there is no risk at all and no plan."""
    duplicates: tuple[Gap, ...] = ()
    disclosed: frozenset[str] = frozenset()
    """Risks that the document for users names (`disclosure` of the plan)."""
    repeated: tuple[Item, ...] = ()
    """Items whose id is defined above them; `by_id` has the first of each."""

    def all(self) -> Iterator[Item]:
        """Every item."""
        yield from self.by_id.values()

    def of[R: Item](self, record: type[R]) -> dict[str, R]:
        """The items of one kind, by id."""
        return {item.id: item for item in self.by_id.values() if isinstance(item, record)}

    @cached_property
    def links(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """By id: what an item names, as (field, id); items that name nothing are left out."""
        found = ((item.id, tuple(links_of(item))) for item in self.by_id.values())
        return {name: links for name, links in found if links}

    @cached_property
    def user_needs(self) -> dict[str, UserNeed]:
        """What people need."""
        return self.of(UserNeed)

    @cached_property
    def requirements(self) -> dict[str, Requirement]:
        """The software requirements."""
        return self.of(Requirement)

    @cached_property
    def risks(self) -> dict[str, Risk]:
        """The risks."""
        return self.of(Risk)

    @cached_property
    def controls(self) -> dict[str, RiskControl]:
        """The risk control measures."""
        return self.of(RiskControl)


@implements("REQ-030", "REQ-034")
def load_items(source: Path, *, folders: Collection[str] = tuple(FOLDERS)) -> Items:
    """Read all items of a source tree.

    Args:
        source: the folder with `requirements/` and `risk/`.
        folders: only items of these folders.

    Raises:
        InputError: a file is missing or malformed, an id has the wrong prefix, or a risk contradicts the plan's matrix;
            with file and line.
    """
    if "requirements" in folders and not (source / "requirements").is_dir():
        raise InputError("no such folder", path="requirements", hint="name a source tree that has requirements/")
    known: dict[str, Item] = {}
    repeated: list[Item] = []
    for folder in folders:
        for item in read_folder(source, folder, FOLDERS[folder], without=OTHER_FILES[folder]):
            _check_prefix(item)
            if known.setdefault(item.id, item) is not item:
                repeated.append(item)
    risks = [item for item in (*known.values(), *repeated) if isinstance(item, Risk)]
    plan = _read_plan(source, risks=bool(risks))
    _refuse_contradictions(plan, risks)
    duplicates = tuple(_duplicate(item, known[item.id].source) for item in repeated)
    return Items(known, plan, duplicates, _disclosed(source, plan), tuple(repeated))


@implements("REQ-071")
def read_justifications(source: Path) -> tuple[Justification, ...]:
    """What `requirements/justifications.yaml` says, in its order; nothing when it does not exist.

    Raises:
        InputError: it is malformed, or one thing is justified twice; with file and line.
    """
    path = source / "requirements" / JUSTIFICATIONS
    if not path.exists():
        return ()
    shown = f"requirements/{JUSTIFICATIONS}"
    found: list[Justification] = read_items(path, {"justifications": Justification}, shown=shown)["justifications"]
    for one in doubled(found):
        raise InputError(
            f"`{one.subject}` is justified already", path=shown, line=one.source.line, hint="keep one of them"
        )
    return tuple(found)


def _check_prefix(item: Item) -> None:
    prefix = _PREFIX[type(item)]
    if not item.id.startswith(f"{prefix}-"):
        raise InputError(
            f"`{item.id}` is no id for a {type(item).__name__}",
            path=item.source.path,
            line=item.source.line,
            hint=f"its id begins with {prefix}-",
        )


def _read_plan(source: Path, *, risks: bool) -> RiskPlan | None:
    path = source / "risk" / "plan.yaml"
    if not path.exists() and not risks:
        return None
    return read_record(path, RiskPlan, shown="risk/plan.yaml")


def _disclosed(source: Path, plan: RiskPlan | None) -> frozenset[str]:
    """Ids of risks in the document that the plan names; none when it is not there."""
    if plan is None or plan.disclosure is None or not (path := source / plan.disclosure.document).is_file():
        return frozenset()
    return frozenset(_RISK.findall(read_limited(path, limit=_DOCUMENT_LIMIT).decode("utf-8", "replace")))


def _duplicate(item: Item, first: Source) -> Gap:
    message = f"{item.id} is already defined in {first.path}:{first.line}"
    return Gap(kind="duplicate-id", item=item.id, message=message, source=item.source)


def _refuse_contradictions(plan: RiskPlan | None, risks: Iterable[Risk]) -> None:
    for risk in risks:
        problem = plan.contradiction(risk) if plan else None
        if problem is not None:
            raise InputError(
                problem, path=risk.source.path, line=risk.source.line, hint="remove `verdict` or correct the estimate"
            )
