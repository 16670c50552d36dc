"""`minivess release policy|check|build`: what a release is judged by, and its pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_entry, emit_json, emit_table, json_option, name_further_gates, say

if TYPE_CHECKING:
    from minivess.workflows.release.check import ReleaseCheck


@click.command(cls=Command)
@click.option("--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts.")
@json_option
@click.pass_obj
def policy(project: Path, actor: str | None, as_json: bool) -> None:
    """Register release/policy.yaml in the log, before any look.

    A release manager does this before a look at the test set is requested. After a look, a laxer policy is refused.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.records.people.roles import Role
    from minivess.workflows.sealed import registration as workflow

    with services_of(project) as services:
        receipt = workflow.register_policy(services, signer_of(services, actor, Role.RELEASE_MANAGER))
        beyond = workflow.beyond_criteria(services)
    emit_entry(receipt.index, as_json=as_json, further_gates=list(beyond))
    name_further_gates(beyond)


@click.command(cls=Command)
@json_option
@click.pass_obj
def check(project: Path, as_json: bool) -> None:
    """Judge every gate and all that a release rests on; write nothing.

    Each failing gate and each further reason is named with its hint, and so is the first step that is missing. Exit code
    1 when a release cannot be built.
    """
    from minivess.cli.session import reader_of
    from minivess.workflows.release.check import check_release

    with reader_of(project) as services:
        found = check_release(services)
    if as_json:
        emit_json(_as_json(found))
    else:
        emit_table(("", "gate", "found"), _rows(found))
        if found.chain is not None:
            entries = {role: body.index for role, body in found.chain.bodies.items()}
            click.echo("Rests on: " + ", ".join(f"{role} entry {index}" for role, index in entries.items()))
        click.echo(f"Next: {found.first_missing or 'minivess release build'}")
    if not found.reasons:
        return
    if as_json:
        raise click.exceptions.Exit(1)
    found.require()


@click.command(cls=Command)
@click.option("--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts.")
@click.option(
    "--previous",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The pack of the release before. Default: the one in the project's folder release/.",
)
@json_option
@click.pass_obj
def build(project: Path, actor: str | None, previous: Path | None, as_json: bool) -> None:
    """Judge every gate and, when all pass, write the evidence pack.

    Otherwise name each gate that fails; exit code 1. `release check` does the same and writes nothing. When the log has
    an earlier release, the release notes have the differences from its pack.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.records.people.roles import Role
    from minivess.workflows.release import build as workflow
    from minivess.workflows.release.check import check_release
    from minivess.workflows.release.facts import ReleaseFacts

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        facts = ReleaseFacts.read(services)
        found = check_release(services, facts)
        if not as_json:
            emit_table(("", "gate", "found"), _rows(found))
        built = workflow.build(services, signer, facts, previous=previous)
    gates = [{"gate": one.id, "passed": one.passed, "found": one.message} for one in found.gates]
    emit(str(built.path), {"pack": str(built.path), "gates": gates}, as_json=as_json)
    say("now two people: minivess release sign PACK --as …")


def _rows(found: ReleaseCheck) -> list[tuple[str, str, str]]:
    words = {(True, False): "ok", (False, True): "WAIVED", (False, False): "FAIL"}
    return [(words[gate.passed, gate.waived is not None], gate.id, gate.message) for gate in found.gates]


def _as_json(found: ReleaseCheck) -> dict[str, Any]:
    return {
        "releasable": not found.reasons,
        "gates": [
            {
                "gate": one.id,
                "kind": one.kind,
                "basis": one.basis,
                "passed": one.passed,
                "waived": None if one.waived is None else one.waived.entry,
                "found": one.message,
                "hint": one.mend,
            }
            for one in found.gates
        ],
        "reasons": [{"reason": one.message, "hint": one.hint} for one in found.reasons],
        "rests_on": None if found.chain is None else {role: body.index for role, body in found.chain.bodies.items()},
        "next": found.first_missing or "minivess release build",
    }
