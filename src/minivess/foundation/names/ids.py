"""Ids as names of files: when two ids are the name of one file, and which ids cannot name a file.

File systems of Windows and macOS ignore case, and macOS also how a letter is composed. A project is copied between them,
so two ids that differ in nothing else are refused where one of them is made. Ids that exist are read as they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

_DEVICES = frozenset(
    {"aux", "con", "conin$", "conout$", "nul", "prn"} | {f"{port}{at}" for port in ("com", "lpt") for at in range(10)}
)
"""Names that Windows gives to devices, in any case and before any suffix (Microsoft, Naming Files, Paths, and Namespaces).
A superscript digit counts as the digit."""


@implements("REQ-252")
def folded(name: str) -> str:
    """The form in which names of files are compared: NFKC, case folding, and NFKC again (Unicode Standard, 3.13, D147)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


@implements("REQ-253")
def check_id(name: str, what: str) -> None:
    """Refuse an id that Windows cannot use as the name of a file or folder.

    Args:
        name: the id.
        what: it names, for the error, for example `case`.

    Raises:
        UsageError: it is the name of a device, or ends with a dot or a space.
    """
    if folded(name.partition(".")[0]).rstrip() in _DEVICES:
        raise UsageError(f"the {what} {name!r} has the name of a device of Windows", hint="choose another id")
    if name.endswith((".", " ")):
        raise UsageError(
            f"the {what} {name!r} ends with a dot or a space, which Windows takes away", hint="leave it out"
        )


@implements("REQ-252")
def check_distinct(names: Iterable[str], what: str) -> None:
    """Refuse two different ids that are the name of one file.

    Args:
        names: ids; one that is there twice counts once.
        what: they name, for the error, for example `case`.

    Raises:
        UsageError: there are such two; the message names both.
    """
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(folded(name), name)
        if other != name:
            raise UsageError(
                f"the {what} ids {other!r} and {name!r} are the same name of a file where case is ignored",
                hint="rename one of them, so that they differ in more than case and composition of letters",
            )


def check_new(name: str, known: Iterable[str], what: str) -> None:
    """`check_id` and `check_distinct` for an id that is about to be used beside those that are known."""
    check_id(name, what)
    check_distinct([*known, name], what)
