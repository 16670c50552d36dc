"""Networks from a specification and a task: one adapter a family.

The adapters of other packages are found by their entry point in the group `minivess.models`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.models.adapter import ModelAdapter
from minivess.ml.models.dynunet import DynUNetAdapter
from minivess.ml.models.resnet34_unet import ResNet34UNetAdapter
from minivess.ml.models.segresnet import SegResNetAdapter
from minivess.ml.models.swinunetr import SwinUNETRAdapter
from minivess.ml.models.unet import UNetAdapter
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.specifications import foreign_adapter
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

if TYPE_CHECKING:
    import torch

ADAPTERS: Mapping[str, ModelAdapter[Any]] = {
    "segresnet": SegResNetAdapter(),
    "unet": UNetAdapter(),
    "dynunet": DynUNetAdapter(),
    "swinunetr": SwinUNETRAdapter(),
    "resnet34-unet": ResNet34UNetAdapter(),
}
"""The families of this package, by `architecture`."""


@implements("REQ-320")
def adapter_of(architecture: str) -> ModelAdapter[Any]:
    """The adapter of a family, of this package or of another.

    Raises:
        UsageError: there is no such family, or a package that it needs is not installed.
    """
    foreign = None if architecture in ADAPTERS else foreign_adapter(architecture)
    adapter = choose(ADAPTERS, architecture, what="architecture") if foreign is None else foreign
    if not isinstance(adapter, ModelAdapter):
        raise UsageError(
            f"the entry point {architecture!r} gives no adapter", hint="it must name an instance of ModelAdapter"
        )
    for package in adapter.needs:
        if importlib.util.find_spec(package) is None:
            raise UsageError(
                f"{architecture} needs the package {package}, which is not installed",
                hint="pip install 'minivess[encoders]'",
            )
    return adapter


def build_network(spec: NetworkSpec, task: SegmentationTask = ONE_CLASS_OF_VOLUMES, *, seed: int) -> torch.nn.Module:
    """Build a network with weights drawn by `seed`; the caller's random state is left as it was.

    Input is float32 of shape (n, channels, *patch), output float32 logits of shape (n, outputs, *patch). The import of
    MONAI takes many seconds, so build networks late and in one process.

    Raises:
        UsageError: there is no such family, or the patch or the task does not fit it.
    """
    return adapter_of(spec.architecture).build(spec, task, seed=seed)
