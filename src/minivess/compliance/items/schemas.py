"""JSON Schemas (draft 2020-12) of the files people edit and of the trace, generated from the records that validate them.

Each YAML file names its schema in its first line, so that an editor with a YAML language server completes and
checks it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from minivess.compliance.items.items import FOLDERS
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.device.project import Project
from minivess.records.items.justification import Justification
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.items.trace_data import TraceData

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@implements("REQ-195")
def schemas() -> dict[str, dict[str, Any]]:
    """The schemas by file name."""
    made = {f"{folder}.json": _list_schema(folder, lists) for folder, lists in FOLDERS.items()}
    made["justifications.json"] = _list_schema("justifications", {"justifications": Justification})
    made["risk-plan.json"] = {"$schema": _DIALECT, **RiskPlan.model_json_schema()}
    made["trace.json"] = {"$schema": _DIALECT, **TraceData.model_json_schema(mode="serialization")}
    made["project.json"] = {"$schema": _DIALECT, **Project.model_json_schema()}
    return made


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write all schemas into a folder and return their paths.

    Raises:
        CouldNotCheckError: the folder cannot be written.
    """
    paths = []
    for name, schema in sorted(schemas().items()):
        path = folder / name
        write_text_atomic(path, json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
        paths.append(path)
    return tuple(paths)


def _list_schema(folder: str, lists: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    references, definitions = models_json_schema([(model, "validation") for model in lists.values()])
    parts: dict[str, Any] = definitions["$defs"]
    for model in lists.values():  # where an item is written comes from the reader, never from the file
        schema = parts[model.__name__]
        del schema["properties"]["source"]
        schema["required"].remove("source")
    del parts["Source"]
    return {
        "$schema": _DIALECT,
        "title": folder,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "array", "items": references[(model, "validation")]} for name, model in lists.items()
        },
        "$defs": parts,
    }
