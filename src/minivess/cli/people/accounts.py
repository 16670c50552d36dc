"""`minivess identity`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.proposals import read_proposal, write_proposal
from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, passphrase_for, reader_of, services_of, signer_of
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import IdentityKind, Role

if TYPE_CHECKING:
    from minivess.workflows.people.accounts import RootsProposal

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def identity() -> None:
    """People, services and their keys."""


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--name", required=True, help="The printed name, as it will stand beside every signature.")
@click.option(
    "--role",
    "roles",
    required=True,
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Repeatable.",
)
@click.option("--token", help="The PKCS #11 URI of a signing key in a token (its module: MINIVESS_PKCS11_MODULE).")
@click.pass_obj
def create(project: Path, identifier: str, name: str, roles: tuple[str, ...], token: str | None) -> None:
    """Make keys for ID, wrapped with a passphrase; with --token, the passphrase is the token's PIN.

    A person's keys go to the profile of this account ($XDG_DATA_HOME/minivess, or ~/.local/share/minivess), the public record
    to people/ID.json. Keys that the profile has for ID already are used in this project as well.
    """
    from minivess.compliance.identity.keyring import Keyring

    held = tuple(Role(role) for role in roles)
    kind = IdentityKind.SERVICE if held == (Role.SERVICE,) else IdentityKind.PERSON
    ring = Keyring.of(Workspace.find(project))
    made = ring.create(identifier, name, kind, held, passphrase_for(identifier), token=token)
    emit_json(made)
    if kind is IdentityKind.PERSON:
        say(f"the keys are in {ring.profile.keys}, the public record is in people/{identifier}.json")


@identity.command("import")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def import_folder(folder: Path) -> None:
    """Move the keys of people out of the 0.1.0 workspace FOLDER (or its keystore) into the profile of this account.

    Services, the log's key and demonstrations stay. The command can be given again when it was interrupted.
    """
    from minivess.compliance.identity.key_import import import_keys
    from minivess.foundation.user_profile import Profile

    profile = Profile.of_user()
    moved = import_keys(folder, profile)
    for one in moved:
        click.echo(f"{one.id}: key {one.signing_key.key_id[:12]} is in {profile.root} now")
    if moved:
        say("copies of the workspace that were made before still have the keys, under their passphrases: change these")
    else:
        click.echo("no keys of people are left to move")


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--document", help="The document of identity that you checked: its kind, and where a copy is kept.")
@click.option("--training", help="The record of training that you checked.")
@actor_option
@click.pass_obj
def enrol(project: Path, identifier: str, document: str | None, training: str | None, actor: str | None) -> None:
    """Let ID act in the log from now on (signed by a root or a release manager).

    For a person, you say which document and which training you checked; both stay in the log with your name.
    """
    from minivess.compliance.identity.keyring import Keyring
    from minivess.records.log.witnessed import Checked
    from minivess.workflows.people.accounts import enrol as enrol_identity

    with services_of(project) as services:
        known, checked = Keyring.of(services.workspace).identity(identifier), None
        if known.kind is IdentityKind.PERSON and not (known.demo and document is training is None):
            checked = Checked(
                document=document or _ask("--document", f"Which document of {identifier} did you check"),
                training=training or _ask("--training", f"Which training record of {identifier} did you check"),
            )
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {enrol_identity(services, signer, identifier, checked).index}")


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
@click.pass_obj
def rotate(project: Path, identifier: str, token: str | None, new_passphrase: bool) -> None:
    """Go on under a new signing key, by an entry signed with the old one."""
    from minivess.workflows.people.accounts import rotate as rotate_key

    with services_of(project) as services:
        old = passphrase_for(identifier)
        new = passphrase_for(f"{identifier}_new") if new_passphrase else None
        made = rotate_key(services, identifier, old, new_passphrase=new, token=token)
    click.echo(f"{identifier} signs with key {made.signing_key.key_id[:12]} from now on")


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@click.pass_obj
def revoke(project: Path, identifier: str, reason: str, actor: str | None) -> None:
    """Let the key of ID count no longer from now on (signed by another root or release manager)."""
    from minivess.workflows.people.accounts import revoke as revoke_key

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {revoke_key(services, signer, identifier, reason).index}")
    say(f"`minivess audit blast-radius {identifier}` lists what relied on it")


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@click.pass_obj
def reinstate(project: Path, identifier: str, reason: str, actor: str | None) -> None:
    """Let ID be unlocked again after too many wrong passphrases (signed by another root or release manager)."""
    from minivess.workflows.people.accounts import reinstate as lift

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {lift(services, signer, identifier, reason).index}")


@identity.group()
def roots() -> None:
    """The roots of the log: shown, and changed by a threshold of the old and of the new ones."""


@roots.command("show")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def show_roots(project: Path, as_json: bool) -> None:
    """Who the roots are, and how many must agree to change them."""
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
    """Name the roots to be, and whether the log gets a new key."""
    from minivess.workflows.people.accounts import propose_roots

    with reader_of(project) as services:
        passphrase = passphrase_for("log") if new_log_key else None
        write_proposal(out, propose_roots(services, identifiers, threshold, log_passphrase=passphrase))
    say(f"each root signs it: `minivess identity roots sign {out} --as ID`")


@roots.command("sign")
@click.argument("file", type=_FILE)
@actor_option
@click.pass_obj
def sign_proposal(project: Path, file: Path, actor: str | None) -> None:
    """Agree to a proposal, as an old or a new root."""
    from minivess.workflows.people.accounts import sign_roots

    with services_of(project) as services:
        proposal = sign_roots(services, signer_of(services, actor), _read(file))
        write_proposal(file, proposal)
    click.echo(f"{len(proposal.envelopes)} agreed")


@roots.command("apply")
@click.argument("file", type=_FILE)
@actor_option
@click.pass_obj
def apply_proposal(project: Path, file: Path, actor: str | None) -> None:
    """Put a proposal into force that enough old and new roots signed."""
    from minivess.workflows.people.accounts import change_roots

    proposal = _read(file)
    with services_of(project) as services:
        passphrase = None if proposal.log_key is None else passphrase_for("log")
        receipt = change_roots(services, signer_of(services, actor), proposal, log_passphrase=passphrase)
    click.echo(f"entry {receipt.index}")
    if proposal.log_key is not None:
        say(f"checkpoints are signed by key {proposal.log_key.key_id[:12]} from now on: start services again")
        say("`minivess audit trust` writes the keys that verifiers and witnesses need now")


@identity.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def list_identities(project: Path, as_json: bool) -> None:
    """Everybody this project knows, and how each of them stands in the log."""
    from minivess.compliance.identity.keyring import Keyring
    from minivess.workflows.people.accounts import states_of
    from minivess.workflows.people.enrolment_checks import checks_of

    workspace = Workspace.find(project)
    known = Keyring.of(workspace).identities()
    states, checks = states_of(workspace, known), checks_of(workspace)
    if as_json:
        emit_json(
            [{**one.model_dump(mode="json"), "state": states[one.id], "checked": checks.get(one.id)} for one in known]
        )
        return
    rows = [
        (
            one.id,
            one.name,
            one.kind.value,
            ", ".join(one.roles),
            states[one.id],
            checks.get(one.id, ""),
            "DEMO" if one.demo else "",
        )
        for one in known
    ]
    emit_table(("id", "name", "kind", "roles", "in the log", "checked before", ""), rows)


def _read(file: Path) -> RootsProposal:
    from minivess.workflows.people.accounts import RootsProposal

    return read_proposal(file, RootsProposal, "roots", hint="`minivess identity roots propose` writes one")
