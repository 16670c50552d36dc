"""The files of the source tree that a pack takes along, the list of all of them, and the digest of an archive of its commit."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.standards.filing import filing
from minivess.compliance.standards.required_documents import documents
from minivess.compliance.verification.pack_checks.source_files import LISTING, listed_files, needed_files, place_of
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.git.commands import git
from minivess.foundation.git.repository import Repository
from minivess.foundation.implements import implements
from minivess.foundation.provenance import link_content

ARCHIVE = "source/archive.txt"
_LIMIT = 64 << 20
"""Bytes of one file of the source tree."""
_ARCHIVE_S = 300.0
_ARCHIVE_OF = ("-c", "tar.umask=0002", "-c", "core.autocrlf=false", "archive", "--format=tar")
"""git, so that the settings of a person do not change the archive."""


@implements("REQ-625")
def source_files(inputs: PackInputs) -> dict[str, bytes]:
    """The list of the source tree, its plans and texts, items, scenarios, policy and lock file, by name relative to `data/`.

    Raises:
        RefusedError: a file changed since the list was made.
        CouldNotCheckError: git cannot archive the commit.
    """
    contents, listing = inputs.tree.version.contents, inputs.tree.version.listing
    listed, state = listed_files(listing), inputs.source_state
    top = f"{state.folder}/" if state.folder else ""
    texts = {f"{top}{path}" for path in (*(one.path for one in filing()), *(one.path for one in documents())) if path}
    found = {LISTING.removeprefix("data/"): listing, **_archive(contents.repository)}
    for path in sorted({*needed_files(listed, state, inputs.log.entries), *(texts & listed.keys())}):
        content = _content(contents.top / path)
        if digest_bytes(content) != f"sha256:{listed[path]}":
            raise RefusedError(f"{path} changed while the pack was made", hint="build the release again")
        found[place_of(path, listed[path])] = content
    return found


def _content(path: Path) -> bytes:
    return link_content(path) if path.is_symlink() else read_limited(path, limit=_LIMIT)


@implements("REQ-625")
def _archive(repository: Repository | None) -> dict[str, bytes]:
    """The digest of the archive that git makes of the commit, as `sha256sum` writes it; nothing without a commit.

    Submodules are not in such an archive; the list of the source tree has their files.
    """
    if repository is None or repository.commit is None:
        return {}
    commit = repository.commit
    with TemporaryDirectory(prefix="minivess-archive-") as folder:
        archive = Path(folder) / f"{commit}.tar"
        answer = git(repository.top, *_ARCHIVE_OF, f"--output={archive}", commit, timeout=_ARCHIVE_S)
        if answer.status != 0:
            raise CouldNotCheckError(f"the commit {commit[:12]} cannot be archived: {answer.words}")
        digest = digest_file(archive).removeprefix("sha256:")
    return {ARCHIVE: f"{digest}  {commit}.tar\n".encode("ascii")}
