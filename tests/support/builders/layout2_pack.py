"""A small complete pack of layout 2, made in well under a second once the first of a process is made.

`small_pack()` gives the files of a pack in which everything is true. `SmallPack.bent` changes files or the log and lets the
release manager prepare the release again; `SmallPack.signed` adds the signatures of as many people as a test wants. The keys
of everybody, the log's own too, are at hand: `pack.people`, `log_key()`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from minivess.compliance.identity.signer import Signer
from minivess.compliance.pack.pack import log_files
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.release.layout import PayloadManifest
from minivess.records.log.entry import Context
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from tests.support.builders import logged_signatures
from tests.support.builders import pack_builder as logs
from tests.support.builders.release_builder import People, Release, ReleaseLog, make_release, policy_of_release
from tests.support.source_states import uncommitted

TAG = "tagmanifest-sha512.txt"
TEXT, INDEX = "data/signing-text.txt", "data/index.html"


@dataclass(frozen=True)
class SmallPack:
    """The files of a pack without signatures, the log they hold, and the people who made it."""

    files: Mapping[str, bytes]
    log: ReleaseLog
    """It ends with the preparation of the release."""
    people: People
    release: Release

    def bent(
        self,
        files: Mapping[str, bytes | None] | None = None,
        *,
        log: ReleaseLog | None = None,
        model: str | None = None,
        say: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: said,
        prepared: bool = True,
    ) -> SmallPack:
        """The pack with other files or another log, bagged again.

        Args:
            files: content by name with `data/`; None takes a file out.
            log: the log before the preparation; by default as it is.
            model: the model that the preparation names; by default as it is.
            say: changes what the preparation says, after the manifest of the files was put into it.
            prepared: whether the release manager prepares the release again. Otherwise the log stays as it is, and files of
                the log can be bent as well.
        """
        data = {name: content for name, content in self.files.items() if name.startswith("data/")} | dict(files or {})
        kept = {name: content for name, content in data.items() if content is not None}
        if not prepared:
            return replace(self, files=bagged(kept))
        manifest = PayloadManifest.of(kept)
        body = self.log.entries[-1].body
        said = say({**body.payload, "manifest": manifest.digest, "files": manifest.files})
        after = self.before() if log is None else log.copy()
        after.append(self.people.manager, "release.prepare", said, context=Context(model=model or body.context.model))
        rest = {
            name: content for name, content in kept.items() if not name.startswith(("data/audit/", "data/lineage/"))
        }
        files_of_log = {f"data/{name}": content for name, content in log_files(after.facts).items()}
        return replace(
            self, files=bagged(rest | files_of_log | {"data/lineage/events.jsonl": after.events()}), log=after
        )

    def before(self) -> ReleaseLog:
        """The log without the preparation, to be continued."""
        return replace(self.log, entries=self.log.entries[:-1], details=self.log.details[:-1])

    def signed(self, *signers: Signer) -> dict[str, bytes]:
        """The files with release signatures, and the cosignature of the holder of the test set's key.

        Args:
            signers: who signs; by default the reviewer and the release manager.
        """
        reviewer, manager = self.people.reviewer, self.people.manager
        log, model = self.log.copy(), self.log.entries[-1].body.context.model
        logged_signatures.record_build(log, self.files, manager, version=self.release.version, model=model or "")
        found = logged_signatures.sign_logged(
            log,
            self.files,
            signers or (reviewer, manager),
            version=self.release.version,
            packed=len(self.log.entries),
            policy=policy_of_release().signatures,
        )
        line = reviewer.cosign(self.log.checkpoint, 1_800_000_000)
        return {**found, f"signatures/{reviewer.identity.id}.cosignature": line.encode("utf-8")}


def bagged(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Payload files in a bag, as the builder of packs writes it."""
    return logs.bag(dict(files))


@cache
def small_pack(
    *,
    demo: bool = False,
    dirty: bool = False,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    contract: bool = True,
    scored: bool = False,
) -> SmallPack:
    """The pack, made once a process. Its files and its log are not to be changed; `bent` makes other ones."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    release = make_release(folder / "release", demo=demo, task=task, contract=contract, scored=scored)
    if dirty:
        assert release.facts.source is not None
        release.facts = release.facts.model_copy(update={"source": uncommitted(release.facts.source)})
    files = read_archive(release.build(folder / "pack.zip").path.read_bytes())
    assert release.prepared is not None
    return SmallPack(files, release.prepared, release.people, release)
