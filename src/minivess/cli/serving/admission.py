"""`minivess model deploy` and `minivess model admission`: serving where the device's log is elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit, json_option, say
from minivess.cli.session import passphrase_for, reader_of, services_of

_site = click.option(
    "--site", default="main", show_default=True, help="Names the log that the answers are recorded in."
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_site
@json_option
@click.pass_obj
def deploy(project: Path, *, folder: Path, site: str, as_json: bool) -> None:
    """Make FOLDER, from which the model is served elsewhere.

    FOLDER has the project file, the exported model, the serving log of the site, and the keys of that log and of the service
    `inference`. The log and its key are moved there, so that answers are recorded in one place. Afterwards a witness cosigns
    (`minivess audit witness`), and `minivess model admission` writes the file that takes the place of the device's log.
    """
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
    from minivess.workflows.serving.distant import deploy as make_folder

    with services_of(project) as services:
        passphrase = passphrase_for(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        make_folder(services, signer, folder, passphrase=passphrase, site=site)
    emit(f"serve from {folder}", {"folder": str(folder), "site": site}, as_json=as_json)
    say("next: `minivess audit witness`, then `minivess model admission FILE`")


@click.command()
@click.argument("database", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@_site
@json_option
@click.pass_obj
def anchor(project: Path, *, database: Path, site: str, as_json: bool) -> None:
    """Record the newest checkpoint of a serving log from elsewhere.

    DATABASE is a copy of evidence/serving/SITE.db of the folder that is served elsewhere. It must continue what the device's
    log knows of it. From the next admission on, receipts of the answers in it lead to this checkpoint.
    """
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
    from minivess.workflows.serving.distant import anchor_copy

    with services_of(project) as services:
        signer = unlock(services, INFERENCE_IDENTITY, passphrase_for(INFERENCE_IDENTITY))
        new = anchor_copy(services, signer, database, site=site)
    emit("anchored" if new else "nothing new", {"anchored": new, "site": site}, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_site
@json_option
@click.pass_obj
def admission(project: Path, *, file: Path, site: str, as_json: bool) -> None:
    """Write FILE, the log as a service elsewhere needs it.

    FILE has the entries of the log from the first one that decides which model answers and who may ask, and the proof
    that none is left out, up to the newest checkpoint that the witnesses of the project vouch for. `minivess serve
    --admission FILE` reads it, also while it runs: write it again before it is too old, and after a promotion.
    """
    from minivess.foundation.files import write_text_atomic
    from minivess.workflows.serving.access.admission import make_admission

    with reader_of(project) as reader:
        made = make_admission(reader, site)
    write_text_atomic(file, made.model_dump_json() + "\n")
    told = {"model": made.model, "site": site, "begins": made.begins, "entries": len(made.entries)}
    emit(f"model {made.model}, {len(made.entries)} entries from {made.begins} on", told, as_json=as_json)
