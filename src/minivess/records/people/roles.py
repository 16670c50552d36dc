"""Kinds of actors and what they may sign for: words alone, so that a command line needs nothing more to name them."""

from __future__ import annotations

from enum import StrEnum


class IdentityKind(StrEnum):
    """A person signs what they mean; a service signs what it did."""

    PERSON = "person"
    SERVICE = "service"


class Role(StrEnum):
    """What somebody may sign for."""

    DEVELOPER = "developer"
    REVIEWER = "independent-reviewer"
    RELEASE_MANAGER = "release-manager"
    CUSTODIAN = "custodian"
    """Holds the data key of the sealed test set, and runs evaluations on it."""
    SERVICE = "service"
