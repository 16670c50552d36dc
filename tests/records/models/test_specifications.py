"""The specification of a network is the record of its family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.reading.yaml_records import read_record
from minivess.records.device.project import Project
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.networks.network import EncoderDecoderSpec, NetworkSpec
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.unet import UNetSpec
from tests.support import earlier
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily("jsonschema_rs"):
    import jsonschema_rs

pytestmark = pytest.mark.verifies("SU-04")

PROJECT = """\
device: {name: d, version: 1.0.0, manufacturer: m, intended_use: u, safety_class: B}
data: {name: d, licence: l, source: s, synthetic: {subjects: 4, seed: 3, shape: [12, 40, 40]}}
evaluation: {criteria: [{measure: dice, at_least: 0.5}]}
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"architecture": "unet", "filters": 4}, UNetSpec(filters=4)),
        ({"architecture": "dynunet", "patch": (8, 16, 16)}, DynUNetSpec(patch=(8, 16, 16))),
        ({"filters": 4}, SegResNetSpec(filters=4)),
        ({}, SegResNetSpec()),
    ],
)
def test_the_architecture_chooses_the_record(said: dict[str, object], expected: NetworkSpec) -> None:
    found = read_specification(said)
    assert found == expected
    assert type(found) is type(expected)
    assert found.summary == expected.summary


def test_a_specification_says_its_width_and_depth_in_words() -> None:
    assert UNetSpec(filters=4).summary == "unet, 4 filters at the first level"
    assert UNetSpec(filters=4, levels=5).summary == "unet, 4 filters at the first level, 5 levels"


def test_two_families_with_the_same_fields_differ() -> None:
    first: NetworkSpec = SegResNetSpec()
    assert first != UNetSpec()


@pytest.mark.parametrize("said", [{"architecture": "vnet"}, {"architecture": "unet", "depth": 3}, [], None])
def test_what_is_no_specification_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        read_specification(said)


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (
            "{architecture: segresnt}",
            "`model.architecture`: must be 'segresnet', 'unet', 'dynunet', 'swinunetr' or 'resnet34-unet', not “segresnt”",
            "did you mean `segresnet`?",
        ),
        ("{filter: 8}", "unknown field `model.filter`", "did you mean `filters`?"),
        ("{architecture: unet, filters: 1}", "`model.filters`: must be at least 2, not “1”", ""),
        ("{architecture: unet, patch: [8]}", "`model.patch` has only 1 value", "give it more"),
    ],
)
def test_a_wrong_specification_in_the_project_file_is_named_with_its_line(
    tmp_path: Path, model: str, message: str, hint: str
) -> None:
    path = tmp_path / "minivess.yaml"
    path.write_text(f"{PROJECT}model: {model}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_record(path, Project, shown="minivess.yaml")
    assert str(caught.value) == f"minivess.yaml:4: {message}"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("said", "valid"),
    [
        ({}, True),
        ({"filters": 4}, True),
        ({"architecture": "segresnet"}, True),
        ({"architecture": "unet", "filters": 4}, True),
        ({"architecture": "vnet"}, False),
        ({"architecture": "dynunet", "filters": 1}, False),
    ],
)
def test_the_schema_for_editors_allows_what_is_read(said: dict[str, object], valid: bool) -> None:
    schema = Project.model_json_schema()
    described = {"$defs": schema["$defs"], **schema["properties"]["model"]}
    assert jsonschema_rs.Draft202012Validator(described).is_valid(said) is valid


def test_specifications_of_version_0_1_0_are_read_and_written_as_they_were(tmp_path: Path) -> None:
    models = earlier.unpack(tmp_path / "workspace") / "models"
    fixed = json.loads((models / "ensemble.json").read_text(encoding="utf-8"))
    assert read_specification(fixed["model"]).model_dump(mode="json") == fixed["model"]
    (path,) = models.glob("members/*/run.json")
    run = json.loads(path.read_text(encoding="utf-8"))
    record = RunRecord.model_validate(run)
    assert record.procedure == 1
    written = json.loads(record.model_dump_json())
    assert {name: written["training"].pop(name) for name in run["training"]} == run.pop("training")
    del written["training"]  # what is left are choices of procedure 2
    assert written == run


@pytest.mark.verifies("REQ-320")
@pytest.mark.parametrize(("architecture", "fewest"), [("segresnet", 2), ("unet", 2), ("dynunet", 3)])
def test_a_network_of_fewer_levels_than_its_family_can_have_is_refused(architecture: str, fewest: int) -> None:
    made = read_specification({"architecture": architecture, "levels": fewest})
    assert isinstance(made, EncoderDecoderSpec)
    assert made.fewest_levels() == made.levels == fewest
    with pytest.raises(ValidationError, match=f"greater than or equal to {fewest}"):
        read_specification({"architecture": architecture, "levels": fewest - 1})
