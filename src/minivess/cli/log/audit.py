"""`minivess audit`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.log.action_table import rules
from minivess.cli.log.restoring import restore, seen
from minivess.cli.rendering import Progress, emit_json, emit_table, say
from minivess.cli.session import (
    actor_option,
    choose_site,
    chosen_site,
    first_signer_of,
    passphrase_for,
    reader_of,
    services_of,
    signer_of,
)
from minivess.foundation.errors import UsageError
from minivess.foundation.files import read_limited, write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.log.entry import Outcome
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minivess.compliance.verification.trust import Trust
    from minivess.records.log.entry import Details, Entry
    from minivess.records.log.receipt import Receipt
    from minivess.records.verdict import Check, Verdict
    from minivess.workflows.log.inspection import Explained

_FILE = click.Path(path_type=Path, dir_okay=False)
_OF_A_SITE = ("log", "show", "prove", "verify", "checkpoint")
_MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
@click.option("--site", help="Read the log of the service at this site in place of the device's (`minivess serve`).")
@click.pass_context
def audit(context: click.Context, site: str | None) -> None:
    """Read, prove and verify the log."""
    if site is not None:
        if context.invoked_subcommand not in _OF_A_SITE:
            raise UsageError(f"--site is for {', '.join(_OF_A_SITE)}")
        choose_site(site, context.obj)


audit.add_command(rules)


@audit.command()
@actor_option
@click.pass_obj
def cosign(project: Path, actor: str | None) -> None:
    """Cosign the newest checkpoint as a person, and remember it; the first time the log learns the key for this."""
    from minivess.workflows.log import cosigning

    with services_of(project) as services:
        signer = signer_of(services, actor)
        note = cosigning.cosign(services, signer)
    click.echo(f"{signer.identity.id} cosigned {note.splitlines()[1]} entries of {note.splitlines()[0]}")


audit.add_command(restore)
audit.add_command(seen)


@audit.command()
@click.option(
    "--checked",
    type=(str, str, str),
    multiple=True,
    metavar="ID DOCUMENT TRAINING",
    help="What you checked about a root: the document of identity and the record of training. Repeatable.",
)
@actor_option
@click.pass_obj
def start(project: Path, checked: tuple[tuple[str, str, str], ...], actor: str | None) -> None:
    """Start the log: every person of the project becomes a root, and the log gets a key of its own."""
    from minivess.records.log.witnessed import Checked
    from minivess.workflows.people.accounts import start_log

    signer = first_signer_of(project, actor, Role.RELEASE_MANAGER)
    known = {who: Checked(document=document, training=training) for who, document, training in checked}
    receipt = start_log(Workspace.find(project), signer, log_passphrase=passphrase_for("log"), checked=known or None)
    click.echo(f"entry {receipt.index}")


@audit.command()
@click.option("--action", help="Only this action, or those under it (`test-set`).")
@click.option("--by", "who", help="Only this actor.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]), help="Only those that ended like this.")
@click.option("--resource", help="Only those that read or made this: a part of its name, or of its digest.")
@click.option("--since", type=_MOMENT, help="Only from this time on (UTC).")
@click.option("--until", type=_MOMENT, help="Only before this time (UTC).")
@click.option("--release", "version", help="Only those that this release rests on.")
@click.option("--before", type=click.IntRange(0), help="The page before this entry.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Entries on a page.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON entry a line.")
@click.pass_obj
def log(
    project: Path,
    *,
    action: str | None,
    who: str | None,
    outcome: str | None,
    resource: str | None,
    since: datetime | None,
    until: datetime | None,
    version: str | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """What happened: the newest page, or the page before an entry."""
    from minivess.compliance.audit.reader import Wanted
    from minivess.workflows.log.inspection import span_of_release

    with reader_of(project) as services:
        wanted = Wanted(
            action=action,
            actor=who,
            outcome=None if outcome is None else Outcome(outcome),
            resource=resource,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
            span=None if version is None else span_of_release(services, version),
        )
        page = services.log.find(wanted, before=before, limit=limit + 1)
    more, page = len(page) > limit, page[-limit:]
    if as_json:
        for entry, details in page:
            click.echo(_as_json(entry, details))
    else:
        emit_table(("entry", "time (UTC)", "who", "action", "outcome", "about", ""), [_row(*one) for one in page])
    if more:
        say(f"there are older ones: --before {page[0][0].body.index}")


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True, help="Write the entry, its details and its receipt as JSON.")
@click.pass_obj
def show(project: Path, index: int, as_json: bool) -> None:
    """Explain entry INDEX: who, what, on what authority, with which inputs and outputs, proven how."""
    from minivess.workflows.log.inspection import explain

    with reader_of(project) as services:
        found = explain(services, index)
    if as_json:
        details = None if found.details is None else found.details.model_dump(mode="json")
        emit_json(
            {
                "entry": found.entry.model_dump(mode="json"),
                "details": details,
                "authority": list(found.authority),
                "receipt": found.receipt.model_dump(mode="json"),
                "holds": found.verdict.holds,
            }
        )
    else:
        _tell(found)
    if not found.verdict.holds:
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=_FILE, help="File to write instead of stdout; by convention it ends in .tlog-proof.")
@click.pass_obj
def prove(project: Path, index: int, out: Path | None) -> None:
    """Write the C2SP tlog-proof of entry INDEX, with the entry in it."""
    from minivess.compliance.proofs.tlog_proof import write_tlog_proof

    with reader_of(project) as services:
        text = write_tlog_proof(services.log.prove(index))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text_atomic(out, text)


@audit.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--trust", type=_FILE, help="Keys you trust (`audit trust`); a FILE is checked against them alone.")
@click.option("--known", type=_FILE, help="A checkpoint of this log from before (`audit checkpoint`), to be continued.")
@click.option("--quick", is_flag=True, help="Believe the log's signature instead of checking each actor's own.")
@click.pass_obj
def verify(project: Path, *, file: Path | None, trust: Path | None, known: Path | None, quick: bool) -> None:
    """Check the whole log: canonical form, order, every signature, the tree and its checkpoint, and the cached tables.

    With --quick, the cached tables (columns, tree, checkpoints, outbox) are not compared with the entries.
    With FILE, a tlog-proof (`audit prove`) or a receipt, check that one entry offline.
    A service's log (`audit --site`) must continue what the device's log knows of it.
    """
    from minivess.compliance.proofs.checkpoint import NOTE_LIMIT
    from minivess.compliance.verification.log import verify_log
    from minivess.compliance.verification.look_times import ACTIONS, look_times_in_words
    from minivess.compliance.verification.trust import read_trust
    from minivess.records.verdict import Check
    from minivess.workflows.log.inspection import check_caches
    from minivess.workflows.serving.site import newest_note

    keys = None if trust is None else read_trust(trust)
    if file is not None:
        if keys is None:
            raise UsageError(
                "a proof is checked against keys you trust", hint="pass --trust, from `minivess audit trust`"
            )
        verdict = _verify_file(file, keys)
        _say_checks(verdict.checks)
        _warn(verdict.limits)
        return
    site = chosen_site()
    before = None if known is None else read_limited(known, limit=NOTE_LIMIT)
    if before is None and site is not None:
        before = newest_note(Workspace.find(project).root, site)
    with reader_of(project) as services:
        progress, size = Progress(), services.log.size
        checks, _ = verify_log(
            services.log.pairs(),
            services.log.checkpoint(),
            trust=keys,
            known=before,
            quick=quick,
            progress=lambda done: progress("entries", done, size),
        )
        if not quick and all(check.passed for check in checks):
            checks = [*checks, *check_caches(services)]
        if site is None and not quick and all(check.passed for check in checks):
            looking = tuple(services.log.entries(actions=ACTIONS))
            words = look_times_in_words(looking, keys, lines=services.log.lines())
            checks = [*checks, Check(name="look times", passed=True, detail=words)]
    _say_checks(checks)
    _warn(() if keys is None else keys.limits)


@audit.command()
@click.option("--out", type=_FILE, help="File to write instead of stdout.")
@click.pass_obj
@click.option("--vkey", is_flag=True, help="Write the log's C2SP verifier key instead, for a witness.")
def checkpoint(project: Path, out: Path | None, vkey: bool) -> None:
    """Write the newest signed checkpoint (C2SP): keep it elsewhere, and the log cannot be rolled back unseen."""
    from minivess.compliance.proofs.cosignature import LOG, verifier_key

    with reader_of(project) as services:
        key = verifier_key(services.log.origin, services.log.key, LOG)
        note = f"{key.text()}\n" if vkey else services.log.checkpoint()
    if out is None:
        click.echo(note, nl=False)
    else:
        write_text_atomic(out, note)


@audit.command()
@click.pass_obj
def witness(project: Path) -> None:
    """Have the newest checkpoint vouched for by the witnesses that the project file names."""
    from minivess.workflows.log.witnessing import cosign_checkpoint

    with services_of(project) as services:
        if services.project.witnesses is None:
            raise UsageError(
                "the project file names no witnesses", hint="witnesses: {quorum: 2, witnesses: [{url, key}, …]}"
            )
        _, vouched = cosign_checkpoint(services.log, services.project.witnesses)
    for one in vouched:
        click.echo(f"{one.name} vouches since {datetime.fromtimestamp(one.time, UTC):%Y-%m-%d %H:%M:%S} UTC")


@audit.group()
def timestamp() -> None:
    """Trusted time for checkpoints (RFC 3161); request and response are files, so the authority may be far away."""


@timestamp.command()
@click.argument("out", type=_FILE)
@click.pass_obj
def request(project: Path, out: Path) -> None:
    """Write a request for the newest checkpoint to OUT (send it as application/timestamp-query)."""
    from minivess.compliance.proofs.timestamp import timestamp_request

    with reader_of(project) as services:
        write_atomic(out, timestamp_request(services.log.checkpoint()))


@timestamp.command()
@click.argument("response", type=_FILE)
@click.option("--roots", required=True, type=_FILE, help="PEM certificates of the authorities you trust.")
@click.pass_obj
def accept(project: Path, response: Path, roots: Path) -> None:
    """Verify an authority's RESPONSE and keep it with the checkpoint it is for."""
    from minivess.workflows.log.inspection import accept_timestamp

    with services_of(project) as services:
        data, trusted = (read_limited(path, limit=1 << 20) for path in (response, roots))
        size, stamped = accept_timestamp(services, data, trusted)
    click.echo(f"the checkpoint of {size} entries existed at {stamped.time:%Y-%m-%d %H:%M:%S} UTC")


