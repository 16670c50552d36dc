"""`minivess test-set` and `minivess evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minivess.cli.rendering import emit_json, emit_table, say, tell_beyond
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role


@click.group("test-set")
def test_set() -> None:
    """Criteria, requests, approvals and the count of looks."""


@test_set.command()
@actor_option
@click.pass_obj
def criteria(project: Path, actor: str | None) -> None:
    """Register the project's acceptance criteria and analysis plan in the log, before a look is requested."""
    from minivess.workflows.sealed import analysis_plan
    from minivess.workflows.sealed.registration import beyond_criteria

    with services_of(project) as services:
        receipt = analysis_plan.register_criteria(services, signer_of(services, actor, Role.DEVELOPER))
        beyond = beyond_criteria(services)
    click.echo(f"entry {receipt.index}")
    tell_beyond(beyond)


@test_set.command()
@click.option("--purpose", required=True, help="Why it should be opened, in one line.")
@actor_option
@click.pass_obj
def request(project: Path, actor: str | None, purpose: str) -> None:
    """Ask for a look at the sealed test set, for the exported model as it is now."""
    from minivess.workflows.sealed import requests as workflow
    from minivess.workflows.sealed.registration import beyond_criteria

    with services_of(project) as services:
        made = workflow.request(services, signer_of(services, actor, Role.DEVELOPER), purpose=purpose)
        beyond = beyond_criteria(services)
    emit_json(made)
    tell_beyond(beyond)
    say(f"a reviewer or custodian: minivess test-set approve {made.id} --run --as …")


@test_set.command()
@click.argument("request_id", metavar="REQUEST")
@click.option("--run", is_flag=True, help="Keep the data key and run the evaluation here, as custodian.")
@actor_option
@click.pass_obj
def approve(project: Path, actor: str | None, request_id: str, run: bool) -> None:
    """Approve REQUEST: a reviewer or custodian who had no part in the model. The approval is the look."""
    from minivess.workflows.sealed import access_status
    from minivess.workflows.sealed import requests as workflow

    with services_of(project) as services:
        for name, text in access_status.summary_of(services, request_id):
            say(f"{name:>13}  {text}")
        signer = signer_of(services, actor, Role.REVIEWER, Role.CUSTODIAN)
        if run:
            from minivess.workflows.sealed import final_evaluation

            emit_json(final_evaluation.approve_and_run(services, signer, request_id))
            return
        grant = workflow.approve(services, signer, request_id)
    click.echo(f"{grant.request} approved by {grant.approver}")
    say("the requester can read the test set from now on: minivess evaluate --test-set " + grant.request)


@test_set.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def status(project: Path, as_json: bool) -> None:
    """How many looks at the test set there were, by whom, for what, and with what result."""
    from minivess.workflows.sealed import access_status

    with reader_of(project) as services:
        odometer = access_status.status(services)
    if as_json:
        emit_json(odometer)
        return
    policy = odometer["policy"]
    click.echo(
        f"{odometer['openings']} look(s); the policy allows {policy['per_release']} a release and "
        f"{policy['total']} in all: {odometer['left']} left"
    )
    rows = [
        (
            one["index"],
            one["look"],
            one["release"],
            one["request"],
            one["requester"],
            one["approver"],
            one["mode"],
            _result(one),
            one["purpose"],
        )
        for one in odometer["opened"]
    ]
    if rows:
        emit_table(("entry", "look", "release", "request", "by", "approved by", "mode", "result", "purpose"), rows)
    for one in odometer["waiting"]:
        word = "waits for approval" if one["approved_by"] is None else f"approved by {one['approved_by']}"
        click.echo(f"{one['request']} by {one['requester']}: {word}, expires {one['expires']}")


def _result(look: dict[str, Any]) -> str:
    if look["discrepancies"]:
        entries = " and ".join(map(str, look["discrepancies"]))
        return f"DISCREPANCY: entry {entries} came to other figures under the same approval"
    if look["criteria_met"] is None:
        return str(look["outcome"])
    dice = look["aggregates"].get("dice")
    figure = "" if dice is None else f", Dice {dice['mean']:.3f}"
    missed = [one["criterion"]["measure"] for one in look["criteria"] if not one["met"]]
    return f"criteria met{figure}" if not missed else f"missed {', '.join(missed)}{figure}"


@click.command()
@click.option("--test-set", "request_id", required=True, metavar="REQUEST", help="The approved request.")
@actor_option
@click.pass_obj
def evaluate(project: Path, actor: str | None, request_id: str) -> None:
    """Measure the exported model on the sealed test set, under an approval. Running it again is the same look."""
    from minivess.workflows.sealed import final_evaluation

    with services_of(project) as services:
        record = final_evaluation.run(services, signer_of(services, actor, Role.DEVELOPER), request_id)
    emit_json(record)
