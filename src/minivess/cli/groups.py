"""Commands and groups of commands: help in working order, suggestions for mistyped words, and the options that all have."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import click

from minivess.cli.rendering import VERBOSITY, say
from minivess.foundation.implements import implements

NAMED_AT_MOST = 3


def summary_of(command: click.Command) -> str:
    """The first line of a command's help."""
    lines = inspect.cleandoc(command.help or "").splitlines()
    return lines[0] if lines else ""


@implements("REQ-207")
def _speak(context: click.Context, option: click.Parameter, value: bool) -> None:
    """Keep how much is written to stderr; log messages follow it."""
    if not value:
        return
    import logging

    verbosity = 1 if option.name == "verbose" else -1
    context.meta[VERBOSITY] = verbosity
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger().setLevel(logging.ERROR if verbosity < 0 else logging.WARNING)
    logging.getLogger("minivess").setLevel(logging.ERROR if verbosity < 0 else logging.DEBUG)


def _verbosity_options() -> list[click.Parameter]:
    """`-q` and `-v`, which every command and every group takes."""
    shared: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True, "callback": _speak}
    return [
        click.Option(["-q", "--quiet"], help="Write only results and errors.", **shared),
        click.Option(["-v", "--verbose"], help="Write more to stderr: each step, and messages of the log.", **shared),
    ]


class Command(click.Command):
    """A command that takes `-q` and `-v`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += _verbosity_options()

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole summary."""
        return summary_of(self)


class LongCommand(Command):
    """A command that loads much before it can work, so it says at once that it has begun."""

    @implements("REQ-304")
    def invoke(self, ctx: click.Context) -> object:
        """Say that the command has begun, and run it."""
        say(f"{' '.join(_names(ctx))}: begins")
        return super().invoke(ctx)


def _names(context: click.Context) -> list[str]:
    """The names of a command and of the groups above it, without the program's."""
    above = [] if context.parent is None else _names(context.parent)
    return above if context.parent is None else [*above, context.info_name or ""]


@implements("REQ-205")
class Group(click.Group):
    """A group of commands that lists them under headings in working order.

    Args:
        sections: the names of the commands under each heading; without it there is one heading.
        settings: as `click.Group`.
    """

    command_class = Command
    group_class = type

    def __init__(self, *arguments: Any, sections: Mapping[str, Sequence[str]] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.sections = dict(sections or {})
        self.params += _verbosity_options()

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole summary."""
        return summary_of(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in working order."""
        ordered = [name for names in self.sections.values() for name in names]
        return ordered + [name for name in self.commands if name not in ordered]

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """The summary of each command."""
        found: dict[str, str] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None:
                found[name] = summary_of(command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its summary, under their headings."""
        summaries = self.summaries(ctx)
        widest = max(map(len, summaries), default=0)
        sections = self.sections or {"Commands": tuple(summaries)}
        for heading, names in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), summaries[name]) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of an unknown word, name what is near it.

        Raises:
            UsageError: there is no such command.
        """
        name = click.utils.make_str(args[0])
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=NAMED_AT_MOST, cutoff=0.6)
            raise UnknownCommandError(name, near, ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports a command only when it is named.

    Args:
        places: where each command is below `minivess.cli`, as `module:attribute`, by its name.
        arguments: as `Group`.
        settings: as `Group`.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._places = dict(places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command.

        Raises:
            TypeError: the place holds something else.
        """
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name].partition(":")
        command = getattr(importlib.import_module(f"minivess.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command


class UnknownCommandError(click.UsageError):
    """A word that is no command.

    Args:
        word: what was typed.
        near: commands that may have been meant, nearest first.
        context: of the group.
    """

    def __init__(self, word: str, near: Sequence[str], context: click.Context) -> None:
        super().__init__(f"`{context.command_path}` has no command {word!r}", context)
        self.hint = f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
