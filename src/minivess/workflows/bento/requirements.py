"""The packages of a Bento: those that the service needs, pinned with the digests of their files, from `uv.lock`.

Format of the result: pip's requirements file with hashes (https://pip.pypa.io/en/stable/topics/secure-installs/).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from packaging.utils import canonicalize_name

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.serving_platform import needed_here

OWN = "minivess"
EXTRAS = ("serving", "bento")
"""The extras of this software that a Bento needs."""
_HINT = "run `uv lock` in the source folder; it needs minivess[serving,bento]"
Table = dict[str, Any]


@implements("REQ-472", "RC-199")
def requirements_of(lock: bytes, *, own: str = OWN, extras: Iterable[str] = EXTRAS) -> str:
    """The packages that a package needs with some extras, each with its version and its digests.

    Args:
        lock: a `uv.lock`.
        own: the package. It is not in the result.
        extras: of it.

    Raises:
        InputError: the file is no `uv.lock` or does not have what is needed, or a package does not come from an index.
    """
    try:
        tables: list[Table] = tomllib.loads(lock.decode("utf-8"))["package"]
        needed = _walk(tables, own, tuple(extras))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no lock file with what a Bento needs: {error}", path="uv.lock", hint=_HINT) from None
    return "".join(_line(needed[name]) for name in sorted(needed))


def _walk(tables: list[Table], own: str, extras: tuple[str, ...]) -> dict[str, Table]:
    """Every package that is reached, by name, without the first.

    Raises:
        KeyError: a package is missing.
        ValueError: a package is needed in two versions, or an extra is missing.
    """
    by_name: dict[str, list[Table]] = {}
    for table in tables:
        by_name.setdefault(canonicalize_name(table["name"]), []).append(table)
    (root,) = by_name[own]
    found: dict[str, Table] = {}
    waiting = [(root, extra) for extra in ("", *extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        table, extra = waiting.pop()
        name = canonicalize_name(table["name"])
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if name != own and found.setdefault(name, table) is not table:
            raise ValueError(f"{name} is needed in two versions")
        optional = table.get("optional-dependencies", {})
        if extra and extra not in optional and name == own:
            raise ValueError(f"{own} has no extra {extra}")
        for one in optional.get(extra, []) if extra else table.get("dependencies", []):
            if not needed_here(one.get("marker")):
                continue
            (meant,) = [
                other
                for other in by_name[canonicalize_name(one["name"])]
                if all(key not in one or other.get(key) == one[key] for key in ("version", "source"))
            ]
            waiting += [(meant, wanted) for wanted in ("", *one.get("extra", ()))]
    return found


def _line(table: Table) -> str:
    """The requirement of one package.

    Raises:
        InputError: it does not come from an index, or a file has no digest.
    """
    files = [*table.get("wheels", []), *([table["sdist"]] if "sdist" in table else [])]
    hashes = [str(file.get("hash", "")) for file in files]
    if "registry" not in table["source"] or not hashes or not all(one.startswith("sha256:") for one in hashes):
        raise InputError(f"{table['name']} has no digest of its files", path="uv.lock", hint="take it from an index")
    pinned = [f"{table['name']}=={table['version']}", *(f"    --hash={one}" for one in sorted(hashes))]
    return " \\\n".join(pinned) + "\n"
