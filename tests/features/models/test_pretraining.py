"""Steps of `features/pretraining.feature`."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when
from scipy.ndimage import gaussian_filter

from minivess.compliance.release.gates import judge
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError
from minivess.records.data.split import Part
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.log.entry import Outcome
from minivess.records.models.model import RunRecord
from minivess.records.models.start import ForeignWeights, PretrainingData, PretrainingSet, StartRecord
from minivess.workflows.data import sealing
from minivess.workflows.models import starts
from minivess.workflows.models.training import train
from minivess.workflows.sealed import requests
from minivess.workflows.session import workspace_files
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily(
    "torch",
    "minivess.ml.models.weights",
    "minivess.ml.training.starts",
    "minivess.workflows.sealed.final_evaluation",
    "tests.support.builders.weight_files",
):
    import torch

    from minivess.ml.models import weights
    from minivess.ml.training import starts as loaded_starts
    from minivess.workflows.sealed import final_evaluation
    from tests.support.builders import weight_files

scenarios("pretraining.feature")

OTHER = "sha256:" + "5" * 64
ELSEWHERE = PretrainingData(status="declared", sets=(PretrainingSet(name="Other vessels", digests=(OTHER,)),))


@dataclass
class Facts:
    """What the steps of one scenario share."""

    network: Any = None
    state: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    record: StartRecord | None = None
    project: projects.ProjectFolder | None = None
    services: Services | None = None
    held: BoundInputs | None = None
    loaded: Any = None
    error: MinivessError | None = None
    request: str = ""
    looks: int = 0

    def attempt(self, act: Any) -> Any:
        """What an act gives; a refusal is kept."""
        try:
            return act()
        except MinivessError as error:
            self.error = error
            return None


@pytest.fixture
def facts() -> Iterator[Facts]:
    made = Facts()
    yield made
    if made.services is not None:
        made.services.close()


# networks


@given("a network with a head of two classes and the weights of one with a head of five")
def two_heads(facts: Facts) -> None:
    def network(classes: int) -> Any:
        layers = {"body": torch.nn.Conv3d(1, 3, 1), "head": torch.nn.Conv3d(3, classes, 1)}
        return torch.nn.ModuleDict(layers)

    facts.network, other = network(2), network(5)
    facts.state = {**other.state_dict(), "head.scale": torch.ones(1)}
    facts.before = weights.weights_digest(facts.network.state_dict())


def _start(facts: Facts, allow: tuple[str, ...], **changes: Any) -> None:
    start = loaded_starts.LoadedStart({**facts.state, **changes}, Path("foreign.safetensors"), ELSEWHERE, allow)
    facts.record = facts.attempt(lambda: start.give(facts.network))


@when('training starts from them and "head" may differ')
def start_apart_from_head(facts: Facts) -> None:
    _start(facts, ("head",))


@when(parsers.re(r"training starts from them (?P<how>(and|with) .+)"))
def start_wrongly(facts: Facts, how: str) -> None:
    body = facts.state["body.weight"]
    if how == "with other tensors alone":
        facts.state = {f"other.{name}": tensor for name, tensor in facts.state.items()}
        return _start(facts, ("body", "head", "other"))
    changes = {
        "with a value that is NaN": {"body.weight": torch.full_like(body, float("nan"))},
        'with whole numbers in "body"': {"body.weight": body.to(torch.int8)},
    }.get(how)
    if changes is not None:
        return _start(facts, ("head",), **changes)
    return _start(facts, () if "nothing" in how else (how.split('"')[1],))


@then("the network has the weights of the file everywhere but in its head")
def taken(facts: Facts) -> None:
    assert facts.error is None
    after = facts.network.state_dict()
    assert all(torch.equal(after[name], facts.state[name]) for name in ("body.weight", "body.bias"))
    assert after["head.weight"].shape[0] == 2


@then("the record names the tensors that the seed drew and those that are not used")
def named_tensors(facts: Facts) -> None:
    assert facts.record is not None
    assert facts.record.fresh == ("head.bias", "head.weight")
    assert facts.record.unused == ("head.bias", "head.scale", "head.weight")
    assert facts.record.weights == weights.weights_digest(facts.state)
    assert facts.record.trained_on == ELSEWHERE


@then(parsers.parse('it is refused with "{words}", and the network has the weights of its seed'))
def refused_untouched(facts: Facts, words: str) -> None:
    assert words in str(facts.error)
    assert weights.weights_digest(facts.network.state_dict()) == facts.before


# files and runs


@pytest.fixture
def sealed(facts: Facts, sealed_project: projects.ProjectFolder, tmp_path: Path) -> Facts:
    """A copy of the sealed project, opened."""
    facts.project = sealed_project.copy_to(tmp_path / "project")
    facts.services = facts.project.services()
    return facts


def _chosen(facts: Facts, start: Any) -> None:
    """State what training starts from in the project file."""
    assert facts.services is not None
    project = facts.services.project
    training = project.training.model_copy(update={"start": start})
    facts.services = replace(facts.services, project=project.model_copy(update={"training": training}))


def _file(facts: Facts, **fields: Any) -> Path:
    """A file of weights in the project, which the project file names."""
    assert facts.project is not None
    path = facts.project.workspace.root / "foreign.safetensors"
    facts.before = weights.save_weights(path, weight_files.STATE)
    stated = {"weights": path.name, "digest": digest_file(path), "trained_on": ELSEWHERE} | fields
    _chosen(facts, ForeignWeights(**{name: value for name, value in stated.items() if value is not None}))
    return path


@given(parsers.re("a sealed project whose training starts from a file (?P<how>.+)"))
def foreign_file(sealed: Facts, how: str) -> None:
    if how == "of another digest":
        _file(sealed, digest=OTHER)
    elif how == "that is a pickle with code":
        path = _file(sealed)
        path.write_bytes(pickle.dumps(weight_files.Code(path.parent / "ran")))
        _chosen(sealed, ForeignWeights(weights=path.name, digest=digest_file(path), trained_on=ELSEWHERE))
    elif how == "that is not there":
        _file(sealed).unlink()
    elif how == "with the record of another run":
        _file(sealed, trained_on=None, run="models/members/seed-0/run.json")
    else:
        images = PretrainingSet(name="Other vessels", images="nowhere")
        _file(sealed, trained_on=PretrainingData(status="declared", sets=(images,)))


def _run(facts: Facts, digest: str, **fields: Any) -> RunRecord:
    assert facts.services is not None
    plan = facts.services.project
    stated = {"seed": 0, "model": plan.model, "training": plan.training, "data": OTHER, "weights": digest, "steps": 1}
    return RunRecord(**stated | {"final_loss": 0.5, "device": "cpu", "seconds": 0.1} | fields)


@given("a sealed project whose training starts from the run in its log")
def own_run(sealed: Facts) -> None:
    assert sealed.project is not None
    assert sealed.services is not None
    workspace, name = sealed.project.workspace, "models/members/seed-0/run.json"
    sealed.before = weights.save_weights(
        workspace.root / name.replace("run.json", "weights.safetensors"), weight_files.STATE
    )
    context = sealed.services.context(seed=0, model=sealed.before)
    with recorded(sealed.services, "training", sealed.project.signers["ada"], context=context) as record:
        workspace_files.write_json(workspace, name, _run(sealed, sealed.before))
        record.output(name, workspace.root / name)
        record.payload(architecture="segresnet", steps=1, final_loss=0.5)
    _chosen(sealed, sealed.before)


@given("a sealed project whose training starts from the file of a run of another project")
def other_project(sealed: Facts) -> None:
    path = _file(sealed, trained_on=None, run="other.json")
    run = _run(sealed, sealed.before, cases=(OTHER,), start=StartRecord(weights=OTHER, trained_on=ELSEWHERE))
    path.with_name("other.json").write_text(run.model_dump_json(), encoding="utf-8")


@when("the start is read")
def read(facts: Facts) -> None:
    assert facts.services is not None
    services = facts.services
    held = facts.held or BoundInputs.of(services)
    facts.loaded = facts.attempt(lambda: starts.load_start(services, held))


@then(parsers.parse('it is refused with "{words}"'))
def refused(facts: Facts, words: str) -> None:
    assert words in str(facts.error)
    assert facts.error is not None
    assert facts.project is not None
    assert not (facts.project.workspace.root / "ran").exists()


@then("it is not refused")
def accepted(facts: Facts) -> None:
    assert facts.error is None
    assert facts.loaded is not None


@then("it has the tensors of that run, and the images of the training part count as seen")
def tensors_of_run(facts: Facts) -> None:
    assert facts.error is None
    assert facts.services is not None
    assert weights.weights_digest(facts.loaded.state) == facts.before
    (seen,) = facts.loaded.trained_on.sets
    assert facts.loaded.trained_on.status == "declared"
    held = BoundInputs.of(facts.services)
    assert set(seen.digests) == {held.case_record(name).image for name in held.split.train}


@then("a copy of them is kept when the member is trained again")
def kept(facts: Facts) -> None:
    assert facts.project is not None
    shutil.rmtree(facts.project.workspace.models / "members" / "seed-0")
    read(facts)
    assert facts.error is None
    assert weights.weights_digest(facts.loaded.state) == facts.before


@then("the entry of the training names the weights among its inputs")
def named_input(facts: Facts) -> None:
    assert facts.services is not None
    assert [(one.name, one.digest) for one in starts.start_input(facts.services)] == [("training/start", facts.before)]


@then("the cases of that run and what its own start was trained on count as seen")
def seen_by_both(facts: Facts) -> None:
    assert facts.error is None
    own, before = facts.loaded.trained_on.sets
    assert (facts.loaded.trained_on.status, own.digests, before) == ("declared", (OTHER,), ELSEWHERE.sets[0])


# contamination


def _declared(facts: Facts, what: str, split_project: projects.ProjectFolder) -> dict[str, Any]:
    """The fields of a set by what it is."""
    assert facts.services is not None
    assert facts.project is not None
    held = facts.held = BoundInputs.of(facts.services)
    name = held.split.test[0]
    case = held.case_record(name)
    if what == "a set with the accession of the source":
        data = facts.services.project.data.model_copy(update={"source": "see doi:10.25493/HPBE-YHK, version 1"})
        project = facts.services.project.model_copy(update={"data": data})
        facts.services = replace(facts.services, project=project)
    elif what.startswith("a folder"):
        folder = facts.project.workspace.root / "pretraining" / "images"
        folder.mkdir(parents=True)
        shutil.copy(split_project.workspace.prepared / name / "image.npy", folder / "vessel-17.npy")
        return {"images": "pretraining"}
    sets: dict[str, dict[str, Any]] = {
        "a set of the same name in other letters": {"name": "To-Y v2"},
        "the set that the source names": {"name": "The Generator"},
        "a set with the accession of the source": {"accessions": ("https://doi.org/10.25493/hpbe-yhk",)},
        "the image of a test case": {"digests": (OTHER, case.image)},
        "the image of a calibration case": {"digests": starts.images_of(held, Part.CALIBRATION)},
        "the mask of a test case": {"digests": (case.label,)},
        "the images of the training part": {"digests": starts.images_of(held, Part.TRAIN)},
    }
    return sets[what]


@given(parsers.re("a sealed project whose training starts from weights that were trained on (?P<what>.+)"))
def trained_on(sealed: Facts, what: str, split_project: projects.ProjectFolder) -> None:
    stated = {"name": "Other vessels"} | _declared(sealed, what, split_project)
    _file(sealed, trained_on=PretrainingData(status="declared", sets=(PretrainingSet(**stated),)))


@when("a training is started")
def training_started(sealed: Facts) -> None:
    assert sealed.project is not None
    assert sealed.services is not None
    with pytest.raises(MinivessError) as caught:
        train(sealed.services, sealed.project.signers["ada"])
    sealed.error = caught.value


@then("the log has a refused training")
def refused_training(facts: Facts) -> None:
    assert facts.services is not None
    last = list(facts.services.log.entries())[-1].body
    assert (last.action, last.outcome) == ("training", Outcome.REFUSED)


@then(parsers.parse('it is refused with "{words}" and the rule "{rule}"'))
def refused_by_rule(facts: Facts, words: str, rule: str) -> None:
    refused(facts, words)
    assert f"(rule `{rule}`)" in str(facts.error)


def _contaminate(facts: Facts) -> None:
    """Train again from weights that have seen a test case, and export."""
    assert facts.project is not None
    assert facts.services is not None
    held = BoundInputs.of(facts.services)
    seen = PretrainingSet(name="Other vessels", digests=(held.case_record(held.split.test[0]).image,))
    start = StartRecord(weights=OTHER, trained_on=PretrainingData(status="declared", sets=(seen,)))
    facts.services.close()
    projects.add_toy_training(facts.project, start=start)
    projects.export_toy_model(facts.project)
    facts.services = facts.project.services()


@given(parsers.re("a sealed project whose member started from weights that have seen (?P<when>.+)"))
def contaminated(sealed: Facts, when: str) -> None:
    assert sealed.project is not None
    assert sealed.services is not None
    projects.register(sealed.project, sealed.services)
    if "known" in when:
        sealed.request = requests.request(sealed.services, sealed.project.signers["ada"], purpose="a scenario").id
    if "after the approval" in when:
        requests.approve(sealed.services, sealed.project.signers["rosa"], sealed.request)
    _contaminate(sealed)


@given("the record of the member is written without its start")
def without_start(facts: Facts) -> None:
    assert facts.project is not None
    path = facts.project.workspace.models / "members" / "seed-0" / "run.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    del fields["start"]
    path.write_text(json.dumps(fields), encoding="utf-8")


@when(parsers.re("a look is (?P<step>requested|approved)"))
def look(facts: Facts, step: str) -> None:
    assert facts.project is not None
    assert facts.services is not None
    services, signers = facts.services, facts.project.signers
    facts.looks = services.log.standing.test_set.openings
    if step == "requested":
        facts.attempt(lambda: requests.request(services, signers["ada"], purpose="a scenario"))
    else:
        facts.attempt(lambda: requests.approve(services, signers["rosa"], facts.request))


@when("the evaluation is run")
def evaluate(facts: Facts) -> None:
    assert facts.project is not None
    assert facts.services is not None
    services, ada = facts.services, facts.project.signers["ada"]
    facts.attempt(lambda: final_evaluation.run(services, ada, facts.request))


@then("no look at the test set is counted")
def no_look(facts: Facts) -> None:
    assert facts.services is not None
    assert facts.services.log.standing.test_set.openings == facts.looks == 0


# the gate


@given(parsers.parse("an ensemble of two members, of which one started from weights whose training data are {status}"))
def ensemble(facts: Facts, status: str) -> None:
    sets = ELSEWHERE.sets if status == "declared" else ()
    if status != "absent":
        facts.record = StartRecord(weights=OTHER, trained_on=PretrainingData(status=status, sets=sets))


@when(parsers.parse("the gates of a policy {stated} are judged"))
def judged(facts: Facts, stated: str) -> None:
    limit = {"that allows none": {"at_most": 0}}.get(stated, {"at_most": 1, "reason": stated.partition("because ")[2]})
    gates = [] if stated == "without a line for it" else [{"id": "pretraining", "kind": "pretraining", **limit}]
    policy = ReleasePolicy.model_validate(
        {
            "signatures": {
                "name": "release",
                "rules": [
                    {"role": "independent-reviewer", "meaning": "review"},
                    {"role": "release-manager", "meaning": "approval"},
                ],
            },
            "gates": [{"id": "criteria", "kind": "criteria"}, *gates],
        }
    )
    starts_of_members = () if facts.record is None else (facts.record,)
    facts.loaded = {one.id: one.passed for one in judge(policy, GateFacts(members=2, starts=starts_of_members))}


@then(parsers.parse('the gate "pretraining" {verdict}'))
def verdict_of_gate(facts: Facts, verdict: str) -> None:
    assert facts.loaded.get("pretraining") is {"passes": True, "fails": False, "is not judged": None}[verdict]


# before the sealing


@given(
    parsers.re("a split project whose training starts from weights that were trained on a folder with (?P<images>.+)")
)
def folder_of_images(facts: Facts, split_project: projects.ProjectFolder, tmp_path: Path, images: str) -> None:
    facts.project = split_project.copy_to(tmp_path / "project")
    facts.services = facts.project.services()
    root, split = facts.project.workspace.root, BoundInputs.of(facts.services).split
    folder = root / "pretraining"
    folder.mkdir()
    if images.startswith("a mirrored"):
        image = np.load(facts.project.workspace.prepared / split.test[0] / "image.npy")
        np.save(folder / "vessel-17.npy", np.ascontiguousarray(image[:, :, ::-1]) * 1.5 + 40)
    if images in {"other images alone", "a file that is no image"}:
        rng = np.random.default_rng(3)
        np.save(folder / "noise.npy", gaussian_filter(rng.random((16, 48, 48)), 2).astype(np.float32))
    if images == "a file that is no image":
        (folder / "read-me.xyz").write_text("words", encoding="utf-8")
    seen = PretrainingSet(name="Other vessels", images="pretraining")
    _chosen(
        facts,
        ForeignWeights(
            weights="foreign.safetensors",
            digest=OTHER,
            trained_on=PretrainingData(status="declared", sets=(seen,)),
        ),
    )


@when("the test part is sealed")
def seal(facts: Facts) -> None:
    assert facts.services is not None
    assert facts.project is not None
    services, ada = facts.services, facts.project.signers["ada"]
    facts.attempt(lambda: sealing.seal(services, ada))


@then(parsers.re("the sealing (?P<ends>is .+)"))
def sealed_or_not(facts: Facts, ends: str) -> None:
    assert facts.project is not None
    assert (facts.project.workspace.root / "data/sealed/manifest.json").is_file() is (ends == "is done")
    if ends == "is done":
        assert facts.error is None
        return
    words = {
        "is refused and names the case and the file": ["vessel-17.npy", "mouse-", "turned"],
        "is refused and names the file": ["read-me.xyz"],
        "is refused because it has no image": ["has no image"],
    }[ends]
    assert all(word in str(facts.error) for word in words), facts.error
