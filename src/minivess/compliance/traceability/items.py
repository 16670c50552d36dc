"""Items of a source tree: user needs, requirements, risks, risk controls and the risk plan, each with file and line.

`requirements/*.yaml` hold lists `user_needs` and `requirements`; `risk/risks.yaml` a list `risks`, `risk/controls.yaml`
a list `controls`, and `risk/plan.yaml` the plan (IEC 62304 5.2, 7.1-7.3; ISO 14971 4.4, 5.4, 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.strict_yaml import read_items, read_record
from minivess.records.risk_plan import RiskPlan
from minivess.records.traceability import Gap, Requirement, Risk, RiskControl, Source, UserNeed

Item = UserNeed | Requirement | Risk | RiskControl

FILES: dict[str, dict[str, type[BaseModel]]] = {
    "requirements": {"user_needs": UserNeed, "requirements": Requirement},
    "risks": {"risks": Risk},
    "controls": {"controls": RiskControl},
}
"""Lists a file may hold and the records in them, by kind of file."""

_PREFIX: dict[type[BaseModel], str] = {UserNeed: "UN", Requirement: "REQ", Risk: "RISK", RiskControl: "RC"}


@dataclass(frozen=True)
class Items:
    """Everything typed in `requirements/` and `risk/`, by id, in the order of the files."""

    user_needs: dict[str, UserNeed]
    requirements: dict[str, Requirement]
    risks: dict[str, Risk]
    controls: dict[str, RiskControl]
    plan: RiskPlan | None
    """None when there is no risk at all and no plan."""
    duplicates: tuple[Gap, ...]

    def all(self) -> Iterator[Item]:
        """Every item."""
        yield from self.user_needs.values()
        yield from self.requirements.values()
        yield from self.risks.values()
        yield from self.controls.values()


@implements("REQ-030", "REQ-034")
def load_items(source: Path) -> Items:
    """Read all items of a source tree.

    Args:
        source: the folder with `requirements/` and `risk/`.

    Raises:
        InputError: a file is missing or malformed, an id has the wrong prefix, or a risk contradicts the plan's matrix;
            with file and line.
    """
    folder = source / "requirements"
    if not folder.is_dir():
        raise InputError("no such folder", path="requirements", hint="name a source tree that has requirements/")
    listed: list[Item] = []
    for path in sorted(folder.glob("*.yaml")):
        listed += _read(path, "requirements", source)
    for kind in ("risks", "controls"):
        if (source / "risk" / f"{kind}.yaml").exists():
            listed += _read(source / "risk" / f"{kind}.yaml", kind, source)
    known: dict[str, Item] = {}
    duplicates: list[Gap] = []
    for item in listed:
        first = known.setdefault(item.id, item)
        if first is not item:
            duplicates.append(_duplicate(item, first.source))
    items = Items(
        user_needs={item.id: item for item in known.values() if isinstance(item, UserNeed)},
        requirements={item.id: item for item in known.values() if isinstance(item, Requirement)},
        risks={item.id: item for item in known.values() if isinstance(item, Risk)},
        controls={item.id: item for item in known.values() if isinstance(item, RiskControl)},
        plan=_read_plan(source, risks=any(isinstance(item, Risk) for item in listed)),
        duplicates=tuple(duplicates),
    )
    _refuse_contradictions(items.plan, items.risks.values())
    return items


def _read(path: Path, kind: str, source: Path) -> list[Item]:
    shown = path.relative_to(source).as_posix()
    items: list[Item] = [item for found in read_items(path, FILES[kind], shown=shown).values() for item in found]
    for item in items:
        prefix = _PREFIX[type(item)]
        if not item.id.startswith(f"{prefix}-"):
            raise InputError(
                f"`{item.id}` is no id for a {type(item).__name__}",
                path=shown,
                line=item.source.line,
                hint=f"its id begins with {prefix}-",
            )
    return items


def _read_plan(source: Path, *, risks: bool) -> RiskPlan | None:
    path = source / "risk" / "plan.yaml"
    if not path.exists() and not risks:
        return None
    return read_record(path, RiskPlan, shown="risk/plan.yaml")


def _duplicate(item: Item, first: Source) -> Gap:
    message = f"{item.id} is already defined in {first.path}:{first.line}"
    return Gap(kind="duplicate-id", item=item.id, message=message, source=item.source)


def _refuse_contradictions(plan: RiskPlan | None, risks: Iterable[Risk]) -> None:
    for risk in risks:
        problem = plan.contradiction(risk) if plan else None
        if problem is not None:
            raise InputError(
                problem, path=risk.source.path, line=risk.source.line, hint="remove `verdict` or mend the estimate"
            )
