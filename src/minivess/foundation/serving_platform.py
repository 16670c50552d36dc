"""The platform that the service is released for: which locked packages it needs, and which of their files are installed there.

Markers: https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers.
Tags of wheels: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

PYTHON = "3.12"
PLATFORM: Mapping[str, str] = MappingProxyType(
    {
        "implementation_name": "cpython",
        "implementation_version": f"{PYTHON}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
    }
)
"""The image of the container, as markers name it."""
IN_WORDS = f"Linux x86_64 with glibc, CPython {PYTHON}"
_GLIBC = 36
"""The minor version of glibc 2 in the image."""


def needed_here(marker: str | None) -> bool:
    """Whether a dependency with this marker is installed on the platform; one without a marker always is.

    Raises:
        ValueError: it is no marker.
    """
    return marker is None or Marker(marker).evaluate(dict(PLATFORM))


def installed_file(urls: Iterable[str]) -> str | None:
    """Which file of a package is installed on the platform: the wheel that fits best, else the one that is no wheel.

    Args:
        urls: of its files, or their names.

    Returns:
        One of them; None when no file fits.
    """
    ranks: dict[int, str] = {}
    other = None
    for url in sorted(urls):
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        if not name.endswith(".whl"):
            other = other or url
            continue
        try:
            tags = parse_wheel_filename(name)[3]
        except InvalidWheelFilename:
            continue
        fitting = [_order()[tag] for tag in tags if tag in _order()]
        if fitting:
            ranks.setdefault(min(fitting), url)
    return ranks[min(ranks)] if ranks else other


@cache
def _order() -> dict[Tag, int]:
    """The tags that fit the platform, the best first."""
    machine = PLATFORM["platform_machine"]
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    platforms = []
    for minor in range(_GLIBC, 4, -1):
        platforms.append(f"manylinux_2_{minor}_{machine}")
        if minor in legacy:
            platforms.append(f"{legacy[minor]}_{machine}")
    platforms.append(f"linux_{machine}")
    version = tuple(int(part) for part in PYTHON.split("."))
    tags = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{PYTHON.replace('.', '')}", platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}
