"""`minivess model bento` and `model map`: the model in production as a package for others to run."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=LongCommand)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@actor_option
@json_option
@click.pass_obj
def bento(project: Path, *, out: Path, actor: str | None, as_json: bool) -> None:
    """Build a Bento of the model in production, in folder OUT.

    The Bento has the service of `minivess serve`, the model, this software, the packages that uv.lock pins with their
    digests, and a Dockerfile. It has no log and no key: `bentoml serve OUT` needs MINIVESS_PROJECT, the project folder, and
    the passphrases that `minivess serve` needs. It serves only while its model is in production.
    """
    from minivess.workflows.bento.build import build_bento

    with services_of(project) as services:
        made = build_bento(services, signer_of(services, actor, Role.DEVELOPER, Role.RELEASE_MANAGER), out)
    text = f"{made.tag}\nmodel: {made.facts.model}\nfiles: {made.files}\n`bentoml serve {out}` serves it"
    emit(
        text, {"tag": made.tag, "digest": made.digest, "files": made.files, **made.facts.model_dump()}, as_json=as_json
    )


@click.command(cls=LongCommand, name="map")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@actor_option
@json_option
@click.pass_obj
def application_package(project: Path, *, out: Path, actor: str | None, as_json: bool) -> None:
    """Make folder OUT a MONAI Application Package of the model.

    The package has the manifests of specification 1.0.0, an application that segments the DICOM series of a folder on the
    CPU, the model, this software, the packages that uv.lock pins with their digests, and a Dockerfile. It has no log and no
    key: the project folder is mounted, and each answer is recorded in it.
    """
    from minivess.workflows.bento.application_package import lay_out_package

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER, Role.RELEASE_MANAGER)
        made = lay_out_package(services, signer, out)
    text = f"{made.tag}\nmodel: {made.model}\nfiles: {made.files}\n`docker build -t {made.tag} {out}` makes the image"
    told = {"tag": made.tag, "model": made.model, "digest": made.digest, "files": made.files}
    emit(text, told, as_json=as_json)
