"""What is below the packages of a device: Python, OpenSSL, SQLite, the operating system and CUDA, as they were where it ran."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from minivess.records.base import Record, ShortText

PartKind = Literal["python", "openssl", "sqlite", "operating-system", "cuda"]
PART_KINDS: tuple[PartKind, ...] = get_args(PartKind)
NONE = "none"
"""The version of a part that was not there."""


class PlatformPart(Record):
    """One part of the platform (IEC 62304 5.3.3, 5.3.4, 8.1.2)."""

    kind: PartKind
    """Which part."""
    name: ShortText
    """Its name, for example `CPython` or `Debian GNU/Linux`."""
    version: ShortText
    """Its version; `none` where it was not there."""
    part_of: ShortText | None = None
    """What brings it, where several do: OpenSSL comes with Python and with cryptography."""

    @property
    def there(self) -> bool:
        """Whether it was there."""
        return self.version != NONE

    @property
    def title(self) -> str:
        """Its name, with what brings it."""
        return f"{self.name} ({self.part_of})" if self.part_of else self.name


def missing_parts(parts: Iterable[PlatformPart]) -> tuple[PartKind, ...]:
    """The kinds that no part is of."""
    stated = {part.kind for part in parts}
    return tuple(kind for kind in PART_KINDS if kind not in stated)
