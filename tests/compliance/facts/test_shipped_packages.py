"""The SBOM against what others find in the environment of the service: uv, and the listing of cyclonedx-bom."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.facts.sbom import BillFacts, sbom
from minivess.foundation.reading.locked_packages import package_name
from minivess.foundation.serving_platform import PLATFORM, PYTHON
from tests.support.builders.release_builder import ROOT

pytestmark = pytest.mark.verifies("REQ-530", "SU-23")
SERVING = ("--locked", "--no-dev", "--extra", "serving")


def _shipped() -> dict[str, str]:
    """The packages of this project's own SBOM, with their versions."""
    facts = BillFacts(ROOT / "uv.lock", device="d", version="1", timestamp=datetime(2026, 11, 30, tzinfo=UTC))
    listed = sbom(facts)["components"]
    return {package_name(one["name"]): one["version"] for one in listed if one["type"] == "library"}


def _uv(*arguments: str, **variables: str) -> str:
    uv = shutil.which("uv")
    assert uv is not None, "the project is developed with uv"
    made = subprocess.run(
        [uv, "--project", str(ROOT), "--quiet", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout


def test_uv_needs_the_same_packages_for_the_service() -> None:
    from packaging.requirements import Requirement

    wanted = [
        Requirement(line)
        for line in _uv(
            "export", *SERVING, "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"
        ).splitlines()
    ]
    needed = {
        one.name: str(one.specifier).removeprefix("==")
        for one in wanted
        if one.marker is None or one.marker.evaluate(dict(PLATFORM))
    }
    assert _shipped() == needed


@pytest.mark.slow
def test_cyclonedx_bom_lists_the_same_packages_in_the_environment_of_the_service(tmp_path: Path) -> None:
    place = tmp_path / "environment"
    _uv("sync", *SERVING, "--no-install-project", UV_PROJECT_ENVIRONMENT=str(place), UV_PYTHON=PYTHON)
    listing = Path(sys.executable).with_name("cyclonedx-py")
    made = subprocess.run(
        [listing, "environment", "--sv", "1.6", "--of", "JSON", str(place / "bin" / "python")],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(made.stdout)["components"]
    assert {package_name(one["name"]): one["version"] for one in found} == _shipped()
