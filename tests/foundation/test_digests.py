"""Digests of JSON-ready data."""

from __future__ import annotations

import hashlib

import pytest

from minivess.foundation.digests import digest_json

pytestmark = pytest.mark.verifies("SU-01")


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    expected = "sha256:" + hashlib.sha256('{"a":[1,"µ"],"b":null}'.encode()).hexdigest()
    assert digest_json({"b": None, "a": [1, "µ"]}) == digest_json({"a": [1, "µ"], "b": None}) == expected


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        digest_json(float("nan"))
    with pytest.raises(TypeError):
        digest_json({1, 2})
