"""`minivess completion`."""

from __future__ import annotations

import click

from minivess.cli.groups import Command
from minivess.foundation.implements import implements

_PROGRAM = "minivess"
_VARIABLE = "_MINIVESS_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@implements("REQ-205")
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: minivess completion bash > ~/.local/share/bash-completion/completions/minivess
    zsh:  minivess completion zsh > ~/.zfunc/_minivess
    fish: minivess completion fish > ~/.config/fish/completions/minivess.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  for the type checker: the choices are click's own
    made = kind(context.find_root().command, {}, _PROGRAM, _VARIABLE)
    click.echo(made.source_template % made.source_vars())
