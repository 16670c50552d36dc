"""`minivess release`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table, say, tell_beyond
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements


@click.group()
def release() -> None:
    """Build, sign and verify evidence packs."""


@release.command()
@click.option("--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts.")
@click.pass_obj
def build(project: Path, actor: str | None) -> None:
    """Judge every gate and, when all hold, write the evidence pack; otherwise say why not and exit 1."""
    from minivess.cli.session import services_of, signer_of
    from minivess.records.people.roles import Role
    from minivess.workflows.release import build as workflow
    from minivess.workflows.release.facts import ReleaseFacts

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        facts = ReleaseFacts.read(services)
        results = workflow.judge_gates(services, facts)
        rows = [("ok" if result.passed else "FAIL", result.id, result.message) for result in results]
        emit_table(("", "gate", "found"), rows)
        built = workflow.build(services, signer, facts)
    click.echo(built.path)
    say("now two people: minivess release sign PACK --as …")


@release.command()
@click.option("--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts.")
@click.pass_obj
def policy(project: Path, actor: str | None) -> None:
    """Register release/policy.yaml in the log, before anyone asks for a look at the test set (a release manager).

    After a look, a laxer policy is refused.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.records.people.roles import Role
    from minivess.workflows.sealed import registration as workflow

    with services_of(project) as services:
        receipt = workflow.register_policy(services, signer_of(services, actor, Role.RELEASE_MANAGER))
        beyond = workflow.beyond_criteria(services)
    click.echo(f"entry {receipt.index}")
    tell_beyond(beyond)


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="Who signs.")
@click.pass_obj
def sign(project: Path, pack: Path, actor: str) -> None:
    """Sign PACK after looking at its start page; your signature binds the digest of that page."""
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import build as workflow

    with services_of(project) as services:
        manifestation = workflow.sign(services, signer_of(services, actor), pack)
    emit_json(manifestation)


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="A holder of the test set's key.")
@click.pass_obj
def cosign(project: Path, pack: Path, actor: str) -> None:
    """Cosign the checkpoint of PACK, as a holder of the test set's key who does not sign the release."""
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import build as workflow

    with services_of(project) as services:
        if not workflow.cosign_pack(services, signer_of(services, actor), pack):
            raise UsageError(f"{actor} does not hold the key of the test set that this release was evaluated on")
    click.echo(f"cosigned by {actor}")


@release.command()
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys you were given by another way. Without them a pack is checked against its own keys, and the verdict says so.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@implements("REQ-042")
def verify(pack: Path, trust: Path | None, as_json: bool) -> None:
    """Judge PACK offline: every byte, every entry, every signature. Exit 0 it holds, 1 it does not, 2 it is no pack.

    With a trust file that names no release rules the verdict is LIMITED, and the exit code 1.
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
