"""`minivess`: nouns first, verbs second. Commands load when they are used, so that help answers at once."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path

import click

from minivess.foundation.errors import CannotWriteError, InputError, MinivessError
from minivess.foundation.implements import implements

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": (
        "minivess.cli.project.demo:demo",
        "Run the whole workflow in a folder of its own, from volumes to a verified pack.",
    ),
    "init": ("minivess.cli.project.project_file:init", "Start a project folder with a project file to fill in."),
    "status": ("minivess.cli.project.status:status", "Show which steps are done and the command of the next one."),
    "identity": ("minivess.cli.people.accounts:identity", "People, services and their keys."),
    "data": ("minivess.cli.data.preparation:data", "Ingest, validate, split and seal cases."),
    "train": ("minivess.cli.models.modelling:train", "Train every member the project names."),
    "ensemble": (
        "minivess.cli.models.modelling:ensemble",
        "Combine the trained members by the mean of their probabilities.",
    ),
    "calibrate": (
        "minivess.cli.models.modelling:calibrate",
        "Fit temperature and conformal threshold on the calibration part.",
    ),
    "model": ("minivess.cli.models.modelling:model", "Export the calibrated ensemble."),
    "test-set": ("minivess.cli.sealed.requests:test_set", "Criteria, requests, approvals and the count of looks."),
    "evaluate": (
        "minivess.cli.sealed.requests:evaluate",
        "Measure the exported model on the sealed test set, under an approval.",
    ),
    "serve": ("minivess.cli.serving.site:serve", "Answer inference requests, each with a receipt."),
    "trace": (
        "minivess.cli.trace.project_trace:trace",
        "Requirements, risks, scenarios, results and code, linked and checked.",
    ),
    "doctor": ("minivess.cli.project.doctor:doctor", "Examine the workspace: plain copies, keys, log, disk, versions."),
    "risk": ("minivess.cli.trace.risk:risk", "The risk file, computed from its plan."),
    "audit": ("minivess.cli.log.audit:audit", "Read, prove and verify the log."),
    "witness": ("minivess.cli.log.witnessing:witness", "Cosign the checkpoints of other logs (C2SP tlog-witness)."),
    "release": ("minivess.cli.release.build:release", "Build, sign and verify evidence packs."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-C",
    "--project",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    envvar="MINIVESS_PROJECT",
    help="The project folder, which contains minivess.yaml. Default: this folder.",
)
@click.version_option(package_name="minivess", message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context, project: Path) -> None:
    """Segmentation devices with their evidence: train, evaluate under seal, serve, and release what a stranger can verify.

    Results go to stdout (--json where it matters), progress to stderr. Exit codes: 0 done, 1 the answer is no,
    2 usage or malformed input, 3 could not check.
    """
    context.obj = project


@implements("REQ-043")
def main() -> None:
    """Run the command line; every expected error becomes one line, a hint and its exit code."""
    gc.set_threshold(100_000, 20, 20)  # what a command reads it keeps: looking for circles among it is time lost
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # records are checked by pydantic and nobody else
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(_say("interrupted", "start the same command again: finished work is kept", 130))
    except KeyboardInterrupt:
        sys.exit(_say("interrupted", "start the same command again: finished work is kept", 130))
    except click.ClickException as error:
        hint = "" if error.ctx is None else f"`{error.ctx.command_path} --help` shows what it takes"  # type: ignore[attr-defined]
        sys.exit(_say(error.format_message(), hint, 2))
    except InputError as error:
        hint = error.hint or "correct or replace the file and start again; nothing was written"
        sys.exit(_say(error.message, hint, error.exit_code))
    except MinivessError as error:
        sys.exit(_say(error.message, error.hint, error.exit_code))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        sys.exit(
            _say(
                f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}",
                "check the disk's space and permissions, then start again",
                CannotWriteError.exit_code,
            )
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("minivess"):
            raise
        sys.exit(_say(f"{error.name} is not installed", "pip install 'minivess[ml,serving]'", 3))
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, hint: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code


if __name__ == "__main__":
    main()
