"""The profile of the person at this machine: private keys, and what was seen of each log.

`$XDG_DATA_HOME/minivess`, else `~/.local/share/minivess` (XDG Base Directory Specification 0.8). Folders have mode 0700 and
files 0600. A workspace can be copied and rolled back; its owner's profile does not travel with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from minivess.foundation.files import exclusive, make_folder
from minivess.foundation.implements import implements

_PRIVATE = 0o077


@implements("REQ-161")
@dataclass(frozen=True)
class Profile:
    """One person's folder on this machine."""

    root: Path

    @classmethod
    def of_user(cls, environment: Mapping[str, str] = os.environ) -> Profile:
        """The profile of whoever runs this process.

        A relative `XDG_DATA_HOME` is ignored, as its specification asks.

        Raises:
            CouldNotCheckError: the system knows no home folder.
        """
        given = Path(environment.get("XDG_DATA_HOME", ""))
        if given.is_absolute():
            return cls(given / "minivess")
        try:
            return cls(Path.home() / ".local" / "share" / "minivess")
        except RuntimeError:
            raise CouldNotCheckError("there is no home folder", hint="set XDG_DATA_HOME") from None

    @property
    def keys(self) -> Path:
        """Wrapped private keys of people."""
        return self.root / "keys"

    @property
    def other_keys(self) -> Path:
        """Second keys of an id, a folder each: from another workspace of 0.1.0, or rotated in one log and not in another."""
        return self.root / "other-keys"

    def place_of(self, key_id: str) -> Path:
        """The folder of `other_keys` for one signing key."""
        return self.other_keys / key_id[:12]

    @property
    def seen(self) -> Path:
        """The newest checkpoint that was seen of each log."""
        return self.root / "seen"

    def make(self, folder: Path) -> Path:
        """Make a folder of the profile, mode 0700, and those above it up to the profile's root.

        Raises:
            CannotWriteError: it cannot be made.
        """
        above = [one for one in (folder, *folder.parents) if one.is_relative_to(self.root)]
        try:
            make_folder(self.root.parent)
            for one in reversed(above):
                one.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(f"cannot write the profile {self.root}: {error.strerror or error}") from error
        return folder

    @contextmanager
    def lock(self, folder: Path) -> Iterator[None]:
        """Hold the lock of a folder of the profile (`flock`), which is made when it is missing.

        Raises:
            CannotWriteError: the lock cannot be made.
        """
        with exclusive(self.make(folder) / ".lock", f"the profile {folder}"):
            yield

    def loose(self) -> list[Path]:
        """Folders and files of the profile that others may read or write."""
        paths = [self.root, *self.root.rglob("*")] if self.root.is_dir() else []
        return [path for path in paths if path.lstat().st_mode & _PRIVATE and not path.is_symlink()]
