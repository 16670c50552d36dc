"""A seeded sample of the yardstick of packs, in less than a minute of CPU time; `just mutants` runs all of it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.yardstick.packs import removal
from tests.yardstick.packs.forging import SIGNED
from tests.yardstick.packs.judging import judge, remembered
from tests.yardstick.packs.places import CHANGES, kind_of_file
from tests.yardstick.packs.whole import Mutant, Yardstick, in_processes, of_real_pack

pytestmark = pytest.mark.verifies("REQ-038", "REQ-221", "RC-13", "RC-94")

SEED = int(os.environ.get("MINIVESS_YARDSTICK_SEED", "11"))
"""Another number draws another sample."""


@pytest.fixture(autouse=True)
def _quickly() -> Iterator[None]:
    with remembered():
        yield


@pytest.fixture(scope="module")
def yardstick() -> Yardstick:
    return Yardstick.make()


def test_the_pack_and_the_older_one_are_verified_by_both(yardstick: Yardstick) -> None:
    for files in (yardstick.maker.whole, yardstick.places.older):
        answers = judge(files, files)
        assert (dict(answers.product), dict(answers.script)) == ({}, {})


def test_every_file_is_changed_in_every_class_by_everyone_who_can_sign(yardstick: Yardstick) -> None:
    every = list(yardstick.mutants())
    files = {kind_of_file(name) for name in yardstick.maker.whole}
    assert files == {one.place.kind for one in every if not one.place.path}
    assert {one.how for one in every} == set(CHANGES)
    assert {one.signed for one in every} == set(SIGNED)


def test_a_changed_pack_is_refused_by_both_or_has_a_reason(yardstick: Yardstick) -> None:
    report = yardstick.sample(90, SEED)
    assert report.faults == []
    assert report.counts.total() == 90


def test_a_run_that_was_stopped_goes_on_with_the_next_share(yardstick: Yardstick, tmp_path: Path) -> None:
    few = [one for one in yardstick.mutants() if one.place.file == "bagit.txt"][:3]
    first = in_processes(yardstick, few, 1, tmp_path)
    assert (first.judged > 0, first.faults) == (True, [])
    for path in tmp_path.iterdir():  # what is kept is taken, and not judged again
        path.write_text(
            path.read_text(encoding="utf-8").replace('"faults": []', '"faults": ["kept"]'), encoding="utf-8"
        )
    again = in_processes(yardstick, few, 1, tmp_path)
    assert (again.judged, again.counts, set(again.faults)) == (first.judged, first.counts, {"kept"})
    assert in_processes(yardstick, few[:1], 1, tmp_path).counts.total() <= 1, "another share is judged anew"


def test_changes_of_a_pack_whose_keys_are_not_at_hand_are_refused(yardstick: Yardstick) -> None:
    """What `--pack FILE` does with 500 places."""
    report = of_real_pack(yardstick.maker.whole, 20, SEED)
    assert report.faults == []
    assert (report.judged, set(report.counts)) == (20, {"nobody: refused"})


def test_a_line_that_is_no_json_is_forged_and_refused(yardstick: Yardstick) -> None:
    place = next(one for one in yardstick.places.kinds["data/audit/entries.jsonl"] if not one.path)
    files = yardstick.files(Mutant(place, "swapped", SIGNED[2]))
    assert files is not None
    assert judge(files, yardstick.maker.whole).refused


def test_a_check_that_is_taken_out_is_missed(yardstick: Yardstick) -> None:
    whole = yardstick.maker.whole
    every = [one for one in yardstick.mutants() if one.signed in SIGNED[2:]]
    reached = removal.Reached(whole)
    for mutant in random.Random(SEED).sample(every, 14):  # noqa: S311  reproducible
        files = yardstick.files(mutant)
        if files is not None:
            reached.add(files, most=1)
    checks = [one for one in removal.removals() if reached.of(one)]
    assert checks
    for check in random.Random(SEED).sample(checks, min(6, len(checks))):  # noqa: S311  reproducible
        assert reached.noticed(check) or removal.reason_of(check), f"nothing notices that this check is gone: {check}"
    assert judge(whole, whole).product == {}, "each check is put back"
