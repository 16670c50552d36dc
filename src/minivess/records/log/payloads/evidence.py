"""Payloads about evidence and releases: scenarios, drills, reviews, baselines, attestations, packs and signatures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Record, ShortText, Slug, Statement
from minivess.records.people.approval import Envelope


class ScenariosRun(Record):
    """Verification was run and its results recorded."""

    passed: int
    failed: int
    skipped: int
    tree: Digest
    """Digest of the source tree the results are for."""


class ControlsDrilled(Record):
    """Risk controls were taken away one by one, and their scenarios run without them (ISO 14971:2019 7.2)."""

    noticed: Annotated[int, Field(ge=0)]
    unnoticed: Annotated[int, Field(ge=0)]
    tree: Digest


class ReviewedLink(Record):
    """A link of the trace graph as a person saw it."""

    link: Annotated[str, StringConstraints(pattern=r"^[A-Z]+-[0-9]+ [a-z_]+ [A-Za-z0-9._-]+$", max_length=120)]
    """The item, its field, and what it names."""
    digest: Digest
    """Of what it names."""


class LinksReviewed(Record):
    """A person looked at what links lead to and found that they still hold (IEC 62304 5.2.6, 7.3.3)."""

    links: Annotated[tuple[ReviewedLink, ...], Field(min_length=1)]


class BaselineTaken(Record):
    """All items as they stand, under a name (IEC 62304 8.1.3); the commit is in the context."""

    name: Slug
    items: Annotated[int, Field(ge=1)]
    digest: Digest
    """Of the canonical JSON of every item's digest by id."""


class ClauseAttested(Record):
    """A person states something that no tool can check, in the words of an attestation of the source tree."""

    item: Annotated[str, StringConstraints(pattern=r"^ATT-[0-9]{2,5}$")]
    clause: ShortText
    digest: Digest
    """Of the attestation's words: when they change, they are to be signed again."""


class SubjectApproved(Record):
    """A person read a plan, a change request, the requirements or the risk file, and approves it as it stands."""

    subject: ShortText
    """The path of a document, the id of a change request, `requirements` or `risk`."""
    digest: Digest


class ReleaseBuilt(Record):
    """A pack was made; `tag_manifest` is what people sign."""

    version: Slug
    tag_manifest: Digest
    gates: int
    files: int


class GateWaived(Record):
    """A gate of one release may fail until a day: who says so, why, and which risk it is about."""

    gate: Slug
    """As the release policy calls it."""
    version: Slug
    """Of the device that is released."""
    found: ShortText
    """What the gate said when it was waived."""
    reason: Statement
    owner: Slug
    """The person who answers for closing it."""
    risk: Annotated[str, StringConstraints(pattern=r"^RISK-[0-9]{2,5}$")]
    """The risk that it is linked with."""
    until: Moment
    """The last moment at which it counts."""


class ReleaseRevoked(Record):
    """A release counts no longer: it is not to be used, and its model leaves production."""

    version: Slug
    tag_manifest: Digest
    """Of the pack that was released."""
    model: Digest
    reason: ShortText
    """Why, in one line."""
    instructions: Statement
    """What users of the device must do."""
    decided_by: ShortText
    """The person who decided it."""


class ReleaseSigned(Record):
    """A person signed a pack."""

    version: Slug
    tag_manifest: Digest
    envelope: Envelope
