"""`minivess audit timestamp`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Group
from minivess.cli.rendering import emit, json_option
from minivess.cli.session import reader_of, services_of
from minivess.foundation.files import read_limited, write_atomic

_FILE = click.Path(path_type=Path, dir_okay=False)
_LIMIT = 1 << 20


@click.group(cls=Group)
def timestamp() -> None:
    """Have an authority time-stamp a checkpoint (RFC 3161).

    Request and response are files, so the authority may be far away.
    """


@timestamp.command()
@click.argument("out", type=_FILE)
@click.pass_obj
def request(project: Path, out: Path) -> None:
    """Write a request for the newest checkpoint to OUT.

    Send it as application/timestamp-query.
    """
    from minivess.workflows.log.proofs import timestamp_request_of

    with reader_of(project) as services:
        write_atomic(out, timestamp_request_of(services))


@timestamp.command()
@click.argument("response", type=_FILE)
@click.option("--roots", required=True, type=_FILE, help="PEM certificates of the authorities you trust.")
@json_option
@click.pass_obj
def accept(project: Path, response: Path, roots: Path, as_json: bool) -> None:
    """Verify an authority's RESPONSE and keep it with its checkpoint."""
    from minivess.workflows.log.inspection import accept_timestamp

    with services_of(project) as services:
        data, trusted = (read_limited(path, limit=_LIMIT) for path in (response, roots))
        size, stamped = accept_timestamp(services, data, trusted)
    emit(
        f"the checkpoint of {size} entries existed at {stamped.time:%Y-%m-%d %H:%M:%S} UTC",
        {"entries": size, "time": stamped.time.isoformat()},
        as_json=as_json,
    )
