"""The table of all collectors: one function for each name in `catalogues/evidence.csv` that is not `planned`.

To add a kind of evidence, add a row to `evidence.csv`, and a function to the table of the module for the place where it is
found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import get_args

from minivess.compliance.standards.collectors import (
    documents,
    hazards,
    items,
    releases,
    results,
    signatures,
    source_tree,
    workspace,
)
from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.standards.evidence_names import FoundIn, evidence
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements

COLLECTORS: Mapping[str, Collector] = MappingProxyType(
    {
        **source_tree.COLLECTORS,
        **documents.COLLECTORS,
        **items.COLLECTORS,
        **hazards.COLLECTORS,
        **results.COLLECTORS,
        **signatures.COLLECTORS,
        **workspace.COLLECTORS,
        **releases.COLLECTORS,
    }
)
"""By name of evidence."""

_UNREADABLE = (MinivessError, OSError, ValueError, KeyError)
_MADE = ("workspace", "release")
"""Places whose files a program made: what cannot be read there shows nothing. The files of the tree must be readable."""


@implements("REQ-112")
def collect(sources: EvidenceSources, *, found_in: Collection[FoundIn] = get_args(FoundIn)) -> frozenset[str]:
    """The names of the evidence that is there.

    Args:
        sources: where to look.
        found_in: only evidence of these places.

    Raises:
        InputError: a file of the source tree cannot be read.
    """
    return frozenset(
        name
        for name, shows in COLLECTORS.items()
        if evidence()[name].found_in in found_in and _shown(name, shows, sources)
    )


def _shown(name: str, shows: Collector, sources: EvidenceSources) -> bool:
    try:
        return shows(sources)
    except _UNREADABLE:
        if evidence()[name].found_in in _MADE:
            return False
        raise
