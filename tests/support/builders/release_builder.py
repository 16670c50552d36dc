"""A whole small release: source tree, workspace files and a log under action table 2 that names each of them.

Nothing is trained and nothing is invented: figures follow from the counts of the cases, every file is the output of its
entry, and every entry names those it rests on. `Release.build` writes the pack as `minivess release build` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.identity.keys import generate, raw_x25519
from minivess.compliance.identity.signer import Signer
from minivess.compliance.items.items import load_items
from minivess.compliance.pack.pack import BuiltPack, PreparedPack, build_pack, prepare_pack
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.release.chain import check_chain, propose_chain
from minivess.compliance.release.gates import judge, load_policy
from minivess.compliance.release.gating.counted_kinds import COUNTED_KINDS
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.rules.log_facts import LogFacts, read_log
from minivess.compliance.rules.look_facts import criteria_digest, input_of
from minivess.compliance.rules.references import References, is_link
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.tree import Tree
from minivess.foundation.digests import digest_bytes
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import environment_digest, tree_digest
from minivess.observability.lineage.entry_events import event_of
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest, LabelClass
from minivess.records.data.seal import SealedFile, SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.device.preparation import Tool
from minivess.records.device.project import Project
from minivess.records.device.registration import SealTerms
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.evaluation.acceptance_criteria import judge as judge_criteria
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import Distance
from minivess.records.evaluation.evaluation import (
    BOOTSTRAP_UNIT,
    FAILURE_DICE,
    INTERVALS,
    MASKS,
    SCORED,
    STATISTICS,
    AnalysisPlan,
    Conventions,
    Criterion,
    EvaluationRecord,
    Looks,
    level_of_all,
)
from minivess.records.items.items import Requirement
from minivess.records.items.trace import RecordedResult, ResultReport
from minivess.records.log.entry import Context, Details, Entry, Outcome
from minivess.records.models.ensemble import EnsembleMember, EnsembleRecord
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, ClassCalibration, RunRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.start import StartRecord
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.people.approval import UnsealRequest
from minivess.records.people.roles import Role
from minivess.records.references import CHAIN_ACTIONS
from tests.support.builders import pack_builder as logs
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.exports import export_record
from tests.support.builders.guarded_log import GuardedLog, grant
from tests.support.source_states import DIFF, LOADED, PARTS, clean_state
from tests.support.tiny_tree import FILES, write_tree

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates"
POLICY = ROOT / "release" / "policy.yaml"
SHA = "0123456789abcdef" * 4
VERSION = "1.0.0"

LOCK = f"""\
version = 1
revision = 5
requires-python = ">=3.12"

[[package]]
name = "click"
version = "8.3.0"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "colorama", marker = "sys_platform == 'win32'" }}]
sdist = {{ url = "https://files.example/click-8.3.0.tar.gz", hash = "sha256:{SHA}" }}
wheels = [{{ url = "https://files.example/click-8.3.0-py3-none-any.whl", hash = "sha256:{SHA[::-1]}" }}]

