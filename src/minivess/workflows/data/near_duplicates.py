"""The search for near duplicates that a recorded validation kept."""

from __future__ import annotations

from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.data.likeness import NearSearch
from minivess.records.device.workspace_files import NEAR_DUPLICATES
from minivess.workflows.session.bound_inputs import BoundInputs


@implements("REQ-292")
def kept_search(held: BoundInputs) -> NearSearch | None:
    """The search that the newest recorded validation names.

    None when there is none, or when the file is not the one in the log: the caller then searches again.
    """
    try:
        return held.made(NEAR_DUPLICATES, NearSearch)
    except (InputError, VerificationError):
        return None
