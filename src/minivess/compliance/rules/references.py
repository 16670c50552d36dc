"""References of entries to the entries they rest on.

An input named `log/<index>` is a reference. Its digest is that of the canonical JSON of the body of that entry. A log under
action table 2 takes only references to earlier entries that are as the reference says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.log.entry import EntryBody, Outcome
from minivess.records.references import CHAIN_ACTIONS, ROLES, EntryReference

if TYPE_CHECKING:
    from minivess.records.device.preparation import ReleasePrepared

_NAME = re.compile(r"log/(0|[1-9][0-9]{0,15})", re.ASCII)
REFERENCE = "log/"
"""What the name of an input begins with that names an earlier entry."""


@dataclass(frozen=True)
class KnownEntry:
    """What a reference to an entry has to fit."""

    action: str
    completed: bool
    digest: str
    outputs: frozenset[str]


@implements("REQ-225")
@dataclass(frozen=True)
class References:
    """The entries of a log that others may rest on. A value: `extend` returns another one."""

    entries: Mapping[int, KnownEntry] = field(default_factory=lambda: MappingProxyType({}))
    """By index: entries of `CHAIN_ACTIONS` that ended."""
    made: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By digest of an output: the newest completed entry that made it."""

    def extend(self, body: EntryBody) -> References:
        """After an entry that ended a chain action."""
        outputs = frozenset(one.digest for one in body.outputs)
        completed = body.outcome is Outcome.COMPLETED
        known = KnownEntry(body.action, completed, digest_of(body), outputs)
        made = {**self.made, **dict.fromkeys(outputs, body.index)} if completed else self.made
        return References({**self.entries, body.index: known}, made)

    def artifact(self, index: int) -> Artifact:
        """A reference to an entry, as an input of another.

        Raises:
            VerificationError: there is no such entry.
        """
        return Artifact(name=f"{REFERENCE}{index}", digest=self._known(index).digest)

    def reference(self, index: int) -> EntryReference:
        """A reference to an entry, as a payload names it.

        Raises:
            VerificationError: there is no such entry.
        """
        return EntryReference(index=index, digest=self._known(index).digest)

    def makers_of(self, inputs: Iterator[Artifact] | tuple[Artifact, ...]) -> tuple[int, ...]:
        """The newest entries that made these inputs, in the order of the log."""
        return tuple(sorted({self.made[one.digest] for one in inputs if one.digest in self.made}))

    def check_inputs(self, body: Any) -> None:
        """Compare the references among the inputs of an entry with the log.

        Raises:
            VerificationError: one names no earlier entry, or names it by another digest.
        """
        for one in body.inputs:
            if not one.name.startswith(REFERENCE):
                continue
            match = _NAME.fullmatch(one.name)
            if match is None:
                raise VerificationError(f"the input {one.name} is not the name of an entry")
            self._check(int(match[1]), one.digest)

    def check_chain(self, prepared: ReleasePrepared, model: str | None) -> None:
        """Compare every reference of a prepared release with the log.

        Args:
            prepared: the payload of the entry.
            model: the digest that its context names.

        Raises:
            VerificationError: one names no entry of its action, another digest, or an action that was not completed; or
                the export made another model.
        """
        for role, reference in prepared.chain.references():
            known = self._check(reference.index, reference.digest)
            if known.action != ROLES[role]:
                raise VerificationError(
                    f"entry {reference.index} is {known.action} and not the {ROLES[role]} of a release"
                )
            if not known.completed and role != "run":
                raise VerificationError(f"entry {reference.index} ({known.action}) was not completed")
        export = prepared.chain.export.index
        if model not in self.entries[export].outputs:
            raise VerificationError(f"the release names a model that entry {export} did not export")

    def _check(self, index: int, digest: str) -> KnownEntry:
        known = self._known(index)
        if known.digest != digest:
            raise VerificationError(f"it names entry {index} by another digest")
        return known

    def _known(self, index: int) -> KnownEntry:
        known = self.entries.get(index)
        if known is None:
            raise VerificationError(f"entry {index} is no earlier entry that something can rest on")
        return known


@dataclass(frozen=True)
class Preparation:
    """The version and the model that `release.prepare` and `release.build` name."""

    version: str
    model: str | None

    def check_prepared(self, prepared: Preparation | None) -> None:
        """Compare a release that is built with the newest one that was prepared.

        Raises:
            VerificationError: none was prepared, or one of another version or model.
        """
        if self.model is None:
            raise VerificationError("a release names its model")
        if prepared is None:
            raise VerificationError("no release.prepare says what this release rests on")
        if prepared != self:
            raise VerificationError(
                f"version {prepared.version} was prepared with model {prepared.model}, and version {self.version} is "
                f"built with model {self.model}"
            )


def is_link(body: Any) -> bool:
    """Whether an entry can be rested on: it ended an action of `CHAIN_ACTIONS`."""
    return body.action in CHAIN_ACTIONS and body.outcome in {Outcome.COMPLETED, Outcome.FAILED}
