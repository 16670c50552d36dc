"""The record of a source tree states every field."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from minivess.records.device.source_state import SourceState
from tests.support.source_states import CLEAN

pytestmark = pytest.mark.verifies("REQ-217")


@pytest.mark.parametrize("name", SourceState.model_fields)
def test_a_field_that_is_left_out_is_not_supposed(name: str) -> None:
    stated = CLEAN.model_dump(mode="json")
    assert SourceState.model_validate_json(json.dumps(stated)) == CLEAN
    del stated[name]
    with pytest.raises(ValidationError):
        SourceState.model_validate_json(json.dumps(stated))
