"""Options and passphrases of the commands that answer images: beside the device's log, or with an admission in its place."""

from __future__ import annotations

import os
from pathlib import Path

import click

TRUST = click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MINIVESS_TRUST",
    help="A trust file that the log of this workspace must agree with (`minivess audit trust`).",
)
ADMISSION = click.option(
    "--admission",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MINIVESS_ADMISSION",
    help="File of `minivess model admission`, where the device's log is elsewhere; with --trust.",
)
ADMISSION_DAYS = click.option(
    "--admission-days",
    default=7,
    show_default=True,
    envvar="MINIVESS_ADMISSION_DAYS",
    type=click.IntRange(1, 90),
    help="Greatest age of the checkpoint in that file, by the time of its witnesses.",
)


def own_passphrase(site: str) -> str | None:
    """The passphrase of the key of a serving log, where it has one of its own."""
    from minivess.workflows.serving.site import key_id_of

    return os.environ.get(f"MINIVESS_PASSPHRASE_{key_id_of(site).upper().replace('-', '_').replace('.', '_')}")
