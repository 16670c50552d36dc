"""The project as a DVC pipeline: what each command takes and makes, so that `dvc repro` and our commands agree.

`dvc repro` runs the commands a person would; each goes through the log as always. Opening the test set and releasing
need people: their stages do not do it, they see whether it was done and say who does it how (`workflows.pipeline.stage_states`).

Every output is `persist`: DVC never removes it before a stage runs, and never restores one from its run cache, which
would be an action that no entry tells of.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any, Concatenate

import yaml

from minivess.foundation.errors import MinivessError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.records.data.source import Data
from minivess.records.device.project import Project
from minivess.records.device.workspace_files import FILES, STEPS, Step, file_of
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.services import Services

_log = logging.getLogger(__name__)

_NOT_READ = ("card", "remote", "rules")
"""What the project file says under `data` and reading the cases does not look at."""


@implements("REQ-099")
def stages_of(project: Project, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The stages of a project as `dvc.yaml` says them.

    Args:
        project: the project.
        settings: what `minivess.yaml` says (`project_settings`); DVC can only watch parameters that stand there.
    """
    made: dict[str, dict[str, Any]] = {}
    for step in STEPS:
        if step.stage is None:
            continue
        deps = list(dict.fromkeys(file_of(name).tracked_path for name in step.stage.files))
        params: Iterable[str] = step.stage.settings
        if step.name == "ingest":
            deps = _sources_of(project.data)
            params = sorted(f"data.{key}" for key in settings["data"] if key not in _NOT_READ)
        if step.name == "split" and project.split.published is not None:
            deps.append(str(project.split.published))
        watched = [key for key in params if _has_setting(settings, key)]
        stage = {
            "cmd": f"minivess {step.stage.command or step.command}",
            "deps": deps,
            "params": [{PROJECT_FILE: watched}] if watched else [],
            "outs": _outputs(step),
        }
        made[step.name] = {key: value for key, value in stage.items() if value}
    return made


@implements("REQ-303")
def _sources_of(data: Data) -> list[str]:
    """What DVC watches of the sources: the folder of the data or, without one, the files and folders that are named."""
    places = [PurePosixPath(place) for place in (data.root, data.table, data.attributes) if place is not None]
    if data.root is None:
        places += [path for case in data.cases for path in (case.image, case.label) if not path.is_absolute()]
        globs = [] if data.pairs is None else [data.pairs.images, data.pairs.labels]
        places += [PurePosixPath(*takewhile(_is_plain, PurePosixPath(glob).parts)) for glob in globs]
    return list(dict.fromkeys(str(place) for place in places if place.parts))


def _is_plain(part: str) -> bool:
    return not set(part) & set("*?[")


def _outputs(step: Step) -> list[dict[str, dict[str, bool]]]:
    """What a stage makes, as `dvc.yaml` names it: first what DVC keeps, then what git keeps."""
    tracked = {row.tracked_path: row.tracked_by for row in FILES if row.made_by == step.name and row.tracked_by}
    kept_by_dvc = [{path: {"persist": True}} for path, by in tracked.items() if by == "dvc"]
    return kept_by_dvc + [{path: {"cache": False, "persist": True}} for path, by in tracked.items() if by == "git"]


@implements("REQ-099")
def write_pipeline(root: Path, project: Project) -> bool:
    """Bring `dvc.yaml` in step with the project file; returns whether anything changed.

    Raises:
        InputError: a `dvc.yaml` is there and is no pipeline.
    """
    from minivess.ml.versions.dvc_stages import write_stages

    return write_stages(root, stages_of(project, project_settings(root)))


def follows[**P, R](
    stage: str,
) -> Callable[[Callable[Concatenate[Services, P], R]], Callable[Concatenate[Services, P], R]]:
    """Say that a workflow is a stage of the pipeline: when it ends well, `dvc.lock` knows that the stage was run."""

    def wrap(action: Callable[Concatenate[Services, P], R]) -> Callable[Concatenate[Services, P], R]:
        def run(services: Services, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with _note_stage(services, stage):
                return action(services, *args, **kwargs)

        return functools.update_wrapper(run, action)

    return wrap


@implements("REQ-099")
@contextmanager
def _note_stage(services: Services, stage: str) -> Iterator[None]:
    """Nothing while the project has no pipeline, or while `dvc repro` runs the command and notes it by itself."""
    root = services.workspace
    if not (root / "dvc.yaml").is_file() or os.environ.get("DVC_ROOT") == str(root.resolve()):
        yield
        return
    write_pipeline(root, services.project)
    before = _state_of_inputs(root, services.project, stage)
    yield
    try:
        if _state_of_inputs(root, load_project(root), stage) != before:
            _log.warning("what the stage %s takes was changed while it ran: it stays stale", stage)
            return
        from minivess.ml.versions.dvc_stages import record_stage

        record_stage(root, stage)
    except MinivessError as error:  # the action itself is done and in the log
        _log.warning("%s", error)


def _state_of_inputs(root: Path, project: Project, stage: str) -> list[Any]:
    """What a stage takes, well enough to notice a change: sections as they count, and size and time of each file."""
    plan = stages_of(project, project_settings(root))[stage]
    sections = {key.split(".")[0] for entry in plan.get("params", []) for keys in entry.values() for key in keys}
    plain = project.model_dump(mode="json")
    files: list[tuple[str, int, int]] = []
    for name in plan.get("deps", []):
        place = root / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                state = path.stat()
                files.append((str(path), state.st_size, state.st_mtime_ns))
    return [{name: plain.get(name) for name in sorted(sections)}, files]


def project_settings(root: Path) -> dict[str, Any]:
    """What `minivess.yaml` says, without what it leaves out."""
    settings = yaml.safe_load(read_limited(root / PROJECT_FILE, limit=1 << 20))
    return settings if isinstance(settings, dict) else {}


def _has_setting(settings: dict[str, Any], key: str) -> bool:
    found: Any = settings
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True
