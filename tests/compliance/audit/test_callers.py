"""Callers as the entries of a log say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from minivess.compliance.audit.callers import Callers
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Entry, EntryBody, Outcome
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-167", "REQ-445")

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 200)


def at(hours: int) -> str:
    return f"{BEGUN + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S.%fZ}"


def entry(index: int, action: str, hours: int = 0, **payload: Any) -> Entry:
    body = EntryBody(
        action=f"caller.{action}",
        outcome=Outcome.COMPLETED,
        log="log",
        index=index,
        time=BEGUN + timedelta(hours=hours),
        actor="max",
        key="0" * 64,
        payload={"caller": "pacs", **payload},
    )
    return Entry(body=body, signature="")


def made(index: int, key: str, until: int, hours: int = 0, **more: Any) -> Entry:
    told = {"digest": digest_bytes(key.encode()), "scopes": ["infer"], "expires": at(until), "requests_a_minute": 5}
    return entry(index, "created", hours, **told, **more)


def changed(index: int, key: str, until: int, overlap: int, hours: int = 0) -> Entry:
    digest = digest_bytes(key.encode())
    return entry(index, "rotated", hours, digest=digest, expires=at(until), overlap=at(overlap))


@given(ends=TIMES, second=TIMES, overlap=TIMES, changes=TIMES, revoked=TIMES | st.none(), asked=TIMES)
def test_a_key_counts_until_it_ends(
    *, ends: int, second: int, overlap: int, changes: int, revoked: int | None, asked: int
) -> None:
    entries = [made(1, "first", ends), changed(2, "second", second, overlap, hours=changes)]
    if revoked is not None:
        entries.append(entry(3, "revoked", max(revoked, changes), reason="why"))
    callers, now = Callers.fold(entries), BEGUN + timedelta(hours=asked)
    last = max(revoked, changes) if revoked is not None else 10_000
    assert (callers.holder("first", now) is not None) == (changes < ends and asked < min(ends, overlap, last))
    assert (callers.holder("second", now) is not None) == (asked < min(second, last))
    assert callers.holder("third", now) is None
    assert callers.holder("", now) is None


def test_nobody_is_known_without_entries() -> None:
    assert not Callers()
    assert Callers.fold([made(1, "first", 5), entry(2, "revoked", 1, reason="why")])


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([made(1, "a", 5, secret="a")], "entry 1 .* malformed payload"),
        ([entry(1, "created")], "entry 1 .* malformed payload"),
    ],
)
def test_malformed_entries_are_refused(entries: list[Entry], words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        Callers.fold(entries)


def test_who_is_made_again_has_the_new_key_alone() -> None:
    callers = Callers.fold([made(1, "a", 99), entry(2, "revoked", 1, reason="why"), made(3, "b", 99, hours=2)])
    now = BEGUN + timedelta(hours=3)
    assert callers.holder("a", now) is None
    found = callers.holder("b", now)
    assert found is not None
    assert (found.id, found.revoked) == ("pacs", "")


def test_changes_of_who_is_unknown_or_revoked_have_no_effect() -> None:
    now = BEGUN + timedelta(hours=3)
    assert Callers.fold([changed(4, "x", 99, 99), entry(5, "revoked", 1, reason="why")]) == Callers()
    revoked = Callers.fold([made(1, "a", 99), entry(2, "revoked", 1, reason="why")])
    later = revoked.extend(changed(3, "b", 99, 99, hours=2))
    assert later == revoked
    assert later.holder("a", now) is later.holder("b", now) is None
