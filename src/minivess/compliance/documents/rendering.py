"""Rendering documents from templates: sandboxed, escaping everything, strict about names; data in, a page out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from minivess.compliance.documents.content.citations import cite
from minivess.compliance.documents.model.blocks import Blocks, Drawing
from minivess.compliance.documents.model.fragments import read_fragment
from minivess.compliance.documents.model.template_rules import check_template
from minivess.compliance.release.gating.bounds import number
from minivess.compliance.site.templating import running_heads
from minivess.compliance.site.view import entry_address, place, relation_label, status_word
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.evaluation.measures import heading_of
from minivess.records.lengths import LengthUnit, shown

OWN = frozenset({"style.css", "reference.docx", "logo.svg", "logo.png"})
"""What a source tree may bring in `templates/documents` beside templates of documents, which go by their names."""
FRAMES = frozenset(
    {
        "base.html.j2",
        "document.html.j2",
        "data-card-page.html.j2",
        "index.html.j2",
        "page-alone.html.j2",
        "release-difference-page.html.j2",
    }
)
"""Templates of whole pages, which hold the signing text and the links between documents. They are those of this version."""
_LOGO_LIMIT = 256 << 10
_MEDIA = {"logo.svg": "image/svg+xml", "logo.png": "image/png"}


class Renderer:
    """Templates of one folder, and those of a source tree in their place.

    Args:
        folder: the folder that holds `documents/`.
        own: the folder of a source tree with its own templates, style and logo; a file there replaces the one of its name.
    """

    def __init__(self, folder: Path, own: Path | None = None) -> None:
        self.folder = folder / "documents"
        self.own = own if own is not None and own.is_dir() and own.resolve() != self.folder.resolve() else None
        self._environment = _environment(self.folder, self.own)
        self._checked: set[tuple[str, str]] = set()
        """Templates whose words were read, by name and text: macros are used by every document."""

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

    @implements("REQ-500", "REQ-501", "RC-207")
    def blocks(self, name: str, facts: Mapping[str, Any], drawings: Mapping[str, Drawing] | None = None) -> Blocks:
        """Render the template of a document and read it as blocks.

        Args:
            name: the template.
            facts: as `render`.
            drawings: diagrams by the source under which the template names them.

        Raises:
            InputError: as `render`; the template states a number or an act by itself; or its text is no document.
        """
        self._check(name)
        return read_fragment(self.render(name, facts), name, dict(drawings or {}))

    def has(self, name: str) -> bool:
        """Whether there is a template of this name."""
        return (self.folder / name).is_file() or (self.own is not None and (self.own / name).is_file())

    def used(self) -> dict[str, str]:
        """The digest of each file of the source tree that replaces one of this version by another one, by name, in order."""
        found = {} if self.own is None else {name: digest_file(self.own / name) for name in _own_names(self.own)}
        known = {name: digest_file(self.folder / name) for name in found if (self.folder / name).is_file()}
        return {name: digest for name, digest in found.items() if digest != known.get(name)}

    @cached_property
    def logo(self) -> str:
        """The logo of the source tree as a `data:` address; empty where there is none.

        Raises:
            InputError: it is larger than 256 KiB.
        """
        for name, media in _MEDIA.items():
            if self.own is not None and (self.own / name).is_file():
                content = read_limited(self.own / name, limit=_LOGO_LIMIT)
                return f"data:{media};base64,{b64encode(content).decode('ascii')}"
        return ""

    def file(self, name: str) -> Path:
        """Where a file of this name lies: in the source tree, else in this version."""
        if self.own is not None and name in OWN and (self.own / name).is_file():
            return self.own / name
        return self.folder / name

    def _check(self, name: str) -> None:
        loader = self._environment.loader
        for one in (name, _MACROS):
            try:
                text = loader.get_source(self._environment, one)[0] if loader is not None else ""
                if (one, text) not in self._checked:
                    check_template(self._environment, one, text)
                    self._checked.add((one, text))
            except TemplateError as error:
                raise InputError(
                    f"cannot be read: {error}",
                    path=f"templates/documents/{one}",
                    line=getattr(error, "lineno", None),
                    hint="correct the template",
                ) from error


_MACROS = "macros.html.j2"


def _own_names(folder: Path) -> list[str]:
    """The names of a source tree's files that count: templates of documents, style, logo and reference document."""
    names = (path.name for path in folder.iterdir() if path.is_file())
    return sorted(name for name in names if name in OWN or (name.endswith(".html.j2") and name not in FRAMES))


class _OwnLoader(FileSystemLoader):
    """Loads the files of a source tree that may replace those of this version."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The source of a template.

        Raises:
            TemplateNotFound: it is not there, or is the frame of a page.
        """
        if template in FRAMES or not (template in OWN or template.endswith(".html.j2")):
            raise TemplateNotFound(template)
        return super().get_source(environment, template)


@cache
def _environment(folder: Path, own: Path | None) -> ImmutableSandboxedEnvironment:
    """One environment a folder, so that templates are compiled once; changed templates are read again."""
    loaders: list[BaseLoader] = [] if own is None else [_OwnLoader(own, encoding="utf-8")]
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([*loaders, FileSystemLoader(folder, encoding="utf-8")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (
        figure,
        significant,
        percent,
        coded,
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
        entry_address,
        instant,
    )
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals |= {"cite": cite, "running_heads": running_heads}
    return environment


def item_page(identifier: str) -> str:
    """Where an item stands in the pages of the trace, as seen from their folder."""
    return place(identifier).address


def figure(value: float | None, digits: int = 3) -> str:
    """A measured number; an en dash where it is undefined."""
    return "–" if value is None else f"{value:.{digits}f}"


def significant(value: float) -> str:
    """A measured number with three significant digits."""
    return f"{value:.3g}"


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


def coded(text: str) -> Markup:
    """The words of an item, with what stands between backticks as code."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def percent(value: float, digits: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * value:.{digits}f} %"


def moment(value: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{value:%Y-%m-%d %H:%M} UTC"


def instant(value: str) -> str:
    """A moment in UTC that is text, to the minute."""
    return moment(datetime.fromisoformat(value))


def day(value: datetime) -> str:
    """A date as people read it."""
    return f"{value.day} {value:%B %Y}"


def short(value: str) -> str:
    """The first twelve digits of a digest or commit, to be recognised by."""
    return value.removeprefix("sha256:")[:12]


def plural(count: int, word: str, words: str = "") -> str:
    """A count with its noun."""
    return f"{count} {word if count == 1 else words or word + 's'}"
