"""The specification of a network: the record of its family, chosen by `architecture`.

To add a family, add its record here and its adapter in `ml/models/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter

from minivess.records.models.dynunet import DynUNetSpec
from minivess.records.models.segresnet import SegResNetSpec
from minivess.records.models.unet import UNetSpec

DEFAULT = SegResNetSpec()
"""What a project without a `model` gets."""


def _default_family(said: Any) -> Any:
    """A specification without `architecture` is one of the default family, as in version 0.1.0."""
    if isinstance(said, Mapping) and "architecture" not in said:
        return {"architecture": DEFAULT.architecture, **said}
    return said


ModelSpec = Annotated[
    SegResNetSpec | UNetSpec | DynUNetSpec, Field(discriminator="architecture"), BeforeValidator(_default_family)
]
"""The specification of a network of any family."""

_ADAPTER: TypeAdapter[ModelSpec] = TypeAdapter(ModelSpec)


def read_specification(said: Any) -> ModelSpec:
    """Make the specification of a mapping that was read from JSON.

    Raises:
        pydantic.ValidationError: there is no such family, or a field is unknown or wrong.
    """
    return _ADAPTER.validate_python(said)
