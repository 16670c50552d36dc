"""`minivess release policy|build`: what a release is judged by, and its pack."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_entry, emit_table, json_option, name_further_gates, say


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
@click.option("--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts.")
@json_option
@click.pass_obj
def build(project: Path, actor: str | None, as_json: bool) -> None:
    """Judge every gate and, when all pass, write the evidence pack.

    Otherwise name each gate that fails; exit code 1.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.records.people.roles import Role
    from minivess.workflows.release import build as workflow
    from minivess.workflows.release import gates as gate_facts
    from minivess.workflows.release.facts import ReleaseFacts

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        facts = ReleaseFacts.read(services)
        results = gate_facts.judge_gates(services, facts)
        if not as_json:
            rows = [("ok" if result.passed else "FAIL", result.id, result.message) for result in results]
            emit_table(("", "gate", "found"), rows)
        built = workflow.build(services, signer, facts)
    gates = [{"gate": one.id, "passed": one.passed, "found": one.message} for one in results]
    emit(str(built.path), {"pack": str(built.path), "gates": gates}, as_json=as_json)
    say("now two people: minivess release sign PACK --as …")
