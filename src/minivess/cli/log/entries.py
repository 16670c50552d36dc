"""`minivess audit log` and `minivess audit show`: entries as a person reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import reader_of
from minivess.records.log.entry import Outcome

if TYPE_CHECKING:
    from minivess.records.log.entry import Details, Entry
    from minivess.workflows.log.explanation import EvidenceOfEntry, Explained

_ITEMS_A_LINE = 12
"""Items of a kind that are listed by id."""
_MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command(cls=Command)
@click.option("--action", help="Only this action, or those under it (`test-set`).")
@click.option("--by", "who", help="Only this actor.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]), help="Only entries with this outcome.")
@click.option("--resource", help="Only entries that read or made an artifact: a part of its name or digest.")
@click.option("--since", type=_MOMENT, help="Only from this time on (UTC).")
@click.option("--until", type=_MOMENT, help="Only before this time (UTC).")
@click.option("--release", "version", help="Only entries that this release is based on.")
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
    """List entries: the newest page, or the page before an entry."""
    from minivess.workflows.log.search import Wanted, page_of_log

    wanted = Wanted(
        action=action,
        actor=who,
        outcome=None if outcome is None else Outcome(outcome),
        resource=resource,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
    )
    with reader_of(project) as services:
        page = page_of_log(services, wanted, release=version, before=before, limit=limit)
    if as_json:
        for entry, details in page.entries:
            click.echo(_as_json(entry, details))
    else:
        rows = [_row(*one) for one in page.entries]
        emit_table(("entry", "time (UTC)", "who", "action", "outcome", "about", ""), rows)
    if page.before is not None:
        say(f"there are older ones: --before {page.before}")


@click.command(cls=Command)
@click.argument("index", type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True, help="Write the entry, its details and its receipt as JSON.")
@click.pass_obj
def show(project: Path, index: int, as_json: bool) -> None:
    """Explain entry INDEX: who, what, by what authority, its proof."""
    from minivess.foundation.clock import utc_now
    from minivess.workflows.log.explanation import evidence_of, explain

    with reader_of(project) as services:
        found = explain(services, index)
    evidence = evidence_of(project, found.entry.body, now=utc_now())
    if as_json:
        details = None if found.details is None else found.details.model_dump(mode="json")
        emit_json(
            {
                "entry": found.entry.model_dump(mode="json"),
                "details": details,
                "authority": list(found.authority),
                "evidence": None if evidence.unknown else [one._asdict() for _, rows in evidence.kinds for one in rows],
                "receipt": found.receipt.model_dump(mode="json"),
                "holds": found.verdict.holds,
            }
        )
    else:
        _write(found, evidence)
    if not found.verdict.holds:
        raise click.exceptions.Exit(1)


def _as_json(entry: Entry, details: Details | None) -> str:
    """An entry with its details, as one line."""
    written = None if details is None else details.model_dump(mode="json")
    return json.dumps({**entry.model_dump(mode="json"), "details": written}, ensure_ascii=False)


def _row(entry: Entry, details: Details | None) -> tuple[object, ...]:
    body = entry.body
    about = next((item.name for item in (*body.outputs, *body.inputs)), "")
    words = "" if details is None else details.error or ""
    if details is None and body.details is not None:
        words = "(erased)"
    when = body.time.strftime("%Y-%m-%d %H:%M:%S")
    return body.index, when, body.actor, body.action, body.outcome.value, about, words


def _write(found: Explained, evidence: EvidenceOfEntry) -> None:
    """An entry in words."""
    from minivess.foundation.clock import timestamp
    from minivess.workflows.log.explanation import how_proven, what_became_of_details

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
    payload = found.details.payload if found.details is not None and found.details.payload else body.payload
    lines += [
        ("what it says" if place == 0 else "", _short(key, value)) for place, (key, value) in enumerate(payload.items())
    ]
    if found.details is not None and found.details.error:
        lines.append(("reason", found.details.error))
    lines += [("evidence for" if place == 0 else "", words) for place, words in enumerate(_evidence(evidence))]
    gone = what_became_of_details(found)
    if gone is not None:
        lines.append(("erased", gone))
    lines.append(("proven how", how_proven(found)))
    for name, words in lines:
        click.echo(f"{name:<18}{words}")
    click.echo("")
    for check in found.verdict.checks:
        click.echo(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}")


def _evidence(evidence: EvidenceOfEntry) -> list[str]:
    """The items that an entry is evidence for, one kind a line."""
    if evidence.unknown:
        return [f"not known: {evidence.unknown}"]
    lines = []
    for words, rows in evidence.kinds:
        shown = ", ".join(one.item for one in rows[:_ITEMS_A_LINE])
        more = f" and {len(rows) - _ITEMS_A_LINE} more (--json lists them)" if len(rows) > _ITEMS_A_LINE else ""
        why = {one.why for one in rows}
        lines.append(f"{len(rows)} {words}: {shown}{more}{f'; {why.pop()}' if len(why) == 1 else ''}")
    return lines or ["no requirement or risk"]


def _short(key: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"{key}: {text if len(text) <= 160 else text[:157] + '…'}"
