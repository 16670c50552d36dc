"""`minivess data add`, `push`, `pull` and `pipeline`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=LongCommand)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@actor_option
@json_option
@click.pass_obj
def add(project: Path, actor: str | None, path: Path | None, as_json: bool) -> None:
    """Put raw data under DVC.

    They are in PATH inside the project folder, or in the folder that data.root names.
    """
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        named = path.absolute() if path is not None and path.exists() else path
        made = workflow.add(services, signer_of(services, actor, Role.DEVELOPER), named)
    emit(
        f"{made.name}  {made.digest}  {len(made.files)} files, {made.size} bytes",
        {"name": made.name, "digest": made.digest, "files": len(made.files), "bytes": made.size},
        as_json=as_json,
    )


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def push(project: Path, actor: str | None, as_json: bool) -> None:
    """Send everything under DVC to the project's remote.

    The project file names the remote. An interrupted push continues when it is run again.
    """
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER)
        if not workflow.is_sealed(services):
            say("nothing is sealed yet: every reader of the remote can see the cases that become the test part")
        done = workflow.push(services, signer)
    _write_transfer(done.files, done.size, {folder.name: folder.digest for folder in done.folders}, as_json=as_json)


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def pull(project: Path, actor: str | None, as_json: bool) -> None:
    """Fetch everything under DVC and check every byte.

    It must be the version that the log cites.
    """
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        done = workflow.pull(services, signer_of(services, actor, Role.DEVELOPER))
    _write_transfer(done.files, done.size, {folder.name: folder.digest for folder in done.folders}, as_json=as_json)


@click.command(cls=LongCommand)
@click.argument("stage", required=False, type=click.Choice(["evaluate", "release"]))
@json_option
@click.pass_obj
def pipeline(project: Path, stage: str | None, as_json: bool) -> None:
    """Write dvc.yaml from the project file; list stale stages.

    A stage that was completed before dvc.yaml existed is not stale if its files are unchanged. With STAGE, check
    whether the people who act in this stage have done so. If not, the message names what they must do, and the exit
    code is 1.
    """
    from minivess.foundation.paths import Workspace
    from minivess.workflows.pipeline import stage_states as workflow
    from minivess.workflows.pipeline.stages import write_pipeline
    from minivess.workflows.session.project_file import load_project

    if stage is not None:
        with reader_of(project) as services:
            workflow.check_people(services, stage)
        emit(f"{stage}: done", {"stage": stage, "done": True}, as_json=as_json)
        return
    root = Workspace.find(project).root
    plan = load_project(root)
    if write_pipeline(root, plan):
        workflow.take_over(root, plan)
    rows = workflow.stage_states(root, plan)
    if as_json:
        emit_json({"stages": rows})
    else:
        emit_table(("stage", "command", "stale"), [tuple(row.values()) for row in rows])


def _write_transfer(files: int, size: int, folders: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        emit_json({"files": files, "bytes": size, "folders": folders})
        return
    emit_table(("under DVC", "digest"), folders.items())
    say(f"{files} files were transferred, {size} bytes; the others were there already")
