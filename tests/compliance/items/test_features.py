"""Gherkin features: tags from everywhere, errors with a line."""

from __future__ import annotations

import pytest

from minivess.compliance.items.features import parse_feature
from minivess.foundation.errors import InputError

pytestmark = pytest.mark.verifies("SU-16")

_TEXT = b"""\
@REQ-001
Feature: Sums
  @REQ-002
  Rule: Small numbers
    @REQ-003
    Scenario Outline: Add <a>
      Given <a>
      @RC-01
      Examples:
        | a |
        | 1 |
  Rule: Text
    Scenario: Not a tag
      Given text
        \"\"\"
        @REQ-009
        \"\"\"
"""


def test_tags_of_feature_rule_scenario_and_examples_are_gathered() -> None:
    features = parse_feature(_TEXT, "features/sums.feature")
    assert [(item.name, item.tags, item.source.line) for item in features.scenarios] == [
        ("Add <a>", ("REQ-001", "REQ-002", "REQ-003", "RC-01"), 6),
        ("Not a tag", ("REQ-001",), 13),
    ]
    assert [(tag.name, tag.source.line) for tag in features.tags] == [
        ("REQ-001", 1),
        ("REQ-002", 3),
        ("REQ-003", 5),
        ("RC-01", 8),
    ]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"Feature: a\n  Scenario: b\n    Given c\n    bogus\n", r"^f\.feature:4: is not Gherkin"),
        (b"", r"^f\.feature:1: holds no feature"),
        (b"Feature: \xff\n", r"^f\.feature: is not UTF-8"),
    ],
)
def test_a_malformed_feature_is_refused(data: bytes, error: str) -> None:
    with pytest.raises(InputError, match=error):
        parse_feature(data, "f.feature")


@pytest.mark.verifies("REQ-512")
def test_steps_expectations_and_parameters_of_a_scenario_are_read() -> None:
    text = """\
Feature: Sums
  Background:
    Given a machine
  Scenario: None
    * it runs
  Rule: Small ones
    Background:
      Given it is on
    Scenario Outline: Two
      When "<a>" is added
        | note |
        | late |
      And it ends
      Then "<sum>" is shown
        \"\"\"
        in full
        \"\"\"
      But nothing else

      Examples:
        | a | sum |
        | 1 | 2   |
"""
    other, outline = parse_feature(text.encode(), "features/sums.feature").scenarios
    assert outline.steps == (
        "Given a machine",
        "Given it is on",
        'When "<a>" is added',
        "note",
        "late",
        "And it ends",
    )
    assert outline.expected == ('Then "<sum>" is shown', "in full", "But nothing else")
    assert outline.parameters == (("a", "sum"), ("1", "2"))
    assert (other.steps, other.expected, other.parameters) == (("Given a machine", "* it runs"), (), ())
