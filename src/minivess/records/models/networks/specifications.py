"""The specification of a network: the record of its family, chosen by `architecture`.

To add a family, add its record here and its adapter in `ml/models/`. A family of another package is found by its entry
point in the group `minivess.models` (docs/guides/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

from pydantic import Field, PlainSerializer, SerializationInfo, ValidationError, WrapValidator

from minivess.foundation.reading.json_records import first_error
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.resnet34_unet import ResNet34UNetSpec
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.swinunetr import SwinUNETRSpec
from minivess.records.models.networks.unet import UNetSpec

DEFAULT = SegResNetSpec()
"""What a project without a `model` gets."""

ENTRY_POINTS = "minivess.models"
"""The group of entry points: the name is the family's, the object is its adapter (`ml/models/adapter.py`)."""

_OwnSpec = SegResNetSpec | UNetSpec | DynUNetSpec | SwinUNETRSpec | ResNet34UNetSpec
_OWN_NAMES = frozenset(spec.model_fields["architecture"].default for spec in get_args(_OwnSpec))


@cache
def foreign_adapter(architecture: str) -> Any | None:
    """The adapter of a family of another package; None when no installed package has one of that name."""
    for one in entry_points(group=ENTRY_POINTS, name=architecture):
        return one.load()
    return None


def _read(said: Any, own: Any) -> NetworkSpec:
    """A specification of any family; one without `architecture` is of the default family, as in version 0.1.0."""
    if isinstance(said, NetworkSpec):
        return said
    if isinstance(said, Mapping):
        name = said.get("architecture", DEFAULT.architecture)
        if isinstance(name, str) and name not in _OWN_NAMES and (adapter := foreign_adapter(name)) is not None:
            try:
                return cast("NetworkSpec", adapter.specification.model_validate(said))
            except ValidationError as error:
                raise ValueError(first_error(error)) from None
        if "architecture" not in said:
            said = {"architecture": DEFAULT.architecture, **said}
    return cast("NetworkSpec", own(said))


def _write(spec: NetworkSpec, info: SerializationInfo) -> Any:
    """All fields of the record of the family."""
    return spec.model_dump(mode=info.mode)


if TYPE_CHECKING:
    ModelSpec = NetworkSpec
else:
    ModelSpec = Annotated[
        _OwnSpec,
        Field(discriminator="architecture"),
        WrapValidator(_read),
        PlainSerializer(_write),
    ]
    """The specification of a network of any family."""
