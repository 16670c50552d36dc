"""The people and services of a log as a file of its pack, which readers look keys up in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minivess.compliance.identity.register import Register
from minivess.compliance.release.pack_files import json_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements

IDENTITIES = "data/audit/identities.json"


def identities_of(register: Register, origin: str) -> dict[str, Any]:
    """The content of the file.

    Args:
        register: the people after the last entry of the pack.
        origin: of the log.
    """
    return {
        "demo": register.demo,
        "log": origin,
        "log_key": register.log_key.model_dump(mode="json"),
        "identities": [
            {"identity": tenure.identity.model_dump(mode="json"), "from": tenure.start, "until": tenure.end}
            for tenure in register.tenures.values()
        ],
    }


@implements("REQ-038", "RC-13")
def check_identities(files: Mapping[str, bytes], register: Register, origin: str) -> str:
    """Compare the file with the log; returns in words what holds.

    Raises:
        VerificationError: the file is missing or malformed, or says something else than the log.
    """
    made = identities_of(register, origin)
    if json_of(files, IDENTITIES) != made:
        raise VerificationError(f"{IDENTITIES} does not state the people and keys of the log")
    return f"{len(made['identities'])} identities as the log has them"
