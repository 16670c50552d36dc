"""The lock file of a source tree as facts, whichever tool wrote it: packages and versions, digests, and who needs whom."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.provenance import BILLS, LOCK_FILES, REQUIREMENTS, lock_file, project_name
from minivess.foundation.reading.bill_of_materials import read_cyclonedx, read_spdx
from minivess.foundation.reading.locked_packages import Lock, LockedPackage, LockedSource, Use
from minivess.foundation.reading.requirements_file import read_requirements
from minivess.foundation.reading.uv_lock import read_uv_lock, uv_sources

__all__ = ["Lock", "LockedPackage", "LockedSource", "Use", "lock_place", "read_lock", "read_sources"]

_LIMIT = 32 << 20
_FAULTS = (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError)
_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "uv": ("not a uv lock file", "run `uv lock` to write it anew"),
        "bill": ("not a bill of materials in CycloneDX or SPDX 2 JSON", "write it again with the tool that made it"),
    }
)


@implements("REQ-262", "REQ-263")
def read_lock(path: Path, member: str = ".") -> Lock:
    """Read a `uv.lock`, a `requirements.txt` or a bill of materials in CycloneDX or SPDX JSON.

    Args:
        path: the file. Its name says of which kind it is (`provenance.LOCK_FILES`); any other name is read as `uv.lock`.
        member: for a workspace of uv, the folder of the device's own package relative to that of the file.

    Raises:
        InputError: no such file, or it is malformed: no root package, a line without an exact version, a component
            without a version, an archive of an index without a SHA-256. The message names the package.
    """
    if path.name in REQUIREMENTS:
        return read_requirements(path, _own(path))
    if path.name in BILLS:
        return _guarded(path, "bill", lambda data: _read_bill(data, path))
    return _guarded(path, "uv", lambda data: read_uv_lock(data, path, member))


@implements("REQ-262")
def read_sources(path: Path) -> dict[str, tuple[LockedSource, ...]]:
    """Every Python package of a lock file by its normalised name, in each version that is locked, and the root.

    Raises:
        InputError: as `read_lock`, but a `uv.lock` needs no root package.
    """
    if path.name in {*REQUIREMENTS, *BILLS}:
        return read_lock(path).sources()
    return _guarded(path, "uv", lambda data: uv_sources(data, path))


@implements("REQ-262", "REQ-263")
def lock_place(source: Path) -> tuple[Path, str]:
    """The lock file of a source tree, and the folder of the tree relative to that of the file.

    Raises:
        InputError: there is none.
    """
    path = lock_file(source)
    if path is None:
        names = ", ".join(LOCK_FILES)
        raise InputError(
            f"the source tree has no lock file ({names})", hint="write one of them, for example with `uv lock`"
        )
    return path, source.resolve().relative_to(path.parent.resolve()).as_posix()


def _read_bill(data: bytes, path: Path) -> Lock:
    read = read_spdx if b'"spdxVersion"' in data and b'"bomFormat"' not in data else read_cyclonedx
    return read(data, path.name, _own(path))


def _own(path: Path) -> tuple[str, str]:
    """Name and version of the device's own package, by the `pyproject.toml` beside the lock file."""
    beside = (path.parent / "pyproject.toml").is_file()
    name, version = project_name(path.parent) if beside else ("device-software", None)
    return name, version or "0"


def _guarded[T](path: Path, kind: str, read: Callable[[bytes], T]) -> T:
    data = read_limited(path, limit=_LIMIT)
    wrong, hint = _KINDS[kind]
    try:
        return read(data)
    except _FAULTS as error:
        raise InputError(f"{wrong}: {error}", path=path, hint=hint) from error
