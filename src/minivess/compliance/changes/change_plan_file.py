"""Reading `release/change-plan.yaml` of a source tree."""

from __future__ import annotations

from pathlib import Path

from minivess.foundation.implements import implements
from minivess.records.changes.change_plan import ChangePlan

PLAN_FILE = "release/change-plan.yaml"


@implements("REQ-580")
def load_change_plan(source: Path) -> ChangePlan | None:
    """The plan of changes of a source tree; None: it has none.

    Raises:
        InputError: it is malformed, with file, line and a hint.
    """
    path = source / PLAN_FILE
    if not path.is_file():
        return None
    from minivess.foundation.reading.strict_yaml import load_yaml  # YAML, which verification does not need
    from minivess.foundation.reading.yaml_records import validate_node

    return validate_node(load_yaml(path, shown=PLAN_FILE), ChangePlan, shown=PLAN_FILE)
