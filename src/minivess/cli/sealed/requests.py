"""`minivess test-set` and `minivess evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from minivess.cli.groups import Command, Group
from minivess.cli.rendering import (
    emit,
    emit_entry,
    emit_json,
    emit_record,
    emit_table,
    json_option,
    name_further_gates,
    say,
)
from minivess.cli.sealed.measures import emit_evaluation
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.foundation.errors import UsageError
from minivess.records.evaluation.parts import NOT_A_TEST, EvaluatedPart
from minivess.records.people.roles import Role


@click.group("test-set", cls=Group, sections={"Commands": ("criteria", "request", "approve", "status")})
def test_set() -> None:
    """Request, approve and list looks at the sealed test set."""


@test_set.command()
@actor_option
@json_option
@click.pass_obj
def criteria(project: Path, actor: str | None, as_json: bool) -> None:
    """Register the acceptance criteria and the analysis plan.

    They must be in the log before a look is requested.
    """
    from minivess.workflows.sealed import analysis_plan
    from minivess.workflows.sealed.registration import beyond_criteria

    with services_of(project) as services:
        receipt = analysis_plan.register_criteria(services, signer_of(services, actor, Role.DEVELOPER))
        beyond = beyond_criteria(services)
    emit_entry(receipt.index, as_json=as_json, further_gates=list(beyond))
    name_further_gates(beyond)


@test_set.command()
@click.option("--purpose", required=True, help="Why it should be opened, in one line.")
@actor_option
@json_option
@click.pass_obj
def request(project: Path, actor: str | None, purpose: str, as_json: bool) -> None:
    """Request a look at the sealed test set for the exported model."""
    from minivess.workflows.sealed import requests as workflow
    from minivess.workflows.sealed.registration import beyond_criteria

    with services_of(project) as services:
        made = workflow.request(services, signer_of(services, actor, Role.DEVELOPER), purpose=purpose)
        beyond = beyond_criteria(services)
    emit_record(made, as_json=as_json)
    name_further_gates(beyond)
    say(f"a reviewer or custodian: minivess test-set approve {made.id} --run --as …")


@test_set.command()
@click.argument("request_id", metavar="REQUEST")
@click.option("--run", is_flag=True, help="Keep the data key and run the evaluation here, as custodian.")
@actor_option
@json_option
@click.pass_obj
def approve(project: Path, actor: str | None, request_id: str, run: bool, as_json: bool) -> None:
    """Approve REQUEST; the approval counts as a look.

    The approver is a reviewer or custodian who had no part in the model.
    """
    from minivess.workflows.sealed import access_status
    from minivess.workflows.sealed import requests as workflow

    with services_of(project) as services:
        for name, text in access_status.summary_of(services, request_id):
            say(f"{name:>13}  {text}")
        signer = signer_of(services, actor, Role.REVIEWER, Role.CUSTODIAN)
        if run:
            from minivess.workflows.sealed import final_evaluation

            record = final_evaluation.approve_and_run(services, signer, request_id)
            emit_evaluation(record, services.log.standing.test_set.plan_of(request_id), as_json=as_json)
            return
        grant = workflow.approve(services, signer, request_id)
    text = f"{grant.request} approved by {grant.approver}"
    emit(text, {"request": grant.request, "approved_by": grant.approver}, as_json=as_json)
    say("the requester can read the test set from now on: minivess evaluate --test-set " + grant.request)


@test_set.command()
@json_option
@click.pass_obj
def status(project: Path, as_json: bool) -> None:
    """List every look at the test set, and how many are left."""
    from minivess.workflows.sealed import access_status

    with reader_of(project) as services:
        found = access_status.status(services)
    if as_json:
        emit_json(found)
        return
    policy = found["policy"]
    click.echo(
        f"{found['openings']} look(s); the policy allows {policy['per_release']} a release and "
        f"{policy['total']} in all: {found['left']} left"
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
        for one in found["opened"]
    ]
    if rows:
        emit_table(("entry", "look", "release", "request", "by", "approved by", "mode", "result", "purpose"), rows)
    for one in found["waiting"]:
        word = "waits for approval" if one["approved_by"] is None else f"approved by {one['approved_by']}"
        click.echo(f"{one['request']} by {one['requester']}: {word}, expires {one['expires']}")


def _result(look: dict[str, Any]) -> str:
    if look["discrepancies"]:
        entries = " and ".join(map(str, look["discrepancies"]))
        return f"DISCREPANCY: entry {entries} came to other figures under the same approval"
    if look["criteria_met"] is None:
        return str(look["outcome"])
    classes = {f" of {name}": figures["aggregates"] for name, figures in look["classes"].items()}
    dices = {
        name: held["dice"]["mean"] for name, held in (classes or {"": look["aggregates"]}).items() if "dice" in held
    }
    figure = "".join(f", Dice{name} {mean:.3f}" for name, mean in dices.items())
    missed = [_measure(one["criterion"]) for one in look["criteria"] if not one["met"]]
    return f"criteria met{figure}" if not missed else f"missed {', '.join(missed)}{figure}"


def _measure(criterion: dict[str, Any]) -> str:
    place = f" of {criterion['of_class']}" if "of_class" in criterion else ""
    return f"{criterion['measure']}{place}"


@click.command(cls=Command)
@click.option("--test-set", "request_id", metavar="REQUEST", help="The approved request: evaluate the sealed test set.")
@click.option("--part", type=click.Choice(get_args(EvaluatedPart)), help="Evaluate this part instead, at any time.")
@actor_option
@json_option
@click.pass_obj
def evaluate(
    project: Path, actor: str | None, request_id: str | None, part: EvaluatedPart | None, as_json: bool
) -> None:
    """Measure the model on the sealed test set, or on another part.

    The test set needs an approval, and running it again is the same look. The validation part (cases that the members did not
    learn from) and the calibration part (cross-fitted over groups) need none. Their figures meet no criterion and no gate.
    """
    if (request_id is None) == (part is None):
        raise UsageError(
            "state what is evaluated: either --test-set REQUEST or --part",
            hint="`minivess evaluate --part validation` needs no approval",
        )
    if part is not None:
        from minivess.workflows.evaluation.part_evaluation import evaluate_part

        with reader_of(project) as services:
            made = evaluate_part(services, part)
        emit_evaluation(made.record, made.plan, as_json=as_json)
        say(f"the {made.model} was evaluated")
        if as_json:
            say(NOT_A_TEST)
        say(f"files: {made.folder.relative_to(project.resolve())}")
        return
    from minivess.workflows.sealed import final_evaluation

    assert request_id is not None  # noqa: S101  one of both is stated
    with services_of(project) as services:
        record = final_evaluation.run(services, signer_of(services, actor, Role.DEVELOPER), request_id)
        plan = services.log.standing.test_set.plan_of(request_id)
    emit_evaluation(record, plan, as_json=as_json)
    say("the page to read: evidence/evaluation/report.html")
