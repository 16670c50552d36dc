"""The reference pages: `python -m minivess.cli.reference docs/reference`, and `--check` to compare without writing.

Commands and options come from the commands themselves, the passphrases and an example of each from `commands.csv`, and
the fields of files from the records that validate them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click

from minivess.cli.main import app
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.workflows.project.reference_pages import file_pages, measures_page, page_head, table

_INTRODUCTION = """\
A command that only reads needs no passphrase. A command that adds an entry needs two: that of the log's key, which
signs the checkpoint, and that of the person who acts.

A command takes a passphrase from the environment (`MINIVESS_PASSPHRASE_ADA` for the identity `ada`,
`MINIVESS_PASSPHRASE_LOG` for the log's key) or asks for it at the terminal. `--as ada` names who acts. It is not
needed when only one person holds the role. `release sign` takes the signer's passphrase from the environment only in
the log of a demonstration.

`audit --site main log` reads the log of the service at that site instead of the device's; `show`, `prove`, `verify`
and `checkpoint` work the same way. `audit --site main verify` also checks that this log continues its anchor in the
device's log.

`data validate` needs no passphrase. It writes `data/validation.html`, `data/validation.json` and `data/profile.json`,
and ends with exit code 1 when a finding blocks. When `--as` names a person, or the passphrases of the log and of the
only developer are in the environment, it also records the result. `data split` accepts only a recorded validation.
Otherwise it validates again, records the result, and splits only if nothing blocks.

Results go to stdout: as text, or as JSON with `--json`. Progress and messages go to stderr: none of them with `-q`,
more with `-v`. `minivess completion bash` prints the completion script for bash; zsh and fish have theirs.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | a check failed, or an action was refused |
| 2 | wrong usage, or a malformed file |
| 3 | a check was not possible: a database, a key or a disk is not available |

Run the examples in a project folder, or with `-C FOLDER` before the command."""


@dataclass(frozen=True)
class Example:
    """One command as it is typed; the passphrases it needs, or none and what it does."""

    typed: str
    passphrases: str
    purpose: str


def examples() -> tuple[Example, ...]:
    """An example of each command, in the order of the table."""
    text = resources.files("minivess.cli").joinpath("commands.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Example(row["example"], row["passphrases"], row["purpose"]) for row in rows)


def commands(group: click.Group, *above: str) -> Iterator[tuple[str, click.Command]]:
    """The full name of each command below a group, and the command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, *above, name)
        elif found is not None:
            yield " ".join((*above, name)), found


@implements("REQ-210")
def commands_page(group: click.Group = app) -> str:
    """The page of all commands of a group.

    Raises:
        UsageError: a command has no example or no help, or an option has no help.
    """
    known = dict(commands(group))
    rows = examples()
    named = {_name_of(row.typed, known) for row in rows}
    if missing := set(known) - named:
        raise UsageError(f"{min(missing)} has no example", hint="add a row to src/minivess/cli/commands.csv")
    reads = ((f"`{row.typed}`", row.purpose) for row in rows if not row.passphrases)
    writes = ((f"`{row.typed}`", row.passphrases) for row in rows if row.passphrases)
    lines = page_head("Commands and the passphrases they need", _INTRODUCTION)
    lines += ["## Commands that need no passphrase", "", *table(("command", "what it does"), reads), ""]
    lines += ["## Commands that need passphrases", "", *table(("command", "whose passphrases"), writes), ""]
    lines += ["## Options", ""]
    for name, command in known.items():
        lines += _command(name, command)
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """All reference pages by file name."""
    return {"commands.md": commands_page(), "measures.md": measures_page(), **file_pages()}


def _name_of(typed: str, known: dict[str, click.Command]) -> str:
    words = typed.split()
    for count in (3, 2, 1):
        if (name := " ".join(words[:count])) in known:
            return name
    raise UsageError(f"{typed!r} is no command", hint="correct its row in src/minivess/cli/commands.csv")


def _command(name: str, command: click.Command) -> list[str]:
    if not command.help:
        raise UsageError(f"{name} has no help", hint="write a docstring of the command")
    texts = [" ".join(text.split()) for text in command.help.replace("\b", "").split("\n\n")]
    usage = " ".join((name, *command.collect_usage_pieces(click.Context(command))))
    lines = [f"### `{name}`", "", *(line for text in texts for line in (text, "")), f"`minivess {usage}`", ""]
    options = [
        parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    if options:
        lines += [*table(("option", "meaning"), (_option(name, option) for option in options)), ""]
    return lines


def _option(name: str, option: click.Option) -> tuple[str, str]:
    spelt = ", ".join(f"`{word}`" for word in (*option.opts, *option.secondary_opts))
    context = click.Context(click.Command(name))
    record = option.get_help_record(context)
    text = " ".join((record[1] if record else "").split())
    if not option.help:
        raise UsageError(f"{name} {option.opts[0]} has no help", hint="give the option a help text")
    return spelt, text


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("docs/reference"))
@click.option("--check", is_flag=True, help="Compare with the files in FOLDER instead of writing them.")
def main(folder: Path, check: bool) -> None:
    """Write the reference pages into FOLDER."""
    made = pages()
    if not check:
        for name, text in made.items():
            write_text_atomic(folder / name, text)
        return
    for name, text in made.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise click.ClickException(f"{path} is out of date; run `python -m minivess.cli.reference`")


if __name__ == "__main__":
    main()
