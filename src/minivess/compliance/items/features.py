"""Gherkin features, parsed by ourselves with the official parser: a scenario that no test binds is still seen here.

A scenario's tags are its own, its rule's, its feature's and those of its Examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.records.items.items import Source
from minivess.records.items.trace import Scenario

_LIMIT = 1 << 20


@dataclass(frozen=True)
class Tag:
    """A tag as written, without its `@`."""

    name: str
    source: Source


@dataclass(frozen=True)
class Features:
    """All scenarios of a tree, and every tag where it is written."""

    scenarios: tuple[Scenario, ...]
    tags: tuple[Tag, ...]


def read_features(root: Path) -> Features:
    """Parse `root/features/**/*.feature`.

    Raises:
        InputError: a file is not Gherkin; with file and line.
    """
    scenarios: list[Scenario] = []
    tags: list[Tag] = []
    for path in sorted((root / "features").rglob("*.feature")):
        shown = path.relative_to(root).as_posix()
        found = parse_feature(read_limited(path, limit=_LIMIT), shown)
        scenarios += found.scenarios
        tags += found.tags
    return Features(tuple(scenarios), tuple(tags))


def parse_feature(data: bytes, shown: str) -> Features:
    """Parse one feature file.

    Args:
        data: its bytes, UTF-8.
        shown: its path relative to the source tree.

    Raises:
        InputError: it is not Gherkin; with file and line.
    """
    from gherkin.errors import ParserError
    from gherkin.parser import Parser

    try:
        document = Parser().parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", path=shown, hint="save it as UTF-8") from None
    except (ParserError, RecursionError) as error:
        raise _explain(error, shown) from None
    feature: Any = document.get("feature")
    if feature is None:
        raise InputError("holds no feature", path=shown, line=1, hint="begin with `Feature: …`")
    tags: list[Tag] = []
    scenarios = [
        Scenario(
            name=node["name"],
            feature=feature["name"],
            tags=tuple(dict.fromkeys(inherited)),
            source=Source(path=shown, line=node["location"]["line"]),
            **_procedure([*before, *node["steps"]]),
            parameters=_parameters(node["examples"]),
        )
        for node, inherited, before in _scenarios(feature, _tags(feature, shown, tags), shown, tags, [])
    ]
    return Features(tuple(scenarios), tuple(tags))


def _scenarios(
    parent: Mapping[str, Any], inherited: list[str], shown: str, tags: list[Tag], before: list[Any]
) -> Iterator[tuple[Mapping[str, Any], list[str], list[Any]]]:
    """Each scenario with its tags and the steps of the backgrounds that run before it."""
    for child in parent["children"]:
        if "background" in child:
            before = [*before, *child["background"]["steps"]]
        elif "rule" in child:
            rule = child["rule"]
            yield from _scenarios(rule, [*inherited, *_tags(rule, shown, tags)], shown, tags, before)
        elif "scenario" in child:
            node = child["scenario"]
            names = [*inherited, *_tags(node, shown, tags)]
            for examples in node["examples"]:
                names += _tags(examples, shown, tags)
            yield node, names, before


def _procedure(steps: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Steps that set up and act, and steps that state what has to come out; `And` and `But` belong to the step before."""
    found: dict[str, list[str]] = {"steps": [], "expected": []}
    part = "steps"
    for step in steps:
        kind = step.get("keywordType")
        if kind != "Conjunction":
            part = "expected" if kind == "Outcome" else "steps"
        found[part].append(f"{step['keyword'].strip()} {step['text']}")
        table = step.get("dataTable")
        found[part] += [" | ".join(cell["value"] for cell in row["cells"]) for row in table["rows"]] if table else []
        if "docString" in step:
            found[part].append(step["docString"]["content"])
    return {name: tuple(lines) for name, lines in found.items()}


def _parameters(examples: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    rows = [row for one in examples if "tableHeader" in one for row in (one["tableHeader"], *one["tableBody"])]
    return tuple(tuple(cell["value"] for cell in row["cells"]) for row in rows)


def _tags(node: Mapping[str, Any], shown: str, tags: list[Tag]) -> list[str]:
    found = [
        Tag(tag["name"].removeprefix("@"), Source(path=shown, line=tag["location"]["line"])) for tag in node["tags"]
    ]
    tags += found
    return [tag.name for tag in found]


def _explain(error: Exception, shown: str) -> InputError:
    first: Any = next(iter(getattr(error, "errors", ())), error)
    line = (getattr(first, "location", None) or {}).get("line")
    text = str(first).splitlines()[0] if str(first) else "cannot be parsed"
    return InputError(f"is not Gherkin: {text[:160]}", path=shown, line=line)
