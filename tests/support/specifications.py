"""Specifications of networks from mappings, as the project file reads them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.specifications import ModelSpec

_ADAPTER: TypeAdapter[NetworkSpec] = TypeAdapter(ModelSpec)


def read_specification(said: Any) -> NetworkSpec:
    """The specification of a mapping.

    Raises:
        pydantic.ValidationError: there is no such family, or a field is unknown or wrong.
    """
    return _ADAPTER.validate_python(said)
