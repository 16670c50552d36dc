"""A seeded sample of the yardstick, in less than a minute of CPU time; `just mutants` runs all of it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from minivess.compliance.verification.log import verify_entries
from minivess.records.log.payloads.by_action import PAYLOADS
from tests.support.builders.guarded_log import refusal_of_script
from tests.yardstick import caches, drafts, fields, removal
from tests.yardstick.__main__ import with_sections
from tests.yardstick.cases.battery import battery
from tests.yardstick.fast import remembered_signatures
from tests.yardstick.reasons import reason_of, unread_by_script
from tests.yardstick.story import adopting, device, restored, serving

pytestmark = pytest.mark.verifies("REQ-002", "REQ-130", "REQ-141", "RC-06", "RC-40")

SEED = int(os.environ.get("MINIVESS_YARDSTICK_SEED", "11"))
"""Another number draws another sample."""


@pytest.fixture(autouse=True)
def _quickly() -> Iterator[None]:
    with remembered_signatures():
        yield


def sample[T](everything: list[T], count: int) -> list[T]:
    return random.Random(SEED).sample(everything, min(count, len(everything)))  # noqa: S311  reproducible


@pytest.mark.parametrize("make", [device, adopting, serving, restored])
def test_the_stories_hold(make: object) -> None:
    log = make()
    checks = verify_entries(log.pairs, log.checkpoint)[0]
    assert [check.detail for check in checks if not check.passed] == []


def test_the_stories_have_an_entry_of_every_action() -> None:
    told = {entry.body.action for log in (device(), adopting(), serving(), restored()) for entry in log.entries}
    assert set(PAYLOADS) - told == set(), "add an entry of a new action to tests/yardstick/story.py"


def test_changed_fields_are_refused_or_have_a_reason() -> None:
    for mutant in sample(list(fields.mutants()), 240):
        answer = fields.judge(mutant)
        assert answer in {"refused", "accepted"}, f"{answer}: {mutant}"
        if answer == "accepted":
            assert reason_of(mutant.place), f"this change was accepted, and no reason says why: {mutant}"


def test_verify_py_refuses_what_the_product_refuses() -> None:
    for log in (device(), adopting(), serving(), restored()):
        assert refusal_of_script(log.pairs, log.checkpoint) == ""
    for mutant in sample([one for one in fields.mutants() if one.signed == "by both"], 60):
        product, script = fields.of_both(mutant)
        alike = bool(product) == bool(script)
        assert alike or unread_by_script(mutant.place, product, script), f"{mutant}: {product!r}, verify.py {script!r}"


def test_changed_tables_are_named_or_have_a_reason(tmp_path: Path) -> None:
    store = caches.Store(tmp_path)
    try:
        assert store.verdict() == ""
        for change in sample(list(caches.changes(store)), 50):
            assert store.judge(change) or reason_of(change.place), f"nothing named this change: {change}"
        assert store.verdict() == ""
    finally:
        store.close()


def test_every_case_of_the_battery_is_judged_as_it_must() -> None:
    assert [one.fault for one in removal.judged() if one.fault] == []
    assert [one.case for one in removal.judged()] == list(battery())


def test_a_part_that_runs_alone_leaves_the_results_of_the_others() -> None:
    both = with_sections("", {"packs": "3 of 3", "pack checks": "5 of 5"})
    again = with_sections(both, {"packs": "4 of 4"})
    assert again == both.replace("3 of 3", "4 of 4")


def test_verify_py_judges_every_case_of_the_battery_alike() -> None:
    cases = list(removal.for_script())
    assert len(cases) > 250
    assert [words for case in sample(cases, 60) if (words := removal.fault_of_script(case))] == []


def test_a_check_that_is_taken_out_is_missed_or_has_a_reason() -> None:
    noticing = []
    for check in sample(list(removal.removals()), 8):
        noticing.append(case := removal.noticed(check))
        assert case or reason_of(str(check)), f"no case notices that this check is gone: {check}"
    assert [words for case in noticing if case and (words := removal.fault(case))] == [], "each check is put back"
    assert any(noticing)


def test_append_accepts_exactly_what_verification_accepts(tmp_path: Path) -> None:
    told = drafts.run(tmp_path, SEED, 20)
    assert [words for one in told for words in one.faults] == []
    assert sum(one.accepted.total() for one in told) > 3
    assert sum(one.refused.total() - one.raced for one in told) > 3
