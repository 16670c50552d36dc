"""A source tree without a gap, as small as one can be: tests bend one thing in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FILES = {
    "requirements/all.yaml": """\
user_needs:
  - id: UN-01
    title: Trust
    statement: The user needs trust.
requirements:
  - id: REQ-001
    title: Sum
    statement: The software shall add.
    rationale: Because.
    category: functional
    safety_class: B
    verification: test
    derives_from: [UN-01]
""",
    "risk/plan.yaml": """\
scope: Everything.
severity: [{word: minor, meaning: little}, {word: critical, meaning: much}]
probability:
  inclusive: upper
  combine: product-of-upper-limits
  steps: [{word: rare, upper: 0.01, meaning: rare}, {word: often, upper: 1, meaning: often}]
software_p1: The last step.
levels: [{name: low, acceptable: true, meaning: fine}, {name: high, acceptable: false, meaning: not fine}]
matrix: [[low, low], [low, high]]
overall: All of them.
review: Before each release.
""",
    "risk/hazards.yaml": """\
hazards: [{id: HAZ-01, title: Number, statement: A wrong number.}]
sequences: [{id: SEQ-01, title: Adding, statement: Adding goes wrong., from_hazard: HAZ-01}]
situations: [{id: HS-01, title: Use, statement: The number is used., follows: [SEQ-01]}]
harms: [{id: HARM-01, title: Harm, statement: Harm.}]
""",
    "risk/risks.yaml": """\
risks:
  - id: RISK-01
    title: Wrong sum
    situation: HS-01
    harm: HARM-01
    initial: {severity: 2, p1: 2, p2: 2}
    residual: {severity: 2, p1: 1, p2: 2}
    controls: [RC-01]
""",
    "risk/controls.yaml": """\
controls:
  - id: RC-01
    title: Second sum
    statement: Sums are added twice.
    kind: protective-measure
    implemented_by: [REQ-001]
    no_new_risks: It adds the same numbers once more.
""",
    "features/sum.feature": """\
Feature: Sums
  @REQ-001 @RC-01
  Scenario: Two and two
    Given two numbers
""",
    "src/thing/sums.py": """\
from minivess.foundation.implements import implements

@implements("REQ-001")
def add(a, b):
    return a + b
""",
    "uv.lock": "version = 1\n",
}


def write_tree(folder: Path, changes: Mapping[str, str] | None = None) -> Path:
    """Write the tree into `folder`, with some files changed or added."""
    for name, text in {**FILES, **(changes or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