@audit.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option("--trust", required=True, type=_FILE, help="Keys you trust (`audit trust`).")
def compare(first: Path, second: Path, trust: Path) -> None:
    """Whether two checkpoints of one log can both be its history; two of one size that differ prove a split view."""
    from minivess.compliance.proofs.checkpoint import NOTE_LIMIT
    from minivess.compliance.verification.trust import read_trust
    from minivess.compliance.verification.witness import compare_views

    one, other = (read_limited(path, limit=NOTE_LIMIT) for path in (first, second))
    keys = read_trust(trust)
    click.echo(compare_views(one, other, keys))
    _warn(keys.limits)


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def drill(project: Path, as_json: bool) -> None:
    """Tamper with a copy of the log in every way known here, and report whether verification named each."""
    from minivess.workflows.log.inspection import drill as run_drill

    with reader_of(project) as services:
        cases = run_drill(services)
    caught = sum(case.caught for case in cases)
    if as_json:
        emit_json({"caught": caught, "cases": [vars(case) for case in cases]})
    else:
        kinds: dict[str, list[bool]] = {}
        for case in cases:
            kinds.setdefault(case.kind, []).append(case.caught)
        words = {case.kind: case.words for case in cases}
        rows = [(kind, f"{sum(found)}/{len(found)}", words[kind]) for kind, found in kinds.items()]
        emit_table(("what was done to a copy", "caught", "for example"), rows)
        for case in cases:
            if not case.caught:
                click.echo(f"NOT CAUGHT: {case.kind}: {case.what}: {case.words}")
        click.echo(f"{caught} of {len(cases)} caught and named")
    if caught < len(cases):
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("out", type=_FILE)
@click.pass_obj
def trust(project: Path, out: Path) -> None:
    """Write a trust file to OUT, to be handed to verifiers by another way than the pack.

    It holds the log's key, its witnesses, its roots, the people who may sign, the signatures a release needs, and the
    newest checkpoint.
    """
    from minivess.workflows.people.accounts import trusted_keys

    with reader_of(project) as services:
        write_text_atomic(out, trusted_keys(services))
    say(f"hand {out} to verifiers yourself: keys that travel with a pack prove nothing about it")


