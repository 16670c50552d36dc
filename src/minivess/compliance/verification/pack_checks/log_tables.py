"""Files of a pack that follow from the entries of its log: public keys, action tables, baselines and time stamps."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.rules import actions
from minivess.compliance.rules.actions import adopted_table
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import packaged_text
from minivess.records.log.action_table import AdoptedRules
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.people.identity import PublicKey

KEYS, RULES, TIMES = "keys/", "rules/", "timestamps/"
BASELINES = "traceability/baselines.json"
_SHOWN = 16
"""Digits of a key id in the name of its file."""


@implements("REQ-626")
def log_tables(entries: Sequence[Entry], register: Register) -> dict[str, bytes]:
    """The files, by name relative to `data/`.

    Args:
        entries: of the log.
        register: the people of the log.

    Raises:
        VerificationError: this version does not know an action table that the log follows.
    """
    completed = [entry.body for entry in entries if entry.body.outcome is Outcome.COMPLETED]
    return {
        **{f"{KEYS}{name}": content for name, content in _keys(register)},
        **{f"{RULES}{name}": content for name, content in _rules(completed)},
        **{f"{TIMES}{name}": content for name, content in _times(completed)},
        BASELINES: _baselines(body for body in completed if body.action == "trace.baseline"),
    }


@implements("REQ-626")
def check_log_tables(files: Mapping[str, bytes], entries: Sequence[Entry], register: Register) -> str:
    """Compare the files with the log; returns in words what holds.

    Args:
        files: of the pack.
        entries: of the log.
        register: the people of the log.

    Raises:
        VerificationError: a file is missing, does not follow from the log, or is another one.
    """
    made = {f"data/{name}": content for name, content in log_tables(entries, register).items()}
    _compare(files, made)
    keys = sum(name.startswith(f"data/{KEYS}") for name in made)
    return f"{keys} public keys and {len(made) - keys} further files as the log has them"


@implements("REQ-626", "RC-266")
def _compare(files: Mapping[str, bytes], made: Mapping[str, bytes]) -> None:
    held = {name for name in files if name.startswith((f"data/{KEYS}", f"data/{RULES}", f"data/{TIMES}"))}
    for name in sorted(made.keys() | held):
        if files.get(name) != made.get(name):
            raise VerificationError(f"{name} does not follow from the log")


def _keys(register: Register) -> Iterator[tuple[str, bytes]]:
    """Every signing key that counted at some time, and those of the log."""
    for tenure in (*register.tenures.values(), *register.log_keys):
        yield _pem(tenure.identity.id, tenure.identity.signing_key)


def _pem(who: str, key: PublicKey) -> tuple[str, bytes]:
    """A key as SubjectPublicKeyInfo in PEM (RFC 7468 section 13)."""
    lines = ("-----BEGIN PUBLIC KEY-----", *textwrap.wrap(key.spki, 64), "-----END PUBLIC KEY-----", "")
    return f"{who}-{key.key_id[:_SHOWN]}.pem", "\n".join(lines).encode("ascii")


def _rules(completed: Sequence[EntryBody]) -> Iterator[tuple[str, bytes]]:
    """The action table of each stretch of the log."""
    for body in completed:
        if body.action == "log.created":
            adopted = body.payload.get("rules")
            table = adopted_table(None if adopted is None else AdoptedRules.model_validate(adopted))
        elif body.action == "rules.adopted":
            table = adopted_table(AdoptedRules(number=body.payload["number"], digest=body.payload["digest"]))
        else:
            continue
        name = f"actions-{table.number}.json"
        yield name, packaged_text(actions.__package__, name).encode("utf-8")


def _times(completed: Sequence[EntryBody]) -> Iterator[tuple[str, bytes]]:
    """The checkpoint of each attestation of time, and the response of the time authority (RFC 3161), by index."""
    for body in completed:
        if body.action == "time.attested":
            yield f"{body.index}.checkpoint.txt", str(body.payload["note"]).encode("utf-8")
            if (token := body.payload.get("token")) is not None:
                yield f"{body.index}.tsr", from_base64(token)


def _baselines(taken: Iterable[EntryBody]) -> bytes:
    """The baselines as a list in JSON, oldest first."""
    rows = [
        {
            "actor": body.actor,
            "commit": body.context.git_commit,
            "digest": body.payload["digest"],
            "entry": body.index,
            "items": body.payload["items"],
            "name": body.payload["name"],
            "time": timestamp(body.time),
        }
        for body in taken
    ]
    return f"{json.dumps(rows, ensure_ascii=False, indent=1)}\n".encode()
