"""`minivess audit prove|verify|checkpoint|compare|trust`: what others are given of the log, and checking it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import Progress, emit, emit_json, json_option, say
from minivess.cli.session import chosen_site, reader_of
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace

if TYPE_CHECKING:
    from minivess.workflows.log.verification import LogVerdict

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=Command)
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=_FILE, help="File to write instead of stdout; by convention it ends in .tlog-proof.")
@click.pass_obj
def prove(project: Path, index: int, out: Path | None) -> None:
    """Write entry INDEX with its proof, as a C2SP tlog-proof."""
    from minivess.workflows.log.proofs import proof_of

    with reader_of(project) as services:
        text = proof_of(services, index)
    _write(text, out)


@click.command(cls=Command)
@click.argument("file", type=_FILE, required=False)
@click.option("--trust", type=_FILE, help="Keys you trust (`audit trust`); a FILE is checked against them alone.")
@click.option("--known", type=_FILE, help="A checkpoint of this log from before (`audit checkpoint`), to be continued.")
@click.option("--quick", is_flag=True, help="Believe the log's signature instead of checking each actor's own.")
@json_option
@click.pass_obj
def verify(
    project: Path, *, file: Path | None, trust: Path | None, known: Path | None, quick: bool, as_json: bool
) -> None:
    """Check the whole log, or one entry by its proof in FILE.

    The whole log: canonical form, order, every signature, the tree and its checkpoint, and the cached tables.
    With --quick, the cached tables (columns, tree, checkpoints, outbox) are not compared with the entries.
    With FILE, a tlog-proof (`audit prove`) or a receipt, check that one entry offline.
    A service's log (`audit --site`) must continue what the device's log knows of it.
    """
    from minivess.workflows.log.proofs import read_checkpoint
    from minivess.workflows.log.verification import read_trust, verify_entry, verify_whole_log
    from minivess.workflows.serving.site import newest_note

    keys = None if trust is None else read_trust(trust)
    if file is not None:
        if keys is None:
            raise UsageError(
                "a proof is checked against keys you trust", hint="pass --trust, from `minivess audit trust`"
            )
        _write_verdict(verify_entry(file, keys), as_json=as_json)
        return
    site = chosen_site()
    before = None if known is None else read_checkpoint(known)
    if before is None and site is not None:
        before = newest_note(Workspace.find(project).root, site)
    with reader_of(project) as services:
        progress, size = Progress(), services.log.size
        verdict = verify_whole_log(
            services,
            trust=keys,
            known=before,
            quick=quick,
            of_device=site is None,
            progress=lambda done: progress("entries", done, size),
        )
    _write_verdict(verdict, as_json=as_json)


@click.command(cls=Command)
@click.option("--out", type=_FILE, help="File to write instead of stdout.")
@click.option("--vkey", is_flag=True, help="Write the log's C2SP verifier key instead, for a witness.")
@click.pass_obj
def checkpoint(project: Path, out: Path | None, vkey: bool) -> None:
    """Write the newest signed checkpoint (C2SP), to keep elsewhere.

    With it, a rollback of the log is noticed.
    """
    from minivess.workflows.log.proofs import verifier_key_of

    with reader_of(project) as services:
        note = f"{verifier_key_of(services)}\n" if vkey else services.log.checkpoint()
    _write(note, out)


@click.command(cls=Command)
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option("--trust", required=True, type=_FILE, help="Keys you trust (`audit trust`).")
@json_option
def compare(first: Path, second: Path, trust: Path, as_json: bool) -> None:
    """Check whether two checkpoints can be of one history.

    Two different checkpoints of one size prove a split view.
    """
    from minivess.workflows.log.verification import compare_checkpoints, read_trust

    keys = read_trust(trust)
    words = compare_checkpoints(first, second, keys)
    emit(words, {"found": words, "limits": list(keys.limits)}, as_json=as_json)
    _name_limits(keys.limits)


@click.command(cls=Command)
@click.argument("out", type=_FILE)
@click.pass_obj
def trust(project: Path, out: Path) -> None:
    """Write a trust file to OUT, for those who verify packs.

    Hand it to them by another way than the pack. It holds the log's key, its witnesses, its roots, the people who may
    sign, the signatures a release needs, and the newest checkpoint.
    """
    from minivess.workflows.people.accounts import trusted_keys

    with reader_of(project) as services:
        write_text_atomic(out, trusted_keys(services))
    say(f"hand {out} to verifiers yourself: keys that travel with a pack prove nothing about it")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text_atomic(out, text)


def _write_verdict(verdict: LogVerdict, *, as_json: bool) -> None:
    if as_json:
        checks = [one.model_dump(mode="json") for one in verdict.checks]
        emit_json({"holds": verdict.holds, "checks": checks, "limits": list(verdict.limits)})
    else:
        for one in verdict.checks:
            click.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.name}: {one.detail}")
    if not verdict.holds:
        raise click.exceptions.Exit(1)
    _name_limits(verdict.limits)


@implements("REQ-152")
def _name_limits(limits: Iterable[str]) -> None:
    """Name on stderr what a verdict leaves open."""
    for words in limits:
        click.echo(f"LIMITED: {words}; `minivess audit trust` writes a trust file that does", err=True)
