"""needs.json of sphinx-needs: the current version's needs, with every field that holds something; numbers as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minivess.compliance.exchange.foreign_items import (
    Foreign,
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    Row,
    lost,
    short,
)
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.item_rows import recognise
from minivess.compliance.exchange.untrusted.encodings import decode
from minivess.foundation.errors import InputError

_OWN = "minivess"
_COMPUTED = frozenset(
    {
        *("arch", "constraints_passed", "constraints_results", "constraints_error", "external_css", "has_dead_links"),
        *("has_forbidden_dead_links", "is_external", "is_import", "is_modified", "is_need", "is_part", "jinja_content"),
        *("modifications", "type_color", "type_prefix", "type_style", "type_name", "parent_need", "section_name"),
        *("doctype", "docname", "lineno", "lineno_content", "full_title", "id_complete", "id_parent"),
        *("target_id", "content_id", "external_url", "layout", "template", "pre_template", "post_template"),
    }
)
"""What sphinx-needs works out itself, or how it shows a need; it says nothing about the need."""
_LINKS = frozenset({"links", "parent_needs"})
_CORE = frozenset({"id", "type", "title", "content", _OWN})
_FIELD = re.compile(r"(?!(?:id|type|title|content|minivess|status|tags|.*_back)$)[a-z][a-z0-9_]*", re.ASCII)
"""Names that can stand beside the fields of sphinx-needs itself."""
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*\{')


@dataclass(frozen=True)
class _Repeated:
    """A key written twice in an object: all its values."""

    values: tuple[Any, ...]


def read_needs(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    """Read a needs.json file.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what its types, fields and links mean.

    Raises:
        InputError: it is no JSON, or no needs.json.
    """
    foreign = Foreign()
    text = decode(data, file, foreign.remarks)
    root = _parse(text, file)
    versions = root.get("versions") if isinstance(root, dict) else None
    if not isinstance(versions, dict) or not versions:
        raise InputError("is no needs.json: it has no `versions`", path=file, line=1)
    current = root.get("current_version")
    name = str(current) if str(current) in versions else list(versions)[-1]
    version = versions[name]
    for other, held in versions.items():
        if other != name:
            count = len(held.get("needs") or ()) if isinstance(held, dict) else 0
            message = f"version {other} with {count} needs is not taken: {name} is current"
            foreign.remarks.append(Remark("lost", Place(file), message, field="versions", value=str(other)))
    needs = version.get("needs") if isinstance(version, dict) else None
    if isinstance(needs, list):
        needs = {str(need.get("id", at)): need for at, need in enumerate(needs) if isinstance(need, dict)}
    if not isinstance(needs, dict):
        raise InputError(f"version {name} has no `needs`", path=file)
    schema = version.get("needs_schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    properties = properties if isinstance(properties, dict) else {}
    if version.get("creator") == {"program": _OWN}:
        foreign.items += _own(needs, properties, file)
        return foreign
    rows = list(_rows(needs, properties, _lines(text), file, foreign.remarks))
    recognise(rows, mapping, foreign)
    return foreign


def write_needs(items: Sequence[ForeignItem], *, project: str, version: str, created: str) -> str:
    """A needs.json file for sphinx-needs (`needimport`), which `read_needs` takes back without loss."""
    needs: dict[str, dict[str, Any]] = {}
    properties: dict[str, dict[str, Any]] = {}
    for at, item in enumerate(items):
        links: dict[str, list[str]] = {}
        for link in item.links:
            links.setdefault(link.relation, []).append(link.target)
        need: dict[str, Any] = {"id": item.id, "type": item.kind, "title": item.title, "content": item.text}
        odd: dict[str, dict[str, Any]] = {"links": {}, "attributes": {}}
        for role, named in (("links", links), ("attributes", item.attributes)):
            for name, value in named.items():
                if _FIELD.fullmatch(name) and properties.setdefault(name, {"field_type": role})["field_type"] == role:
                    need[name] = value
                else:
                    odd[role][name] = value
        if odd["links"] or odd["attributes"]:
            need[_OWN] = odd
        needs[item.id if item.id and item.id not in needs else f"{item.id}#{at + 1}"] = need
    schema = {
        name: {"field_type": "links", "type": "array", "items": {"type": "string"}, "default": []}
        if found["field_type"] == "links"
        else {"field_type": "extra", "type": "string", "default": ""}
        for name, found in properties.items()
    }
    held = {
        "created": created,
        "creator": {"program": _OWN},
        "needs": needs,
        "needs_amount": len(needs),
        "needs_schema": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": schema},
    }
    root = {"created": created, "current_version": version, "project": project, "versions": {version: held}}
    return json.dumps(root, ensure_ascii=False, indent=1) + "\n"


def _own(needs: Mapping[str, Any], properties: Mapping[str, Any], file: str) -> Iterator[ForeignItem]:
    """Our own needs: every field is what the schema says."""
    for key, need in needs.items():
        try:
            odd = need.get(_OWN) or {"links": {}, "attributes": {}}
            links, attributes = dict(odd["links"]), dict(odd["attributes"])
            for name, value in need.items():
                if name not in _CORE:
                    (links if properties[name]["field_type"] == "links" else attributes)[name] = value
            yield ForeignItem(
                str(need["id"]),
                str(need["type"]),
                str(need["title"]),
                str(need["content"]),
                {str(name): str(value) for name, value in attributes.items()},
                tuple(ForeignLink(name, str(target)) for name, targets in links.items() for target in targets),
                Place(file, None, key),
                own=True,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"`{key}` is no need this program wrote: {error!r}", path=file) from None


def _parse(text: str, file: str) -> Any:
    def pairs(listed: list[tuple[str, Any]]) -> dict[str, Any]:
        held: dict[str, Any] = {}
        for key, value in listed:
            if key in held:
                before = held[key].values if isinstance(held[key], _Repeated) else (held[key],)
                held[key] = _Repeated((*before, value))
            else:
                held[key] = value
        return held

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_float=str, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error.msg}", path=file, line=error.lineno) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"is JSON that cannot be read: {error}", path=file) from None


def _lines(text: str) -> dict[str, int]:
    """The line on which each object begins, by its key (the last one of that key)."""
    lines: dict[str, int] = {}
    line, before = 1, 0
    for found in _KEY.finditer(text):
        line += text.count("\n", before, found.start())
        before = found.start()
        try:
            lines[json.loads(f'"{found.group(1)}"')] = line
        except ValueError:
            continue
    return lines


def _rows(
    needs: Mapping[str, Any], properties: Mapping[str, Any], lines: Mapping[str, int], file: str, remarks: list[Remark]
) -> Iterator[Row]:
    known = set(needs)
    for key, found in needs.items():
        place = Place(file, lines.get(key), key)
        several = found.values if isinstance(found, _Repeated) else (found,)
        for need in several:
            if isinstance(need, dict):
                yield _row(need, known, properties, place, remarks)
            else:
                remarks.append(lost(place, key, str(need), "is no need"))


def _row(
    need: Mapping[str, Any],
    known: set[str],
    properties: Mapping[str, Any],
    place: Place,
    remarks: list[Remark],
) -> Row:
    """The row of a need, whose id is `place.within`."""
    key = place.within
    cells: dict[str, str] = {"id": key}
    links: list[ForeignLink] = []
    computed: dict[str, Any] = {}
    for name, written in need.items():
        value = written
        if isinstance(written, _Repeated):
            remarks.append(lost(place, name, str(written.values[:-1]), "is written several times; the last counts"))
            value = written.values[-1]
        schema = properties.get(name)
        role = schema.get("field_type") if isinstance(schema, dict) else None
        default = schema.get("default") if isinstance(schema, dict) else None
        if value in (None, "", [], {}) or (value == default and (name in _COMPUTED or role == "backlinks")):
            continue
        if name in _COMPUTED or role == "backlinks" or (role is None and name.endswith("_back")):
            computed[name] = value
        elif role == "links" or (role is None and _are_links(name, value, known)):
            links += (ForeignLink(name, str(target)) for target in (value if isinstance(value, list) else [value]))
        elif name == "id" and str(value) != key:
            remarks.append(lost(place, name, str(value), f"differs from the key `{key}`, which is taken", item=key))
        else:
            cells[name] = _text(value)
    for name, schema in properties.items():
        default = schema.get("default") if isinstance(schema, dict) else None
        if name not in need and default not in (None, "", [], {}) and schema.get("field_type") == "extra":
            cells[name] = _text(default)
            message = f"`{name}` is not written here; the default of the schema is taken: {short(cells[name])}"
            remarks.append(Remark("changed", place, message, item=key, field=name, value=cells[name]))
    if computed:
        said = "; ".join(f"{name}: {value}" for name, value in computed.items())
        message = f"what sphinx-needs works out is not taken: {short(said)}"
        remarks.append(Remark("note", place, message, item=key, value=said))
    return Row(cells, place, kind=cells.pop("type", ""), links=tuple(links))


def _are_links(name: str, value: Any, known: set[str]) -> bool:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return False
    return name in _LINKS or (name not in {"tags", "sections", "constraints"} and all(one in known for one in value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False, default=lambda one: list(one.values))
