"""Judging one entry of a log: form, fields, payload and signature; the last two on all cores when the log is long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from minivess.compliance.identity.keys import verify
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.shape import parser_of
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError, VerificationError
from minivess.records.log.entry import ENTRY_FORMAT, Details, Entry, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS, check_payload, observed
from minivess.records.people.identity import PublicKey

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

MAX_ENTRY = 1 << 20
"""Bytes of one entry, and of its details."""
Pair = tuple[bytes, bytes | None]
"""The canonical bytes of an entry and of its details; None when it has none, or they were erased."""
Placed = tuple[int, bytes, bytes | None, PublicKey]
"""Index, bytes, details and key of an entry whose place and actor are right; its signature is still to be judged."""
CHUNK = 1000
_AHEAD = 8
"""Chunks that wait for a core before reading goes on."""
_PREFIX, _SUFFIX = b'{"body":', b',"signature":""}'
_loosely = parser_of(Entry, free="body.payload", limit=MAX_ENTRY)
_exactly = parser_of(Entry, free="body.payload", limit=MAX_ENTRY, exact=True)
_details = parser_of(Details, free="payload", limit=MAX_ENTRY, exact=True)


def read_entry(line: bytes, index: int) -> Entry:
    """One entry from its canonical bytes, refusing every other spelling of the same entry.

    Raises:
        VerificationError: not canonical, not an entry, or not what the record writes back.
    """
    parse_body(line, index)
    return strict_entry(line, index)


def read_details(details: bytes, entry: Entry) -> Details:
    """The details of an entry, which must be what it commits to.

    Raises:
        VerificationError: they are others, or malformed.
    """
    index = entry.body.index
    if digest_bytes(details) != entry.body.details:
        raise VerificationError(f"the details of entry {index} were changed: they are not those that it names")
    try:
        _parsed_details(details, index)
        return Details.model_validate_json(details)
    except ValidationError:
        raise VerificationError(f"the details of entry {index} are malformed") from None


def check_signature(entry: Entry, key: PublicKey) -> None:
    """Check the actor's signature over the canonical body.

    Raises:
        VerificationError: it is wrong.
    """
    try:
        verify(key, canonical(entry.body), from_base64(entry.signature))
    except MinivessError:
        raise _changed(entry.body) from None


def _changed(body: Any) -> SignatureError:
    return SignatureError(f"entry {body.index} ({body.action}) was changed, or was not signed by {body.actor}")


class SignatureError(VerificationError):
    """An entry is not its actor's, or not theirs to append."""


class MalformedError(VerificationError):
    """Bytes are no entry."""


def judge(item: Placed) -> None:
    """The second step: the fields against the records, the payload against its declaration, the signature.

    Raises:
        VerificationError: names what is wrong.
    """
    index, line, details, key = item
    entry = _fields(line, index)
    body, signature = entry.body, entry.signature
    check_fields(body, details)
    signed = line[len(_PREFIX) : -len(_SUFFIX) - len(signature.encode("utf-8"))]
    try:
        verify(key, signed, from_base64(signature))
    except MinivessError:
        raise _changed(body) from None


def check_fields(body: Any, details: bytes | None) -> None:
    """Check the payload of an entry, naming the entry.

    Raises:
        VerificationError: it is not what its action declares.
    """
    try:
        _check_payload(body, details)
    except MinivessError as error:
        raise MalformedError(f"entry {body.index}: {error.message}") from None


def _check_payload(body: Any, details: bytes | None) -> None:
    parsed = None if details is None else _parsed_details(details, body.index)
    payload = body.payload
    if body.action not in PAYLOADS:
        check_payload(body.action, payload, complete=False)
    if observed(body.action):
        if payload:
            raise VerificationError("its payload belongs into its details")
        if parsed is None and body.details is not None:
            return  # erased
        payload = {} if parsed is None else parsed.payload
    elif parsed is not None and parsed.payload:
        raise VerificationError("its payload belongs into the entry itself")
    check_payload(body.action, payload, complete=body.outcome == Outcome.COMPLETED)


def parse_body(line: bytes, index: int) -> Any:
    """The body of an entry that is canonical JSON with an entry's fields: what order and tree need of it.

    Quicker than the record and laxer: what texts must look like is left to `strict_entry`.
    """
    try:
        body = _loosely(line).body
    except InputError as error:
        raise _malformed(index, error) from None
    if body.format != ENTRY_FORMAT:
        raise VerificationError(f"entry {index} is of a format that this version does not know")
    return body


def _fields(line: bytes, index: int) -> Any:
    """An entry as its record declares it, no field missing or spelled in another way."""
    try:
        entry = _exactly(line)
        datetime.fromisoformat(entry.body.time)
    except InputError as error:
        raise _malformed(index, error) from None
    except ValueError:
        raise _malformed(index, InputError("see its body.time")) from None
    return entry


def _parsed_details(details: bytes, index: int) -> Any:
    try:
        return _details(details)
    except InputError:
        raise VerificationError(f"the details of entry {index} are malformed") from None


def strict_entry(line: bytes, index: int) -> Entry:
    """The record of an entry."""
    _fields(line, index)
    try:
        return Entry.model_validate_json(line, strict=True)
    except ValidationError:
        raise _malformed(index, InputError("see its fields")) from None


def _malformed(index: int, error: InputError) -> MalformedError:
    return MalformedError(f"entry {index} is not an audit entry: {error.message}")


def judge_in_chunks(items: Iterable[Placed], pool: ProcessPoolExecutor | None) -> Iterator[None]:
    """The second step for all entries, in this process or in others; raises for the first that is wrong."""
    if pool is None:
        for item in items:
            judge(item)
            yield
        return
    waiting: deque[Future[tuple[bool, str] | None]] = deque()
    fault: MinivessError | None = None
    source, chunk = iter(items), list[Placed]()
    while True:
        try:
            chunk = []
            chunk.extend(islice(source, CHUNK))
        except MinivessError as error:  # entries before it may be wrong as well: those come first
            fault = error
        if chunk:
            keys = list({key.key_id: key for *_, key in chunk}.values())
            places = {key.key_id: place for place, key in enumerate(keys)}
            rows = [(line, details, places[key.key_id]) for _, line, details, key in chunk]
            waiting.append(pool.submit(_judge_chunk, chunk[0][0], rows, keys))
        done = fault is not None or not chunk
        while waiting and (done or len(waiting) > _AHEAD):
            found = waiting.popleft().result()
            if found is not None:
                pool.shutdown(cancel_futures=True)
                raise (SignatureError if found[0] else VerificationError)(found[1])
            yield
        if fault is not None:
            raise fault
        if done:
            return


def _judge_chunk(
    start: int, rows: Sequence[tuple[bytes, bytes | None, int]], keys: Sequence[PublicKey]
) -> tuple[bool, str] | None:
    """Judge consecutive entries; None, or whether the signature was at fault and in words what is wrong."""
    for index, (line, details, key) in enumerate(rows, start):
        try:
            judge((index, line, details, keys[key]))
        except MinivessError as error:
            return isinstance(error, SignatureError), error.message
    return None
