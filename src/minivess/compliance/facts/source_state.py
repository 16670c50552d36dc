"""Read the state of a source tree as a release records it, and the diff of what is not committed."""

from __future__ import annotations

from minivess.foundation.digests import digest_bytes
from minivess.foundation.git.changes import changed_names, uncommitted_diff
from minivess.foundation.implements import implements
from minivess.foundation.provenance import SourceVersion
from minivess.records.device.source_state import NAMES, SourceState, Submodule
from minivess.records.items.trace import ResultReport


@implements("REQ-217")
def read_source_state(version: SourceVersion, report: ResultReport | None = None) -> SourceState:
    """The state of a source tree as it is now.

    Args:
        version: of the source folder, whose files may have been listed already.
        report: results of its tests, which state what was loaded.

    Raises:
        CouldNotCheckError: a file cannot be read, or git cannot compare.
    """
    contents = version.contents
    repository, changes = contents.repository, changed_names(contents)
    diff = read_uncommitted(version)
    return SourceState.of(
        tree=version.tree,
        folder="" if repository is None else _text(repository.prefix.rstrip("/")),
        commit=None if repository is None else repository.commit,
        git_tree=None if repository is None else repository.tree,
        repository=contents.lack[:200] if repository is None else None,
        submodules=tuple(
            Submodule(
                path=_text(link.path),
                commit=link.recorded,
                found=link.found,
                clean=not any(name.startswith(f"{link.path}/") for name in changes),
            )
            for link in contents.gitlinks
        ),
        nested=_texts(contents.nested),
        links=_texts(contents.leaving_links()),
        hidden=_texts(contents.hidden),
        changed=_texts(changes),
        changes=len(changes),
        uncommitted=None if diff is None else digest_bytes(diff),
        environment=version.environment,
        strangers=0 if report is None else report.strangers,
    )


@implements("REQ-217")
def read_uncommitted(version: SourceVersion) -> bytes | None:
    """The diff of everything that is not committed, as `uncommitted_diff` writes it; None when nothing differs.

    Raises:
        CouldNotCheckError: git cannot compare.
    """
    return uncommitted_diff(version.contents)


def _texts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_text(name) for name in names[:NAMES])


def _text(name: str) -> str:
    """A path as text that a record can hold."""
    return name.encode("utf-8", "replace").decode("utf-8")[:1000]
