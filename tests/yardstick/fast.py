"""A signature that was found right is not computed again: the yardstick judges the same entries thousands of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from minivess.compliance.verification import log_entries
from minivess.records.people.identity import PublicKey
from tests.support.builders.guarded_log import VERIFY


@contextmanager
def remembered_signatures() -> Iterator[None]:
    """Both verifiers remember signatures by key, text and signature."""
    kept, right = vars(log_entries)["verify"], set[tuple[str, str, str, bytes, bytes]]()

    def verify(key: PublicKey, text: bytes, signature: bytes) -> None:
        asked = (key.key_id, key.algorithm.value, key.spki, text, signature)
        if asked not in right:
            kept(key, text, signature)
            right.add(asked)

    arithmetic = {name: getattr(VERIFY, name) for name in ("ed25519_holds", "p256_holds")}
    setattr(log_entries, "verify", verify)  # noqa: B010
    table = dict(VERIFY.PREFIXES)
    remembered = {function: cache(function) for function in arithmetic.values()}
    for name, function in arithmetic.items():
        setattr(VERIFY, name, remembered[function])
    for name, (prefix, length, function) in table.items():
        VERIFY.PREFIXES[name] = (prefix, length, remembered.get(function))
    try:
        yield
    finally:
        setattr(log_entries, "verify", kept)  # noqa: B010
        for name, function in arithmetic.items():
            setattr(VERIFY, name, function)
        VERIFY.PREFIXES.update(table)
