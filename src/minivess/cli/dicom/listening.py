"""`minivess dicom listen`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from minivess.cli.dicom.engines import Place, opened_engine
from minivess.cli.dicom.segmenting import SITE_OPTION
from minivess.cli.groups import LongCommand
from minivess.cli.rendering import say
from minivess.cli.serving.places import ADMISSION, ADMISSION_DAYS, TRUST
from minivess.foundation.errors import UsageError


@click.command(cls=LongCommand)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--allow", "allowed", multiple=True, metavar="TITLE", help="Application entity that may send. Repeatable."
)
@click.option("--title", default="MINIVESS", show_default=True, help="Of this application entity.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=11112, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--own-network", is_flag=True, help="The address is in a network that only trusted senders reach.")
@click.option("--peer", metavar="TITLE@HOST:PORT", help="Gets each segmentation by C-STORE as well.")
@SITE_OPTION
@ADMISSION
@ADMISSION_DAYS
@TRUST
@click.pass_obj
def listen(
    project: Path,
    *,
    out: Path,
    allowed: tuple[str, ...],
    title: str,
    host: str,
    port: int,
    own_network: bool,
    peer: str | None,
    site: str,
    admission: Path | None,
    admission_days: int,
    trust: Path | None,
) -> None:
    """Take DICOM series by C-STORE and answer them, into OUT.

    A series is answered when its association is released. Each association gets a folder in OUT as `minivess dicom
    segment` makes it. Titles of application entities are no proof of who sends, and nothing is encrypted: other addresses
    than loopback need --own-network. The listener is no archive; senders keep their images. Ctrl-C ends it.
    """
    from minivess.records.log.serving_log import RefusalReason
    from minivess.serving.dicom.listener import Listener, ListenerSettings
    from minivess.serving.inference.access.exposure import is_loopback
    from minivess.workflows.dicom.received import Deliveries, Peer

    if not is_loopback(host) and not own_network:
        raise UsageError(
            "DICOM proves no sender and encrypts nothing", hint="listen on 127.0.0.1, or state --own-network"
        )
    settings = ListenerSettings(title=title, allowed=frozenset(allowed), host=host, port=port)
    target = None if peer is None else Peer.parse(peer)
    with opened_engine(Place(project, site, admission, trust, admission_days)) as engine:
        deliveries = Deliveries(engine, out, title=title, peer=target)
        listener = Listener(settings, deliveries.answer, lambda: engine.turn_away(RefusalReason.HUNG_UP))
        ended = threading.Event()
        before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
        listener.start()
        try:
            say(f"{title} listens on {host}:{listener.port} for {', '.join(sorted(allowed))}; Ctrl-C ends it")
            ended.wait()
        except KeyboardInterrupt:
            say("finishes what was received")
        finally:
            listener.stop()
            signal.signal(signal.SIGTERM, before)
