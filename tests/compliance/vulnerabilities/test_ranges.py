"""Ranges of affected versions: the evaluation of the OSV schema, against a count over intervals."""

from __future__ import annotations

import pytest
from packaging.version import Version

from minivess.compliance.vulnerabilities.osv import Advisory, affects
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-533", "SU-191")


def _advisory(ranges: list[dict[str, object]], **more: object) -> Advisory:
    affected = {"package": {"ecosystem": "PyPI", "name": "Some_Package"}, "ranges": ranges, **more}
    return Advisory.model_validate({"id": "GHSA-a", "modified": "2026-11-29T00:00:00Z", "affected": [affected]})


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.booleans()), min_size=1, max_size=3),
    st.integers(0, 20),
    st.randoms(),
)
def test_a_version_is_inside_when_one_interval_has_it(
    intervals: list[tuple[int, int, bool]], version: int, random: object
) -> None:
    """Intervals `[begin, begin + length)`, or with their end, each as a range of its own and in any order of events."""
    ranges = []
    for begin, length, closed in intervals:
        events = [{"introduced": f"1.{begin}"}, {"last_affected" if closed else "fixed": f"1.{begin + length}"}]
        random.shuffle(events)  # type: ignore[attr-defined]
        ranges.append({"type": "ECOSYSTEM", "events": events})
    inside = any(b <= version < b + n or (closed and version == b + n) for b, n, closed in intervals)
    assert affects(_advisory(ranges), "some-package", Version(f"1.{version}")) == (inside, True)


def test_two_intervals_in_one_range() -> None:
    events = [{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"fixed": "2.3"}]
    advisory = _advisory([{"type": "ECOSYSTEM", "events": events}])
    hit = {
        version: affects(advisory, "some-package", Version(version))[0] for version in ("0.1a1", "1.2", "2.0", "2.3")
    }
    assert hit == {"0.1a1": True, "1.2": False, "2.0": True, "2.3": False}


@pytest.mark.parametrize("events", [[{"introduced": "not a version"}], [{"introduced": "0"}, {"fixed": "one"}]])
def test_what_cannot_be_compared_counts_as_affected(events: list[dict[str, str]]) -> None:
    assert affects(_advisory([{"type": "ECOSYSTEM", "events": events}]), "some-package", Version("1.0")) == (True, True)


def test_another_ecosystem_and_another_package_are_not_affected() -> None:
    ranges: list[dict[str, object]] = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    assert affects(_advisory(ranges), "other", Version("1.0")) == (False, False)
    npm = _advisory(ranges, package={"ecosystem": "npm", "name": "some-package"})
    assert affects(npm, "some-package", Version("1.0")) == (False, False)
