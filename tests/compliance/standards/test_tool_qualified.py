"""The evidence that the tool was qualified: the newest qualification, of this version, with every check passed."""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minivess.compliance.standards.collectors.inputs import EvidenceSources
from minivess.compliance.standards.collectors.registry import COLLECTORS
from minivess.foundation.digests import digest_bytes
from tests.support.builders.layout2_pack import small_pack

pytestmark = pytest.mark.verifies("REQ-591", "SU-21")

THIS = version("minivess")


def there(*found: tuple[str, int, int]) -> bool:
    """Whether it is there in a log with these qualifications: version, passed and failed checks."""
    pack = small_pack()
    log = pack.before().copy()
    for number, passed, failed in found:
        said = {"tool": {"name": "minivess", "version": number}, "code": digest_bytes(b"code")}
        log.append(pack.people.developer, "tool.qualified", {**said, "passed": passed, "failed": failed})
    sources: Any = SimpleNamespace(workspace=SimpleNamespace(log=log.facts))
    return COLLECTORS["tool-qualified"](cast("EvidenceSources", sources))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(THIS, 14, 0)], True),
        ([], False),
        ([(THIS, 14, 0), (THIS, 13, 1)], False),
        ([(THIS, 13, 1), (THIS, 14, 0)], True),
        ([("0.0.1", 14, 0)], False),
        ([(THIS, 0, 0)], False),
    ],
)
def test_the_newest_qualification_of_this_version_counts(found: list[tuple[str, int, int]], expected: bool) -> None:
    assert there(*found) is expected
