"""Logs that must be refused, each with words that must be in the refusal, and logs that must be accepted.

They are the battery that `removal` runs when a check is taken out. The rules' own cases come from
`tests.compliance.rules.test_admission`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from tests.compliance.rules import test_admission
from tests.yardstick import story
from tests.yardstick.cases.asked import asked
from tests.yardstick.cases.case import Case, of
from tests.yardstick.cases.form import of_form, of_heads
from tests.yardstick.cases.looks import of_kinds, of_looks
from tests.yardstick.cases.people import of_adoption, of_people, of_roots
from tests.yardstick.story import YardLog


@cache
def battery() -> tuple[Case, ...]:
    """Every case, made once a process."""
    made = [
        *(of(name, start(), None) for name, start in test_admission.GOOD.items()),
        *(of(name, make(), None) for name, make in fields_stories()),
        *_of_rules(),
        *of_people(),
        *of_roots(),
        *of_adoption(),
        *of_form(),
        *of_heads(),
        *of_looks(),
        *of_kinds(),
        *asked(),
    ]
    assert len({case.name for case in made}) == len(made)
    return tuple(made)


def fields_stories() -> Iterator[tuple[str, Callable[[], YardLog]]]:
    """The whole stories, which hold."""
    yield from (("the story of a device", story.device), ("a log that adopts rules", story.adopting))
    yield "the story of a serving log", story.serving


def _of_rules() -> Iterator[Case]:
    kept = "a service appends "
    for name, start in test_admission.BAD.items():
        if not name.startswith(kept) or name.removeprefix(kept) in {
            "training",
            "model.promote",
            "an export of its own",
        }:
            log = start()
            yield of(name, log, (f"entry {len(log.entries) - 1}",))
