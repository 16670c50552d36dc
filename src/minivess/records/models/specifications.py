"""The specification of a network: the record of its family, chosen by `architecture`.

To add a family, add its record here and its adapter in `ml/models/`. A family of another package is found by its entry
point in the group `minivess.models` (docs/guides/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, PlainSerializer, SerializationInfo, TypeAdapter, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from minivess.foundation.errors import UsageError
from minivess.records.models.dynunet import DynUNetSpec
from minivess.records.models.network import PICTURE_PATCH, NetworkSpec
from minivess.records.models.resnet34_unet import ResNet34UNetSpec
from minivess.records.models.segresnet import SegResNetSpec
from minivess.records.models.swinunetr import SwinUNETRSpec
from minivess.records.models.task import SegmentationTask
from minivess.records.models.unet import UNetSpec

DEFAULT = SegResNetSpec()
"""What a project without a `model` gets."""

ENTRY_POINTS = "minivess.models"
"""The group of entry points: the name is the family's, the object is its adapter (`ml/models/adapter.py`)."""

_OWN = frozenset({"segresnet", "unet", "dynunet", "swinunetr", "resnet34-unet"})


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
        if isinstance(name, str) and name not in _OWN and (adapter := foreign_adapter(name)) is not None:
            try:
                return cast("NetworkSpec", adapter.specification.model_validate(said))
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"]))
                raise PydanticCustomError("network", f"{place}: {first['msg']}") from None
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
        SegResNetSpec | UNetSpec | DynUNetSpec | SwinUNETRSpec | ResNet34UNetSpec,
        Field(discriminator="architecture"),
        WrapValidator(_read),
        PlainSerializer(_write),
    ]
    """The specification of a network of any family."""

_ADAPTER: TypeAdapter[NetworkSpec] = TypeAdapter(ModelSpec)


def read_specification(said: Any) -> NetworkSpec:
    """Make the specification of a mapping that was read from JSON.

    Raises:
        pydantic.ValidationError: there is no such family, or a field is unknown or wrong.
    """
    return _ADAPTER.validate_python(said)


def for_task(spec: NetworkSpec, task: SegmentationTask) -> NetworkSpec:
    """The specification with a patch of as many sides as the task has axes: a patch that nobody stated is the default.

    Raises:
        UsageError: a patch was stated, and has another number of sides.
    """
    if len(spec.patch) == len(task.axes):
        return spec
    if "patch" not in spec.model_fields_set and task.axes == "yx":
        return spec.model_copy(update={"patch": PICTURE_PATCH})
    example = "[256, 256]" if task.axes == "yx" else "[32, 64, 64]"
    raise UsageError(
        f"model.patch has {len(spec.patch)} sides, and the images have the {len(task.axes)} axes {', '.join(task.axes)}",
        hint=f"state one side an axis, for example model.patch: {example}",
    )
