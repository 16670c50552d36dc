"""The specimen pack is one of the newest layout: both verifiers accept it untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.workflows.qualification.tampering import VERIFIERS, specimen

pytestmark = pytest.mark.verifies("REQ-590", "SU-213")


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_the_specimen_is_accepted(verifier: str, tmp_path: Path) -> None:
    path = tmp_path / "specimen.zip"
    path.write_bytes(specimen())
    assert VERIFIERS[verifier](path) == "VERIFIED", "run `python -m tests.support.builders.specimen_pack`"
