"""`minivess dicom`: its commands load when they are used."""

from __future__ import annotations

import click

from minivess.cli.groups import LazyGroup


@click.group(
    cls=LazyGroup,
    places={"segment": "dicom.segmenting:segment", "listen": "dicom.listening:listen"},
    sections={"Commands": ("segment", "listen")},
)
def dicom() -> None:
    """Answer DICOM series from folders and the network."""
