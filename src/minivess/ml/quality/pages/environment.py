"""What renders the HTML pages about data and evaluations."""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from minivess.foundation.paths import templates_folder


def environment_of(folder: str) -> Environment:
    """Templates of a folder of `templates`, with the style of the documents. Text is escaped, and an unknown name is an error.

    Args:
        folder: for example `evaluation`.
    """
    root = templates_folder()
    return Environment(
        loader=FileSystemLoader([root / folder, root / "documents"], encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
