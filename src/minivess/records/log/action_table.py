"""Which table of actions a log follows, and how it takes another one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record
from minivess.records.people.approval import Envelope


class AdoptedRules(Record):
    """A published action table, by its number and the digest of its canonical JSON."""

    number: Annotated[int, Field(ge=1)]
    digest: Digest


class RulesAdopted(AdoptedRules):
    """From the next entry on the log follows this table. A threshold of the roots agreed."""

    envelopes: Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=64)]
    """One signed approval a root, of `compliance.rules.adoption.subject_of`."""
