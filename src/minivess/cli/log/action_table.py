"""`minivess audit rules`: which action table the log follows, and how it takes the newest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Group
from minivess.cli.proposals import read_proposal, write_proposal
from minivess.cli.rendering import emit, emit_entry, json_option
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.workflows.log.action_table import RulesProposal


@click.group(cls=Group)
def rules() -> None:
    """Show or adopt the action table: who may append what."""


@rules.command()
@json_option
@click.pass_obj
def show(project: Path, as_json: bool) -> None:
    """Name the table that the log follows, and since which entry."""
    with reader_of(project) as reader:
        standing = reader.log.standing
    found = {"number": standing.rules.number, "digest": standing.rules.digest, "since": standing.adopted}
    emit(
        f"action table {standing.rules.number} since entry {standing.adopted}, {standing.rules.digest}",
        found,
        as_json=as_json,
    )


@rules.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@actor_option
@json_option
@click.pass_obj
def sign(project: Path, actor: str | None, file: Path, as_json: bool) -> None:
    """Agree, as a root, to follow the newest table.

    FILE collects the signatures; the first signer makes it.
    """
    from minivess.workflows.log import action_table as workflow

    with services_of(project) as services:
        proposal = _read(file) if file.exists() else workflow.propose_rules(services)
        signed = workflow.sign_rules(services, signer_of(services, actor), proposal)
        threshold = services.log.standing.register.threshold
    write_proposal(file, signed)
    count = len(signed.envelopes)
    emit(
        f"{count} of {threshold} needed signatures in {file.name}",
        {"file": file.name, "signatures": count, "needed": threshold},
        as_json=as_json,
    )


@rules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@actor_option
@json_option
@click.pass_obj
def adopt(project: Path, actor: str | None, file: Path, as_json: bool) -> None:
    """Put the table of FILE into force, once enough roots signed it."""
    from minivess.workflows.log import action_table as workflow

    proposal = _read(file)
    with services_of(project) as services:
        receipt = workflow.adopt_rules(services, signer_of(services, actor, Role.RELEASE_MANAGER), proposal)
    emit_entry(receipt.index, as_json=as_json)


def _read(file: Path) -> RulesProposal:
    from minivess.workflows.log.action_table import RulesProposal

    return read_proposal(file, RulesProposal, "a table", hint="`minivess audit rules sign` writes one")
