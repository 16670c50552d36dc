"""`minivess identity`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Group
from minivess.cli.proposals import read_proposal, write_proposal
from minivess.cli.rendering import emit, emit_entry, emit_json, emit_record, emit_table, json_option, say
from minivess.cli.session import actor_option, passphrase_for, reader_of, services_of, signer_of
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import IdentityKind, Role

if TYPE_CHECKING:
    from minivess.workflows.people.accounts import RootsProposal

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(
    cls=Group,
    sections={
        "Commands": ("list", "create", "enrol", "rotate", "revoke", "reinstate", "roots", "import"),
    },
)
def identity() -> None:
    """Manage people, services and their keys."""


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--name", required=True, help="The name that is printed beside every signature.")
@click.option(
    "--role",
    "roles",
    required=True,
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Repeatable.",
)
@click.option("--token", help="The PKCS #11 URI of a signing key in a token (its module: MINIVESS_PKCS11_MODULE).")
@json_option
@click.pass_obj
def create(
    project: Path, *, identifier: str, name: str, roles: tuple[str, ...], token: str | None, as_json: bool
) -> None:
    """Make keys for ID, wrapped with a passphrase.

    With --token, the passphrase is the token's PIN. A person's keys go to the profile of this account
    ($XDG_DATA_HOME/minivess, or ~/.local/share/minivess), the public record
    to people/ID.json. Keys that the profile has for ID already are used in this project as well.
    """
    from minivess.workflows.people.keys import make_keys

    held = tuple(Role(role) for role in roles)
    made = make_keys(Workspace.find(project), identifier, name, held, passphrase_for(identifier), token=token)
    emit_record(made.identity, as_json=as_json)
    if made.folder is not None:
        say(f"the keys are in {made.folder}, the public record is in people/{identifier}.json")


@identity.command("import")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
def import_folder(folder: Path, as_json: bool) -> None:
    """Move the keys of people out of the 0.1.0 workspace FOLDER.

    FOLDER may be its keystore. The keys go to the profile of this account. Services, the log's key and
    demonstrations stay. The command can be given again when it was interrupted.
    """
    from minivess.workflows.people.keys import import_own_keys

    done = import_own_keys(folder)
    lines = [f"{one.id}: key {one.signing_key.key_id[:12]} is in {done.profile} now" for one in done.identities]
    text = "\n".join(lines) or "no keys of people are left to move"
    emit(text, {"moved": [one.id for one in done.identities], "profile": str(done.profile)}, as_json=as_json)
    if done.identities:
        say("copies of the workspace that were made before still have the keys, under their passphrases: change these")


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--document", help="The document of identity that you checked: its kind, and where a copy is kept.")
@click.option("--training", help="The record of training that you checked.")
@actor_option
@json_option
@click.pass_obj
def enrol(
    project: Path, *, identifier: str, document: str | None, training: str | None, actor: str | None, as_json: bool
) -> None:
    """Let ID act in the log from now on.

    A root or a release manager signs this. For a person, you say which document and which training you checked;
    both stay in the log with your name.
    """
    from minivess.records.log.witnessed import Checked
    from minivess.workflows.people.accounts import enrol as enrol_identity
    from minivess.workflows.people.keys import identity_of

    with services_of(project) as services:
        known, checked = identity_of(services.workspace, identifier), None
        if known.kind is IdentityKind.PERSON and not (known.demo and document is training is None):
            checked = Checked(
                document=document or _ask("--document", f"Which document of {identifier} did you check"),
                training=training or _ask("--training", f"Which training record of {identifier} did you check"),
            )
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = enrol_identity(services, signer, identifier, checked)
    emit_entry(receipt.index, as_json=as_json)


def _ask(option: str, question: str) -> str:
    """An answer from the terminal.

    Raises:
        UsageError: there is no terminal.
    """
    from minivess.foundation.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"{option} is needed to enrol a person", hint="name what you checked, in 200 characters")
    return str(click.prompt(question, err=True))


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--token", help="The PKCS #11 URI of the new key, when it is in a token.")
@click.option("--new-passphrase", is_flag=True, help="Ask for another passphrase (MINIVESS_PASSPHRASE_<ID>_NEW).")
@json_option
@click.pass_obj
def rotate(project: Path, identifier: str, token: str | None, new_passphrase: bool, as_json: bool) -> None:
    """Replace the signing key of ID.

    The old key signs the entry that names the new one.
    """
    from minivess.workflows.people.accounts import rotate as rotate_key

    with services_of(project) as services:
        old = passphrase_for(identifier)
        new = passphrase_for(f"{identifier}_new") if new_passphrase else None
        made = rotate_key(services, identifier, old, new_passphrase=new, token=token)
    key = made.signing_key.key_id
    emit(f"{identifier} signs with key {key[:12]} from now on", {"identity": identifier, "key": key}, as_json=as_json)


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@json_option
@click.pass_obj
def revoke(project: Path, identifier: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Revoke the key of ID from now on.

    Another root or release manager signs this.
    """
    from minivess.workflows.people.accounts import revoke as revoke_key

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = revoke_key(services, signer, identifier, reason)
    emit_entry(receipt.index, as_json=as_json)
    say(f"`minivess audit blast-radius {identifier}` lists what relied on it")


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@json_option
@click.pass_obj
def reinstate(project: Path, identifier: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Let ID be unlocked again after too many wrong passphrases.

    Another root or release manager signs this.
    """
    from minivess.workflows.people.accounts import reinstate as lift

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = lift(services, signer, identifier, reason)
    emit_entry(receipt.index, as_json=as_json)


@identity.group(sections={"Commands": ("show", "propose", "sign", "apply")})
def roots() -> None:
    """Show or change the roots of the log.

    A threshold of the old and of the new roots must agree on a change.
    """


@roots.command("show")
@json_option
@click.pass_obj
def show_roots(project: Path, as_json: bool) -> None:
    """List the roots, and how many must agree to change them."""
    from minivess.workflows.people.accounts import register_of

    with reader_of(project) as services:
        register = register_of(services)
    if as_json:
        emit_json({"roots": [one.model_dump(mode="json") for one in register.roots], "threshold": register.threshold})
        return
    rows = [(one.id, one.name, one.signing_key.key_id[:12], register.state(one.id)) for one in register.roots]
    emit_table(("root", "name", "key", "state"), rows)
    click.echo(f"{register.threshold} of them must agree to change them")


@roots.command()
@click.argument("identifiers", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--threshold", required=True, type=click.IntRange(1), help="How many of the new roots must agree on changes."
)
@click.option("--log-key", "new_log_key", is_flag=True, help="Give the log itself a new key as well.")
@click.option("--out", required=True, type=_FILE, help="Where to write the proposal, for each root to sign.")
@click.pass_obj
def propose(project: Path, identifiers: tuple[str, ...], threshold: int, new_log_key: bool, out: Path) -> None:
    """Write a proposal of new roots, or of a new key of the log."""
    from minivess.workflows.people.accounts import propose_roots

    with reader_of(project) as services:
        passphrase = passphrase_for("log") if new_log_key else None
        write_proposal(out, propose_roots(services, identifiers, threshold, log_passphrase=passphrase))
    say(f"each root signs it: `minivess identity roots sign {shlex.quote(str(out))} --as ID`")


@roots.command("sign")
@click.argument("file", type=_FILE)
@actor_option
@json_option
@click.pass_obj
def sign_proposal(project: Path, file: Path, actor: str | None, as_json: bool) -> None:
    """Agree to a proposal, as an old or a new root."""
    from minivess.workflows.people.accounts import sign_roots

    with services_of(project) as services:
        proposal = sign_roots(services, signer_of(services, actor), _read(file))
        write_proposal(file, proposal)
    emit(f"{len(proposal.envelopes)} agreed", {"signatures": len(proposal.envelopes)}, as_json=as_json)


@roots.command("apply")
@click.argument("file", type=_FILE)
@actor_option
@json_option
@click.pass_obj
def apply_proposal(project: Path, file: Path, actor: str | None, as_json: bool) -> None:
    """Apply a proposal after enough roots have signed it.

    A threshold of the old roots and a threshold of the new roots must have signed.
    """
    from minivess.workflows.people.accounts import change_roots

    proposal = _read(file)
    with services_of(project) as services:
        passphrase = None if proposal.log_key is None else passphrase_for("log")
        receipt = change_roots(services, signer_of(services, actor), proposal, log_passphrase=passphrase)
    emit_entry(receipt.index, as_json=as_json)
    if proposal.log_key is not None:
        say(f"checkpoints are signed by key {proposal.log_key.key_id[:12]} from now on: start services again")
        say("`minivess audit trust` writes the keys that verifiers and witnesses need now")


@identity.command("list")
@json_option
@click.pass_obj
def list_identities(project: Path, as_json: bool) -> None:
    """List the people and services of the project, with their state."""
    from minivess.workflows.people.key_states import known_identities

    known = known_identities(Workspace.find(project))
    if as_json:
        emit_json(
            [{**one.identity.model_dump(mode="json"), "state": one.state, "checked": one.checked} for one in known]
        )
        return
    rows = [
        (
            one.identity.id,
            one.identity.name,
            one.identity.kind.value,
            ", ".join(one.identity.roles),
            one.state,
            one.checked or "",
            "DEMO" if one.identity.demo else "",
        )
        for one in known
    ]
    emit_table(("id", "name", "kind", "roles", "in the log", "checked before", ""), rows)


def _read(file: Path) -> RootsProposal:
    from minivess.workflows.people.accounts import RootsProposal

    return read_proposal(file, RootsProposal, "roots", hint="`minivess identity roots propose` writes one")
