"""The state of the project's pipeline, and whether people did what its last stages stand for."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.project import Project
from minivess.records.device.workspace_files import EVALUATION, FILES, STEPS, file_of
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.tolerance import tolerance_of
from minivess.records.log.entry import Entry, Outcome
from minivess.workflows.pipeline.stages import project_settings, stages_of
from minivess.workflows.session.project_state import project_state
from minivess.workflows.session.services import WorkspaceReader
from minivess.workflows.session.workspace_files import manifest_of, model_of, read_json

_PEOPLE = tuple(step.name for step in STEPS if step.stage is not None and step.stage.command)
"""The stages that need several people: DVC looks whether they were done, and does not do them."""


@implements("REQ-099")
def stage_states(root: Path, project: Project) -> list[dict[str, str]]:
    """Every stage of the project in order: its name, its command, and why it is stale (empty: it is not).

    A stage that takes what a stale stage makes is stale with it.

    Raises:
        CouldNotCheckError: DVC cannot tell.
    """
    from minivess.ml.versions.dvc_stages import recorded_stages, stale_stages

    reasons, known = stale_stages(root), recorded_stages(root)
    rows: list[dict[str, str]] = []
    makers: dict[str, str] = {}
    for name, stage in stages_of(project, project_settings(root)).items():
        stale = "; ".join(reasons.get(name, ())) if name in known else "not run yet"
        before = next((makers[path] for path in stage.get("deps", []) if path in makers), None)
        if not stale and before is not None:
            stale = f"after {before}"
        rows.append({"stage": name, "command": str(stage["cmd"]), "stale": stale})
        if stale:
            makers |= {path: name for out in stage.get("outs", []) for path in out} | (
                {"data/prepared": name} if name == "seal" else {}
            )
    return rows


@implements("REQ-099")
def take_over(root: Path, project: Project) -> list[str]:
    """Note the stages that were run before there was a pipeline, as far as the log vouches for them; returns their names.

    From the first stage on, each that was completed under the configuration as it is now, and whose files are those its
    entries name. The first that is not ends it.
    """
    from minivess.ml.versions.dvc_stages import record_stage, recorded_stages

    known, taken = recorded_stages(root), list[str]()
    with project_state(root, project) as known_state:
        if known_state is None:
            return taken
        for step in STEPS:
            if step.stage is None or step.name in (*_PEOPLE, *known):
                continue
            made: dict[str, str] = {}
            for entry in known_state.log.entries(actions={step.action}):
                if entry.body.outcome is Outcome.COMPLETED and entry.body.context.configuration == digest_of(project):
                    made |= {output.name: output.digest for output in entry.body.outputs}
            files = {root / _place_of(root, name): digest for name, digest in made.items()}
            if not files or any(not path.is_file() or digest_file(path) != files[path] for path in files):
                break
            record_stage(root, step.name)
            taken.append(step.name)
    return taken


def _place_of(root: Path, name: str) -> str:
    """Where a workspace has an output of an entry."""
    row = next((row for row in FILES if row.matches(name)), None)
    return name if row is None else row.shown_in(root, name)


@implements("REQ-099")
def check_people(services: WorkspaceReader, stage: str) -> None:
    """See whether people did what a stage stands for; nothing is done in their place.

    Raises:
        UsageError: the stage needs nobody.
        RefusedError: they did not yet; the hint says what they do.
    """
    if stage not in _PEOPLE:
        raise UsageError(f"{stage} needs no people", hint=f"stages that do: {', '.join(_PEOPLE)}")
    entries = [
        entry
        for entry in services.log.entries(actions={"evaluation", "release.build"})
        if entry.body.outcome is Outcome.COMPLETED
    ]
    evaluations = [entry for entry in entries if entry.body.action == "evaluation" and _is_current(services, entry)]
    if not evaluations:
        raise RefusedError(
            "this model was not evaluated on the test set: two people must do this",
            hint="minivess test-set request --purpose …; then another person: minivess test-set approve REQUEST --run",
        )
    if stage == "evaluate":
        return
    version = services.project.device.version
    built = [
        entry
        for entry in entries
        if entry.body.action == "release.build"
        and entry.body.payload.get("version") == version
        and entry.body.index > evaluations[-1].body.index
    ]
    if not built:
        raise RefusedError(
            f"release {version} was not built from this evaluation: a release manager must do this",
            hint="minivess release build, then two people: minivess release sign PACK --as …",
        )


def _is_current(services: WorkspaceReader, entry: Entry) -> bool:
    workspace = Workspace(services.workspace)
    path = workspace.root / file_of(EVALUATION).place
    model = model_of(workspace)
    if not path.is_file() or model is None:
        return False
    made = read_json(workspace, EVALUATION, EvaluationRecord)
    wanted = services.project.evaluation
    cases = manifest_of(workspace).cases if wanted.tolerance is None else ()
    planned = tolerance_of(wanted.tolerance, cases), wanted.bootstrap
    return (
        digest_file(path) in {output.digest for output in entry.body.outputs}
        and made.model == model
        and (made.conventions.within, made.conventions.bootstrap) == planned
    )
