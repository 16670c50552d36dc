"""`minivess release`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Group
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
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements


@click.group(cls=Group, sections={"Commands": ("policy", "build", "sign", "cosign", "verify")})
def release() -> None:
    """Build, sign and verify evidence packs."""


@release.command()
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


@release.command()
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


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="Who signs.")
@json_option
@click.pass_obj
def sign(project: Path, pack: Path, actor: str, as_json: bool) -> None:
    """Sign PACK after you read its start page.

    Your signature binds the digest of that page.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    with services_of(project) as services:
        manifestation = signing.sign(services, signer_of(services, actor), pack)
    emit_record(manifestation, as_json=as_json)


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="A holder of the test set's key.")
@json_option
@click.pass_obj
def cosign(project: Path, pack: Path, actor: str, as_json: bool) -> None:
    """Cosign the checkpoint of PACK, as a holder of the test set's key.

    For a holder who does not sign the release.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    with services_of(project) as services:
        if not signing.cosign_pack(services, signer_of(services, actor), pack):
            raise UsageError(f"{actor} does not hold the key of the test set that this release was evaluated on")
    emit(f"cosigned by {actor}", {"cosigned_by": actor}, as_json=as_json)


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys that you got by another way than the pack. Without them a pack is checked against its own keys.",
)
@json_option
@implements("REQ-042")
def verify(pack: Path, trust: Path | None, as_json: bool) -> None:
    """Judge PACK offline: every byte, every entry, every signature.

    Exit code 0: it holds. 1: it does not. 2: it is no pack. With a trust file that names no release rules the
    verdict is LIMITED, and the exit code 1.
    """
    from minivess.compliance.verification.pack import verify_pack
    from minivess.records.verdict import VerdictState

    verdict = verify_pack(pack, trust=trust)
    if as_json:
        emit_json({**verdict.model_dump(mode="json"), "holds": verdict.holds, "state": verdict.state.value})
    else:
        for check in verdict.checks:
            click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")
        if verdict.state is VerdictState.LIMITED:
            click.echo(f"LIMITED: every check holds, but {'; '.join(verdict.limits)}")
        else:
            click.echo("VERIFIED" if verdict.holds else "NOT VERIFIED")
    if not verdict.trusted:
        say("keys came from the pack itself: this shows it is whole, not who made it (use --trust)")
    if not verdict.holds:
        raise click.exceptions.Exit(1)
