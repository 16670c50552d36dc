"""How grave a project lets the rules be: it may change a severity (`data.rules` in minivess.yaml), never silence a rule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.quality.rule_catalogue import RULES
from minivess.records.data.validation import ChangedRule, RuleChange, Severity


@implements("REQ-082", "REQ-302")
def severities(changes: Mapping[str, RuleChange]) -> tuple[dict[str, Severity], tuple[ChangedRule, ...]]:
    """The severity of every rule under a project's changes, and the changes themselves.

    Raises:
        UsageError: a rule that does not exist, a blocking rule lowered without a reason, or one that is never lowered.
    """
    found = {name: rule.severity for name, rule in RULES.items()}
    changed = []
    for name, change in sorted(changes.items()):
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, n=3)
            raise UsageError(
                f"data.rules: there is no rule {name!r}",
                hint=f"did you mean {' or '.join(near)}?" if near else "the report lists all rules",
            )
        usual = found[name]
        if RULES[name].lowered == "never" and change.severity is not Severity.BLOCK:
            raise UsageError(
                f"data.rules: {name} cannot be lowered: without a file that can be read and is whole, there is no case",
                hint=RULES[name].hint,
            )
        if usual is Severity.BLOCK and change.severity is not Severity.BLOCK and change.reason is None:
            raise UsageError(
                f"data.rules: {name} blocks, and is lowered to {change.severity.value} without a reason",
                hint=f"{name}: {{severity: {change.severity.value}, reason: …}}; the report shows the reason",
            )
        found[name] = change.severity
        if change.severity is not usual:
            changed.append(ChangedRule(rule=name, usual=usual, severity=change.severity, reason=change.reason))
    return found, tuple(changed)
