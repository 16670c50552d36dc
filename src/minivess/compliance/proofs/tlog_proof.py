"""Offline proof that one entry stands in the log: the C2SP `tlog-proof` text (c2sp.org/tlog-proof@v1)."""

from __future__ import annotations

from dataclasses import dataclass

from minivess.compliance.proofs.canonical import canonical, parse_canonical
from minivess.compliance.proofs.checkpoint import parse_decimal, parse_note
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import HASH_SIZE
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt

_HEADER = "c2sp.org/tlog-proof@v1"
_LIMIT = 4 << 20
_MAX_HASHES = 63


@dataclass(frozen=True)
class TlogProof:
    """An index, the audit path of its leaf, the signed checkpoint verbatim, and optional unauthenticated data.

    MiniVess puts the canonical bytes of the entry into `extra`, and after a newline those of its details where there are
    any (canonical JSON has no newline). The audit path under a checkpoint that is believed binds the entry to the log.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def text(self) -> str:
        """The `.tlog-proof` file."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(to_base64(item) for item in self.hashes)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    def entry(self) -> bytes:
        """The entry that the proof says it is for; not to be believed before it was verified.

        Raises:
            InputError: the extra data is missing or has another form.
        """
        return self._held()[0]

    def details(self) -> bytes | None:
        """What the entry commits to, or None; not to be believed before it was compared with the entry's commitment.

        Raises:
            InputError: the extra data is missing or has another form.
        """
        held = self._held()
        return held[1] if len(held) > 1 else None

    def later_entry(self) -> LaterEntry:
        """What the proof of a release signature holds; not to be believed before it was verified.

        Raises:
            InputError: the extra data is missing or has another form.
        """
        wrong = InputError("the extra data of the proof is not an entry with a consistency proof")
        if self.extra is None:
            raise wrong
        value = parse_canonical(self.extra, limit=_LIMIT)
        if not isinstance(value, dict) or set(value) != {"consistency", "entry"}:
            raise wrong
        hashes = value["consistency"]
        if not isinstance(hashes, list) or not all(isinstance(one, str) for one in hashes):
            raise wrong
        consistency = tuple(from_base64(one) for one in hashes)
        if len(consistency) > _MAX_HASHES + 1 or any(len(one) != HASH_SIZE for one in consistency):
            raise wrong
        return LaterEntry(canonical(value["entry"]), consistency)

    def _held(self) -> list[bytes]:
        if self.extra is None:
            raise InputError("the proof does not hold its entry", hint="`minivess audit prove` writes proofs that do")
        held = self.extra.split(b"\n", 2)
        if len(held) > 2 or not all(held):
            raise InputError("the extra data of the proof is not an entry with or without its details")
        return held


@dataclass(frozen=True)
class LaterEntry:
    """An entry that was appended after a checkpoint, and the proof that the log of the entry continues that checkpoint.

    The `extra` data of `signatures/<id>.tlog-proof` in a pack is the canonical JSON
    `{"consistency": [<base64 hash>, ...], "entry": <the entry>}` of it. The checkpoint before it is that of the pack.
    """

    entry: bytes
    """Its canonical JSON, a leaf of the log."""
    consistency: tuple[bytes, ...]
    """The hashes of RFC 6962 section 2.1.2, from the checkpoint before it to that of the proof."""

    def extra(self) -> bytes:
        """The `extra` data.

        Raises:
            InputError: the entry is not canonical JSON.
        """
        entry = parse_canonical(self.entry, limit=_LIMIT)
        return canonical({"consistency": [to_base64(one) for one in self.consistency], "entry": entry})


@implements("REQ-050")
def write_tlog_proof(receipt: Receipt) -> str:
    """The `.tlog-proof` text of a receipt, with entry and details in its `extra` data: it needs nothing beside it but keys.

    Raises:
        InputError: the receipt is malformed, so that its proof could not be read back.
    """
    held = receipt.entry if receipt.details is None else f"{receipt.entry}\n{receipt.details}"
    hashes = tuple(from_base64(item) for item in receipt.proof)
    text = TlogProof(receipt.index, hashes, receipt.checkpoint, held.encode("utf-8", errors="surrogatepass")).text()
    if receipt_of(parse_proof(text)) != receipt:
        raise InputError("the receipt holds an entry that is not one line")
    return text


@implements("REQ-050")
def receipt_of(proof: TlogProof) -> Receipt:
    """The receipt that `write_tlog_proof` wrote; nothing in it may be believed before it was verified.

    Raises:
        InputError: the proof does not hold the entry it is for.
    """
    details = proof.details()
    try:
        return Receipt(
            index=proof.index,
            entry=proof.entry().decode("utf-8"),
            proof=tuple(to_base64(item) for item in proof.hashes),
            checkpoint=proof.checkpoint,
            details=None if details is None else details.decode("utf-8"),
        )
    except UnicodeDecodeError:
        raise InputError("the extra data of the proof is not UTF-8 text") from None


def parse_proof(text: str) -> TlogProof:
    """Parse a `.tlog-proof` text, strictly.

    Raises:
        InputError: the text has another form.
    """
    if len(text) > _LIMIT:
        raise InputError("the proof is longer than 4 MiB")
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != _HEADER:
        raise InputError(f"not a {_HEADER} text")
    extra = from_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    word, _, number = lines.pop(0).partition(" ") if lines else ("", "", "")
    try:
        index = parse_decimal(number if word == "index" else "")
    except InputError:
        raise InputError("the proof does not say which entry it is for") from None
    if len(lines) > _MAX_HASHES:
        raise InputError(f"the audit path of the proof has more than {_MAX_HASHES} hashes")
    hashes = tuple(from_base64(line) for line in lines)
    if any(len(item) != HASH_SIZE for item in hashes):
        raise InputError("a hash in the audit path of the proof is not 32 bytes")
    parse_note(checkpoint)
    return TlogProof(index, hashes, checkpoint, extra)
