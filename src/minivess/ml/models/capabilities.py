"""The cases that the networks of each family can take, by `architecture`. Imports no library of networks.

To add a family, add its row here, its record in `records/models/` and its adapter in the registry.
"""

from __future__ import annotations

from collections.abc import Mapping

from minivess.records.data.dataset import Capabilities

GREY_VOLUMES = Capabilities(axes=("zyx",), classes=1)
"""One channel in, one logit a voxel out; spacings are not used."""

CAPABILITIES: Mapping[str, Capabilities] = {
    "segresnet": GREY_VOLUMES,
    "unet": GREY_VOLUMES,
    "dynunet": GREY_VOLUMES,
}