@audit.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@click.pass_obj
def erase(project: Path, index: int, reason: str, actor: str | None) -> None:
    """Delete the details (payload, error) of entry INDEX; every proof still holds. Signed by a release manager."""
    from minivess.workflows.log.inspection import erase as erase_details

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {erase_details(services, signer, index, reason).index}")
    say("gone from the log and from its lineage events here; backups, packs and other receivers are yours to see to")


@audit.command()
@click.pass_obj
def rebuild(project: Path) -> None:
    """Derive every cached table from the entries again, and report each difference (exit code 1 if there was one)."""
    from minivess.workflows.log.inspection import rebuild_caches

    with services_of(project) as services:
        progress, size = Progress(), services.log.size
        found = rebuild_caches(services, lambda done: progress("entries", done, size))
    for words in found.differences:
        click.echo(f"corrected: {words}")
    for words in found.left:
        click.echo(f"left as it is: {words}")
    named = len(found.differences) + len(found.left)
    if found.count > named:
        click.echo(f"and {found.count - named} more")
    click.echo(f"{found.entries} entries and {found.nodes} nodes of the tree derived again, {found.count} differences")
    if found.count:
        raise click.exceptions.Exit(1)


@audit.command("blast-radius")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def blast_radius(project: Path, key: str, as_json: bool) -> None:
    """List every entry and release that relied on KEY (a key id, its first digits, or an identity's id), and why."""
    from dataclasses import asdict

    from minivess.workflows.log.inspection import reliance_on

    with reader_of(project) as services:
        found = reliance_on(services, key)
    if as_json:
        emit_json(asdict(found))
        return
    ended = "still counts" if found.end is None else f"counts no longer from entry {found.end} on"
    click.echo(f"key {found.key[:12]} of {found.identity}: counts from entry {found.start} on, {ended}\n")
    emit_table(
        ("entry", "who", "action", "why"), [(one.index, one.actor, one.action, one.why) for one in found.reliances]
    )
    click.echo("")
    for version, why in found.releases:
        click.echo(f"release {version} relied on it: {why}")
    click.echo(f"{len(found.reliances)} entries and {len(found.releases)} releases relied on this key")


