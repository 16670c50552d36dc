"""What the names of files say: the id of a case, its subject and its acquisition."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

_DOUBLE = (".nii.gz", ".hdr.gz", ".img.gz", ".ome.tif", ".ome.tiff", ".seg.nrrd", ".xml.txt")


@implements("REQ-278")
def subject_of(pattern: str, image: PurePosixPath, ids: Ids, *, stated: str | None = None) -> str:
    """The subject of an image by the project's pattern.

    Raises:
        InputError: the pattern does not fit, or another subject is stated.
    """
    text = image.as_posix() if "/" in pattern else stem(image.name)
    match = re.search(pattern, unicodedata.normalize("NFC", text))
    if match is None or not match[1]:
        raise InputError(
            "does not fit data.subject_from",
            path=str(image),
            hint=f"the expression is {pattern}",
            rule="name-pattern",
        )
    subject = ids.of(match[1], image)
    if stated not in (None, subject):
        raise InputError(
            f"its subject is stated as {stated!r}, and data.subject_from makes it {subject!r}",
            path=str(image),
            hint="correct the one that is wrong",
            rule="name-pattern",
        )
    return subject


def stem(name: str) -> str:
    """The name of a file without its suffix, also where that has two parts."""
    for suffix in _DOUBLE:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return PurePosixPath(name).stem


class Ids:
    """The ids that names of files make; no id stands for two different names.

    Args:
        what: is named, for the error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: dict[str, str] = {}

    @implements("REQ-252")
    def of(self, text: str, path: PurePosixPath) -> str:
        """The id of a name.

        Raises:
            InputError: the name makes no id, or the id of another name.
        """
        made = _slug(text, path)
        other = self._names.setdefault(made, text)
        if other != text:
            raise InputError(
                f"the {self._what} names {other!r} and {text!r} both make the id {made!r}",
                path=str(path),
                hint="rename one of them, or list the cases in a table (data.table) with ids of your own",
                rule="id-name",
            )
        return made


def _slug(text: str, path: PurePosixPath) -> str:
    """A name as an identifier: what may not stand in one becomes a hyphen."""
    made = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not made or len(made) > 64:
        raise InputError(
            f"its name makes no id of 1 to 64 characters: {made[:64]!r}",
            path=str(path),
            hint="name a group `case`",
            rule="id-name",
        )
    return made
