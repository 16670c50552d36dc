"""A C-STORE listener (DICOM PS3.4 annex B, PS3.7 9.1.1): takes series from known senders and hands them on.

A series is complete when its association is released. What is received is in memory only, within limits, and is dropped when the
association is aborted. This is no archive: a sender keeps its images. Titles of application entities are names and no
proof of who sends, so the listener belongs on loopback or in a network of its own.
"""

from __future__ import annotations

import io
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.workflows.dicom.received import ReceivedSeries
from minivess.workflows.dicom.series import SeriesLimits

SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
"""Statuses of C-STORE (PS3.4 table B.2-1)."""
_IMAGES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.4.1",  # enhanced MR
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.20",  # nuclear medicine
    "1.2.840.10008.5.1.4.1.1.128",  # PET
)
_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5")
"""Explicit and implicit little endian, and RLE."""
_VERIFICATION = "1.2.840.10008.1.1"
_PDU = 1 << 16
_TITLE = 16


@dataclass(frozen=True)
class ListenerSettings:
    """How the listener is reached, and how much it takes.

    Attributes:
        title: of this application entity.
        allowed: titles of those that may send.
        host: address to listen on.
        port: 0 takes a free one.
        associations: most at the same time.
        seconds: longest silence of a sender.
        limits: of one association: files, and bytes of all its series together.
    """

    title: str
    allowed: frozenset[str]
    host: str = "127.0.0.1"
    port: int = 11112
    associations: int = 4
    seconds: float = 30.0
    limits: SeriesLimits = field(default_factory=SeriesLimits)

    def __post_init__(self) -> None:
        """Check the titles.

        Raises:
            UsageError: none may send, or a title is none (PS3.5 6.2, AE).
        """
        if not self.allowed:
            raise UsageError("no application entity may send", hint="name each with --allow")
        for one in (self.title, *self.allowed):
            if not (0 < len(one.strip()) <= _TITLE and one.isascii() and one.isprintable() and "\\" not in one):
                raise UsageError(f"{one[:20]!r} is no title of an application entity", hint="1 to 16 ASCII characters")


class _Incoming:
    """What one association has sent so far."""

    def __init__(self) -> None:
        self.series: dict[str, list[bytes]] = {}
        self.bytes, self.files = 0, 0
        self.whole = True


@implements("REQ-478", "RC-200")
class Listener:
    """Takes series from the network.

    Args:
        settings: how it is reached.
        handle: is given the series of each association that was released, one at a time, in a thread of its own.
        dropped: is told when something was dropped: too much, not understood or aborted.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        handle: Callable[[list[ReceivedSeries]], object],
        dropped: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._handle = handle
        self._dropped = dropped
        self._incoming: dict[int, _Incoming] = {}
        self._lock = threading.Lock()
        self._waiting: queue.Queue[list[ReceivedSeries] | None] = queue.Queue(maxsize=settings.associations)
        self._worker = threading.Thread(target=self._work, name="dicom-series", daemon=True)
        self._server: Any = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address cannot be had.
        """
        from pynetdicom import AE, evt

        for name in ("pynetdicom", "pydicom"):  # they quote attributes of patients
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        one = self._settings
        entity = AE(ae_title=one.title)
        entity.require_called_aet = True
        entity.require_calling_aet = sorted(one.allowed)
        entity.maximum_associations = one.associations
        entity.maximum_pdu_size = _PDU
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = one.seconds
        for kind in _IMAGES:
            entity.add_supported_context(kind, list(_SYNTAXES))
        entity.add_supported_context(_VERIFICATION)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_CONN_CLOSE, self._aborted),
        ]
        self._worker.start()
        self._server = entity.start_server((one.host, one.port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Take no further association, and finish what was received."""
        if self._server is not None:
            self._server.shutdown()
        self._waiting.put(None)
        self._worker.join()

    @implements("REQ-478")
    def _stored(self, event: Any) -> int:
        """Take one image; returns the status of C-STORE."""
        with self._lock:
            held = self._incoming.setdefault(id(event.assoc), _Incoming())
        limits = self._settings.limits
        size = len(event.request.DataSet.getbuffer())
        if held.bytes + size > limits.series_bytes or held.files >= limits.files:
            held.whole = False
            held.series.clear()
            return OUT_OF_RESOURCES
        held.bytes, held.files = held.bytes + size, held.files + 1
        data = event.encoded_dataset()
        uid = _series_of(data)
        if uid is None:
            held.whole = False
            return NOT_UNDERSTOOD
        held.series.setdefault(uid, []).append(data)
        return SUCCESS

    def _released(self, event: Any) -> None:
        held = self._taken(event)
        if held is None:
            return
        if not held.whole:
            self._dropped()
            return
        self._waiting.put([ReceivedSeries(uid, tuple(files)) for uid, files in held.series.items()])

    def _aborted(self, event: Any) -> None:
        if self._taken(event) is not None:
            self._dropped()

    def _taken(self, event: Any) -> _Incoming | None:
        with self._lock:
            return self._incoming.pop(id(event.assoc), None)

    def _work(self) -> None:
        while (series := self._waiting.get()) is not None:
            try:
                self._handle(series)
            except Exception as error:  # the next association is answered all the same
                _log.error("received series were not answered: %s", type(error).__name__)
                self._dropped()


_log = logging.getLogger(__name__)


def _series_of(data: bytes) -> str | None:
    """The Series Instance UID of an image; None: it states none, or is malformed."""
    import pydicom

    try:
        dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        uid = str(dataset.get("SeriesInstanceUID", "") or "").strip()
    except Exception:  # pydicom raises what Python raises on damaged values
        return None
    return uid if 0 < len(uid) <= 64 else None
