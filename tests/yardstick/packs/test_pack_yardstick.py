"""A seeded sample of the yardstick of packs, in less than a minute of CPU time; `just mutants` runs all of it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.yardstick.packs import removal, whole
from tests.yardstick.packs.forging import SIGNED
from tests.yardstick.packs.judging import judge, remembered
from tests.yardstick.packs.places import CHANGES, Places, kind_of_file

pytestmark = pytest.mark.verifies("REQ-038", "REQ-221", "RC-13", "RC-94")

SEED = int(os.environ.get("MINIVESS_YARDSTICK_SEED", "11"))
"""Another number draws another sample."""


@pytest.fixture(autouse=True)
def _quickly() -> Iterator[None]:
    with remembered():
        yield


@pytest.fixture(scope="module")
def maker() -> whole.Forger:
    return whole.forger()


@pytest.fixture(scope="module")
def places(maker: whole.Forger) -> Places:
    return Places(maker.whole, whole.older_files())


def test_the_pack_and_the_older_one_are_verified_by_both(maker: whole.Forger, places: Places) -> None:
    for files in (maker.whole, places.older):
        answers = judge(files, files)
        assert (dict(answers.product), dict(answers.script)) == ({}, {})


def test_every_file_is_changed_in_every_class_by_everyone_who_can_sign(maker: whole.Forger, places: Places) -> None:
    every = list(whole.mutants(maker, places))
    assert {kind_of_file(name) for name in maker.whole} == {
        one.change.place.kind for one in every if not one.change.place.path
    }
    assert {one.change.how for one in every} == set(CHANGES)
    assert {one.signed for one in every} == set(SIGNED)


def test_a_changed_pack_is_refused_by_both_or_has_a_reason(maker: whole.Forger, places: Places) -> None:
    report = whole.sample(maker, places, 90, SEED)
    assert report.faults == []
    assert report.counts.total() == 90


def test_a_check_that_is_taken_out_is_missed(maker: whole.Forger, places: Places) -> None:
    every = [one for one in whole.mutants(maker, places) if one.signed in SIGNED[2:]]
    drawn = random.Random(SEED).sample(every, 12)  # noqa: S311  reproducible
    reached = removal.Reached(maker.whole)
    for mutant in drawn:
        reached.add(maker.forge(mutant.change, mutant.signed), most=1)
    checks = [one for one in removal.removals() if reached.of(one)]
    assert checks
    for check in random.Random(SEED).sample(checks, min(8, len(checks))):  # noqa: S311  reproducible
        assert reached.noticed(check) or removal.reason_of(check), f"nothing notices that this check is gone: {check}"
    assert judge(maker.whole, maker.whole).product == {}, "each check is put back"
