"""One set of signature rules out of three sources; both verifiers judge it alike."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from minivess.compliance.identity.signature_rules import (
    LEAST_RULES,
    missing_signatures,
    signatures_of_release,
)
from minivess.records.people.approval import Manifestation, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.support.builders.guarded_log import VERIFY
from tests.support.builders.pack_builder import BEGIN
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-268", "RC-122", "SU-10", "SU-14")

REVIEW, APPROVAL = LEAST_RULES
SECOND = PolicyRule(role=Role.DEVELOPER, meaning=Meaning.APPROVAL)
SETS = st.lists(st.sampled_from([REVIEW, APPROVAL, SECOND]), max_size=3).map(tuple)
DIGEST = "sha256:" + "1" * 64


def signature(number: int, rule: PolicyRule) -> Manifestation:
    fields = {"name": "tagmanifest-sha512.txt", "digest": DIGEST}
    return Manifestation.model_validate(
        {
            "signer": f"p{number}",
            "printed_name": f"P {number}",
            "time": BEGIN,
            "meaning": rule.meaning,
            "role": rule.role,
            "policy": "release",
            "subjects": (fields,),
            "shown": DIGEST,
            "head": 1,
        }
    )


def product(policy: tuple[PolicyRule, ...], trust: tuple[PolicyRule, ...], signed: tuple[PolicyRule, ...]) -> str:
    """The first missing signature with its sources; empty: none."""
    required = signatures_of_release(policy, trust)
    left = missing_signatures(required, [signature(number, rule) for number, rule in enumerate(signed)])
    return str(left[0]) if left else ""


def script(policy: tuple[PolicyRule, ...], trust: tuple[PolicyRule, ...], signed: tuple[PolicyRule, ...]) -> str:
    """The same of verify.py."""
    pack = SimpleNamespace(release=True, trust={"rules": [rule.model_dump(mode="json") for rule in trust]})
    rules = [rule.model_dump(mode="json") for rule in policy]
    try:
        VERIFY.Pack.check_required(pack, rules, [(rule.role.value, rule.meaning.value) for rule in signed])
    except VERIFY.WrongError as error:
        return str(error).removeprefix("a signature is missing: ")
    return ""


@settings(max_examples=80)
@given(SETS, SETS, SETS)
def test_the_strictest_of_the_three_sources_counts_in_both_verifiers(
    policy: tuple[PolicyRule, ...], trust: tuple[PolicyRule, ...], signed: tuple[PolicyRule, ...]
) -> None:
    told = product(policy, trust, signed)
    enough = all(not Counter(rules) - Counter(signed) for rules in (policy, trust, LEAST_RULES))
    assert (told == "") == enough
    assert script(policy, trust, signed) == told


@pytest.mark.parametrize(
    ("policy", "trust", "signed", "words"),
    [
        (
            LEAST_RULES,
            LEAST_RULES,
            (REVIEW,),
            "approval by release-manager (required by the release policy, the trust file, the built-in rules)",
        ),
        (LEAST_RULES, (REVIEW, REVIEW), LEAST_RULES, "review by independent-reviewer (required by the trust file)"),
        ((SECOND, *LEAST_RULES), (), LEAST_RULES, "approval by developer (required by the release policy)"),
        ((SECOND, APPROVAL), (), (SECOND, APPROVAL), "review by independent-reviewer (required by the built-in rules)"),
        (LEAST_RULES, (SECOND,), (*LEAST_RULES, SECOND), ""),
    ],
)
def test_a_missing_signature_names_the_sources_that_require_it(
    policy: tuple[PolicyRule, ...], trust: tuple[PolicyRule, ...], signed: tuple[PolicyRule, ...], words: str
) -> None:
    assert product(policy, trust, signed) == words
    assert script(policy, trust, signed) == words


def test_packs_of_layout_1_have_no_built_in_rules() -> None:
    rules = (SECOND, APPROVAL)
    assert [one.rule for one in signatures_of_release(rules, built_in=())] == list(rules)
    pack = SimpleNamespace(release=None, trust=None)
    asked = [rule.model_dump(mode="json") for rule in rules]
    VERIFY.Pack.check_required(pack, asked, [(rule.role.value, rule.meaning.value) for rule in rules])