@implements("REQ-151")
def _verify_file(file: Path, keys: Trust) -> Verdict:
    from minivess.compliance.verification.receipt import verify_receipt

    return verify_receipt(_receipt_in(file), log_key=keys, actor=keys)


@implements("REQ-152")
def _warn(limits: Iterable[str]) -> None:
    """Say what a verdict leaves open."""
    for words in limits:
        say(f"LIMITED: {words}; `minivess audit trust` writes a trust file that does")


def _receipt_in(file: Path) -> Receipt:
    """The receipt that a JSON receipt or a tlog-proof holds."""
    from minivess.compliance.proofs.tlog_proof import parse_proof, receipt_of
    from minivess.foundation.errors import InputError
    from minivess.foundation.json_records import parse_json_record
    from minivess.records.log.receipt import Receipt

    data = read_limited(file, limit=4 << 20)
    wrong = "is neither a tlog-proof nor a receipt"
    hint = "pass a file of `minivess audit prove`, or the `receipt` object of an answer"
    if not data.startswith(b"c2sp.org/"):
        return parse_json_record(data, Receipt, path=file, wrong=wrong, hint=hint)
    try:
        return receipt_of(parse_proof(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise InputError(wrong, path=file, hint=hint) from None


def _say_checks(checks: Iterable[Check]) -> None:
    held = True
    for one in checks:
        click.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.name}: {one.detail}")
        held = held and one.passed
    if not held:
        raise click.exceptions.Exit(1)


def _as_json(entry: Entry, details: Details | None) -> str:
    """An entry with its details, as one line."""
    import json

    told = None if details is None else details.model_dump(mode="json")
    return json.dumps({**entry.model_dump(mode="json"), "details": told}, ensure_ascii=False)


def _row(entry: Entry, details: Details | None) -> tuple[object, ...]:
    body = entry.body
    about = next((item.name for item in (*body.outputs, *body.inputs)), "")
    words = "" if details is None else details.error or ""
    if details is None and body.details is not None:
        words = "(erased)"
    when = body.time.strftime("%Y-%m-%d %H:%M:%S")
    return body.index, when, body.actor, body.action, body.outcome.value, about, words


def _tell(found: Explained) -> None:
    """An entry in words."""
    from minivess.foundation.clock import timestamp
    from minivess.workflows.log.inspection import how_proven, what_became_of_details

    body = found.entry.body
    click.echo(f"Entry {body.index} of {body.log}: {body.action}, {body.outcome.value}\n")
    lines = [("who", body.actor), ("when", f"{timestamp(body.time)} (by the log's clock)")]
    lines += [("on what authority" if place == 0 else "", words) for place, words in enumerate(found.authority)]
    for name, items in (("with", body.inputs), ("made", body.outputs)):
        lines += [(name if place == 0 else "", f"{item.name}  {item.digest}") for place, item in enumerate(items)]
    context = body.context.model_dump(mode="json", exclude_none=True)
    lines += [
        ("circumstances" if place == 0 else "", f"{key}: {value}") for place, (key, value) in enumerate(context.items())
    ]
    said = found.details.payload if found.details is not None and found.details.payload else body.payload
    lines += [
        ("what it says" if place == 0 else "", _short(key, value)) for place, (key, value) in enumerate(said.items())
    ]
    if found.details is not None and found.details.error:
        lines.append(("reason", found.details.error))
    gone = what_became_of_details(found)
    if gone is not None:
        lines.append(("erased", gone))
    lines.append(("proven how", how_proven(found)))
    for name, words in lines:
        click.echo(f"{name:<18}{words}")
    click.echo("")
    for check in found.verdict.checks:
        click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")


def _short(key: str, value: object) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return f"{key}: {text if len(text) <= 160 else text[:157] + '…'}"
