"""A signature that was found right is not computed again: the yardstick judges the same entries thousands of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from minivess.compliance.verification import log
from minivess.records.people.identity import PublicKey
from tests.support.builders.guarded_log import VERIFY


@contextmanager
def remembered_signatures() -> Iterator[None]:
    """Both verifiers remember signatures by key, text and signature."""
    kept, right = log.verify, set[tuple[str, str, str, bytes, bytes]]()

    def verify(key: PublicKey, text: bytes, signature: bytes) -> None:
        asked = (key.key_id, key.algorithm.value, key.spki, text, signature)
        if asked not in right:
            kept(key, text, signature)
            right.add(asked)

    arithmetic = VERIFY.ed25519_holds, VERIFY.p256_holds
    log.verify = verify
    VERIFY.ed25519_holds, VERIFY.p256_holds = (cache(one) for one in arithmetic)
    try:
        yield
    finally:
        log.verify = kept
        VERIFY.ed25519_holds, VERIFY.p256_holds = arithmetic
