"""A copy of the beginning of a log in which every key is a throw-away one, for drills that play who holds a key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.log_entries import Pair
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.references import CHAIN_ACTIONS

_SIGNED_INSIDE = frozenset({"envelope", "envelopes", "possession"})
"""Fields with signatures inside a payload, which a throw-away key cannot repeat."""


@implements("REQ-065")
def with_stand_ins(pairs: Sequence[Pair]) -> tuple[list[Pair], Signer]:
    """Replace each key that signs by a throw-away key of the same algorithm, and sign each entry again.

    The copy ends before the first entry whose payload holds a signature of its own.

    Args:
        pairs: the first entries of a log that verifies, and their details.

    Returns:
        The copy, and the throw-away key of its log.
    """
    keys: dict[str, PrivateKey] = {}
    words: dict[str, str] = {}
    copied: list[Pair] = []
    for line, details in pairs:
        body = json.loads(line)["body"]
        if _signed_inside(body["payload"]):
            break
        if body["action"] in REGISTER_ACTIONS:
            for public in _public_keys(body["payload"]):
                if public["key_id"] not in keys:
                    key = keys[public["key_id"]] = generate(KeyAlgorithm(public["algorithm"]))
                    words |= {public["key_id"]: key.public.key_id, public["spki"]: key.public.spki}
        text = canonical(body).decode("utf-8")
        for old, new in words.items():
            text = text.replace(old, new)
        changed, signed_by = json.loads(text), keys[body["key"]]
        entry = {"body": changed, "signature": to_base64(signed_by.sign(canonical(changed)))}
        copied.append((canonical(entry), details))
        if body["action"] in CHAIN_ACTIONS:  # later entries name this one by the digest of its body
            words[digest_of(body)] = digest_of(changed)
    register = Register.fold(Entry.model_validate_json(line) for line, _ in copied)
    log_key = next(key for key in keys.values() if key.public == register.log_key)
    return copied, Signer(register.key(register.log_key.key_id, len(copied) - 1), log_key)


def _signed_inside(value: Any) -> bool:
    if isinstance(value, dict):
        return any(value.get(name) for name in _SIGNED_INSIDE) or any(map(_signed_inside, value.values()))
    return isinstance(value, list) and any(map(_signed_inside, value))


def _public_keys(value: Any) -> Iterator[dict[str, str]]:
    """Every public key in a payload that can sign."""
    if isinstance(value, dict):
        if value.keys() == {"key_id", "algorithm", "spki"}:
            if value["algorithm"] != KeyAlgorithm.X25519:
                yield value
            return
        for item in value.values():
            yield from _public_keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _public_keys(item)
