"""`minivess audit seen` and `minivess audit restore`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import Progress, emit_entry, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, passphrase_for, reader_of, who_acts
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import Role

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=Command)
@click.option("--of", "identity", help="Write the checkpoint that this person saw.")
@click.option("--out", type=_FILE, help="File to write instead of stdout.")
@json_option
@click.pass_obj
def seen(project: Path, identity: str | None, out: Path | None, as_json: bool) -> None:
    """List what each person saw of the log from this account.

    It is the newest checkpoint of each person, and of this machine.
    """
    from minivess.foundation.errors import UsageError
    from minivess.workflows.log.restoring import entries_of, seen_here

    with reader_of(project) as services:
        found = seen_here(services.log)
    if identity is None:
        sizes = {who: entries_of(note) for who, note in found.items()}
        if as_json:
            emit_json({"seen": [{"who": who, "entries": size} for who, size in sizes.items()]})
        else:
            emit_table(("who", "entries"), sizes.items())
        return
    if identity not in found:
        raise UsageError(f"{identity} saw nothing of this log from this account")
    if out is None:
        click.echo(found[identity], nl=False)
    else:
        write_text_atomic(out, found[identity])


@click.command(cls=Command)
@click.option("--reason", required=True, help="Why a backup was restored, in a line; it stays in the log.")
@click.option(
    "--seen",
    "files",
    multiple=True,
    type=_FILE,
    help="A checkpoint that a person saw (`minivess audit seen --of ID`, on their machine). Repeatable.",
)
@actor_option
@json_option
@click.pass_obj
def restore(project: Path, reason: str, files: tuple[Path, ...], actor: str | None, as_json: bool) -> None:
    """Continue a log whose database was restored from a backup.

    A root or a release manager signs this entry. Until then, no other entry can be appended. The entry names every
    remembered checkpoint that the log no longer continues. Each person whose checkpoint it names can sign again. Every
    verdict on the log names the restore.
    """
    from minivess.workflows.log.restoring import restore as record_restore
    from minivess.workflows.people.accounts import unlock_to_restore
    from minivess.workflows.session.services import open_services

    workspace = Workspace.find(project)
    notes = {file.name: read_limited(file, limit=1 << 16).decode("utf-8", "replace") for file in files}
    with open_services(
        workspace.root, log_passphrase=lambda: passphrase_for("log"), progress=Progress(), restoring=True
    ) as services:
        who = who_acts(workspace.root, actor, Role.RELEASE_MANAGER)
        signer = unlock_to_restore(services, who, passphrase_for(who))
        receipt = record_restore(services, signer, reason, notes)
    emit_entry(receipt.index, as_json=as_json)
    say("people who saw more of the log on other machines: pass what they saw with --seen, or they cannot sign")
