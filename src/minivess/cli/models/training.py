"""`minivess train`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.models.model import RunRecord
from minivess.records.models.training_event import TrainingEnd
from minivess.records.people.roles import Role


@click.command(cls=Command)
@actor_option
@click.option("--watch", is_flag=True, help="Follow the training that runs in another process. No key is needed.")
@click.option(
    "--smoke", is_flag=True, help="Try the training out on 16 patches. No key is needed, nothing is recorded."
)
@click.option("--device", default="auto", show_default=True, help="Where to train: auto, cpu, cuda, cuda:N or mps.")
@click.option("--devices", default=1, show_default=True, help="How many devices train together, with a process each.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="Continue a run that began on another device, with other threads or another PyTorch; the record says so.",
)
@json_option
@click.pass_obj
def train(
    project: Path,
    *,
    actor: str | None,
    watch: bool,
    smoke: bool,
    device: str,
    devices: int,
    elsewhere: bool,
    as_json: bool,
) -> None:
    """Train every member that the project names.

    Finished members are kept, and a run that was killed continues. The progress is on stderr, with --json as one JSON object a
    line.
    """
    if watch + smoke + elsewhere > 1:
        raise UsageError("--watch, --smoke and --elsewhere do not go together", hint="choose one of them")
    if watch:
        _watch(project, as_json=as_json)
    elif smoke:
        _show(_try_out(project, as_json=as_json), as_json=as_json)
    else:
        _train(project, actor, device=(device, devices), elsewhere=elsewhere, as_json=as_json)


def _train(project: Path, actor: str | None, *, device: tuple[str, int], elsewhere: bool, as_json: bool) -> None:
    from minivess.cli.models.training_line import hear_training
    from minivess.workflows.models import training

    with training.devices_of(*device) as choice:
        if choice is None:  # this process has followed the one that reports
            return
        say(choice.sentence)
        with services_of(project) as services:
            signer = signer_of(services, actor, Role.DEVELOPER)
            hear = hear_training(as_json=as_json)
            trained = training.train(services, signer, elsewhere=elsewhere, choice=choice, hear=hear)
    _show(trained, as_json=as_json)


@implements("REQ-361")
def _try_out(project: Path, *, as_json: bool) -> list[RunRecord]:
    from minivess.cli.models.training_line import hear_training
    from minivess.workflows.models.trial import try_out

    made = try_out(Workspace.find(project), hear=hear_training(as_json=as_json))
    say("training works here; this trial run is no member, and is never released")
    return [made]


@implements("REQ-360")
def _watch(project: Path, *, as_json: bool) -> None:
    from minivess.cli.models.training_line import hear_training
    from minivess.workflows.models.watching import watch

    end = watch(Workspace.find(project), hear_training(as_json=as_json))
    emit(_end_in_words(end), end, as_json=as_json)
    if end.state != "finished":
        raise RefusedError("the training did not end well", hint="`minivess train` continues it")


def _end_in_words(end: TrainingEnd) -> str:
    where = "it began no member" if end.run is None else f"{end.run} at step {end.step} of {end.steps}"
    return {
        "finished": f"the training has ended: {where}",
        "failed": f"the training failed: {where}",
        "killed": f"the training was killed: {where}",
    }[end.state]


def _show(trained: list[RunRecord], *, as_json: bool) -> None:
    if as_json:
        emit_json(trained)
        return
    rows = [
        (member.seed, member.steps, f"{member.final_loss:.4f}", member.device, f"{member.seconds:.0f}", member.weights)
        for member in trained
    ]
    emit_table(("member", "steps", "final loss", "device", "seconds", "weights"), rows)
