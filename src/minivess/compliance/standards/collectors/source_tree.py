"""Evidence that files of the source tree and the risk plan show, beside documents and single items."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from minivess.compliance.risk.risk_file import risk_gaps
from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.standards.collectors.source_files import pyproject, source_text
from minivess.compliance.trace.tree import Tree
from minivess.foundation.files import read_limited
from minivess.foundation.provenance import lock_file

_LIMIT = 4 << 20
_RELEASED = re.compile(r"(?m)^## \S")


def _architecture(tree: Tree) -> bool:
    """Whether import contracts say which package may use which, and every package under `src/` has a docstring."""
    contracts = pyproject(tree.source).get("tool", {}).get("importlinter", {}).get("contracts")
    packages = sorted((tree.source / "src").rglob("__init__.py"))
    try:
        return bool(contracts and packages) and all(
            ast.get_docstring(ast.parse(read_limited(one, limit=_LIMIT))) for one in packages
        )
    except (SyntaxError, ValueError):
        return False


def _history(tree: Tree) -> bool:
    return _RELEASED.search(source_text(tree.source, "CHANGELOG.md")) is not None


def _risk_file(tree: Tree) -> bool:
    """Whether there are a plan and risks, and no reason and no basis is owed for one."""
    plan, risks, controls = tree.items.plan, tree.items.risks, tree.items.controls
    if plan is None or not risks:
        return False
    gaps = (gap for risk in risks.values() for gap in risk_gaps(plan, risk, controls))
    return all(gap.kind == "unacceptable-risk" for gap in gaps)


def _risks_acceptable(tree: Tree) -> bool:
    plan, risks = tree.items.plan, tree.items.risks
    return plan is not None and bool(risks) and all(plan.level(one.residual).acceptable for one in risks.values())


def _overall_risk(tree: Tree) -> bool:
    """Whether the plan says all that ISO 14971 clause 8 requires, and nothing of it is owed for single risks."""
    plan = tree.items.plan
    owed = any(one.gap.kind in ("untold-risk", "unacceptable-risk") for one in tree.gaps)
    complete = plan is not None and plan.disclosure is not None and bool(plan.benefit_approvers)
    return complete and bool(tree.items.risks) and not owed


def _of(rule: Callable[[Tree], bool]) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        return rule(sources.tree)

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType(
    {
        "development-plan": _of(lambda tree: (tree.source / "sdp.md").is_file()),
        "lock-file": _of(lambda tree: lock_file(tree.source) is not None),
        "soup-list": lambda sources: bool(sources.locked),
        "architecture": _of(_architecture),
        "version-history": _of(_history),
        "version-control": _of(lambda tree: tree.version.state[0] is not None),
        "risk-file": _of(_risk_file),
        "risks-acceptable": _of(_risks_acceptable),
        "overall-residual-risk": _of(_overall_risk),
    }
)
