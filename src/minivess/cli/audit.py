"""`minivess audit`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, passphrase_for, services_of, signer_of
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.paths import Workspace
from minivess.records.identity import Role


@click.group()
def audit() -> None:
    """Read, prove and verify the log."""


@audit.command()
@actor_option
@click.pass_obj
def start(project: Path, actor: str | None) -> None:
    """Start the log: everybody in the keystore becomes a root, and the log gets a key of its own."""
    from minivess.workflows.people import start_log

    signer = signer_of(project, actor, Role.RELEASE_MANAGER)
    receipt = start_log(Workspace.find(project), signer, log_passphrase=passphrase_for("log"))
    click.echo(f"entry {receipt.index}")


@audit.command()
@click.option("--action", help="Only this action, or those under it (`test-set`).")
@click.option("--by", "who", help="Only this actor.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON entry a line.")
@click.pass_obj
def log(project: Path, action: str | None, who: str | None, as_json: bool) -> None:
    """What happened, oldest first."""
    with services_of(project) as services:
        entries = [
            entry
            for entry in services.log.entries()
            if (action is None or entry.body.action == action or entry.body.action.startswith(f"{action}."))
            and who in (None, entry.body.actor)
        ]
    if as_json:
        for entry in entries:
            click.echo(entry.model_dump_json())
        return
    rows = [
        (b.index, b.time.strftime("%Y-%m-%d %H:%M:%S"), b.actor, b.action, b.outcome.value, "")
        for b in (entry.body for entry in entries)
    ]
    emit_table(("entry", "time (UTC)", "who", "action", "outcome", ""), rows)


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write instead of stdout.")
@click.pass_obj
def prove(project: Path, index: int, out: Path | None) -> None:
    """Write the C2SP tlog-proof of entry INDEX."""
    from minivess.compliance.proofs.tlog_proof import write_tlog_proof

    with services_of(project) as services:
        text = write_tlog_proof(services.log.prove(index))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text_atomic(out, text)


@audit.command()
@click.pass_obj
def verify(project: Path) -> None:
    """Check the whole log: canonical form, order, every signature, the tree and its checkpoint."""
    from minivess.compliance.verification.log import verify_entries

    with services_of(project) as services:
        checks, _, _ = verify_entries(services.log.pairs(), services.log.checkpoint())
    for one in checks:
        click.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.name}: {one.detail}")
    if not all(one.passed for one in checks):
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--trust", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Keys you trust (`audit trust`)."
)
def receipt(receipt: Path, trust: Path) -> None:
    """Check a receipt offline against keys you trust."""
    from pydantic import ValidationError

    from minivess.compliance.verification.receipt import verify_receipt
    from minivess.compliance.verification.trust import read_trust
    from minivess.foundation.errors import InputError
    from minivess.records.receipt import Receipt

    try:
        held = Receipt.model_validate_json(read_limited(receipt, limit=4 << 20))
    except ValidationError:
        raise InputError("is not a receipt", path=receipt, hint="pass the `receipt` object of an answer") from None
    keys = read_trust(trust)
    verdict = verify_receipt(held, log_key=keys.log_key, actor=keys)
    for one in verdict.checks:
        click.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.name}: {one.detail}")
    if not verdict.holds:
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def trust(project: Path, out: Path) -> None:
    """Write the log's and the people's public keys to OUT, to be handed to verifiers by another way than the pack."""
    from minivess.workflows.people import trusted_keys

    with services_of(project) as services:
        write_text_atomic(out, trusted_keys(services))
    say(f"hand {out} to verifiers yourself: keys that travel with a pack prove nothing about it")


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.pass_obj
def show(project: Path, index: int) -> None:
    """One entry, whole."""
    from minivess.foundation.errors import UsageError

    with services_of(project) as services:
        entry = next(services.log.entries(index), None)
    if entry is None:
        raise UsageError(f"there is no entry {index}")
    emit_json(entry)
