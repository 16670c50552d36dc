"""`minivess data`: its commands load when they are used, so that each says something at once."""

from __future__ import annotations

import click

from minivess.cli.groups import LazyGroup

_PLACES = {
    "check": "ingestion:check",
    "add": "versions:add",
    "ingest": "ingestion:ingest",
    "validate": "validation:validate",
    "profile": "validation:profile",
    "suspects": "suspects:suspects",
    "card": "card:card",
    "split": "splits:split",
    "leakage": "splits:leakage",
    "seal": "sealing:seal",
    "push": "versions:push",
    "pull": "versions:pull",
    "pipeline": "versions:pipeline",
    "synthesise": "synthesis:synthesise",
}


@click.group(
    cls=LazyGroup,
    places={name: f"data.{place}" for name, place in _PLACES.items()},
    sections={
        "Prepare": ("check", "add", "ingest", "validate", "profile", "suspects", "card"),
        "Split and seal": ("split", "leakage", "seal"),
        "Version": ("push", "pull", "pipeline"),
        "Make": ("synthesise",),
    },
)
def data() -> None:
    """Ingest, validate, split and seal cases."""
