"""Which witnesses a project asks to vouch for its log's checkpoints."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record

_TYPE_4 = tuple(f"B{second}" for second in "ABCDEFGHIJKLMNOP")
"""How base64 begins when the first byte is 4."""


class WitnessAddress(Record):
    """A witness: where it is asked, and by which C2SP verifier key its signatures are known."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://\S{1,200}$")]
    """The address of the witness."""
    key: Annotated[str, StringConstraints(pattern=r"^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}$")]
    """Its C2SP verifier key."""

    @property
    def name(self) -> str:
        """The name in its verifier key."""
        return self.key.partition("+")[0]


class WitnessPolicy(Record):
    """How many of which witnesses must vouch for a checkpoint."""

    quorum: Annotated[int, Field(ge=1)]
    """How many witnesses must cosign a checkpoint."""
    witnesses: Annotated[tuple[WitnessAddress, ...], Field(min_length=1, max_length=15)]
    """The witnesses."""

    @model_validator(mode="after")
    def _sound(self) -> WitnessPolicy:
        names = {witness.name for witness in self.witnesses}
        keys = {witness.key.split("+", 2)[2] for witness in self.witnesses}
        if len(names) != len(self.witnesses) or len(keys) != len(self.witnesses):
            raise ValueError("a witness is named twice")
        if any(not key.startswith(_TYPE_4) for key in keys):
            raise ValueError("the key of a witness begins with B (C2SP type 4); this one is of another type")
        if self.quorum > len(self.witnesses):
            raise ValueError(f"{self.quorum} of {len(self.witnesses)} witnesses can never vouch")
        return self


class ServedLog(Record):
    """A log that a witness serves, and the newest head it vouched for."""

    origin: str
    key: str
    """Verifier key of the log."""
    more_keys: tuple[str, ...] = ()
    """Further ones that count as well, while the log changes its key."""
    size: Annotated[int, Field(ge=0)] = 0
    root: str
    time: Annotated[int, Field(ge=0)] = 0
    """When it vouched for it, in Unix seconds; 0: never, or in a version that did not keep the time."""
    note: str = ""
    """The newest checkpoint with the log's signatures and the witness's own."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every verifier key of the log that counts."""
        return (self.key, *self.more_keys)


class WitnessState(Record):
    """Everything a witness remembers."""

    name: Annotated[str, StringConstraints(pattern=r"^[^\s+]{1,200}$")]
    logs: tuple[ServedLog, ...] = ()
