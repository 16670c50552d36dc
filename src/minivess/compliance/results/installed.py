"""Installed distributions, and whether each is the one that the lock file names (PEP 376, PEP 610)."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from minivess.foundation.git.commands import git
from minivess.foundation.git.contents import Contents, contents_of
from minivess.foundation.git.repository import Repository, repository_of
from minivess.foundation.reading.lock_file import LockedSource

_FOLDERS = frozenset({"directory", "editable", "virtual", "path"})
_SHA256 = "sha256="


@dataclass(frozen=True)
class SourceFolder:
    """The folder that a distribution was installed from."""

    path: Path

    @cached_property
    def repository(self) -> Repository | str:
        """Its repository, or why there is none."""
        return repository_of(self.path)

    @cached_property
    def contents(self) -> Contents:
        """Its files."""
        return contents_of(self.path)

    @cached_property
    def lack(self) -> str:
        """Why it has no git identity; empty when it has one."""
        repository = self.repository
        if not isinstance(repository, Repository):
            return "has no git repository"
        if repository.commit is None:
            return "has no commit"
        options = ("--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
        status = git(repository.top, "status", *options)
        return "" if status.status == 0 and not status.output.strip() else "has uncommitted changes"


class Installed:
    """One installed distribution."""

    def __init__(self, found: metadata.Distribution) -> None:
        self._found = found
        self.place = os.path.realpath(str(found.locate_file("")))

    @classmethod
    def all(cls) -> tuple[Installed, ...]:
        """Every distribution on `sys.path`."""
        return tuple(map(cls, metadata.distributions()))

    @cached_property
    def name(self) -> str:
        """Its normalised name (PEP 503)."""
        return re.sub(r"[-_.]+", "-", str(self._found.metadata["Name"] or "")).lower()

    @cached_property
    def version(self) -> str:
        """Its version."""
        return str(self._found.version or "")

    @cached_property
    def origin(self) -> Mapping[str, Any]:
        """Where it was installed from (`direct_url.json`, PEP 610); empty for a registry."""
        try:
            read = json.loads(self._found.read_text("direct_url.json") or "{}")
        except ValueError:
            return {"url": "unreadable"}
        return read if isinstance(read, dict) else {"url": "unreadable"}

    @cached_property
    def folder(self) -> SourceFolder | None:
        """The folder that it was installed from, where it was."""
        url = urlsplit(str(self.origin.get("url", "")))
        if "dir_info" not in self.origin or url.scheme != "file":
            return None
        return SourceFolder(Path(os.fsdecode(unquote_to_bytes(url.path))).resolve())

    @property
    def editable(self) -> bool:
        """Whether Python runs the files of `folder` themselves."""
        return self.folder is not None and bool(self.origin["dir_info"].get("editable"))

    def recorded(self, wanted: Iterable[str]) -> dict[str, str]:
        """Those of some files that its RECORD names, with their SHA-256 as RECORD writes it (empty: none).

        Args:
            wanted: paths relative to `place`.
        """
        names = frozenset(wanted)
        return {name: digest.removeprefix(_SHA256) for name, digest in self._rows() if name in names}

    def _rows(self) -> Iterator[tuple[str, str]]:
        text = self._found.read_text("RECORD") or ""
        rows = csv.reader(text.splitlines()) if '"' in text else (line.rsplit(",", 2) for line in text.splitlines())
        for row in rows:
            if len(row) == 3:
                yield row[0], row[1]

    def fault(self, locked: Mapping[str, tuple[LockedSource, ...]], file: str) -> str:
        """Why it is not the one that the lock file names; empty when it is.

        Args:
            locked: the packages of the lock file, by name.
            file: the name of the lock file.
        """
        versions = locked.get(self.name)
        if versions is None:
            return f"is not in {file}"
        reasons = [self._differs(one, file) for one in versions]
        return "" if "" in reasons else reasons[0]

    def _differs(self, locked: LockedSource, file: str) -> str:
        if locked.version not in ("", self.version):
            return f"is version {self.version}; {file} has {locked.version}"
        if "vcs_info" in self.origin:
            commit = str(self.origin["vcs_info"].get("commit_id", ""))
            same = locked.kind == "git" and commit == locked.commit
            return "" if same else f"is installed from another commit than {file} names"
        if "archive_info" in self.origin:
            return self._other_archive(locked, file)
        if self.folder is not None:
            return "" if locked.kind in _FOLDERS else f"is installed from a folder; {file} has {locked.kind}"
        if self.origin:
            return "is installed from an unknown place"
        return "" if locked.kind == "registry" else f"is installed from a registry; {file} has {locked.kind}"

    def _other_archive(self, locked: LockedSource, file: str) -> str:
        about = self.origin["archive_info"]
        digests = about.get("hashes") or {}
        digest = digests.get("sha256") or str(about.get("hash", "")).removeprefix(_SHA256)
        named = locked.kind == "url" and self.origin.get("url") == locked.place
        if not named and locked.kind != "path":
            return f"is installed from another archive than {file} names"
        if locked.kind == "path" and not digest:
            return "is installed from an archive of which no digest is known"
        known = not digest or not locked.sha256 or digest in locked.sha256
        return "" if known else f"is installed from another archive than {file} names"


def record_digest(sha256: bytes) -> str:
    """A SHA-256 as RECORD writes it (PEP 376): URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(sha256).rstrip(b"=").decode("ascii")
