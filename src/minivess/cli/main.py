"""`minivess`: nouns first, verbs second. Commands load when they are used, so that help answers at once."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from minivess.cli.groups import LazyGroup, UnknownCommandError
from minivess.cli.rendering import say_more
from minivess.cli.streams import tolerate_readers_that_leave
from minivess.foundation.errors import CannotWriteError, MinivessError, Reason
from minivess.foundation.implements import implements

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("project.demo:demo", "Run the whole workflow with made-up people in a new folder."),
        "init": ("project.project_file:init", "Start a project folder with a project file to fill in."),
        "status": ("project.status:status", "Show which steps are done and the command of the next one."),
        "qualify": ("project.qualification:qualify", "Check this software on this machine; write a report."),
        "doctor": ("project.doctor:doctor", "Examine the workspace: keys, log, disk, versions."),
    },
    "People and the log": {
        "identity": ("people.accounts:identity", "Manage people, services and their keys."),
        "audit": ("log.audit:audit", "Read, prove and verify the log."),
        "witness": ("log.witnessing:witness", "Cosign the checkpoints of other logs (C2SP tlog-witness)."),
    },
    "Data and models": {
        "data": ("data.commands:data", "Ingest, validate, split and seal cases."),
        "plan": ("models.plan:plan", "Propose spacing, network, training and measures, with reasons."),
        "train": ("models.training:train", "Train every member that the project names."),
        "ensemble": ("models.ensembles:ensemble", "Combine the trained members by their mean probability."),
        "calibrate": ("models.calibration:calibrate", "Fit temperature and conformal threshold."),
        "model": ("models.model:model", "Export, examine, compare and promote models."),
    },
    "Evaluation and service": {
        "test-set": ("sealed.requests:test_set", "Request, approve and list looks at the sealed test set."),
        "evaluate": ("sealed.requests:evaluate", "Measure the model on the sealed test set, or on another part."),
        "serve": ("serving.site:serve", "Answer inference requests, each with a receipt."),
        "dicom": ("dicom.commands:dicom", "Answer DICOM series from folders and the network."),
        "caller": ("serving.callers:caller", "Manage the API keys of those who call the service."),
    },
    "Requirements, risks and releases": {
        "trace": ("trace.project_trace:trace", "Check and show requirements, risks, tests and code."),
        "risk": ("trace.risk:risk", "Compute the risk file and test its controls."),
        "release": ("release.release:release", "Build, sign, verify and compare evidence packs."),
    },
    "This program": {
        "completion": ("project.completion:completion", "Print the completion script of a shell."),
    },
}
"""The commands under their headings, in working order: where each is, and its summary."""

EXIT_CODES = """
\b
Exit codes:
  0  done
  1  a check failed, or an action was refused
  2  wrong usage, or a malformed file
  3  a check was not possible: a database, a key or a disk is not available
"""

_AGAIN = "start the same command again: finished work is kept"
_INTERRUPTED = 130


class MainGroup(LazyGroup):
    """A group that knows its commands' names and summaries without importing them."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._known = {name: place for commands in SECTIONS.values() for name, place in commands.items()}
        super().__init__(
            *arguments,
            places={name: place for name, (place, _) in self._known.items()},
            sections={name: tuple(commands) for name, commands in SECTIONS.items()},
            **settings,
        )

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """The summaries, without importing any command."""
        return {name: summary for name, (_, summary) in self._known.items()}

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete the name of a command without importing any."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=text) for name, text in self.summaries(ctx).items() if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=MainGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
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
    """Train, evaluate, serve and release an AI segmentation model.

    Every step is recorded in a signed log. A release can be verified offline, without this program.

    Results go to stdout (as JSON with --json), progress and messages to stderr.
    """
    context.obj = project
    started = time.monotonic()
    context.call_on_close(lambda: say_more(f"took {time.monotonic() - started:.1f} s"))


@implements("REQ-043", "REQ-208")
def main() -> None:
    """Run the command line; every expected error becomes a line for each reason, a hint and its exit code."""
    gc.set_threshold(100_000, 20, 20)  # what a command reads it keeps: looking for circles among it is time lost
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # records are checked by pydantic alone
    tolerate_readers_that_leave()
    try:
        code = app(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(_report([Reason("interrupted", _AGAIN)], _INTERRUPTED))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        sys.exit(_report([Reason(_words_of(error), _hint_of(error))], 2))
    except MinivessError as error:
        sys.exit(_report(error.reasons, error.exit_code))
    except OSError as error:
        message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        hint = "check the disk's space and permissions, then start again"
        sys.exit(_report([Reason(message, hint)], CannotWriteError.exit_code))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("minivess"):
            raise
        sys.exit(_report([Reason(f"{error.name} is not installed", "pip install 'minivess[ml,serving]'")], 3))
    sys.exit(code if isinstance(code, int) else 0)


def _hint_of(error: click.ClickException) -> str:
    """What may have been meant, else where to read what can be given."""
    if isinstance(error, UnknownCommandError) and error.hint:
        return error.hint
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"did you mean {' or '.join(f'`{one}`' for one in sorted(error.possibilities)[:3])}?"
    context: click.Context | None = getattr(error, "ctx", None)
    return "" if context is None else f"`{context.command_path} --help` shows what it takes"


def _words_of(error: click.ClickException) -> str:
    """A message of click in one line, without what becomes its hint."""
    message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    return " ".join(message.split())


def _report(reasons: Iterable[Reason], code: int) -> int:
    """Write each reason in its own line, with its hint below it."""
    for reason in reasons:
        click.echo(f"error: {reason.message}", err=True)
        if reason.hint:
            click.echo(f"hint: {reason.hint}", err=True)
    return code


if __name__ == "__main__":
    main()
