"""A whole small release: source tree, workspace files and a log that names each of them, made without any training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.facts.gates import judge, load_policy
from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.rules.log_facts import read_log
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.tree import Tree
from minivess.foundation.digests import digest_bytes
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import environment_digest, tree_digest
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.seal import SealedFile, SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.device.project import Project
from minivess.records.device.release import GateFacts, RiskJudgement
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import RecordedResult, ResultReport
from minivess.records.log.entry import Context
from minivess.records.models.model import CalibrationRecord, ExportRecord, RunRecord, TrainingSpec
from minivess.records.models.segresnet import SegResNetSpec
from minivess.records.people.approval import Envelope
from minivess.records.people.identity import Meaning
from tests.support.builders import pack_builder as logs
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.tiny_tree import FILES, write_tree

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates"
POLICY = ROOT / "release" / "policy.yaml"
SHA = "0123456789abcdef" * 4

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

PROJECT = {
    "device": {
        "name": "vessel-segmenter",
        "version": "1.0.0",
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


@dataclass
class Release:
    """Everything `build_pack` needs, and what can be bent before it is called."""

    source: Path
    workspace: Workspace
    log: logs.LogBuilder
    facts: GateFacts

    def record(self, report: ResultReport) -> None:
        """Other results, in the workspace and in the log."""
        self.facts = self.facts.model_copy(update={"report": report})
        passed = sum(result.outcome == "passed" for result in report.results)
        self.log.append(
            logs.service("pipeline"),
            "scenarios",
            {"passed": passed, "failed": len(report.results) - passed, "skipped": 0, "tree": report.tree},
            outputs=_put(self.workspace, {"evidence/verification/results.json": report}),
        )

    def inputs(self, **changes: Any) -> PackInputs:
        """The inputs as they are now."""
        policy, results = load_policy(POLICY), self.workspace.results
        log = read_log(self.log.lines, self.log.checkpoint, self.log.details)
        tree = Tree.read(self.source, today=logs.BEGIN.date(), results=results if results.is_file() else None)
        made = PackInputs(
            project=Project.model_validate(PROJECT),
            workspace=self.workspace,
            tree=tree,
            log=log,
            story=story_of(tree, log),
            policy=policy,
            gates=judge(policy, self.facts),
            time=logs.BEGIN,
            templates=TEMPLATES,
            commit="a" * 40,
            dirty=False,
        )
        return replace(made, **changes)


def write_source(folder: Path) -> Path:
    """A source tree without a gap."""
    return write_tree(folder, {"uv.lock": LOCK, "requirements/all.yaml": REQUIREMENTS})


def make_release(folder: Path, *, source: Path | None = None, cases: int = 3, demo: bool = False) -> Release:
    """A release in which every gate holds.

    Args:
        folder: an empty folder.
        source: an existing source tree; default: a tiny one of its own.
        cases: how many test cases were evaluated.
        demo: whether people have demo keys.
    """
    tree = source or write_source(folder / "source")
    workspace = Workspace(folder / "workspace")
    log = _begin(demo=demo)
    pipeline = logs.service("pipeline")
    request = logs.opening_request()
    evaluation = _evaluation(cases, request.model)
    report = _report(tree)
    _data(workspace, log, evaluation)
    export = _models(workspace, log)
    logs.register_criteria(log)
    log.append(logs.ada(), "test-set.request", {"request": request.model_dump(mode="json")})
    reviewer = _reviewer(demo=demo)
    grant = logs.opening_grant(request, reviewer)
    log.append(reviewer, "test-set.approve", {"grant": grant.model_dump(mode="json")})
    log.append(logs.ada(), "test-set.open", {"request": request.id})
    figure = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>\n'
    outputs = _put(
        workspace,
        {
            "evidence/evaluation/evaluation.json": evaluation,
            "evidence/evaluation/figures/measures.svg": figure,
        },
    )
    log.append(
        pipeline,
        "evaluation",
        {
            "request": request.id,
            "cases": cases,
            "aggregates": {name: item.model_dump(mode="json") for name, item in evaluation.aggregates.items()},
            "baseline_dice": evaluation.baseline.mean,
        },
        outputs=outputs,
    )
    passed = sum(result.outcome == "passed" for result in report.results)
    log.append(
        pipeline,
        "scenarios",
        {"passed": passed, "failed": 0, "skipped": 0, "tree": report.tree},
        outputs=_put(workspace, {"evidence/verification/results.json": report}),
    )
    event = canonical({"run": {"runId": str(logs.RUN)}}) + b"\n"
    _put(workspace, {"evidence/lineage/events.jsonl": event})
    facts = GateFacts(
        evaluation=evaluation,
        unmet=(),
        export=export,
        gaps=TraceGraph.load(tree, report).gaps() if source is None else (),
        risks=(RiskJudgement(id="RISK-01", level="low", acceptable=True),),
        openings=1,
        undisposed=(),
        undelivered=0,
        report=report,
    )
    return Release(tree, workspace, log, facts)


def sign_for(pack_tag_manifest: str, page: str, who: Signer, meaning: Meaning, head: int) -> Envelope:
    """One person's release signature."""
    return approve(
        who,
        role=who.identity.roles[0],
        meaning=meaning,
        policy=load_policy(POLICY).signatures,
        subjects=[Artifact(name="tagmanifest-sha512.txt", digest=pack_tag_manifest)],
        shown=page,
        head=head,
        now=logs.BEGIN,
    )


def _reviewer(*, demo: bool) -> Signer:
    return logs.person("rosa", "Rosa Review", logs.Role.REVIEWER, demo=True) if demo else logs.ben()


