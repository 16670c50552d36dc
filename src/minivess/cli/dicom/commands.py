"""`minivess dicom`: its commands load when they are used."""

from __future__ import annotations

import click

from minivess.cli.groups import LazyGroup


@click.group(
    cls=LazyGroup,
    places={"segment": "dicom.segmenting:segment"},
    sections={"Commands": ("segment",)},
)
def dicom() -> None:
    """Answer DICOM series from folders, each with a receipt."""
