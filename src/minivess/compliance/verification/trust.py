"""What a verifier knows from elsewhere: the log key and the people who may sign (`--trust keys.json`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import parse_json
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.records.base import Record
from minivess.records.identity import Identity, PublicKey
from minivess.records.witness import WitnessPolicy

_LIMIT = 1 << 20
_HINT = 'it holds {"log_key": ..., "people": [...]}'


class TrustedKeys(Record):
    """The key that signs checkpoints, and the people and services whose signatures count."""

    log_key: PublicKey
    people: tuple[Identity, ...]
    witnesses: WitnessPolicy | None = None
    """Who must vouch for a checkpoint before it is believed."""


def parse_trust(text: str) -> TrustedKeys:
    """Parse the JSON of trusted keys.

    Raises:
        InputError: it is malformed.
    """
    try:
        return TrustedKeys.model_validate(parse_json(text.encode("utf-8", errors="replace"), limit=_LIMIT))
    except ValidationError:
        raise InputError("these are no trusted keys", hint=_HINT) from None


def read_trust(path: Path) -> TrustedKeys:
    """Read a file of trusted keys.

    Raises:
        InputError: the file is missing or malformed.
    """
    data = read_limited(path, limit=_LIMIT)
    try:
        return parse_trust(data.decode("utf-8", errors="replace"))
    except InputError as error:
        raise InputError(error.message, path=path.name, hint=_HINT) from None
