"""Scenarios of the bills of materials of a pack."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.facts.cyclonedx import validate_bom
from minivess.compliance.facts.soup import SoupItem, soup, soup_csv
from minivess.foundation.errors import RefusedError
from minivess.records.items.items import SoupItem as StatedSoup
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import LOCK
from tests.support.builders.second_release import TwoReleases, first_pack, second_of

scenarios("bills.feature")

Document = dict[str, Any]
FAULTS: dict[str, Any] = {
    "an unknown licence": ("licenses", [{"license": {"id": "Unknown-9"}}]),
    "a link that is no URL": ("externalReferences", [{"type": "website", "url": "javascript:alert"}]),
    "a measure without type": ("modelCard", {"quantitativeAnalysis": {"performanceMetrics": [{"type": 1}]}}),
}


@dataclass
class Story:
    bills: dict[str, Document] = field(default_factory=dict)
    lock: Path = Path()
    item: StatedSoup | None = None
    rows: tuple[SoupItem, ...] = ()
    releases: TwoReleases | None = None

    def listed(self, bill: str) -> dict[str, Document]:
        """The components of a bill by their name."""
        return {one["name"]: one for one in self.bills[bill]["components"]}


@pytest.fixture
def story() -> Story:
    return Story()


def _bill(name: str) -> Document:
    found: Document = json.loads(small_pack().files[f"data/bom/{name}.cdx.json"])
    return found


@given("a release whose lock file has click for the service, torch for training and pytest for tests")
@given("a pack with a model of 2 members")
def _() -> None:
    """The small pack of the tests is one."""


@given(parsers.parse("the {bill} of a pack with {fault}"))
def _(story: Story, bill: str, fault: str) -> None:
    document = _bill(bill)
    validate_bom(document)
    name, value = FAULTS[fault]
    document["components"][-1][name] = value
    story.bills[bill] = document


@given(parsers.parse("a SOUP item for click 8.3.0 whose anomalies were reviewed for {version}"))
def _(story: Story, version: str, tmp_path: Path) -> None:
    story.lock = tmp_path / "uv.lock"
    story.lock.write_text(LOCK, encoding="utf-8")
    read = {"version": version, "day": "2026-11-01", "by": "rosa", "found": "Nothing that touches the device."}
    stated: dict[str, Any] = {
        "id": "SOUP-02",
        "title": "Click",
        "source": {"path": "requirements/soup.yaml", "line": 1},
        "package": "click",
        "purpose": "Reads the command line.",
        "requirements": ["It shall refuse unknown options.", "It shall import quickly."],
        "platform": {"python": ">=3.10", "builds": ["any"], "also": "A terminal."},
        "anomalies": "Listed at its tracker.",
        "anomalies_read": None if version == "none" else read,
    }
    story.item = StatedSoup.model_validate(stated)


@given("two releases, of which the second has another version of click")
def _(story: Story) -> None:
    story.releases = second_of(first_pack(), tree={"uv.lock": LOCK.replace("8.3.0", "8.3.1")})


@when("the SOUP list is made")
def _(story: Story) -> None:
    assert story.item is not None
    story.rows = soup(story.lock, items=(story.item,))


@when("its bills of materials are read")
def _(story: Story) -> None:
    story.bills = {name: _bill(name) for name in ("sbom", "tools", "ml")}


@then(parsers.parse('"{shipped}" ships, and "{others}" do not'))
def _(story: Story, shipped: str, others: str) -> None:
    libraries = {one["name"] for one in story.bills["sbom"]["components"] if one["bom-ref"].startswith("pkg:pypi/")}
    assert libraries == {shipped}
    assert not set(others.split(", ")) & set(story.listed("sbom"))


@then("the other packages are in the bill of the tools")
def _(story: Story) -> None:
    assert set(story.listed("tools")) == {"torch", "pytest", "colorama"}


@then("each component states hash, licence, producer and support, or that they are not known")
def _(story: Story) -> None:
    names = {"hashes": "Component Hash Value", "licenses": "Component License", "supplier": "Component Producer"}
    listed = [*story.bills["tools"]["components"], *story.bills["sbom"]["components"]]
    packages = [one for one in listed if "purl" in one]
    assert len(packages) > 4
    for one in packages:
        properties = [(each["name"], each["value"]) for each in one["properties"]]
        unknown = {value for name, value in properties if name == "cdx:cisa:unknown-information"}
        assert unknown == {words for key, words in names.items() if key not in one}
        assert any(name.startswith("cdx:fda:") for name, _ in properties)


@then("the model has the digest of the exported graph and rests on 2 members")
def _(story: Story) -> None:
    digest = json.loads(small_pack().files["data/models/export.json"])["onnx"]
    [model] = [one for one in story.bills["ml"]["components"] if one["bom-ref"] == "model"]
    assert f"sha256:{model['hashes'][0]['content']}" == digest
    needs = {one["ref"]: one.get("dependsOn", []) for one in story.bills["ml"]["dependencies"]}
    assert len([one for one in needs["model"] if one.startswith("member-")]) == 2


@then("each member has its seed, its training parameters and the data that it was trained on")
def _(story: Story) -> None:
    members = [one for one in story.bills["ml"]["components"] if one["bom-ref"].startswith("member-")]
    needs = {one["ref"]: one.get("dependsOn", []) for one in story.bills["ml"]["dependencies"]}
    parts = {one["bom-ref"] for one in story.bills["ml"]["components"] if one["type"] == "data"}
    for member in members:
        stated = {one["name"]: one["value"] for one in member["properties"]}
        name = f"data/models/members/{member['name'].replace('member', 'seed')}.json"
        run = json.loads(small_pack().files[name])
        assert (stated["minivess:seed"], stated["minivess:data"]) == (str(run["seed"]), run["data"])
        assert stated["minivess:training:learning_rate"] == json.dumps(run["training"]["learning_rate"])
        assert {"minivess:training:loss", "minivess:training:steps"} <= set(stated)
        assert needs[member["bom-ref"]] == ["data-train"]
        assert set(needs[member["bom-ref"]]) <= parts


@then("the model card has the Dice of the sealed test set with its interval")
def _(story: Story) -> None:
    [model] = [one for one in story.bills["ml"]["components"] if one["bom-ref"] == "model"]
    dice = json.loads(small_pack().files["data/evaluation/evaluation.json"])["aggregates"]["dice"]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    [found] = [one for one in metrics if one["type"] == "dice" and one["slice"] == "sealed test set"]
    assert found["value"] == f"{dice['mean']:.4f}"
    bounds = {"lowerBound": f"{dice['lower']:.4f}", "upperBound": f"{dice['upper']:.4f}"}
    assert found["confidenceInterval"] == bounds


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    [document] = story.bills.values()
    with pytest.raises(RefusedError, match=reason):
        validate_bom(document)


@then("click has purpose, requirements, platform and anomalies of the item")
def _(story: Story) -> None:
    [row] = [one for one in csv.DictReader(io.StringIO(soup_csv(story.rows))) if one["name"] == "click"]
    assert (row["item"], row["purpose"]) == ("SOUP-02", "Reads the command line.")
    assert row["requirements"] == "It shall refuse unknown options. It shall import quickly."
    assert row["platform"] == "Python >=3.10; built for any. A terminal."
    assert row["anomalies"] == "Listed at its tracker."


@then(parsers.parse('its review is "{review}"'))
def _(story: Story, review: str) -> None:
    [row] = [one for one in story.rows if one.name == "click"]
    assert (row.review, row.reviewed) == (review, review.startswith("reviewed"))


@then('the SOUP document of the second says that click was "8.3.0"')
def _(story: Story) -> None:
    assert story.releases is not None
    page = story.releases.second.files["data/documents/soup.html"].decode("utf-8")
    assert "Changes are those since release 1.0.0." in page
    assert "was version 8.3.0" in page


@then("that of the first says that there was no release before")
def _(story: Story) -> None:
    assert story.releases is not None
    page = story.releases.first["data/documents/soup.html"].decode("utf-8")
    assert "there is no release before this one" in page
    assert "was version" not in page
