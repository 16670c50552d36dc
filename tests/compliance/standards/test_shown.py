"""Evidence that items show by themselves: present when the rule holds for all of them, absent when one fails or none is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pytest

from minivess.compliance.standards.collectors.item_facts import ItemFacts
from minivess.compliance.standards.collectors.items import RULES, considered
from minivess.compliance.standards.evidence_names import evidence
from minivess.records.items.items import (
    Anomaly,
    ChangeRequest,
    Item,
    Requirement,
    RequirementCategory,
    SoftwareItem,
    SoftwareUnit,
    SoupItem,
    Source,
    UserNeed,
)
from minivess.records.items.risk_items import (
    ControlKind,
    Estimate,
    Harm,
    Hazard,
    HazardousSituation,
    Risk,
    RiskControl,
    SequenceOfEvents,
    Threat,
)

pytestmark = pytest.mark.verifies("SU-21")

SOURCE = Source(path="x.yaml", line=1)
EVERY_KIND = ("specification", "defect", "soup", "hardware", "misuse")
LOW = Estimate(severity=1, p1=1, p2=1)


def base(name: str) -> dict[str, object]:
    return {"id": name, "title": name, "source": SOURCE}


def whole_device() -> dict[str, Item]:
    """One of everything, with which every rule holds."""
    requirements = [
        Requirement.model_validate(
            base(f"REQ-{number:03}")
            | {"statement": "s", "rationale": "r", "category": category, "safety_class": "B", "verification": "test"}
            | {"derives_from": ["UN-01"], "allocated_to": ["SU-01"]}
        )
        for number, category in enumerate(RequirementCategory, start=1)
    ]
    soup = {"package": "Num_Py", "maker": "NumFOCUS", "purpose": "p", "requirements": ["r"], "anomalies": "none known"}
    soup |= {"platform": {"python": ">=3.12", "builds": ["any"]}}
    soup |= {"anomalies_read": {"version": "2.5.5", "day": "2026-11-20", "by": "eva", "found": "Nothing in use."}}
    found: list[Item] = [
        UserNeed.model_validate(base("UN-01") | {"statement": "s"}),
        *requirements,
        SoftwareItem.model_validate(base("SI-01") | {"statement": "s", "safety_class": "B", "interfaces": ["i"]}),
        SoftwareItem.model_validate(
            base("SI-02") | {"statement": "s", "safety_class": "B", "interfaces": ["i"], "part_of": "SI-01"}
        ),
        SoftwareUnit.model_validate(base("SU-01") | {"statement": "s", "part_of": "SI-02", "modules": ["a.b"]}),
        SoupItem.model_validate(base("SOUP-01") | soup),
        Anomaly.model_validate(
            base("ANO-01") | {"statement": "s", "status": "closed", "safety_related": False, "evaluation": "e"}
        ),
        ChangeRequest.model_validate(
            base("CR-01") | {"statement": "s", "reason": "r", "status": "verified", "resolves": ["ANO-01"]}
        ),
        Hazard.model_validate(base("HAZ-01") | {"statement": "s", "covers": ["MLH-22", "MLH-01"]}),
        Hazard.model_validate(base("HAZ-02") | {"statement": "s", "covers": ["MLH-22"]}),
        SequenceOfEvents.model_validate(
            base("SEQ-01") | {"statement": "s", "from_hazard": "HAZ-01", "causes": EVERY_KIND}
        ),
        HazardousSituation.model_validate(base("HS-01") | {"statement": "s", "follows": ["SEQ-01"]}),
        Harm.model_validate(base("HARM-01") | {"statement": "s"}),
        Risk.model_validate(
            base("RISK-01")
            | {"situation": "HS-01", "harm": "HARM-01", "initial": LOW, "residual": LOW, "controls": ["RC-01"]}
        ),
        RiskControl.model_validate(
            base("RC-01")
            | {"statement": "s", "kind": ControlKind.PROTECTIVE, "implemented_by": ["REQ-001"]}
            | {"no_new_risks": "n"}
        ),
        Threat.model_validate(
            base("THR-01") | {"statement": "s", "stride": "tampering", "affects": ["SU-01"], "controlled_by": ["RC-01"]}
        ),
    ]
    return {item.id: item for item in found}


def shown(
    items: Iterable[Item],
    safety_class: Literal["A", "B", "C"] = "B",
    dependencies: tuple[str, ...] = ("num.py",),
    locked: str = "2.5.5",
) -> frozenset[str]:
    facts = ItemFacts.of_items(items, safety_class=safety_class, dependencies=dependencies, locked={"num-py": locked})
    return frozenset(name for name, rule in RULES.items() if rule(facts))


ALL = shown(whole_device().values())


def test_a_whole_device_shows_what_items_can_show() -> None:
    assert len(ALL) == 20
    assert all(evidence()[name].found_in == "source" for name in ALL)


def test_nothing_is_shown_by_nothing() -> None:
    assert shown([]) == frozenset()
    assert shown([], dependencies=()) == frozenset()


@pytest.mark.parametrize(
    ("item", "changes", "lost"),
    [
        ("SI-02", {"safety_class": "A"}, {"safety-class"}),
        ("SI-02", {"interfaces": ()}, {"interfaces"}),
        ("REQ-002", {"allocated_to": ()}, {"items-allocated"}),
        ("REQ-002", {"allocated_to": ("SI-99",)}, {"items-allocated"}),
        ("REQ-001", {"allocated_to": ()}, {"items-allocated", "items-in-risk"}),
        ("REQ-002", {"category": RequirementCategory.FUNCTIONAL}, {"requirement-categories"}),
        ("SU-01", {"part_of": "SI-01"}, {"units", "threat-model"}),
        ("SOUP-01", {"maker": None}, {"soup-makers"}),
        ("SOUP-01", {"package": "other"}, {"soup-makers", "soup-needs", "soup-anomalies", "soup-platform"}),
        ("SOUP-01", {"platform": None}, {"soup-platform"}),
        ("SOUP-01", {"anomalies_read": None}, {"soup-anomalies"}),
        ("RC-01", {"no_new_risks": None}, {"new-risks-considered"}),
        ("RC-01", {"new_risks": ("RISK-01",)}, {"new-risks-considered"}),
        ("RISK-01", {"situation": "HS-02"}, {"situations-disposed"}),
        ("RISK-01", {"controls": ()}, {"items-in-risk"}),
        ("SEQ-01", {"causes": ()}, {"causes-considered"}),
        ("SEQ-01", {"causes": EVERY_KIND[1:]}, {"causes-considered"}),
        ("THR-01", {"affects": ("SI-01",)}, {"threat-model"}),
        ("THR-01", {"affects": ()}, {"threat-model"}),
        ("CR-01", {"status": "proposed"}, {"changes-verified", "problems-resolved"}),
        ("CR-01", {"status": "implemented"}, {"changes-verified", "problems-resolved"}),
        ("CR-01", {"resolves": ()}, {"problems-resolved"}),
        ("ANO-01", {"status": "open"}, {"problems-resolved"}),
    ],
)
def test_one_item_that_fails_takes_the_evidence_away(item: str, changes: dict[str, object], lost: set[str]) -> None:
    items = whole_device()
    items[item] = items[item].model_copy(update=changes)
    assert ALL - shown(items.values()) == lost


def test_a_lower_class_needs_a_reason_and_a_higher_one_does_not() -> None:
    items = whole_device()
    assert "safety-class" not in shown(items.values(), safety_class="C")
    assert "safety-class" in shown(items.values(), safety_class="A")
    items["SI-02"] = items["SI-02"].model_copy(update={"safety_class": "A", "segregation": "another process"})
    assert "safety-class" in shown(items.values())


def test_a_dependency_without_soup_item_is_seen() -> None:
    assert "soup-needs" not in shown(whole_device().values(), dependencies=("numpy", "scipy"))


@pytest.mark.verifies("REQ-112")
def test_anomalies_that_were_read_for_another_version_were_not_read() -> None:
    assert "soup-anomalies" not in shown(whole_device().values(), locked="2.5.6")


def test_hazards_of_machine_learning_are_listed_with_what_considers_them() -> None:
    assert considered(whole_device().values()) == {"MLH-22": ("HAZ-01", "HAZ-02"), "MLH-01": ("HAZ-01",)}
