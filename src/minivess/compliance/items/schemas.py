"""JSON Schemas (draft 2020-12) of the files people edit and of the trace, generated from the records that validate them.

Each YAML file names its schema in its first line, so that an editor with a YAML language server completes and
checks it. The description of a field is the docstring below it.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from minivess.compliance.items.items import FOLDERS
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.changes.change_plan import ChangePlan
from minivess.records.components.policy import ComponentPolicy
from minivess.records.components.vex import VexFile
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
    made["risk-plan.json"] = _record_schema(RiskPlan)
    made["trace.json"] = _record_schema(TraceData, mode="serialization")
    made["change-plan.json"] = _record_schema(ChangePlan)
    made["vex.json"] = _record_schema(VexFile)
    made["components.json"] = _record_schema(ComponentPolicy)
    made["project.json"] = _record_schema(Project)
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


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """The docstring below each field of a record and of the records that it extends, in one line each."""
    texts: dict[str, str] = {}
    for part in reversed(model.__mro__):
        if not issubclass(part, BaseModel) or part is BaseModel:
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        if isinstance(body, ast.ClassDef):
            texts |= dict(_documented(body))
    return texts


def _documented(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(body.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            yield field.target.id, " ".join(after.value.value.split())


def _record_schema(model: type[BaseModel], *, mode: JsonSchemaMode = "validation") -> dict[str, Any]:
    schema = model.model_json_schema(mode=mode)
    _describe(schema, model)
    _describe_parts(schema.get("$defs", {}), model)
    return {"$schema": _DIALECT, **schema}


def _describe_parts(parts: dict[str, Any], *models: type[BaseModel]) -> None:
    for part in (part for model in models for part in _parts(model)):
        if part.__name__ in parts:
            _describe(parts[part.__name__], part)


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    texts = field_texts(model)
    for name, field in schema.get("properties", {}).items():
        part = next(_records_in(model.model_fields[name].annotation), None)
        if name in texts:
            field["description"] = texts[name]
        elif part is not None:
            field["description"] = _first_line(part)


def _first_line(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").partition("\n")[0]


def _parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A record and the records in its fields."""
    yield model
    for field in model.model_fields.values():
        for part in _records_in(field.annotation):
            yield from _parts(part)


def _records_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _records_in(argument)


def _list_schema(folder: str, lists: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    references, definitions = models_json_schema([(model, "validation") for model in lists.values()])
    parts: dict[str, Any] = definitions["$defs"]
    for model in lists.values():  # where an item is written comes from the reader, never from the file
        schema = parts[model.__name__]
        del schema["properties"]["source"]
        schema["required"].remove("source")
    del parts["Source"]
    _describe_parts(parts, *lists.values())
    return {
        "$schema": _DIALECT,
        "title": folder,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "array", "description": _first_line(model), "items": references[(model, "validation")]}
            for name, model in lists.items()
        },
        "$defs": parts,
    }
