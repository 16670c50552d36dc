"""Layouts of packs, and the verdicts that follow from them."""

from __future__ import annotations

from typing import Any

import pytest

from minivess.compliance.release.chain import PREPARED
from minivess.compliance.rules.actions import table
from minivess.compliance.verification.pack_checks.layout import FIRST, NEWEST, UNCHECKED, check_layout, layout_of
from minivess.compliance.verification.trust import parse_trust
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Entry, Outcome
from minivess.records.verdict import OWN_KEYS, Check, Verdict, VerdictState
from tests.support.builders.pack_builder import cleo, story, trusted_keys

pytestmark = pytest.mark.verifies("REQ-221")

HOLDS = Check(name="bag", passed=True, detail="whole")
FAILS = Check(name="bag", passed=False, detail="data/a is changed")


def entries(*payloads: dict[str, Any], outcome: Outcome = Outcome.COMPLETED) -> list[Entry]:
    """A log with a `release.prepare` for each payload, and one other entry after each."""
    log = story()
    for payload in payloads:
        log.append(cleo(), PREPARED, payload, outcome=outcome)
        log.append(cleo(), "identity.unlocked", {"identity": "cleo"})
    return log.entries


def test_the_newest_completed_preparation_names_the_layout() -> None:
    assert layout_of(entries()) == FIRST
    assert layout_of(entries({"layout": 2})) == NEWEST
    assert layout_of(entries({"layout": 9}, {"layout": 2})) == NEWEST
    assert layout_of(entries({"layout": 2}, outcome=Outcome.REFUSED)) == FIRST


@pytest.mark.parametrize("layout", [0, 1, 3, True, "2", 2.0, None])
def test_an_unknown_layout_is_refused_and_its_entry_named(layout: object) -> None:
    prepared = entries({"layout": 2}, {"layout": layout})
    with pytest.raises(VerificationError, match=f"entry {len(prepared) - 2} .*which this version does not know"):
        layout_of(prepared)


def test_a_log_with_preparations_refuses_packs_of_layout_1() -> None:
    assert check_layout(NEWEST, table(2), None) == check_layout(NEWEST, table(1), None) == "layout 2"
    assert check_layout(FIRST, table(1), None) == "layout 1"
    with pytest.raises(VerificationError, match=r"action table 2, which requires layout 2: no completed entry release"):
        check_layout(FIRST, table(2), None)


def test_the_trust_file_may_require_a_later_layout() -> None:
    asked = parse_trust(trusted_keys(layout=2))
    with pytest.raises(VerificationError, match=r"the trust file asks for 2"):
        check_layout(FIRST, table(1), asked)
    assert check_layout(NEWEST, table(1), asked)


@pytest.mark.parametrize(
    ("fields", "state", "alone", "allowed"),
    [
        ({}, VerdictState.VERIFIED, True, True),
        ({"checks": ()}, VerdictState.NOT_VERIFIED, False, False),
        ({"checks": (HOLDS, FAILS)}, VerdictState.NOT_VERIFIED, False, False),
        ({"layout": 1, "unchecked": UNCHECKED[1]}, VerdictState.LIMITED, False, True),
        ({"layout": 1, "unchecked": UNCHECKED[1], "limits": ("no rules",)}, VerdictState.LIMITED, False, False),
        ({"layout": 2, "limits": ("no rules",)}, VerdictState.LIMITED, False, False),
        ({"layout": 2, "not_releasable": ("uncommitted changes",)}, VerdictState.NOT_RELEASABLE, False, False),
        ({"layout": 2, "not_releasable": ("x",), "limits": ("y",)}, VerdictState.NOT_RELEASABLE, False, False),
        ({"checks": (FAILS,), "not_releasable": ("x",), "limits": ("y",)}, VerdictState.NOT_VERIFIED, False, False),
        ({"checks": (FAILS,), "layout": 1, "unchecked": ("chain",)}, VerdictState.NOT_VERIFIED, False, False),
    ],
)
def test_states_and_what_is_accepted(fields: dict[str, Any], state: VerdictState, alone: bool, allowed: bool) -> None:
    whole: dict[str, Any] = {"subject": "pack", "checks": (HOLDS,), "trusted": False, "trust": OWN_KEYS, **fields}
    verdict = Verdict(**whole)
    assert verdict.state is state
    assert verdict.holds is alone
    assert verdict.accepted() is alone
    assert verdict.accepted(least_layout=1) is allowed


def test_reservations_name_every_reason() -> None:
    verdict = Verdict(
        subject="pack",
        checks=(HOLDS,),
        trusted=False,
        layout=1,
        unchecked=("chain", "files"),
        limits=("the trust file names no release rules",),
        not_releasable=("uncommitted changes",),
    )
    assert verdict.reservations == (
        "uncommitted changes",
        "not checked in a pack of layout 1: chain, files",
        "the trust file names no release rules",
    )
