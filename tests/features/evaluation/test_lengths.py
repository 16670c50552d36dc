"""Steps for lengths.feature."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError
from minivess.foundation.paths import release_policy
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import measure_values
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.device.project import Project
from minivess.records.evaluation.evaluation import MASKS, AnalysisPlan, Conventions
from minivess.records.lengths import (
    Length,
    LengthUnit,
    in_micrometres,
    parse_length,
    parse_spacing,
    shown,
    spacing_text,
)
from minivess.workflows.sealed import registration
from minivess.workflows.sealed.analysis_plan import plan_of
from minivess.workflows.session.project_file import load_project
from tests.support import projects

scenarios("lengths.feature")
DEVICE = {"name": "d", "version": "1", "manufacturer": "m", "intended_use": "u", "safety_class": "B"}
DATA = {"name": "set", "licence": "CC0", "source": "test"}
DICE = {"measure": "dice", "at_least": 0.5}
PLACES = {"spacing": "pairs", "spacing_um": "pairs", "psf_sigma_z": "synthetic", "psf_sigma_z_um": "synthetic"}


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {}


def case(name: str, spacing: str) -> CaseRecord:
    steps = (1.0, 1.0) if spacing == "pixels" else in_micrometres(parse_spacing(spacing))
    digest = digest_bytes(name.encode())
    return CaseRecord(
        id=name, subject=name, acquisition=name, axes="yx" if len(steps) == 2 else "zyx", shape=(8,) * len(steps),
        spacing=steps, unit="px" if spacing == "pixels" else "um", modality="test", image=digest, label=digest,
        source_dtype="uint8", label_values=(0, 1), foreground_fraction=0.1,
    )  # fmt: skip


def project_with(**evaluation: Any) -> dict[str, Any]:
    return {
        "device": DEVICE,
        "data": DATA | {"synthetic": {}},
        "evaluation": {"criteria": [DICE]} | evaluation,
    }


@given(parsers.re(r"a project file with (?P<line>.+)"))
def _file(facts: dict, tmp_path: Path, line: str) -> None:
    plain = project_with()
    stated = yaml.safe_load(f"{{{line}}}")
    for name, value in stated.items():
        if name in PLACES:
            place = PLACES[name]
            source = {"images": "i/*", "labels": "l/*"} if place == "pairs" else {}
            held = plain["data"].get(place) or source
            plain["data"] = DATA | {place: held | {name: value}}
        elif name in ("measure", "at_most"):
            plain["evaluation"].setdefault("criteria", [])
            plain["evaluation"]["criteria"] = [{key: stated[key] for key in ("measure", "at_most")}]
        else:
            plain["evaluation"][name] = value
    facts["folder"] = tmp_path
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False)
    (tmp_path / "minivess.yaml").write_text(text, encoding="utf-8")


@when("the project file is read")
def _read(facts: dict, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    try:
        facts["project"] = load_project(facts["folder"])
    except InputError as error:
        facts["error"] = error


@then(parsers.re(r"(?P<field>evaluation|data)\.(?P<rest>\S+) is (?P<length>.+)"))
def _is(facts: dict, field: str, rest: str, length: str) -> None:
    found = getattr(facts["project"], field)
    for name in rest.split("."):
        found = getattr(found, name)
    assert (str(found) if isinstance(found, Length) else spacing_text(found)) == length
    again = Project.model_validate(facts["project"].model_dump(mode="json"))
    assert again == facts["project"]


@then(parsers.parse('it is refused with "{words}"'))
def _refused(facts: dict, words: str) -> None:
    assert words in str(facts["error"])


@then(parsers.parse("the hint, shown once, is to write `{written}`"))
def _hint(facts: dict, caplog: pytest.LogCaptureFixture, written: str) -> None:
    load_project(facts["folder"])
    hints = [record.getMessage() for record in caplog.records if f"write `{written}`" in record.getMessage()]
    assert len(hints) == 1
    assert hints[0].startswith(f"{facts['folder'] / 'minivess.yaml'}:")


@when(parsers.re(r"(?P<lengths>[0-9., ]+) in (?P<unit>\S+) are shown"))
def _shown(facts: dict, lengths: str, unit: LengthUnit) -> None:
    values = [float(one) for one in lengths.split(",")]
    facts["text"] = shown(values if len(values) > 1 else values[0], unit)


@then(parsers.parse('the text is "{text}"'))
def _text(facts: dict, text: str) -> None:
    assert facts["text"] == text


@given(parsers.re(r"cases with spacings of (?P<spacings>.+)"))
def _cases(facts: dict, spacings: str) -> None:
    texts = [] if spacings == "nothing" else spacings.split(", ")
    facts["cases"] = [case(f"c{number}", text) for number, text in enumerate(texts)]


@when("the plan of an evaluation without a tolerance is made")
def _plan(facts: dict) -> None:
    try:
        facts["plan"] = plan_of(Project.model_validate(project_with()), facts["cases"])
    except MinivessError as error:
        facts["error"] = error


@pytest.mark.verifies("REQ-336")
def test_a_plan_states_how_masks_of_the_classes_of_the_cases_are_made() -> None:
    """Also where the project file declares no classes, as of a generated set."""
    project, one = Project.model_validate(project_with()), case("a", "5 x 1 x 1 um")
    assert not project.data.declared
    two = one.model_copy(update={"classes": tuple(LabelClass(value=n, name=f"class {n}") for n in (1, 2))})
    assert plan_of(project, [one]).mask == MASKS["one"]
    assert plan_of(project, [two]).mask == MASKS["several"]


@then(parsers.parse("its tolerance is {tolerance}"))
def _tolerance(facts: dict, tolerance: str) -> None:
    said, wanted = facts["plan"].conventions.model_dump(mode="json"), parse_length(tolerance)
    assert (said["tolerance"], said["unit"]) == (wanted.value, wanted.unit)
    assert "tolerance_um" not in said


@given("a project without a tolerance, and a release policy with a gate on hd95")
def _gated(facts: dict, started_project: projects.ProjectFolder, tmp_path: Path) -> None:
    facts["started"] = project = started_project.copy_to(tmp_path / "project")
    text = project.workspace.project_file.read_text(encoding="utf-8")
    project.workspace.project_file.write_text(text.replace("  tolerance: 2 µm\n", ""), encoding="utf-8")
    policy = yaml.safe_load(release_policy().read_text(encoding="utf-8"))
    policy["gates"].append({"id": "far", "kind": "metric", "measure": "hd95", "at_most": 5})
    path = project.workspace.root / "release" / "policy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(policy), encoding="utf-8")


@when("the release policy is registered")
def _registered(facts: dict) -> None:
    project = facts["started"]
    with project.services() as services, pytest.raises(InputError) as caught:
        registration.register_policy(services, project.signers["max"])
    facts["error"] = caught.value


@given(parsers.re(r"a plan with (?P<fields>.+)"))
def _planned(facts: dict, fields: str) -> None:
    pairs = [field.split() for field in fields.split(", ")]
    facts["stated"] = {name: value if name in ("unit", "measure") else float(value) for name, value in pairs}


@when("the plan is read")
def _read_plan(facts: dict) -> None:
    conventions = {name: value for name, value in facts["stated"].items() if name != "measure"}
    measures = ["dice", facts["stated"].get("measure", "nsd")]
    fields = {"mask_threshold": 0.5, "seed": 0, "looks": {}, "criteria": [DICE], "measures": measures}
    with pytest.raises(ValidationError) as caught:
        AnalysisPlan.model_validate(fields | {"conventions": conventions})
    facts["error"] = caught.value


@given(parsers.re(r"a mask that is one voxel of (?P<spacing>.+) away from its reference"))
def _masks(facts: dict, spacing: str) -> None:
    facts["record"] = record = case("a", spacing)
    reference = np.zeros(record.grid, dtype=bool)
    reference[(2,) * reference.ndim] = True
    facts["masks"] = np.roll(reference, 1, axis=0), reference


@when(parsers.parse("it is measured within {tolerance}"))
def _measured(facts: dict, tolerance: str) -> None:
    stated = parse_length(tolerance)
    prediction, reference = facts["masks"]
    pair = CasePair.of(prediction, reference, facts["record"].spacing_in(stated.unit))
    conventions = Conventions(tolerance=stated.value, unit=stated.unit)
    facts["measured"] = measure_values(pair, conventions, ("hd95", "nsd"))


@then(parsers.parse("its HD95 is {distance:g} and its NSD is {nsd:g}"))
def _distances(facts: dict, distance: float, nsd: float) -> None:
    assert facts["measured"] == {"hd95": pytest.approx(distance), "nsd": nsd}
