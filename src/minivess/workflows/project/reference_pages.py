"""Reference pages of the files that people edit, in Markdown: the project file, the items and the risk plan.

The pages are made from the JSON Schemas, which are made from the records that validate the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minivess.compliance.items.schemas import schemas
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.counted.scores import SCORES
from minivess.records.evaluation.measures import MEASURES, OVER_BASELINE, USUAL, Measure, heading_of

Schema = Mapping[str, Any]

_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}


@dataclass(frozen=True)
class _Page:
    file: str
    title: str
    text: str
    schemas: tuple[str, ...]


_PAGES = (
    _Page(
        "project-file.md",
        "The project file",
        "`minivess.yaml` describes a device: its data, model, criteria and witnesses. `minivess init` writes one to fill in.",
        ("project.json",),
    ),
    _Page(
        "items.md",
        "Items",
        "Items are written in the YAML files of `requirements/` and `risk/`. `minivess trace check` checks them.",
        ("requirements.json", "risk.json", "justifications.json"),
    ),
    _Page(
        "risk-plan.md",
        "The risk plan",
        "`risk/plan.yaml` contains the criteria for risk acceptability. The levels of all risks are computed from it.",
        ("risk-plan.json",),
    ),
)


@implements("REQ-210")
def file_pages(known: Mapping[str, Schema] | None = None) -> dict[str, str]:
    """The pages by file name.

    Args:
        known: the JSON Schemas by file name; those of this version when None.

    Raises:
        UsageError: a field or a record has no docstring.
    """
    known = schemas() if known is None else known
    return {page.file: _page(page, [known[name] for name in page.schemas]) for page in _PAGES}


@implements("REQ-210")
def measures_page(measures: Mapping[str, Measure] = MEASURES) -> str:
    """The page of the measures, from their registry.

    Raises:
        UsageError: a measure has no title.
    """
    lines = page_head(
        "Measures",
        "`evaluation.measures` of the project file names the measures that are computed for each case of the sealed test set. "
        f"By default these are {', '.join(USUAL)}. Criteria and gates can limit them.",
    )
    if untitled := [name for name, measure in measures.items() if not measure.title.strip()]:
        raise UsageError(
            f"the measure {untitled[0]} has no title", hint="give it one in records/evaluation/measures.py"
        )
    rows = (
        (
            f"`{measure.name}`",
            measure.title,
            "that of the tolerance" if measure.is_distance else "–",
            measure.direction,
            "none" if measure.largest is None else f"{measure.largest:g}",
            "yes" if measure.can_be_undefined else "no",
        )
        for measure in measures.values()
    )
    heads = ("name", "title", "unit", "direction", "largest value", "may be undefined for a case")
    over = f"Criteria can also name `{OVER_BASELINE}`: {heading_of(OVER_BASELINE)}, as the mean over cases."
    intro = (
        "The file of an evaluation holds these counts of each case. Measures that follow from the same counts share them. "
        "The measures are computed from them "
        "([The evaluation record](../concepts/evaluation-record.md)). [How measures are computed and checked]"
        "(../concepts/measures.md) has the rule of the skeleton and the differences from the reference implementation."
    )
    counts = (
        (
            f"`{measure.name}`",
            f"`{measure.counted_as}`",
            ", ".join(f"`{name}`" for name in measure.counts.model_fields),
            measure.formula_in_words,
        )
        for measure in measures.values()
    )
    counted = table(("name", "counted under", "counts", "formula"), counts)
    sentences = ((f"`{one.name}`", f"{one.convention}.") for one in measures.values() if one.convention)
    said = (
        "The registered plan and the evaluation have these sentences under `conventions.of_measure`. The other conventions are "
        "sentences of their own."
    )
    stated = ("", "## Empty, tiny and at the edge", "", said, "", *table(("name", "convention"), sentences))
    parts = (*lines, *table(heads, iter(rows)), "", over, "", "## Counts", "", intro, "", *counted, *stated, *_scores())
    return "\n".join(parts) + "\n"


def _scores() -> Iterator[str]:
    """The section about scores of probabilities."""
    words = (
        "Each evaluation has these figures of the probabilities of each case, from the sums and the 100 bins of `scores` and of "
        "`border_scores`. Criteria can name them."
    )
    rows = (
        (
            f"`{score.name}`",
            score.title,
            score.direction,
            "none" if score.largest is None else f"{score.largest:g}",
            score.formula,
        )
        for score in SCORES.values()
    )
    heads = ("name", "title", "direction", "largest value", "formula")
    yield from ("", "## Scores of probabilities", "", words, "", *table(heads, rows))


def table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    for row in (heads, ("---",) * len(heads), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def page_head(title: str, text: str) -> list[str]:
    """The first lines of a generated page."""
    return [f"# {title}", "", text, "", "This page is generated by `python -m minivess.cli.reference`.", ""]


def _page(page: _Page, made_from: list[Schema]) -> str:
    lines = page_head(page.title, page.text)
    for schema in made_from:
        if "$defs" in schema and schema.get("description") is None:
            lines += [
                f"## `{schema['title']}/*.yaml`" if schema["title"] != "justifications" else "## Justifications",
                "",
            ]
            lines += [*table(("list", "contains", "meaning"), _rows_of_lists(schema)), ""]
        else:
            lines += _record(page.title, schema)
        for name, part in schema.get("$defs", {}).items():
            lines += _record(name, part)
    return "\n".join(lines).rstrip() + "\n"


def _rows_of_lists(schema: Schema) -> Iterator[tuple[str, ...]]:
    for name, field in schema["properties"].items():
        yield f"`{name}`", _type(field["items"]), _text(name, field)


def _record(name: str, schema: Schema) -> list[str]:
    lines = [f"## {name}", "", _text(name, schema), ""]
    if "enum" in schema:
        return [*lines, ", ".join(f"`{value}`" for value in schema["enum"]), ""]
    required = schema.get("required", ())
    rows = (
        (f"`{key}`", _type(field), _default(field, needed=key in required), _text(f"{name}.{key}", field))
        for key, field in schema["properties"].items()
    )
    return [*lines, *table(("field", "type", "default", "meaning"), rows), ""]


def _text(name: str, schema: Schema) -> str:
    text = " ".join(str(schema.get("description", "")).split())
    if not text:
        raise UsageError(f"{name} has no description", hint="write a docstring below the field, or in the class")
    return text


def _default(field: Schema, *, needed: bool) -> str:
    default = field.get("default")
    if needed:
        return "**required**"
    if default in (None, [], {}):
        return "none"
    return "see its section" if isinstance(default, dict) else f"`{default}`"


def _type(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options if option.get("type") != "null"))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    return _plain_type(field)


def _plain_type(field: Schema) -> str:
    kind = str(field.get("type", "any"))
    if kind == "array" and "prefixItems" in field:
        return f"{len(field['prefixItems'])} × {_type(field['prefixItems'][0])}"
    if kind == "array":
        word = f"list of {_type(field['items'])}"
    elif kind == "object":
        word = f"mapping to {_type(field.get('additionalProperties', {}))}"
    else:
        word = str({"string": field.get("format", "text"), "boolean": "true or false"}.get(kind, kind))
    limits = [words.format(field[key]) for key, words in _LIMITS.items() if key in field]
    return f"{word} ({', '.join(limits)})" if limits else word
