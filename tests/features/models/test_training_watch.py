"""Steps of training_watch.feature: events of trainings without a network, and one real trial run."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.models.training_line import TrainingLine, step_in_words
from minivess.compliance.documents.documents import documents
from minivess.compliance.documents.dossier import Dossier, gather
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.gate_facts import read_gate_facts
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, MinivessError, UsageError, VerificationError
from minivess.foundation.paths import PROJECT_FILE, Workspace
from minivess.observability.lineage.facets import facets_of
from minivess.observability.tracking.listeners import Listeners
from minivess.observability.tracking.phase_spans import PhaseSpans, configured_exporter
from minivess.observability.tracking.training_events import EventFile, EventListener
from minivess.records.data.split import Part
from minivess.records.log.entry import Context
from minivess.records.log.payloads.by_action import check_payload
from minivess.records.log.payloads.models import Training
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_event import EVENTS, Phase, TrainingEvent
from minivess.records.models.training_run import Beat, CaseFigures, Circumstances, RunPart, ValidationPoint
from minivess.workflows.models import ensembles, training
from minivess.workflows.models.trial import inputs_of
from minivess.workflows.models.watching import training_job
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from tests.support import projects
from tests.support.beats import beat
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import TEMPLATES, make_release
from tests.support.command_line import Finished, run_here
from tests.support.verify_script import verify

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

scenarios("training_watch.feature")

MEMBER = "data/models/members/seed-1.json"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Story:
    folder: Path
    beats: list[Beat] = field(default_factory=list)
    shown: str = ""
    seconds: float = 1.0
    begin: Callable[[], object] = lambda: None
    finished: Finished | None = None
    error: MinivessError | None = None
    project: projects.ProjectFolder | None = None
    size: int = 0
    members: dict[Path, int] = field(default_factory=dict)

    def hear(self, listener: EventListener, clock: Clock, beats: list[Beat]) -> None:
        for one in beats:
            clock.now += self.seconds
            listener.beat(one)


def _validated(one: Beat, *classes: str) -> Beat:
    dice: dict[str, float | None] = {name: 0.5 + place / 8 for place, name in enumerate(classes)}
    point = ValidationPoint(step=one.step, dice=dice, mean=0.5, cases=(CaseFigures(case="case-1", dice=dice),))
    return one.model_copy(update={"validation": point})


@given(
    parsers.parse(
        'a training of {steps:d} steps that validates the classes "{first}" and "{second}" at step {validated:d}'
    ),
    target_fixture="story",
)
def _(tmp_path: Path, steps: int, first: str, second: str, validated: int) -> Story:
    beats = [beat(step, steps=steps, learning_rate=0.1) for step in range(1, steps + 1)]
    beats[validated - 1] = _validated(beats[validated - 1], first, second)
    return Story(tmp_path, beats, seconds=0.5)


def _show(story: Story, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    clock = Clock()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(time, "monotonic", clock)
    listener = EventListener([TrainingLine()], seconds=clock)
    listener.started("member-1", {})
    story.hear(listener, clock, story.beats)
    listener.finished({"final_loss": 0.25})
    story.shown = stream.getvalue()


@when("its progress is shown where lines are not drawn again")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    _show(story, io.StringIO(), monkeypatch, 80)


@when(parsers.parse("its progress is shown on a terminal of {columns:d} columns"))
def _(story: Story, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    _show(story, Terminal(), monkeypatch, columns)


@then("a line has step, loss, validation Dice of each class, rate, time left, device and memory")
def _(story: Story) -> None:
    *_, last = (line for line in story.shown.splitlines() if "step 400/400" in line)
    for words in ("loss 1.0000", "artery 0.500, vein 0.625 (step 200)", "2 steps/s", "0 s left", "cpu", "1 MB"):
        assert words in last
    assert "waits for patches 10% of the time" in last
    before = next(line for line in story.shown.splitlines() if "step " in line)
    assert "validation" not in before


@then("a line was written for the validation, for the last step and at most every ten seconds")
def _(story: Story) -> None:
    assert "\x1b" not in story.shown
    lines = story.shown.splitlines()
    assert (lines[0], lines[-1]) == ("member-1: begins", "member-1: finished: final loss 0.25")
    steps = [int(line.split("step ")[1].split("/")[0]) for line in lines[1:-1]]
    assert {200, 400} < set(steps)
    assert 18 <= len(steps) <= 24, "200 seconds were shown"


@then("each step is drawn over the one before, and no line is longer than the terminal")
def _(story: Story) -> None:
    begins, *drawn = story.shown.split("\r\x1b[2K")
    assert begins == "member-1: begins\n"
    assert all(len(line) <= 59 and "\n" not in line for line in drawn[:-1])
    assert drawn[-1].splitlines()[1] == "member-1: finished: final loss 0.25"
    assert 100 <= len(drawn) <= 210, "one a second, and the validation"


@pytest.mark.verifies("REQ-359")
def test_the_name_of_a_class_cannot_move_the_cursor() -> None:
    one = _validated(beat(1), "ar\ntery\x1b[2K")
    assert "ar?tery?[2K 0.500" in step_in_words(one, one.validation)


@given(
    parsers.parse("a training of {steps} steps at {rate:d} steps a second"),
    target_fixture="story",
)
def _(tmp_path: Path, steps: str, rate: int) -> Story:
    total = int(steps.replace(",", ""))
    made = beat(1, steps=total)
    beats = [made.model_copy(update={"step": step}) for step in range(1, total + 1, 5)]
    beats[777] = _validated(beats[777], "artery")
    return Story(tmp_path / "member", beats, seconds=5 / rate)


@when("its events are written to a file")
def _(story: Story) -> None:
    clock = Clock()
    listener = EventListener([EventFile(story.folder)], seconds=clock)
    listener.started("member-1", {})
    story.hear(listener, clock, story.beats)


def _events(story: Story) -> list[TrainingEvent]:
    text = (story.folder / EVENTS).read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [TrainingEvent.model_validate_json(line) for line in text.splitlines()]


@then("the file has at most one step a second, and each validation")
def _(story: Story) -> None:
    beats = [event.beat for event in _events(story) if event.beat is not None]
    assert 1_800 <= len(beats) <= 2_002
    [validated] = [one.validation for one in beats if one.validation is not None]
    assert (validated.step, validated.cases) == (story.beats[777].step, ())
    assert beats[-1].step >= 99_900


@when("the process is killed while it writes a line, and the run continues")
def _(story: Story) -> None:
    with (story.folder / EVENTS).open("ab") as stream:
        stream.write(b'{"event":"step","time":"2026-')
    listener = EventListener([EventFile(story.folder)])
    listener.started("member-1", {}, resumes="run-1")
    listener.beat(story.beats[-1])
    listener.failed()


@then("every line of the file is a whole event")
def _(story: Story) -> None:
    events = _events(story)
    assert [event.event for event in events[-3:]] == ["resumed", "step", "failed"]
    assert events[0].event == "started"


@given("a project without a training", target_fixture="story")
def _(tmp_path: Path) -> Story:
    (tmp_path / PROJECT_FILE).write_text("", encoding="utf-8")
    return Story(tmp_path)


@given("a project in which another process trains and has made 7 steps", target_fixture="story")
def _(tmp_path: Path, request: pytest.FixtureRequest) -> Story:
    (tmp_path / PROJECT_FILE).write_text("", encoding="utf-8")
    ready, orders = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        _train_elsewhere(tmp_path, ready[1], orders[0])
    os.read(ready[0], 1)

    def end() -> None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for descriptor in (*ready, *orders):
            os.close(descriptor)

    request.addfinalizer(end)
    return Story(tmp_path, begin=lambda order=b"w": os.write(orders[1], order))


def _train_elsewhere(folder: Path, ready: int, orders: int) -> None:
    """Make steps until an order comes, and then one more step and the end that is ordered."""
    code = 1
    try:
        with training_job(Workspace(folder)):
            listener = EventListener([EventFile(folder / "models/members/seed-1")])
            listener.started("member-1", {})
            for step in range(1, 8):
                listener.beat(_validated(beat(step, steps=9), "artery"))
            os.write(ready, b"r")
            order = os.read(orders, 1)
            time.sleep(0.8)  # the follower begins meanwhile
            listener.beat(_validated(beat(8, steps=9), "vein"))
            if order == b"k":
                os.kill(os.getpid(), signal.SIGKILL)
            if order == b"f":
                listener.failed()
                raise ValueError("a training that fails")
            listener.finished({"final_loss": 0.5})
        code = 0
    finally:
        os.write(ready, b"e")
        os.read(orders, 1)
        os._exit(code)


@given("a person follows it without a key")
def _(story: Story) -> None:
    assert not list(story.folder.glob("keystore/*"))


@when(parsers.parse("the training {happens}"))
def _(story: Story, happens: str) -> None:
    story.begin({"ends": b"e", "fails": b"f", "is killed": b"k"}[happens])  # type: ignore[call-arg]
    story.finished = run_here("train", "--watch", folder=story.folder)


@then(parsers.parse("the follower sees the steps and that it {ended} with exit code {code:d}"))
def _(story: Story, ended: str, code: int) -> None:
    assert story.finished is not None
    assert story.finished.code == code, story.finished
    assert f"the training {ended}: member-1 at step 8 of 9" in story.finished.out
    seen = [line for line in story.finished.err.splitlines() if "step " in line]
    assert ["step 7/9" in seen[0], "artery 0.500" in seen[0]] == [True, True]
    assert ["step 8/9" in seen[-1], "vein 0.500" in seen[-1]] == [True, True]
    again = run_here("train", "--watch", "--json", folder=story.folder)
    assert again.code == code
    assert json.loads(again.out)["step"] == 8
    lines = [line for line in again.err.splitlines() if line.startswith("{")]
    assert TrainingEvent.model_validate_json(lines[0]).beat is not None


@when('"minivess train --watch" is run')
def _(story: Story) -> None:
    story.finished = run_here("train", "--watch", folder=story.folder)


@then("it reports that no training has begun, with exit code 2")
def _(story: Story) -> None:
    assert story.finished is not None
    assert story.finished.code == 2
    assert "no training has begun in this project" in story.finished.err


@when("a training of the project begins")
def _(story: Story, started_project: projects.ProjectFolder) -> None:
    copy = started_project.copy_to(story.folder / "copy")
    (copy.workspace.root / "models").symlink_to(story.folder / "models")
    with copy.services() as services, pytest.raises(MinivessError) as caught:
        training.train(services, copy.signers["ada"])
    story.error = caught.value


@then("it is refused, and it names the way to follow the other one")
def _(story: Story) -> None:
    assert story.error is not None
    assert story.error.message == "another process trains this project"
    assert "minivess train --watch" in story.error.hint


@given("a sealed project with the record of a trial run", target_fixture="story")
def _(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Story:
    project = sealed_project.copy_to(tmp_path / "project")
    models = project.workspace.models
    run = RunRecord.model_validate_json((models / "members/seed-0/run.json").read_bytes())
    (models / "smoke").mkdir()
    marked = run.model_copy(update={"smoke": True}).model_dump_json()
    (models / "smoke/run.json").write_text(marked, encoding="utf-8")
    return Story(tmp_path, project=project)


@when("its files are copied to the place of a member")
def _(story: Story) -> None:
    assert story.project is not None
    models = story.project.workspace.models
    shutil.copy(models / "smoke/run.json", models / "members/seed-0/run.json")


@when("an entry of a training names these files")
def _(story: Story) -> None:
    assert story.project is not None
    with story.project.services() as services, recorded(services, "training", story.project.signers["ada"]) as record:
        name = "models/members/seed-0/run.json"
        record.output(name, story.project.workspace.root / name)
        record.payload(architecture="segresnet", steps=1, final_loss=0.5)


def _combine(story: Story) -> str:
    assert story.project is not None
    with story.project.services() as services, pytest.raises(MinivessError) as caught:
        ensembles.combine(services, story.project.signers["ada"])
    return caught.value.message


@then("the members cannot be combined")
def _(story: Story) -> None:
    assert "is not the file that entry" in _combine(story)


@then("the members cannot be combined, because one is a trial run")
def _(story: Story) -> None:
    assert "member 0 is a trial run" in _combine(story)


@given("a release in which the record of a member is marked as a trial run", target_fixture="files")
def _() -> dict[str, bytes]:
    files = small_pack().files
    return {**files, MEMBER: canonical({**json.loads(files[MEMBER]), "smoke": True})}


@then("both verifiers refuse it and name the record")
def _(files: dict[str, bytes]) -> None:
    entries = small_pack().log.facts.entries
    told = f"{MEMBER} is a trial run, which is never released"
    with pytest.raises(VerificationError, match=told):
        read_gate_facts(files, entries)
    read_gate_facts({**files, MEMBER: small_pack().files[MEMBER]}, entries)
    opened = verify.Pack(files, None)
    opened.check_log()
    opened.check_layout()
    opened.release.check_chain()
    opened.release.check_figures()
    with pytest.raises(verify.WrongError, match=told):
        opened.release.check_gates()


@given("a sealed project", target_fixture="story")
def _(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Story:
    project = sealed_project.copy_to(tmp_path / "project")
    with project.services() as services:
        size = services.log.size
    return Story(tmp_path, project=project, size=size, members=_times(project))


def _times(project: projects.ProjectFolder) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in project.workspace.models.glob("members/*/*")}


@when('"minivess train --smoke" is run without a passphrase')
def _(story: Story) -> None:
    assert story.project is not None
    story.finished = run_here("train", "--smoke", "--json", folder=story.project.workspace.root)


@then('weights, events and a marked record are in "models/smoke"')
def _(story: Story) -> None:
    assert story.project is not None
    assert story.finished is not None
    assert story.finished.code == 0, story.finished.err
    [shown] = json.loads(story.finished.out)
    folder = story.project.workspace.models / "smoke"
    assert {"run.json", "weights.safetensors", EVENTS} <= {path.name for path in folder.iterdir()}
    run = RunRecord.model_validate_json((folder / "run.json").read_bytes())
    assert (run.smoke, shown["smoke"], shown["weights"]) == (True, True, run.weights)
    assert 16 <= run.steps * run.training.batch * run.training.accumulate < 32
    events = [json.loads(line) for line in story.finished.err.splitlines() if line.startswith("{")]
    assert [event["event"] for event in (events[0], events[-1])] == ["started", "finished"]


@then("the log has no entry more, and no member was made")
def _(story: Story) -> None:
    assert story.project is not None
    assert _times(story.project) == story.members
    with story.project.services() as services:
        assert services.log.size == story.size


@dataclass
class Tracker:
    """A listener that remembers, and that fails at a step."""

    fails_at: int | None = None
    heard: list[str] = field(default_factory=list)

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        self._step(0, "started")
        return "" if self.fails_at is None else "run-1"

    def phase(self, phase: Phase) -> None:
        self.heard.append(phase)

    def beat(self, beat: Beat) -> None:
        self._step(beat.step, f"step {beat.step}")

    def artifact(self, path: Path) -> None:
        self.heard.append(path.name)

    def finished(self, metrics: dict[str, float]) -> None:
        self.heard.append("finished")

    def failed(self) -> None:
        self.heard.append("failed")

    def _step(self, step: int, words: str) -> None:
        if self.fails_at is not None and step >= self.fails_at:
            raise CouldNotCheckError("the server does not answer")
        self.heard.append(words)


@given("a tracker that fails after the second step, and one that does not", target_fixture="trackers")
def _() -> list[Tracker]:
    return [Tracker(3), Tracker()]


@given("a tracker that is out of reach, and one that is not", target_fixture="trackers")
def _() -> list[Tracker]:
    return [Tracker(), Tracker(0)]


@when("both hear a training of 5 steps")
def _(trackers: list[Tracker], caplog: pytest.LogCaptureFixture) -> None:
    both = Listeners(trackers)
    assert both.started("member-1", {}) == "run-1"
    both.phase("train")
    for step in range(1, 6):
        both.beat(beat(step))
    both.artifact(Path("curves.json"))
    both.finished({"final_loss": 0.5})


@then("the other one heard everything, and a warning names the reason once")
def _(trackers: list[Tracker], caplog: pytest.LogCaptureFixture) -> None:
    steps = [f"step {step}" for step in range(1, 6)]
    assert trackers[1].heard == ["started", "train", *steps, "curves.json", "finished"]
    [warning] = caplog.messages
    assert "the server does not answer" in warning


@then("the tracker that failed hears of the end")
def _(trackers: list[Tracker]) -> None:
    assert trackers[0].heard == ["started", "train", "step 1", "step 2", "finished"]


@when("a training begins with both")
def _(trackers: list[Tracker]) -> None:
    with pytest.raises(CouldNotCheckError, match="does not answer"):
        Listeners(trackers).started("member-1", {})


@then("it is refused, and the other one hears that the training failed")
def _(trackers: list[Tracker]) -> None:
    assert [one.heard for one in trackers] == [["started", "failed"], []]


@given("a collector of spans", target_fixture="collector")
def _() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@when("a training prepares, trains, validates, trains, saves and ends well")
def _(collector: InMemorySpanExporter) -> None:
    spans = PhaseSpans(collector)
    spans.started("member-1", {"seed": 1, "steps": 9, "start": "/home/ada/weights"}, resumes="run-1")
    for number, phase in enumerate(("prepare", "train", "validate", "train", "save")):
        spans.phase(phase)
        spans.beat(_validated(beat(number + 1), "artery"))
    spans.artifact(Path("/home/ada/case-1.png"))
    spans.finished({"final_loss": 0.5})
    spans.failed()


@then("the collector has a span of each phase, in order, below the span of the training")
def _(collector: InMemorySpanExporter) -> None:
    *phases, run = collector.get_finished_spans()
    assert [span.name for span in phases] == ["prepare", "train", "validate", "train", "save"]
    assert {span.parent.span_id for span in phases} == {run.context.span_id}
    assert (run.name, run.status.status_code.name, run.parent) == ("training", "OK", None)
    expected = {"minivess.run": "member-1", "minivess.resumed": True, "minivess.seed": 1, "minivess.steps": 9}
    assert run.attributes == {**expected, "minivess.final_loss": 0.5}
    assert phases[3].attributes == {"minivess.step": 4}


@then("no span has the name of a case or a path")
def _(collector: InMemorySpanExporter) -> None:
    text = " ".join(span.to_json() for span in collector.get_finished_spans())
    assert "case-1" not in text
    assert "/home" not in text


@given("an environment without an endpoint of OpenTelemetry", target_fixture="environment")
def _() -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_SERVICE_NAME": "mine"}


@when("the exporter of spans is asked for", target_fixture="exporter")
def _(environment: dict[str, str]) -> object:
    return configured_exporter(environment)


@then("there is none")
def _(exporter: object) -> None:
    assert exporter is None


CPU = Circumstances(device="cpu", threads=2, memory_format="contiguous", torch="2.13")
GPU = CPU.model_copy(update={"device": "NVIDIA H200", "not_repeatable": ("max_pool3d",)})


@given("a run of two parts, the second on a GPU with an operation that is not repeatable", target_fixture="run")
def _() -> RunRecord:
    parts = (
        RunPart(first_step=1, last_step=60, where=CPU, seconds=10.5),
        RunPart(first_step=61, last_step=150, where=GPU, seconds=2.25),
    )
    return RunRecord(
        seed=1,
        model=SegResNetSpec(),
        training=TrainingSpec(),
        data=digest_bytes(b"cases"),
        weights=digest_bytes(b"weights"),
        steps=150,
        final_loss=0.5,
        device="NVIDIA H200",
        seconds=12.75,
        parts=parts,
        validation={"artery": 0.875, "vein": None},
    )


@when("it is recorded", target_fixture="payload")
def _(run: RunRecord) -> dict[str, Any]:
    return Training.of(run).model_dump(mode="json")


@then("its entry states both parts, that it is not repeatable, and the validation Dice of each class")
def _(payload: dict[str, Any], run: RunRecord) -> None:
    assert [part["where"]["device"] for part in payload["parts"]] == ["cpu", "NVIDIA H200"]
    assert payload["repeatable"] is False
    assert payload["validation"] == {"artery": 0.875, "vein": None}
    check_payload("training", payload, complete=True)
    on_cpu = run.model_copy(update={"parts": run.parts[:1], "validation": None})
    assert Training.of(on_cpu).repeatable is True
    before = Training.of(on_cpu.model_copy(update={"parts": ()})).model_dump(mode="json")
    assert before == {"architecture": "segresnet", "steps": 150, "final_loss": 0.5}


@then("its lineage event states 2 parts, both devices and the same Dice")
def _(payload: dict[str, Any]) -> None:
    facet = facets_of("training", payload, Context())["minivess_training"]
    assert (facet["parts"], facet["devices"], facet["repeatable"]) == (2, ["cpu", "NVIDIA H200"], False)
    assert facet["validation"] == {"artery": 0.875}


@then("verify.py accepts the entry, and refuses it with a Dice above 1")
def _(payload: dict[str, Any]) -> None:
    body = {"action": "training", "payload": {}, "details": "sha256:0", "outcome": "completed"}
    verify.check_payload(body, payload)
    changes: tuple[dict[str, Any], ...] = (
        {"validation": {"artery": 1.5}},
        {"repeatable": 1},
        {"parts": [{}]},
        {"more": 1},
    )
    for change in changes:
        with pytest.raises(verify.WrongError):
            verify.check_payload(body, {**payload, **change})
        with pytest.raises(UsageError):
            check_payload("training", {**payload, **change}, complete=True)


@given("a release whose members have a validation Dice of 0.80 and 0.86", target_fixture="dossier")
def _(tmp_path: Path) -> Dossier:
    made = gather(make_release(tmp_path).inputs())
    runs = (
        run.model_copy(update={"validation": {"vessel": dice}})
        for run, dice in zip(made.runs, (0.8, 0.86), strict=True)
    )
    return replace(made, runs=tuple(runs))


@when("its documents are made", target_fixture="card")
def _(dossier: Dossier) -> str:
    unchanged = replace(dossier, runs=tuple(run.model_copy(update={"validation": None}) for run in dossier.runs))
    assert "Validation Dice" not in documents(Renderer(TEMPLATES), unchanged)["model-card.html"]
    return documents(Renderer(TEMPLATES), dossier)["model-card.html"]


@then(parsers.parse('the model card has the Dice of each member, and "{words}"'))
def _(card: str, words: str) -> None:
    assert words in card
    assert ["<td>vessel 0.800</td>" in card, "<td>vessel 0.860</td>" in card] == [True, True]


@then("the spread is beside the Dice of the test set")
def _(card: str) -> None:
    row = next(line for line in card.splitlines() if '<th scope="row">Dice' in line and "validation" in line)
    assert "Over the seeds of 2 members the Dice of the validation in training was 0.800 to 0.860" in row
    assert card.count("Over the seeds of") == 1


@given("a sealed project without its log and its keys", target_fixture="workspace")
def _(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Workspace:
    copy = sealed_project.copy_to(tmp_path / "project").workspace
    shutil.rmtree(copy.evidence)
    shutil.rmtree(copy.keystore)
    return copy


@when("a trial run looks for its cases", target_fixture="inputs")
def _(workspace: Workspace) -> BoundInputs:
    return inputs_of(workspace)


@then("they are the cases of the split")
def _(inputs: BoundInputs, sealed_project: projects.ProjectFolder) -> None:
    with sealed_project.services() as services:
        logged = BoundInputs.of(services)
    assert (inputs.manifest, inputs.split, inputs.task) == (logged.manifest, logged.split, logged.task)
    assert [case.record.id for case in inputs.cases(Part.TRAIN)] == list(logged.split.train)


@when("its manifest is changed")
def _(workspace: Workspace) -> None:
    path = workspace.root / "data/manifest.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"unit":"um"', '"unit":"px"').replace('"unit": "um"', '"unit": "px"'),
        encoding="utf-8",
    )


@then("the trial run refuses it")
def _(workspace: Workspace) -> None:
    with pytest.raises(VerificationError, match="does not match its cases"):
        _ = inputs_of(workspace).manifest


@when('"minivess init device" is run')
def _(tmp_path: Path) -> None:
    assert run_here("init", "device", folder=tmp_path).code == 0


@then('its workflow of continuous integration runs "minivess train --smoke"')
def _(tmp_path: Path) -> None:
    workflow = yaml.safe_load((tmp_path / "device/.github/workflows/training.yml").read_text(encoding="utf-8"))
    assert [step.get("run") for step in workflow["jobs"]["smoke"]["steps"]][-1] == "minivess train --smoke"
