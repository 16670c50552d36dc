"""A release as a comparison reads it: the files of its pack, its log, and what its preparation states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from minivess.compliance.release.chain import PREPARED
from minivess.compliance.release.earlier_entries import payload_of
from minivess.compliance.release.pack_files import lines_of, record_of, text_of
from minivess.compliance.rules.log_facts import LogFacts, read_log
from minivess.compliance.verification.bag import TAG_MANIFEST
from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.changes.difference import ComparedRelease
from minivess.records.device.preparation import ReleasePrepared, Tool
from minivess.records.device.project import Device
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace_data import TraceData
from minivess.records.log.entry import Entry, Outcome

ENTRIES, DETAILS, CHECKPOINT = "data/audit/entries.jsonl", "data/audit/details.jsonl", "data/audit/checkpoint.txt"
EVALUATION, TRACE = "data/evaluation/evaluation.json", "data/traceability/data/trace.json"
_NAMED = re.compile(rb"^External-Identifier: (?P<name>[A-Za-z0-9._-]{1,64}) (?P<version>[A-Za-z0-9._-]{1,64})$", re.M)


@dataclass(frozen=True)
class Stated:
    """What the preparation of a release states. Packs of version 0.1.0 have none."""

    device: Device
    tool: Tool
    source: SourceState
    environment: Digest
    model: Digest

    @classmethod
    def of(cls, prepared: ReleasePrepared, model: str) -> Self:
        """What an entry states."""
        return cls(prepared.device, prepared.tool, prepared.source, prepared.environment, model)


@dataclass(frozen=True)
class PackedRelease:
    """One release."""

    files: Mapping[str, bytes]
    """Content by name, with `data/`."""
    entries: Sequence[Entry]
    """Of its log, before the preparation."""
    identities: bytes | None
    """The people of the log, as `data/audit/identities.json` has them; None: the file is missing."""
    stated: Stated | None

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> Self:
        """The release of a pack.

        Args:
            files: content by name, with `data/`.

        Raises:
            VerificationError: its log is missing or malformed.
        """
        entries = log_of(files).entries
        final = entries[-1].body
        prepared = (final.action, final.outcome) == (PREPARED, Outcome.COMPLETED)
        stated = None
        if prepared and final.context.model is not None:
            stated = Stated.of(payload_of(final, ReleasePrepared), final.context.model)
        before = entries[:-1] if prepared else entries
        return cls(files, before, files.get("data/audit/identities.json"), stated)

    @cached_property
    def evaluation(self) -> EvaluationRecord:
        """Its evaluation on the sealed test set.

        Raises:
            VerificationError: the file is missing or malformed.
        """
        return record_of(self.files, EVALUATION, EvaluationRecord)

    @cached_property
    def evaluation_digest(self) -> Digest:
        """Of the file of its evaluation."""
        return digest_bytes(self.files[EVALUATION])

    @cached_property
    def trace(self) -> TraceData:
        """Its requirements, risks, code and results.

        Raises:
            VerificationError: the file is missing or malformed.
        """
        return record_of(self.files, TRACE, TraceData)

    @property
    def name(self) -> tuple[str, str]:
        """Device and version.

        Raises:
            VerificationError: the pack names neither.
        """
        if self.stated is not None:
            return self.stated.device.name, self.stated.device.version
        found = _NAMED.search(self.files.get("bag-info.txt", b""))
        if found is None:
            raise VerificationError("the pack does not name its device and version")
        return found["name"].decode("ascii"), found["version"].decode("ascii")

    @property
    def pack(self) -> Digest | None:
        """Digest of the tag manifest; None while the pack is being built."""
        return digest_bytes(self.files[TAG_MANIFEST]) if TAG_MANIFEST in self.files else None

    def compared(self, verdict: str | None = None) -> ComparedRelease:
        """It as a side of a comparison.

        Args:
            verdict: what its verification came to.
        """
        device, version = self.name
        return ComparedRelease(
            device=device,
            version=version,
            pack=self.pack,
            model=None if self.stated is None else self.stated.model,
            commit=None if self.stated is None else self.stated.source.commit,
            log=self.entries[0].body.log,
            entries=len(self.entries),
            verdict=verdict,
        )


def log_of(files: Mapping[str, bytes]) -> LogFacts:
    """The log of a pack, which its checkpoint covers.

    Raises:
        VerificationError: it is missing, malformed, or not the one that was signed.
    """
    lines, details = lines_of(files, ENTRIES), lines_of(files, DETAILS)
    if len(lines) != len(details):
        raise VerificationError(f"{DETAILS} has {len(details)} lines for {len(lines)} entries")
    return read_log(lines, text_of(files, CHECKPOINT), [None if line == b"null" else line for line in details])
