"""Cosignatures in a pack: one line of each holder of the test set's key, and nothing else."""

from __future__ import annotations

from functools import cache

import pytest

from minivess.compliance.rules.standing import Standing
from minivess.compliance.verification.holders import check_holders
from minivess.compliance.verification.log import verify_entries
from minivess.foundation.errors import VerificationError
from tests.support.builders.guarded_log import GuardedLog, dan, evaluated
from tests.support.builders.pack_builder import ada, ben

pytestmark = pytest.mark.verifies("REQ-134", "RC-43")

BEN, DAN, ADA = (f"signatures/{who}.cosignature" for who in ("ben", "dan", "ada"))


@cache
def held() -> tuple[GuardedLog, Standing]:
    """A log with a look, whose test set Ben and Dan can open."""
    log = evaluated()
    for who in (ada(), ben(), dan()):
        log.append(who, "identity.witness", {"key": who.witness_key(log.origin).text()})
    checks, standing, _ = verify_entries(log.pairs, log.checkpoint)
    assert all(check.passed for check in checks)
    return log, standing


def cosignatures() -> dict[str, bytes]:
    log, _ = held()
    return {
        f"signatures/{who.identity.id}.cosignature": who.cosign(log.checkpoint, 1_790_000_000).encode()
        for who in (ben(), dan())
    }


def judged(files: dict[str, bytes], note: str | None = None) -> str:
    log, standing = held()
    return check_holders(files, note or log.checkpoint, standing)


def test_one_line_of_each_holder_is_accepted() -> None:
    assert judged(cosignatures()).endswith("cosigned by ben, dan, who held the test set's key")


def test_a_cosignature_in_the_checkpoint_itself_is_enough() -> None:
    files = cosignatures()
    noted = held()[0].checkpoint + files.pop(BEN).decode()
    assert "ben, dan" in judged(files, noted)


def bent() -> dict[str, tuple[dict[str, bytes], str]]:
    good, log = cosignatures(), held()[0]
    other = ada().cosign(log.checkpoint, 1_790_000_000).encode()
    return {
        "missing": ({DAN: good[DAN]}, "ben holds the key of the test set and has not cosigned"),
        "of another": ({**good, BEN: good[DAN]}, "the cosignature of ben is not one line by the key"),
        "with a further line": ({**good, BEN: good[BEN] + other}, "the cosignature of ben is not one line by the key"),
        "without its end": ({**good, BEN: good[BEN][:-1]}, "the cosignature of ben"),
        "empty": ({**good, BEN: b""}, "the cosignature of ben"),
        "no text": ({**good, BEN: b"\xff\n"}, "the cosignature of ben is wrong"),
        "of nobody who holds it": ({**good, ADA: other}, f"{ADA} is unexpected: ada does not hold the key"),
        "of a stranger": ({**good, ADA.replace("ada", "zoe"): b"x"}, "zoe does not hold the key"),
    }


@pytest.mark.parametrize("case", bent())
def test_anything_else_is_refused_by_name(case: str) -> None:
    files, words = bent()[case]
    with pytest.raises(VerificationError) as refused:
        judged(files)
    assert words in refused.value.message
