"""Near duplicates: the search that a recorded validation kept, and images that starting weights have seen."""

from __future__ import annotations

from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.likeness import NearSearch
from minivess.records.data.split import SplitManifest
from minivess.records.device.workspace_files import NEAR_DUPLICATES
from minivess.records.models.start import ForeignWeights
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services


@implements("REQ-292")
def kept_search(held: BoundInputs) -> NearSearch | None:
    """The search that the newest recorded validation names.

    None when there is none, or when the file is not the one in the log: the caller then searches again.
    """
    try:
        return held.made(NEAR_DUPLICATES, NearSearch)
    except (InputError, VerificationError):
        return None


@implements("REQ-332", "RC-139")
def refuse_seen_images(services: Services, split: SplitManifest) -> None:
    """Refuse to seal where test or calibration cases are near duplicates of images that the starting weights have seen.

    Compared are the folders that `training.start` names. After the sealing nobody can compare them.

    Raises:
        RefusedError: names case, file and likeness of the first pairs.
        UsageError: a folder is not there or has no image.
        InputError: a file in it is no image.
    """
    start = services.project.training.start
    if not isinstance(start, ForeignWeights) or start.trained_on is None:
        return
    from minivess.ml.quality.duplicates.seen_images import near_seen

    for one in start.trained_on.sets:
        if one.images is None:
            continue
        folder = services.workspace / one.images
        found = near_seen(folder, Workspace(services.workspace).prepared, split, progress=services.progress)
        if found:
            pairs = (f"{case} and {path.name} ({pair.kind.value}, {pair.detail})" for case, path, pair in found[:3])
            raise RefusedError(
                f"the starting weights have seen near duplicates of test or calibration cases in {one.name}: {'; '.join(pairs)}",
                hint="start from other weights, or split again with the subjects of these cases in the training part",
            )
