"""`minivess data add`, `push`, `pull` and `pipeline`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@actor_option
@click.pass_obj
def add(project: Path, actor: str | None, path: Path | None) -> None:
    """Put raw data under DVC: PATH inside the project folder, or the folder that data.root names."""
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        named = path.absolute() if path is not None and path.exists() else path
        made = workflow.add(services, signer_of(services, actor, Role.DEVELOPER), named)
    click.echo(f"{made.name}  {made.digest}  {len(made.files)} files, {made.size} bytes")


@click.command()
@actor_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def push(project: Path, actor: str | None, as_json: bool) -> None:
    """Send everything under DVC to the remote that the project file names; an interrupted push goes on."""
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER)
        if not workflow.is_sealed(services):
            say("nothing is sealed yet: whoever reads the remote can look at what becomes the test part")
        done = workflow.push(services, signer)
    _show(done.files, done.size, {folder.name: folder.digest for folder in done.folders}, as_json=as_json)


@click.command()
@actor_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def pull(project: Path, actor: str | None, as_json: bool) -> None:
    """Bring back everything under DVC, every byte checked, if it is the version the log cites."""
    from minivess.workflows.data import versions as workflow

    with services_of(project) as services:
        done = workflow.pull(services, signer_of(services, actor, Role.DEVELOPER))
    _show(done.files, done.size, {folder.name: folder.digest for folder in done.folders}, as_json=as_json)


@click.command()
@click.argument("stage", required=False, type=click.Choice(["evaluate", "release"]))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def pipeline(project: Path, stage: str | None, as_json: bool) -> None:
    """Write dvc.yaml from the project file and show which stages are stale; those that were run before it are known.

    With STAGE: whether people did what that stage stands for; exit 1 and what they have to do, if not.
    """
    from minivess.foundation.paths import Workspace
    from minivess.workflows.pipeline import stage_states as workflow
    from minivess.workflows.pipeline.stages import write_pipeline
    from minivess.workflows.session.workspace_files import load_project

    if stage is not None:
        with reader_of(project) as services:
            workflow.check_people(services, stage)
        click.echo(f"{stage}: done")
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


def _show(files: int, size: int, folders: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        emit_json({"files": files, "bytes": size, "folders": folders})
        return
    emit_table(("under DVC", "digest"), folders.items())
    say(f"{files} files went over the line, {size} bytes; the others were there already")
