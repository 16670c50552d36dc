"""Rows of registries by name."""

from __future__ import annotations

import pytest

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError

pytestmark = pytest.mark.verifies("SU-02")

ROWS = {"circle": 1, "square": 2}


def test_a_row_is_found_by_its_name() -> None:
    assert choose(ROWS, "square", what="shape") == 2


@pytest.mark.parametrize(
    ("name", "hint"), [("sqare", "did you mean `square`?"), ("x", "known: circle, square"), ("", "known")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"there is no shape '{name}'") as caught:
        choose(ROWS, name, what="shape")
    assert hint in caught.value.hint
