"""What users install obeys our lower bounds: no release that is known to carry malware may be allowed by them.

`malicious_releases.csv` is kept by hand: a row a release, with its advisory. `deptry` finds dependencies that nothing uses
(`just check`).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
with (Path(__file__).parent / "malicious_releases.csv").open(encoding="utf-8", newline="") as _stream:
    MALICIOUS = [(row["package"], Version(row["release"])) for row in csv.DictReader(_stream)]


def _declared() -> Iterator[Requirement]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values(), content["build-system"]["requires"]]
    groups += content["dependency-groups"].values()
    yield from (Requirement(text) for group in groups for text in group)


def allowed(requirements: Iterable[Requirement]) -> list[str]:
    """Malicious releases that a range allows."""
    return [
        f"{one.name} {release}"
        for one in requirements
        for package, release in MALICIOUS
        if canonicalize_name(one.name) == package and one.specifier.contains(release, prereleases=True)
    ]


def test_no_declared_range_allows_a_malicious_release() -> None:
    declared = list(_declared())
    assert len(declared) > 20
    assert allowed(declared) == []


def test_no_locked_version_is_malicious() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    locked = {(canonicalize_name(one["name"]), Version(one["version"])) for one in lock["package"] if "version" in one}
    assert len(locked) > 100
    assert locked & set(MALICIOUS) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lightning>=2.6", ["lightning 2.6.2", "lightning 2.6.3"]),
        ("lightning", ["lightning 2.6.2", "lightning 2.6.3"]),
        ("lightning>=2.6.6", []),
        ("Lightning<2.6.3,>2.6.1", ["lightning 2.6.2"]),
    ],
)
def test_a_range_that_allows_one_is_found(text: str, found: list[str]) -> None:
    assert [name.lower() for name in allowed([Requirement(text)])] == found