[[package]]
name = "colorama"
version = "0.4.6"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://files.example/colorama-0.4.6-py2.py3-none-any.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "torch"
version = "2.11.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://files.example/torch-2.11.0.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "pytest"
version = "9.0.0"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "colorama" }}]
wheels = [{{ url = "https://files.example/pytest-9.0.0.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "thing"
version = "0.1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "click" }}]

[package.optional-dependencies]
ml = [{{ name = "torch" }}]

[package.dev-dependencies]
dev = [{{ name = "pytest" }}, {{ name = "thing", extra = ["ml"] }}]
"""

REQUIREMENTS = FILES["requirements/all.yaml"].replace(
    "The software shall add.", "The software shall add </script><b>numbers</b> & nothing else."
)

PROJECT: dict[str, Any] = {
    "device": {
        "name": "vessel-segmenter",
        "version": VERSION,
        "manufacturer": "Example Devices",
        "intended_use": "Delineates vessels in two-photon volumes <for research>.",
        "safety_class": "B",
    },
    "data": {
        "name": "synthetic",
        "licence": "Apache-2.0",
        "source": "the generator",
        "synthetic": {"subjects": 5, "seed": 3},
    },
    "evaluation": {"criteria": [{"measure": "dice", "at_least": 0.85}]},
}


PLAN = AnalysisPlan(
    mask_threshold=0.5,
    conventions=Conventions(
        tolerance=2.0,
        unit="um",
        bootstrap=200,
        bootstrap_unit=BOOTSTRAP_UNIT,
        statistics=STATISTICS,
        failure_dice=FAILURE_DICE,
    ),
    intervals=INTERVALS[STATISTICS],
    seed=0,
    looks=Looks(),
    criteria=(Criterion(measure="dice", at_least=0.85),),
)
TWO_CLASSES = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein")))
"""Arteries and veins in volumes of one channel."""
FLAT = SegmentationTask(axes="yx", channels=3)
"""One class in colour pictures of unknown size."""


def plan_for(task: SegmentationTask, *, scored: bool = False) -> AnalysisPlan:
    """The plan of a task; with several classes it has a criterion of the last one too. `scored`: with scores."""
    plan = PLAN.model_copy(update={"scores": SCORED}) if scored else PLAN
    if task.axes == "yx":
        return plan.model_copy(update={"conventions": plan.conventions.model_copy(update={"unit": "px"})})
    if task.one_class:
        return plan
    criteria = (*plan.criteria, Criterion(measure="cldice", of_class=task.classes[-1].name, at_least=0.8))
    return plan.model_copy(update={"criteria": criteria, "mask": MASKS["several"]})


_WITHOUT_RUN = ("log.", "identity.", "roots.", "rules.")
"""Actions that have no lineage."""


@dataclass
class ReleaseLog(GuardedLog):
    """A log whose entries have lineage runs and name the entries that made their inputs, as `recorded` makes them."""

    known: References = field(default_factory=References)

    def append(self, signer: Signer, action: str, payload: dict[str, Any], /, **changes: Any) -> Entry:
        if not action.startswith(_WITHOUT_RUN):
            run = UUID(
                int=(1 << 120) + len(self.entries)
                if changes.get("started") is None
                else (1 << 120) + changes["started"]
            )
            changes["context"] = (changes.get("context") or Context()).model_copy(update={"openlineage_run": run})
        outcome = changes.get("outcome", Outcome.COMPLETED)
        if action in CHAIN_ACTIONS and outcome is Outcome.COMPLETED:
            inputs = tuple(changes.get("inputs", ()))
            made = (self.known.artifact(index) for index in self.known.makers_of(inputs))
            changes["inputs"] = (*inputs, *(one for one in made if one not in inputs))
        entry = super().append(signer, action, payload, **changes)
        if is_link(entry.body):
            self.known = self.known.extend(entry.body)
        return entry

    def rest(self, *actions: str) -> tuple[Artifact, ...]:
        """The newest completed entries of these actions, as inputs."""
        return tuple(self.known.artifact(self.reference(action)["index"]) for action in actions)

    def events(self) -> bytes:
        """The lineage events of its entries, one a line."""
        lines = []
        for entry, details in zip(self.entries, self.details, strict=True):
            event = event_of(entry.body, None if details is None else Details.model_validate_json(details))
            lines += [] if event is None else [canonical(event) + b"\n"]
        return b"".join(lines)

    def copy(self) -> ReleaseLog:
        """The same log, to be continued apart."""
        return replace(self, entries=list(self.entries), details=list(self.details))

    @property
    def facts(self) -> LogFacts:
        """The log as commands read it."""
        return read_log(self.lines, self.checkpoint, self.details)


@dataclass(frozen=True)
class People:
    """Who makes the release."""

    developer: Signer
    reviewer: Signer
    manager: Signer


def people(*, demo: bool = False) -> People:
    """Ada, Ben and Cleo; with demo keys Ada, Rosa and Max."""
    if not demo:
        return People(logs.ada(), logs.ben(), logs.cleo())
    return People(
        logs.person("ada", "Ada Lovelace", Role.DEVELOPER, demo=True),
        logs.person("rosa", "Rosa Review", Role.REVIEWER, demo=True),
        logs.person("max", "Max Release", Role.RELEASE_MANAGER, demo=True),
    )


@cache
def own_policy() -> ReleasePolicy:
    """The release policy of this project, without the gates on what a tool counts in a source tree."""
    known = load_policy(POLICY)
    return known.model_copy(update={"gates": tuple(one for one in known.gates if one.kind not in COUNTED_KINDS)})


@cache
def policy_of_release() -> ReleasePolicy:
    """The release policy of a made release."""
    return own_policy()


@dataclass
class Release:
    """Everything a pack is made from, and what can be bent before it is built."""

    source: Path
    workspace: Workspace
    log: ReleaseLog
    facts: GateFacts
    people: People
    version: str = VERSION
    """Of the device that is released."""
    policy: ReleasePolicy = field(default_factory=policy_of_release)
    """That was registered."""
    prepared: ReleaseLog | None = None
    """The log of the last pack: `log` as it was, with the preparation."""

    def record(self, report: ResultReport) -> None:
        """Other results, in the workspace and in the log."""
        self.facts = self.facts.model_copy(update={"report": report})
        passed = sum(result.outcome == "passed" for result in report.results)
        self.log.append(
            self.people.developer,
            "scenarios",
            {"passed": passed, "failed": len(report.results) - passed, "skipped": 0, "tree": report.tree},
            outputs=_put(self.workspace, {"verification/results.json": report}),
        )

    def inputs(self, **changes: Any) -> PackInputs:
        """The inputs as they are now."""
        source = self.facts.source
        assert source is not None
        policy, results = self.policy, self.workspace.results
        log = self.log.facts
        tree = Tree.read(self.source, today=logs.BEGIN.date(), results=results if results.is_file() else None)
        project = Project.model_validate(PROJECT | {"device": PROJECT["device"] | {"version": self.version}})
        made = PackInputs(
            project=project,
            workspace=self.workspace,
            tree=tree,
            log=log,
            chain=check_chain(log.entries, propose_chain(log.entries, self.version), self.version, None),
            story=story_of(tree, log),
            policy=policy,
            gates=judge(policy, self.facts),
            time=logs.BEGIN,
            templates=TEMPLATES,
            tool=Tool(name="minivess", version="0.2.0"),
            events=self.log.events(),
            commit="a" * 40,
            dirty=False,
            source_state=source,
            uncommitted=None if source.uncommitted is None else DIFF,
        )
        return replace(made, **changes)

    def build(self, out: Path, **changes: Any) -> BuiltPack:
        """Build the pack. The log of the release does not grow; `prepared` is the one in the pack."""
        ready = prepare_pack(self.inputs(**changes))
        log = self.prepare(ready)
        return build_pack(ready, log.facts, log.events(), out)

    def prepare(self, ready: PreparedPack) -> ReleaseLog:
        """The log with the preparation. Signatures are randomised, so the same preparation is signed once."""
        said = ready.prepared.model_dump(mode="json")
        before = self.prepared
        if before is None or before.entries[:-1] != self.log.entries or before.entries[-1].body.payload != said:
            self.prepared = self.log.copy()
            model = ready.dossier.inputs.chain.model
            self.prepared.append(self.people.manager, "release.prepare", said, context=Context(model=model))
        assert self.prepared is not None
        return self.prepared


def write_source(folder: Path) -> Path:
    """A source tree without a gap."""
    return write_tree(folder, {"uv.lock": LOCK, "requirements/all.yaml": REQUIREMENTS})


def make_release(
    folder: Path,
    *,
    source: Path | None = None,
    cases: int = 3,
    demo: bool = False,
    start: StartRecord | None = None,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    contract: bool = True,
    scored: bool = False,
    policy: ReleasePolicy | None = None,
) -> Release:
    """A release in which every gate holds.

    Args:
        folder: an empty folder.
        source: an existing source tree; default: a tiny one of its own.
        cases: how many test cases were evaluated.
        demo: whether people have demo keys.
        start: the weights that member 1 started from; default: those of its seed.
        task: channels, axes and classes of the cases and of the model.
        contract: whether the record of the export is the model; without it the graph is, as in logs of before.
        scored: whether cases have scores of their probabilities, a shape and a spacing.
        policy: of the release; default: that of this project.
    """
    policy = policy or policy_of_release()
    tree = source or write_source(folder / "source")
    workspace, team, log = Workspace(folder / "workspace"), people(demo=demo), ReleaseLog()
    developer, manager = team.developer, team.manager
    log.create(manager)
    for who in (developer, team.reviewer):
        log.enrol(manager, who)
    tested = [f"case-{n:02}" for n in range(cases)]
    _data(workspace, log, team, tested, task)
    export = _models(workspace, log, developer, start, task, contract=contract)
    _register(workspace, log, team, plan_for(task, scored=scored), policy)
    evaluation = _look(workspace, log, team, tested, task, contract=contract, scored=scored, policy=policy)
    report = _report(tree)
    log.append(developer, "risk.drill", {"noticed": 1, "unnoticed": 0, "tree": report.tree})
    facts = GateFacts(
        evaluation=evaluation,
        unmet=(),
        registered=1,
        export=export,
        members=2,
        starts=() if start is None else (start,),
        gaps=gaps_of(tree, report) if source is None else (),
        risks=RiskFile.load(tree).residual(),
        openings=1,
        undisposed=(),
        runs=2,
        undelivered=(),
        lineage_runs=9,
        report=report,
        requirements=len(load_items(tree).of(Requirement)),
        source=clean_state(tree),
    )
    made = Release(tree, workspace, log, facts, team, policy=policy)
    made.record(report)
    return made


def gaps_of(tree: Path, report: ResultReport | None) -> tuple[str, ...]:
    """The gaps of a tree in the words of the gate."""
    return tuple(f"{gap.source.path}:{gap.source.line} {gap.message}" for gap in TraceGraph.load(tree, report).gaps())


_PLACES = {"evaluation/": "evidence/evaluation/", "verification/": "evidence/verification/"}
"""Where files are in the workspace whose entries name them otherwise."""


def _put(workspace: Workspace, files: dict[str, Record | bytes]) -> list[Artifact]:
    """Write files, and name them as entries do."""
    made = []
    for name, value in files.items():
        content = value if isinstance(value, bytes) else value.model_dump_json(indent=2).encode("utf-8")
        folder = next((prefix for prefix in _PLACES if name.startswith(prefix)), "")
        path = workspace.root / (_PLACES.get(folder, "") + name.removeprefix(folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        made.append(Artifact(name=name, digest=digest_bytes(content)))
    return made


def _artifact(log: ReleaseLog, action: str, name: str) -> Artifact:
    """An output of the newest completed entry of an action."""
    body = log.entries[log.reference(action)["index"]].body
    return next(one for one in body.outputs if one.name == name)


def _data(workspace: Workspace, log: ReleaseLog, team: People, tested: Sequence[str], task: SegmentationTask) -> None:
    names = [(name, name.replace("case", "mouse")) for name in tested]
    names += [(f"train-{n}", f"rat-{n}") for n in range(6)]
    cases = tuple(
        CaseRecord(
            id=name,
            subject=subject,
            acquisition=name,
            axes="zyx" if task.axes == "zyx" else "yxc",
            shape=(48, 96, 96) if task.axes == "zyx" else (960, 960, task.channels),
            spacing=(2.0, 1.0, 1.0) if task.axes == "zyx" else (1.0, 1.0),
            unit="um" if task.axes == "zyx" else "px",
            classes=task.classes,
            modality="two-photon microscopy",
            image=digest_bytes(name.encode()),
            label=digest_bytes(subject.encode()),
            source_dtype="float32",
            label_values=(0, *(one.value for one in task.classes)),
            foreground_fraction=0.061,
        )
        for name, subject in sorted(names)
    )
    manifest = DatasetManifest(
        name="synthetic", licence="Apache-2.0", source="the generator", cases=cases, root=digest_bytes(b"root")
    )
    report = ValidationReport(dataset=manifest.root, rules=("spacing", "leakage", "empty-mask"), findings=())
    split = SplitManifest(
        dataset=manifest.root,
        seed=0,
        train=tuple(f"train-{n}" for n in range(4)),
        calibration=("train-4", "train-5"),
        test=tuple(tested),
        root=digest_bytes(b"split"),
    )
    holder = team.reviewer.identity.id
    sealed = SealManifest(
        split=split.root,
        files=tuple(
            SealedFile(case=name, kind=kind, commitment=digest_bytes(b"c"), sealed=digest_bytes(b"s"), size=9)
            for name in split.test
            for kind in ("image", "label")
        ),
        wrapped_keys={holder: ("AAAA",)},
        root=digest_bytes(b"seal"),
    )
    terms = SealTerms(
        split=split.root,
        looks=PLAN.looks.total,
        level=level_of_all(PLAN.looks.total),
        groups=digest_of({case.id: case.id for case in cases}),
        unit=BOOTSTRAP_UNIT,
        statistics=STATISTICS,
    )
    counts = {"rules": 3, "notes": 0, "warnings": 0, "blocking": 0}
    parts = {"train": 4, "calibration": 2, "test": len(split.test)}
    seal = {
        "files": len(sealed.files),
        "approvers": [holder],
        "root": sealed.root,
        "terms": terms.model_dump(mode="json"),
    }
    for action, payload, name, value, read in (
        ("data.ingest", {"dataset": "synthetic", "cases": len(cases)}, "data/manifest.json", manifest, ()),
        ("data.validate", counts, "data/validation.json", report, ("data.ingest",)),
        ("data.split", parts, "data/split.json", split, ("data.ingest", "data.validate")),
        ("data.seal", seal, "data/sealed/manifest.json", sealed, ("data.split",)),
    ):
        inputs = [one for maker in read for one in log.entries[log.reference(maker)["index"]].body.outputs]
        log.append(team.developer, action, payload, inputs=inputs, outputs=_put(workspace, {name: value}))


def _models(
    workspace: Workspace,
    log: ReleaseLog,
    developer: Signer,
    start: StartRecord | None,
    task: SegmentationTask,
    *,
    contract: bool,
) -> ExportRecord:
    spec, training, split = SegResNetSpec(), TrainingSpec(), _artifact(log, "data.split", "data/split.json")
    runs = {seed: _train(workspace, log, developer, seed, start if seed else None) for seed in (0, 1)}
    begun = log.append(developer, "training", {}, outcome=Outcome.STARTED, inputs=(split,), context=Context(seed=7))
    log.append(
        developer,
        "training",
        {},
        outcome=Outcome.FAILED,
        started=begun.body.index,
        inputs=(split,),
        error="the disk was full",
        context=Context(seed=7),
    )
    _dispose(log, developer, begun.body.index, "failed", "the disk was full")
    _train(workspace, log, developer, 9)
    _dispose(log, developer, len(log.entries) - 1, "discarded", "a third member changes nothing")
    ensemble = EnsembleRecord(
        model=spec,
        members=tuple(EnsembleMember(seed=seed, weights=run.weights) for seed, run in runs.items()),
        task=task,
        preprocessing=Preprocessing.of(task),
    )
    records = [one for body in _trained(log, training.members) for one in body.outputs]
    weights = [Artifact(name=f"models/members/seed-{seed}/weights", digest=run.weights) for seed, run in runs.items()]
    log.append(
        developer,
        "ensemble",
        {"members": 2, "rule": ensemble.rule},
        inputs=(*weights, *records),
        outputs=_put(workspace, {"models/ensemble.json": ensemble}),
    )
    combined = _artifact(log, "ensemble", "models/ensemble.json")
    calibration = CalibrationRecord(
        temperature=1.31,
        ece_before=0.034,
        ece_after=0.018,
        band_ece_before=0.09,
        band_ece_after=0.061,
        threshold=0.312 if task.one_class else None,
        target_recall=0.5,
        achieved_recall=0.94 if task.one_class else None,
        cases=("train-4", "train-5"),
        method="conformal risk control (MAPIE)",
        note="Exchangeability of groups is assumed.",
        groups={"train-4": "train-4", "train-5": "train-5"},
        classes={}
        if task.one_class
        else {
            one.name: ClassCalibration(
                ece_before=0.03,
                ece_after=0.02,
                band_ece_before=0.09,
                band_ece_after=0.06,
                threshold=0.2 + 0.1 * one.value,
                achieved_recall=0.95,
                note=f"Of {one.name} against everything else.",
            )
            for one in task.classes
        },
    )
    log.append(
        developer,
        "calibration",
        {"temperature": 1.31, "threshold": 0.312, "target_recall": 0.5, "cases": 2},
        inputs=(combined, split),
        outputs=_put(workspace, {"models/calibration.json": calibration}),
    )
    onnx = bytes(range(256)) * 8
    patch, preprocessing = (32, 64, 64)[-len(task.axes) :], Preprocessing.of(task)
    export = export_record(digest_bytes(onnx), patch, task=task, preprocessing=preprocessing, threshold=0.312)
    if not contract:
        export = export.model_copy(update={"model": None})
    outputs = _put(workspace, {"models/model.onnx": onnx, "models/export.json": export})
    log.append(
        developer,
        "model.export",
        {"opset": 18, "max_abs_difference": 3.1e-6, "tolerance": 1e-4},
        inputs=(combined, _artifact(log, "calibration", "models/calibration.json")),
        outputs=outputs,
        context=Context(model=outputs[1].digest if contract else export.onnx),
    )
    return export


def _train(
    workspace: Workspace, log: ReleaseLog, developer: Signer, seed: int, start: StartRecord | None = None
) -> RunRecord:
    """A completed training run."""
    run = RunRecord(
        seed=seed,
        model=SegResNetSpec(),
        training=TrainingSpec(),
        data=digest_bytes(b"train"),
        weights=digest_bytes(bytes([seed])),
        steps=150,
        final_loss=0.0834,
        device="cpu",
        seconds=39.5,
        start=start,
    )
    split = _artifact(log, "data.split", "data/split.json")
    begun = log.append(developer, "training", {}, outcome=Outcome.STARTED, inputs=(split,), context=Context(seed=seed))
    log.append(
        developer,
        "training",
        {"architecture": "segresnet", "steps": 150, "final_loss": 0.0834},
        started=begun.body.index,
        inputs=(split,),
        outputs=_put(workspace, {f"models/members/seed-{seed}/run.json": run}),
        context=Context(seed=seed, model=run.weights),
    )
    return run


def _trained(log: ReleaseLog, seeds: Sequence[int]) -> list[Any]:
    completed = [
        one.body for one in log.entries if (one.body.action, one.body.outcome) == ("training", Outcome.COMPLETED)
    ]
    return [body for body in completed if body.context.seed in seeds]


def _dispose(log: ReleaseLog, developer: Signer, run: int, verdict: str, reason: str) -> None:
    ended = next(
        one.body.index
        for one in log.entries
        if run in {one.body.index, one.body.started} and one.body.outcome is not Outcome.STARTED
    )
    said = {"run": run, "verdict": verdict, "reason": reason}
    log.append(developer, "run.disposition", said, inputs=(log.known.artifact(ended),))


def _register(
    workspace: Workspace, log: ReleaseLog, team: People, analysis: AnalysisPlan, policy: ReleasePolicy
) -> None:
    """The analysis plan, the release policy, and the reviewer's witness key."""
    plan = analysis.model_dump(mode="json")
    criteria = Project.model_validate(PROJECT).evaluation
    log.append(
        team.developer,
        "criteria.register",
        {"criteria": plan["criteria"], "plan": plan},
        outputs=_put(workspace, {"evaluation/criteria.json": criteria, "evaluation/plan.json": analysis}),
    )
    log.append(
        team.manager,
        "policy.register",
        {"policy": policy.model_dump(mode="json")},
        outputs=[Artifact(name="release/policy", digest=digest_of(policy))],
    )
    log.append(team.reviewer, "identity.witness", {"key": team.reviewer.witness_key(log.origin).text()})


def _counted(tested: Sequence[str], task: SegmentationTask, *, scored: bool = False) -> list[CaseCounts]:
    """Cases with a Dice from .86 to .96, each of 10,000 voxels in both masks; `case-01` has no distance.

    Each further class has a Dice that is higher by .01.
    """
    held = []
    for n, name in enumerate(tested):
        for place, one in enumerate(task.classes):
            right = 8600 + 1000 * ((7 * n) % len(tested)) // len(tested) + 100 * place
            of_class = None if task.one_class else one.name
            row = _counted_row(name, right, of_class, flat=task.axes == "yx", scored=scored)
            held.append(
                row if n != 1 else row.model_copy(update={"counts": {**row.counts, "hd95": Distance(value=None)}})
            )
    return held


def _counted_row(name: str, right: int, of_class: str | None, *, flat: bool, scored: bool) -> CaseCounts:
    inside, within = (right - 200) // 10, (right + 100) // 10
    shape = (960, 960) if flat else (48, 96, 96)
    return counted_case(
        name,
        of_class=of_class,
        subject=name.replace("case", "mouse"),
        overlap=(right, 10_000 - right, 10_000 - right),
        baseline=(right - 2000, 12_000 - right, 12_000 - right),
        centreline=(inside, 1000, inside, 1000),
        surface=(within, 1000, within, 1000),
        conformal=(9_500, 500),
        distance=9.0 - 6 * right / 10_000,
        voxels=math.prod(shape),
        scored=scored,
        shape=shape if scored else None,
    )


def _look(
    workspace: Workspace,
    log: ReleaseLog,
    team: People,
    tested: Sequence[str],
    task: SegmentationTask,
    *,
    contract: bool,
    scored: bool,
    policy: ReleasePolicy,
    version: str = VERSION,
    look: int = 1,
    cases: Sequence[CaseCounts] | None = None,
) -> EvaluationRecord:
    """A request, its approval, and the evaluation by the requester."""
    plan = plan_for(task, scored=scored)
    model = _artifact(log, "model.export", "models/export.json" if contract else "models/model.onnx")
    asked = UnsealRequest(
        id=f"open-{look}",
        requester=team.developer.identity.id,
        purpose="final evaluation",
        release=version,
        model=model.digest,
        calibration=_artifact(log, "calibration", "models/calibration.json").digest,
        configuration=digest_bytes(b"configuration"),
        plan=digest_of(plan),
        criteria=criteria_digest(plan.criteria),
        data=digest_bytes(b"seal"),
        inputs=digest_bytes(b"inputs"),
        policy=digest_of(policy),
        expires=logs.BEGIN + timedelta(days=1),
        ephemeral_key=raw_x25519(generate(logs.KeyAlgorithm.X25519).public),
    )
    rests = log.rest("criteria.register", "policy.register", "model.export", "calibration", "data.seal")
    log.append(team.developer, "test-set.request", {"request": asked.model_dump(mode="json")}, inputs=rests)
    log.append(
        team.reviewer, "test-set.approve", {"grant": grant(asked, team.reviewer)}, inputs=log.rest("test-set.request")
    )
    evaluation = counted_evaluation(
        list(cases or (_counted(tested, task, scored=True) if scored else _counted(tested, task))),
        plan,
        model=model.digest,
        data=asked.data,
        request=asked.id,
        look=look,
        looks=plan.looks.total,
    )
    figure = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>\n'
    log.append(
        team.developer,
        "evaluation",
        {
            "request": asked.id,
            "cases": len(evaluation.tested),
            "aggregates": {name: item.model_dump(mode="json") for name, item in evaluation.aggregates.items()},
            "baseline_dice": evaluation.baseline.mean,
            "look": look,
            "criteria": [
                {"criterion": one.criterion.model_dump(mode="json"), "value": one.value, "met": one.met}
                for one in judge_criteria(evaluation, plan.criteria)
            ],
            **evaluation.model_dump(mode="json", include={"classes"}),
        },
        inputs=(
            model,
            Artifact(name=input_of(asked.id), digest=digest_of(asked)),
            Artifact(name="data/sealed", digest=asked.data),
            *log.rest("test-set.request", "test-set.approve"),
        ),
        outputs=_put(
            workspace,
            {
                "evaluation/evaluation.json": evaluation,
                "evaluation/figures/measures.svg": figure,
                "evaluation/report.html": b"<p>not in a pack: it has pictures of test cases</p>",
            },
        ),
        context=Context(model=model.digest),
    )
    return evaluation


def _report(tree: Path) -> ResultReport:
    graph = TraceGraph.load(tree)
    results = tuple(
        RecordedResult(
            name=scenario.name,
            node=f"tests/features/{scenario.source.line}",
            ids=tuple(tag for tag in scenario.tags if tag.startswith(("REQ-", "RC-"))),
            outcome="passed",
            seconds=0.021,
            scenario=scenario.source,
        )
        for scenario in graph.scenarios
    )
    return ResultReport(
        commit="a" * 40,
        dirty=False,
        tree=tree_digest(tree),
        environment=environment_digest(tree),
        platform="Linux x86-64, Python 3.12",
        parts=PARTS,
        time=logs.BEGIN,
        tester="ada",
        results=results,
        loaded=LOADED,
    )
