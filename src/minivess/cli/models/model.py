"""`minivess model`: export, examination, comparison, promotion and the disposition of training runs."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Group
from minivess.cli.models.analysis import explain, robustness
from minivess.cli.models.packages import application_package, bento
from minivess.cli.models.signature import sign_exported
from minivess.cli.rendering import emit, emit_entry, emit_json, json_option
from minivess.cli.serving.admission import admission, anchor, deploy
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import Role


@click.group(
    cls=Group,
    sections={
        "Commands": (
            "export",
            "sign",
            "robustness",
            "explain",
            "compare",
            "promote",
            "deploy",
            "admission",
            "anchor",
            "bento",
            "map",
            "dispose",
        )
    },
)
def model() -> None:
    """Export, examine, compare and promote models."""


@model.command()
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="MEASURE=VALUE",
    help="The loss that does not matter. Default: as registered.",
)
@click.option(
    "--goal", "goals", multiple=True, metavar="MEASURE=VALUE", help="How many groups show this limit? Repeatable."
)
@click.option("--seed", default=0, show_default=True, help="Of all draws.")
@json_option
@click.pass_obj
def compare(
    project: Path,
    *,
    first: Path,
    second: Path,
    margins: tuple[str, ...],
    goals: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Compare models A and B that were evaluated on the same cases.

    A and B are files evaluation.json, or folders that have one. The log must have the looks at the test set. No entry is
    added.
    """
    from minivess.cli.models.comparison import show_comparison
    from minivess.workflows.evaluation.comparison import compare_models, limits_of

    stated, wanted = limits_of(margins, "--margin"), limits_of(goals, "--goal")
    with reader_of(project) as reader:
        found = compare_models(reader, first, second, seed=seed, margins=stated, goals=wanted)
    if as_json:
        emit_json(found)
    else:
        show_comparison(found)


model.add_command(anchor)
model.add_command(deploy)
model.add_command(admission)
model.add_command(robustness)
model.add_command(explain)
model.add_command(sign_exported)
model.add_command(bento)
model.add_command(application_package)


@model.command()
@click.argument("entry", type=click.IntRange(0))
@click.option("--verdict", required=True, help="What became of the run: discarded, repeated, …")
@click.option("--reason", required=True, help="Why, in one line. It is signed and shown in the release.")
@actor_option
@json_option
@click.pass_obj
def dispose(project: Path, *, actor: str | None, entry: int, verdict: str, reason: str, as_json: bool) -> None:
    """Close the unused training run of log ENTRY with a reason."""
    from minivess.workflows.models import dispositions

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER)
        receipt = dispositions.dispose(services, signer, entry, verdict=verdict, reason=reason)
    emit_entry(receipt.index, as_json=as_json)


@model.command()
@actor_option
@json_option
@click.pass_obj
def export(project: Path, actor: str | None, as_json: bool) -> None:
    """Export the calibrated ensemble, and compare it with PyTorch.

    The export is one folder. The comparison is on whole images. The certificate is printed.
    """
    from minivess.workflows.models import export
    from minivess.workflows.session.workspace_files import model_of

    with services_of(project) as services:
        made = export.export(services, signer_of(services, actor, Role.DEVELOPER))
        digest = model_of(Workspace(services.workspace))
    text = "\n".join((f"model: {digest}", *made.certificate))
    emit(text, {"digest": digest, **made.model_dump(mode="json")}, as_json=as_json)


@model.command()
@click.argument("digest")
@click.option(
    "--stage", required=True, type=click.Choice(["candidate", "production", "retired"]), help="Where it moves."
)
@click.option("--reason", required=True, help="Why, in one line. It is signed and stays in the log.")
@actor_option
@json_option
@click.pass_obj
def promote(project: Path, *, actor: str | None, digest: str, stage: str, reason: str, as_json: bool) -> None:
    """Move the exported model DIGEST to another stage.

    At most one model is in production.
    """
    from minivess.workflows.models import promotion

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = promotion.promote(services, signer, digest, stage=stage, reason=reason)
    emit_entry(receipt.index, as_json=as_json)
