"""Steps of features/ro_crate.feature. roc-validator needs another version of rich, so it runs in an environment of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_bdd import given, parsers, scenarios, then, when

from tests.support import ro_crate_tool
from tests.support.builders.layout2_pack import small_pack

scenarios("ro_crate.feature")

METADATA = "data/ro-crate-metadata.json"
LATER = ("data/audit/", "data/lineage/", METADATA)
"""Files that are made after the metadata, or are them."""


@dataclass
class Story:
    folder: Path
    files: dict[str, bytes]
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def graph(self) -> dict[str, dict[str, Any]]:
        return {one["@id"]: one for one in json.loads(self.files[METADATA])["@graph"]}


@given("a small pack", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return Story(tmp_path, dict(small_pack().files))


@given("its actions have no instrument")
def _(story: Story) -> None:
    crate = json.loads(story.files[METADATA])
    for one in crate["@graph"]:
        one.pop("instrument", None)
    story.files[METADATA] = json.dumps(crate).encode()


@when(parsers.parse('roc-validator checks the metadata with the rules of "{profile}" and the contexts of the disk'))
def _(story: Story, profile: str) -> None:
    for name, content in story.files.items():
        path = story.folder / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    story.report = ro_crate_tool.validated(story.folder / "pack" / "data", profile, story.folder)


@then(parsers.parse('its metadata name RO-Crate "{newest}" and "{base}", the profile of runs "{profile}" and no other'))
def _(story: Story, newest: str, base: str, profile: str) -> None:
    assert json.loads(story.files[METADATA])["@context"] == f"https://w3id.org/ro/crate/{newest}/context"
    stated = [one["@id"] for one in story.graph["ro-crate-metadata.json"]["conformsTo"]]
    assert stated == [f"https://w3id.org/ro/crate/{number}" for number in (newest, base)]
    assert story.graph["./"]["conformsTo"] == {"@id": f"https://w3id.org/ro/wfrun/process/{profile}"}
    others = [one for one in story.graph.values() if "conformsTo" in one]
    assert [one["@id"] for one in others] == ["ro-crate-metadata.json", "./"]


@then("each file of the pack that is made before the log is in the metadata")
def _(story: Story) -> None:
    made = {
        name.removeprefix("data/") for name in story.files if name.startswith("data/") and not name.startswith(LATER)
    }
    listed = {one["@id"] for one in story.graph.values() if one["@type"] == "File"}
    assert listed == made
    assert {one["@id"] for one in story.graph["./"]["hasPart"]} == made | {"audit/", "lineage/"}


@then("each completed entry with an output in the pack is an action in the metadata")
def _(story: Story) -> None:
    entries = [json.loads(line)["body"] for line in story.files["data/audit/entries.jsonl"].splitlines()]
    digests = {f"sha256:{one['sha256']}" for one in story.graph.values() if one["@type"] == "File"}
    making = {
        f"#entry-{one['index']}"
        for one in entries
        if one["outcome"] == "completed" and any(output["digest"] in digests for output in one["outputs"])
    }
    actions = {name: one for name, one in story.graph.items() if one["@type"] == "CreateAction"}
    assert set(actions) == making
    for one in actions.values():
        assert one["instrument"] == {"@id": "#minivess"}
        assert one["agent"]["@id"] in story.graph
        assert one["result"]


@then(parsers.parse('each required rule of "{profile}" holds'))
def _(story: Story, profile: str) -> None:
    assert story.report["issues"] == []
    assert story.report["passed"] is True
    assert story.report["validation_settings"]["profile_identifier"] == profile


@then("the rules are not met because of the instrument")
def _(story: Story) -> None:
    assert story.report["passed"] is False
    assert {one["check"]["identifier"] for one in story.report["issues"]} == {"process-run-crate-0.5_1.1"}
    assert all("instrument" in one["message"] for one in story.report["issues"])
