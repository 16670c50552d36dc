"""Options that the commands about a source tree share."""

from __future__ import annotations

from pathlib import Path

import click

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=None,
    help="Tree with requirements/, risk/, features/ and src/. Default: the project's `source`, or this folder.",
)


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of `trace run`: with them, untested means not passed.",
)
