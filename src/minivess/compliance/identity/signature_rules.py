"""Which signatures a release needs: one set of rules out of the built-in ones, the release policy and the trust file.

The strictest counts: of each kind of signature as many are required as the source that requires most of them. The set is
judged once, at `release sign` and in verification, and a missing signature is named with the sources that require it.
`templates/verify/verify.py` has its own writing of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from minivess.foundation.implements import implements
from minivess.records.people.approval import Manifestation, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role

BUILT_IN: Final = "the built-in rules"
POLICY: Final = "the release policy"
TRUST: Final = "the trust file"
LEAST_RULES: Final = (
    PolicyRule(role=Role.REVIEWER, meaning=Meaning.REVIEW),
    PolicyRule(role=Role.RELEASE_MANAGER, meaning=Meaning.APPROVAL),
)
"""The built-in rules: the signatures that every release of layout 2 needs."""


@dataclass(frozen=True)
class RequiredSignature:
    """One signature of another person, and which sources require it."""

    rule: PolicyRule
    sources: tuple[str, ...]

    def __str__(self) -> str:
        words = f"{self.rule.meaning.value} by {self.rule.role.value}"
        return f"{words} (required by {', '.join(self.sources)})" if self.sources else words


@implements("REQ-268", "RC-122")
def required_signatures(asked: Mapping[str, Sequence[PolicyRule]]) -> tuple[RequiredSignature, ...]:
    """The strictest of several sets of rules.

    Args:
        asked: the rules of each source, by its name in words. A rule that is there twice asks for two signatures.

    Returns:
        One item a signature, in the order in which the sources name them first.
    """
    counts = {source: Counter(rules) for source, rules in asked.items()}
    every = list(dict.fromkeys(rule for rules in asked.values() for rule in rules))
    return tuple(
        RequiredSignature(rule, tuple(source for source, count in counts.items() if count[rule] >= number))
        for rule in every
        for number in range(1, max(count[rule] for count in counts.values()) + 1)
    )


def signatures_of_release(
    policy: Sequence[PolicyRule], trust: Sequence[PolicyRule] = (), built_in: Sequence[PolicyRule] = LEAST_RULES
) -> tuple[RequiredSignature, ...]:
    """The signatures that a release needs.

    Args:
        policy: the rules of its policy.
        trust: those of the trust file.
        built_in: those of this program; none for packs of layout 1, which were made before there were any.
    """
    return required_signatures({POLICY: policy, TRUST: trust, BUILT_IN: built_in})


@implements("REQ-268", "RC-122")
def missing_signatures(
    required: Iterable[RequiredSignature], signed: Iterable[Manifestation]
) -> tuple[RequiredSignature, ...]:
    """The required signatures that are not there. Each signature, and so each person, meets one of them at most."""
    offered = Counter(PolicyRule(role=one.role, meaning=one.meaning) for one in signed)
    left = []
    for one in required:
        if offered[one.rule]:
            offered[one.rule] -= 1
        else:
            left.append(one)
    return tuple(left)
