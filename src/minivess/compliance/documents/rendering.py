"""Rendering documents from templates: sandboxed, escaping everything, strict about names; data in, a page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from minivess.compliance.release.gates import number
from minivess.compliance.site.view import place, relation_label, status_word
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.evaluation.measures import heading_of
from minivess.records.lengths import LengthUnit, shown


class Renderer:
    """Templates of one folder.

    Args:
        folder: the folder that holds `documents/`.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = _environment(folder)

    @implements("REQ-041")
    def render(self, name: str, facts: Mapping[str, Any]) -> str:
        """Render one template.

        Args:
            name: the template, relative to `documents/`.
            facts: what it may name; anything else is an error, never an empty word.

        Raises:
            InputError: the template is missing or malformed, or names something that is not there.
        """
        try:
            return self._environment.get_template(name).render(facts)
        except TemplateError as error:
            raise InputError(
                f"cannot be rendered: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                path=f"templates/documents/{getattr(error, 'name', None) or name}",
                line=getattr(error, "lineno", None),
                hint="correct the template",
            ) from error


@cache
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    """One environment a folder, so that templates are compiled once; changed templates are read again."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder / "documents", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (
        figure,
        percent,
        moment,
        day,
        short,
        plural,
        item_page,
        number,
        sentence,
        measure,
        lengths,
        relation_label,
        status_word,
    )
    environment.filters.update({function.__name__: function for function in filters})
    return environment


def item_page(identifier: str) -> str:
    """Where an item stands in the pages of the trace, as seen from their folder."""
    return place(identifier).address


def figure(value: float | None, digits: int = 3) -> str:
    """A measured number; an en dash where it is undefined."""
    return "–" if value is None else f"{value:.{digits}f}"


def sentence(value: str) -> str:
    """A note as a sentence: with a capital and a full stop."""
    text = value.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def measure(name: str, unit: LengthUnit | None = None) -> str:
    """The proper name of a measure or aggregate, with the unit of an evaluation."""
    return heading_of(name, unit)


def lengths(values: Sequence[float], unit: LengthUnit) -> str:
    """Lengths along the axes with their unit."""
    return shown(values, unit)


def percent(value: float, digits: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * value:.{digits}f} %"


def moment(value: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def day(value: datetime) -> str:
    """A date as people read it."""
    return f"{value.day} {value:%B %Y}"


def short(value: str) -> str:
    """The first twelve digits of a digest or commit, to be recognised by."""
    return value.removeprefix("sha256:")[:12]


def plural(count: int, word: str, words: str = "") -> str:
    """A count with its noun."""
    return f"{count} {word if count == 1 else words or word + 's'}"
