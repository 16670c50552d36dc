"""What a verifier knows from elsewhere: the log key and the people who may sign (`--trust keys.json`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import parse_json
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.records.base import Record
from minivess.records.identity import Identity, PublicKey
from minivess.records.witness import WitnessPolicy

_LIMIT = 1 << 20
_HINT = 'it holds {"log_key": ..., "people": [...]}'


class FormerLogKey(Record):
    """A key that signed the checkpoints of fewer than `below` entries."""

    key: PublicKey
    below: Annotated[int, Field(ge=1)]


class TrustedKeys(Record):
    """The key that signs checkpoints, and the people and services whose signatures count."""

    log_key: PublicKey
    people: tuple[Identity, ...]
    witnesses: WitnessPolicy | None = None
    """Who must vouch for a checkpoint before it is believed."""
    former_log_keys: tuple[FormerLogKey, ...] = ()
    """In order, oldest first."""

    @classmethod
    def of(cls, register: Register, witnesses: WitnessPolicy | None = None) -> TrustedKeys:
        """What a log says of itself, for somebody who knows it from a source they trust."""
        former = [(one.identity.signing_key, one.end) for one in register.log_keys]
        return cls(
            log_key=register.log_key,
            people=register.identities,
            witnesses=witnesses,
            former_log_keys=tuple(FormerLogKey(key=key, below=end) for key, end in former if end is not None),
        )

    def log_key_at(self, size: int) -> PublicKey:
        """The key that signs the checkpoint of `size` entries."""
        return next((former.key for former in self.former_log_keys if size < former.below), self.log_key)

    def text(self) -> str:
        """The JSON that `read_trust` reads."""
        plain = self.model_dump(mode="json")
        plain = {name: value for name, value in plain.items() if value not in (None, [])}
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


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
