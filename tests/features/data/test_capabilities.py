"""Steps of features/capabilities.feature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.foundation.paths import Workspace, templates_folder
from minivess.foundation.reading.yaml_records import read_record
from minivess.ml.cases.manifests import cases_root, root_of
from minivess.ml.models.registry import adapter_of
from minivess.ml.quality.rule_catalogue import RULES
from minivess.records.data.dataset import Capabilities, CaseRecord, DatasetManifest, LabelClass
from minivess.records.data.split import SplitCase, SplitManifest
from minivess.records.data.validation import Severity
from minivess.records.device.project import Project
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.lengths import Length
from minivess.records.models.preprocessing import PreprocessingChoice
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.data import ingestion, sealing, splitting, validation
from minivess.workflows.data.capabilities import capability_findings, check_capabilities
from minivess.workflows.models.cases import cases_of
from minivess.workflows.people import accounts
from minivess.workflows.project.project_file import start_project
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_file import load_project
from tests.support import projects

scenarios("capabilities.feature")

PATCH = "patch: [16, 32, 32]"


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {}


def case(name: str, **facts: Any) -> CaseRecord:
    """The record of a grey volume with one class."""
    stated = {
        "shape": (32, 64, 64), "spacing": (5.0, 1.0, 1.0), "modality": "two-photon microscopy", "source_dtype": "uint8",
        "label_values": (0, 1), "foreground_fraction": 0.1, "image": digest_bytes(name.encode()),
        "label": digest_bytes(name.encode()),
    }  # fmt: skip
    return CaseRecord(id=name, subject=name, acquisition=name, **{**stated, **facts})


ARTERY, VEIN, VESSEL = (LabelClass(value=n, name=name) for n, name in ((1, "artery"), (2, "vein"), (3, "vessel")))
LESIONS = tuple(LabelClass(value=n, name="lesion") for n in (1, 2))
FLAWS: dict[str, dict[str, Any]] = {
    "a case is flat": {"axes": "yx", "shape": (64, 64), "spacing": (1.0, 1.0)},
    "a case is in colour": {"axes": "zyxc", "shape": (32, 64, 64, 3)},
    "a case has two classes": {"classes": (ARTERY, VEIN)},
    "a case has one class of value 3": {"classes": (VESSEL,)},
    "a case has one voxel along x": {"shape": (32, 64, 1)},
    "a case has fewer planes than the patch": {"shape": (12, 64, 64)},
    "a criterion needs a mask that is empty": {"foreground_fraction": 0.0},
}


def _with_tolerance(project: Project, tolerance: Length | None) -> Project:
    return project.model_copy(update={"evaluation": project.evaluation.model_copy(update={"tolerance": tolerance})})


def _resampled(project: Project) -> Project:
    choice = PreprocessingChoice(spacing=tuple(Length(1.0, "um") for _ in range(3)))
    return project.model_copy(update={"preprocessing": choice})


def _limiting(criterion: Criterion) -> Callable[[Project], Project]:
    return lambda project: project.model_copy(
        update={"evaluation": project.evaluation.model_copy(update={"criteria": (criterion,)})}
    )


def _lacking_veins() -> list[CaseRecord]:
    """The mask of one case has arteries alone."""
    return [case(f"c{n}", classes=(ARTERY, VEIN), label_values=(0, 1, 2) if n else (0, 1)) for n in range(3)]


PLANS: dict[str, Callable[[Project], Project]] = {
    "pictures in pixels are to be resampled": _resampled,
    "flat images are resampled along z": _resampled,
    "the patch cannot be halved": lambda project: project.model_copy(
        update={"model": project.model.model_copy(update={"patch": (30, 64, 64)})}
    ),
    "a criterion needs a mask that is empty": _limiting(Criterion(measure="hd95", at_most=5.0)),
    "a criterion needs a class that a mask lacks": _limiting(Criterion(measure="hd95", at_most=5.0)),
    "a criterion names a class that a mask lacks": _limiting(Criterion(measure="hd95", of_class="vein", at_most=5.0)),
    "a criterion names a class that every mask has": _limiting(
        Criterion(measure="hd95", of_class="artery", at_most=5.0)
    ),
    "the tolerance is 2 px": lambda project: _with_tolerance(project, Length(2.0, "px")),
    "one case has no size and no tolerance is stated": lambda project: _with_tolerance(project, None),
    "three subjects calibrate": lambda project: project.model_copy(
        update={"split": project.split.model_copy(update={"calibration": 3})}
    ),
}
MODELS = {
    "the model is for flat images": Capabilities(axes=("yx",), classes=1),
    "the model needs a physical size": Capabilities(units=("um",)),
    "the model is for grey volumes": Capabilities(axes=("zyx",)),
    "the model takes one class": Capabilities(classes=1),
}
SETS: dict[str, Callable[[], list[CaseRecord]]] = {
    "the model is for flat images": lambda: [case(f"c{n}") for n in range(3)],
    "a criterion needs a class that a mask lacks": _lacking_veins,
    "a criterion names a class that a mask lacks": _lacking_veins,
    "a criterion names a class that every mask has": _lacking_veins,
    "two classes have one name": lambda: [case(f"c{n}", classes=LESIONS) for n in range(3)],
    "pictures in pixels are to be resampled": lambda: [case(f"c{n}", unit="px") for n in range(3)],
    "flat images are resampled along z": lambda: [case(f"c{n}", **FLAWS["a case is flat"]) for n in range(3)],
    "the model is for grey volumes": lambda: [case(f"c{n}", **FLAWS["a case is in colour"]) for n in range(3)],
    "the model takes one class": lambda: [case(f"c{n}", **FLAWS["a case has two classes"]) for n in range(3)],
    "all cases are flat": lambda: [case(f"c{n}", **FLAWS["a case is flat"]) for n in range(3)],
    "the model needs a physical size": lambda: [case(f"c{n}", unit="px") for n in range(6)],
    "no case has a physical size": lambda: [case(f"c{n}", unit="px") for n in range(6)],
    "the tolerance is 2 px": lambda: [case(f"c{n}") for n in range(6)],
    "one case has no size and no tolerance is stated": lambda: [
        case(f"c{n}", unit="um" if n else "px") for n in range(6)
    ],
    "no calibration mask has foreground": lambda: [case(f"c{n}", foreground_fraction=0.1 * (n != 3)) for n in range(6)],
    "no training mask has foreground": lambda: [case(f"c{n}", foreground_fraction=0.1 * (n > 2)) for n in range(6)],
}


@given(parsers.re(r"a set in which (?P<flaw>.+)"))
def _flawed(facts: dict, flaw: str, started_project: projects.ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    if flaw in MODELS:
        monkeypatch.setattr(type(adapter_of("segresnet")), "takes", MODELS[flaw])
    project = load_project(started_project.workspace.root)
    wide = project.model_copy(update={"model": project.model.model_copy(update={"patch": (32, 64, 64)})})
    facts["project"] = PLANS.get(flaw, lambda one: one)(wide)
    records = SETS.get(flaw, lambda: [case("a"), case("b", **FLAWS.get(flaw, {}))])()
    facts["manifest"] = DatasetManifest(
        name="set", licence="CC0", source="test", cases=tuple(records), root=cases_root(records)
    )
    facts["split"] = None
    if len(records) == 6 and "part" not in flaw and "mask" in flaw:
        names = [one.id for one in records]
        made = SplitManifest(
            dataset=facts["manifest"].root, seed=0, train=tuple(names[:3]), calibration=(names[3],),
            test=tuple(names[4:]), cases=tuple(SplitCase(id=one.id, image=one.image, label=one.label) for one in records),
            root=digest_bytes(b""),
        )  # fmt: skip
        facts["split"] = made.model_copy(update={"root": root_of(made)})


@when("the cases are compared with what the product can take")
def _compared(facts: dict) -> None:
    facts["found"] = capability_findings(facts["project"], facts["manifest"], facts["split"])


@then(parsers.re(r'the rule (?P<rule>\S+) finds "(?P<message>.+)" and (?P<effect>blocks|blocks not)'))
def _found(facts: dict, rule: str, message: str, effect: str) -> None:
    fitting = [one for one in facts["found"] if one.rule == rule]
    assert len(fitting) == 1, facts["found"]
    assert message in fitting[0].message
    assert (RULES[rule].severity is Severity.BLOCK) == (effect == "blocks")
    arguments = (facts["project"], facts["manifest"], facts["split"])
    if effect == "blocks":
        with pytest.raises(RefusedError) as caught:
            check_capabilities(*arguments)
        assert (f"(rule {rule})", RULES[rule].hint) in {
            (reason.message[reason.message.rindex("(") :], reason.hint) for reason in caught.value.reasons
        }
    else:
        assert fitting[0] in check_capabilities(*arguments)


@given("the project files of a new project and of the demonstration")
def _shipped(facts: dict, tmp_path: Path) -> None:
    start_project(tmp_path / "new")
    demonstration = read_record(templates_folder() / "demo" / "minivess.yaml", Project)
    facts["projects"] = [load_project(tmp_path / "new"), demonstration]


@when("they are compared with what the product can take")
def _compare(facts: dict) -> None:
    facts["found"] = [check_capabilities(project) for project in facts["projects"]]


@then("no finding blocks")
def _pass(facts: dict) -> None:
    assert [[one.rule for one in found] for found in facts["found"]] == [["calibration-groups"], []]


@then("no finding names the service")
def _not_the_service(facts: dict) -> None:
    assert facts["found"]
    assert not [one for one in facts["found"] if "the service" in one.message]


@then("no finding is about a criterion")
def _no_criterion(facts: dict) -> None:
    assert not [one for one in facts["found"] if one.rule == "criterion-undefined"]


@given("a project of pictures with a patch of volumes")
def _pictures(facts: dict, started_project: projects.ProjectFolder, tmp_path: Path) -> None:
    facts["project"] = project = started_project.copy_to(tmp_path / "project")
    root = project.workspace.root
    for number, name in enumerate(("a", "b", "c")):
        picture = np.random.default_rng(number).integers(0, 200, (40, 50)).astype(np.uint8)
        Image.fromarray(picture).save(root / f"{name}.png")
        Image.fromarray((picture > 150).astype(np.uint8) * 255).save(root / f"{name}-mask.png")
    cases = ", ".join(f"{{id: {name}, subject: {name}, image: {name}.png, label: {name}-mask.png}}" for name in "abc")
    changed = {"  synthetic:": f"  root: .\n  cases: [{cases}]", "  tolerance:": "  tolerance: 2 px"}
    _rewrite(project, lambda line: changed.get(f"{line.partition(':')[0]}:", line))


def _rewrite(project: projects.ProjectFolder, change: Callable[[str], str]) -> None:
    path = project.workspace.project_file
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(change(line) for line in lines) + "\n", encoding="utf-8")


@given(parsers.parse('a project that lowers capability-patch because "{reason}"'))
def _lowered(facts: dict, started_project: projects.ProjectFolder, tmp_path: Path, reason: str) -> None:
    _pictures(facts, started_project, tmp_path)
    facts["reason"] = reason
    rules = f"\n    capability-patch: {{severity: warning, reason: {reason}}}"
    _rewrite(facts["project"], lambda line: f"  rules:{rules}\n{line}" if line == "  root: ." else line)


@when("its pictures are ingested")
def _ingest(facts: dict) -> None:
    project = facts["project"]
    with project.services() as services, pytest.raises(RefusedError) as caught:
        ingestion.ingest(services, project.signers["ada"])
    facts["error"] = caught.value


@then("it is refused with the rule capability-patch, and each reason has a hint")
def _refused(facts: dict) -> None:
    reasons = facts["error"].reasons
    (patch,) = [one for one in reasons if "(rule capability-patch)" in one.message]
    assert "one for each of y, x" in patch.message
    assert all("lower the rule with that reason" in one.hint for one in reasons)


@then("the log has no manifest")
def _nothing(facts: dict) -> None:
    with facts["project"].services() as services:
        last = list(services.log.entries())[-1].body
    assert (last.action, last.outcome.value, last.outputs) == ("data.ingest", "refused", ())
    assert not (facts["project"].workspace.data / "manifest.json").exists()


@when("its pictures are ingested and validated")
def _prepare(facts: dict) -> None:
    project = facts["project"]
    with project.services() as services:
        ingestion.ingest(services, project.signers["ada"])
        facts["report"] = validation.validate(services, project.signers["ada"])


@then("the findings and the reason are in the report")
def _reported(facts: dict) -> None:
    report = facts["report"]
    lowered = {one.rule: one.reason for one in report.changed}
    found = {one.rule: one.severity for one in report.findings}
    assert lowered["capability-patch"] == facts["reason"]
    assert found["capability-patch"] is Severity.WARNING


@then("training gets the cases")
def _training(facts: dict) -> None:
    from minivess.records.data.split import Part

    project = facts["project"]
    _rewrite(project, lambda line: "split: {seed: 0, calibration: 1, test: 1}" if line.startswith("split:") else line)
    with project.services() as services:
        splitting.split(services, project.signers["ada"])
        assert cases_of(BoundInputs.of(services), Part.TRAIN)


@given("a project file with a patch that cannot be halved")
def _unfit(facts: dict, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project")
    workspace.root.mkdir()
    text = projects.PROJECT.format(source=".").replace(PATCH, "patch: [16, 30, 32]")
    workspace.project_file.write_text(text, encoding="utf-8")
    facts["workspace"] = workspace


@when("its log is started")
def _start(facts: dict) -> None:
    keystore = Keystore(facts["workspace"].keystore)
    keystore.create("max", "Max", IdentityKind.PERSON, (Role.RELEASE_MANAGER,), projects.PASSPHRASE)
    signer = keystore.unlock("max", projects.PASSPHRASE)
    with pytest.raises(MinivessError) as caught:
        accounts.start_log(facts["workspace"], signer, log_passphrase=projects.PASSPHRASE)
    facts["error"] = caught.value


@then("it is refused with the rule capability-patch, and there is no log")
def _no_log(facts: dict) -> None:
    assert "capability-patch" in facts["error"].message
    assert not list(facts["workspace"].root.rglob("*.db"))


@given("a split project whose patch was changed")
def _changed(facts: dict, split_project: projects.ProjectFolder, tmp_path: Path) -> None:
    facts["project"] = split_project.copy_to(tmp_path / "project")
    _rewrite(facts["project"], lambda line: line.replace(PATCH, "patch: [16, 30, 32]"))


@when("its test part is sealed")
def _seal(facts: dict) -> None:
    project = facts["project"]
    with project.services() as services, pytest.raises(RefusedError) as caught:
        sealing.seal(services, project.signers["ada"])
    facts["error"] = caught.value


@then("it is refused with the rule capability-patch, and the test part is plain")
def _plain(facts: dict) -> None:
    assert "capability-patch" in facts["error"].message
    assert not facts["project"].workspace.sealed.exists()