def _begin(*, demo: bool) -> logs.LogBuilder:
    if not demo:
        return logs.begin()
    log = logs.LogBuilder()
    root = logs.person("max", "Max Release", logs.Role.RELEASE_MANAGER, demo=True)
    log.create(root)
    for who in (logs.ada(), _reviewer(demo=True), logs.service("pipeline")):
        log.enrol(root, who)
    return log


def _put(workspace: Workspace, files: dict[str, Record | bytes]) -> list[Artifact]:
    made = []
    for name, value in files.items():
        content = value if isinstance(value, bytes) else value.model_dump_json(indent=2).encode("utf-8")
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        made.append(Artifact(name=name, digest=digest_bytes(content)))
    return made


def _evaluation(cases: int, model: str) -> EvaluationRecord:
    """Cases with a Dice from .86 to .96, each of 10,000 voxels in both masks; `case-01` has no distance."""
    held = []
    for n in range(cases):
        right = 8600 + 1000 * ((7 * n) % cases) // cases
        inside, within = (right - 200) // 10, (right + 100) // 10
        held.append(
            counted_case(
                f"case-{n:02}",
                subject=f"mouse-{n:02}",
                overlap=(right, 10_000 - right, 10_000 - right),
                baseline=(right - 2000, 12_000 - right, 12_000 - right),
                centreline=(inside, 1000, inside, 1000),
                surface=(within, 1000, within, 1000),
                distance=None if n == 1 else 9.0 - 6 * right / 10_000,
                voxels=48 * 96 * 96,
            )
        )
    return counted_evaluation(held, logs.PLAN, model=model, data=digest_bytes(b"sealed"), request="opening-1")


def _data(workspace: Workspace, log: logs.LogBuilder, evaluation: EvaluationRecord) -> None:
    pipeline = logs.service("pipeline")
    names = [(case.case, case.subject) for case in evaluation.cases]
    names += [(f"train-{n}", f"rat-{n}") for n in range(6)]
    cases = tuple(
        CaseRecord(
            id=name,
            subject=subject,
            acquisition=name,
            shape=(48, 96, 96),
            spacing=(2.0, 1.0, 1.0),
            modality="two-photon microscopy",
            image=digest_bytes(name.encode()),
            label=digest_bytes(subject.encode()),
            source_dtype="float32",
            label_values=(0, 1),
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
        test=tuple(case.case for case in evaluation.cases),
        root=digest_bytes(b"split"),
    )
    sealed = SealManifest(
        split=split.root,
        files=tuple(
            SealedFile(case=name, kind=kind, commitment=digest_bytes(b"c"), sealed=digest_bytes(b"s"), size=9)
            for name in split.test
            for kind in ("image", "label")
        ),
        wrapped_keys={"ben": ("AAAA",)},
        root=digest_bytes(b"seal"),
    )
    counts = {"rules": 3, "notes": 0, "warnings": 0, "blocking": 0}
    parts = {"train": 4, "calibration": 2, "test": len(split.test)}
    for action, payload, name, value in (
        ("data.ingest", {"dataset": "synthetic", "cases": len(cases)}, "data/manifest.json", manifest),
        ("data.validate", counts, "data/validation.json", report),
        ("data.split", parts, "data/split.json", split),
        ("data.seal", {"files": len(sealed.files), "approvers": ["ben"]}, "data/sealed/manifest.json", sealed),
    ):
        log.append(pipeline, action, payload, outputs=_put(workspace, {name: value}))


def _models(workspace: Workspace, log: logs.LogBuilder) -> ExportRecord:
    pipeline = logs.service("pipeline")
    for seed in (0, 1):
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
        )
        log.append(
            pipeline,
            "training",
            {"architecture": "segresnet", "steps": 150, "final_loss": 0.0834},
            outputs=_put(workspace, {f"models/members/seed-{seed}/run.json": run}),
            context=Context(seed=seed, openlineage_run=logs.RUN),
        )
    ensemble = canonical({"members": [0, 1], "rule": "mean of the members' probabilities"})
    log.append(
        pipeline,
        "ensemble",
        {"members": 2, "rule": "mean"},
        outputs=_put(workspace, {"models/ensemble.json": ensemble}),
    )
    calibration = CalibrationRecord(
        temperature=1.31,
        ece_before=0.034,
        ece_after=0.018,
        band_ece_before=0.09,
        band_ece_after=0.061,
        threshold=0.312,
        target_recall=0.9,
        achieved_recall=0.94,
        cases=("train-4", "train-5"),
        method="conformal risk control (MAPIE)",
        note="Exchangeability of subjects is assumed.",
    )
    log.append(
        pipeline,
        "calibration",
        {"temperature": 1.31, "threshold": 0.312, "target_recall": 0.9, "cases": 2},
        outputs=_put(workspace, {"models/calibration.json": calibration}),
    )
    onnx = bytes(range(256)) * 8
    export = ExportRecord(
        onnx=digest_bytes(onnx),
        opset=18,
        input_shape=(1, 1, 32, 64, 64),
        max_abs_difference=3.1e-6,
        tolerance=1e-4,
        flipped_voxels=0,
        tested_patches=4,
        seconds_torch=1.2,
        seconds_onnx=0.7,
    )
    outputs = _put(workspace, {"models/model.onnx": onnx, "models/export.json": export})
    log.append(
        pipeline, "model.export", {"opset": 18, "max_abs_difference": 3.1e-6, "tolerance": 1e-4}, outputs=outputs
    )
    return export


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
        time=logs.BEGIN,
        tester="ada",
        results=results,
    )
