"""A signature that was found right is not computed again: the yardstick judges the same entries thousands of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minivess.compliance.verification import log
from minivess.records.identity import PublicKey


@contextmanager
def remembered_signatures() -> Iterator[None]:
    """Verification of logs remembers signatures by key, text and signature; wrong ones are computed each time."""
    kept, right = log.verify, set[tuple[str, str, str, bytes, bytes]]()

    def verify(key: PublicKey, text: bytes, signature: bytes) -> None:
        asked = (key.key_id, key.algorithm.value, key.spki, text, signature)
        if asked not in right:
            kept(key, text, signature)
            right.add(asked)

    log.verify = verify
    try:
        yield
    finally:
        log.verify = kept
