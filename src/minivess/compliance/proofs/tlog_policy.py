"""Which log a checkpoint must be of, and which witnesses must vouch for it: the text of C2SP `tlog-policy` (c2sp.org)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from minivess.compliance.proofs.cosignature import LOG, WITNESS, VerifierKey, parse_verifier_key
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.device.witnesses import WitnessPolicy

_LIMIT = 64 * 1024
_MOST = 64
"""Logs, witnesses and groups of a policy, at most; the specification asks for 32 each."""
_NONE = "none"


@dataclass(frozen=True)
class Group:
    """Witnesses and groups, by name, of which `least` must vouch."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class LogPolicy:
    """The logs that are known, and whose cosignatures a checkpoint needs."""

    logs: tuple[VerifierKey, ...] = ()
    witnesses: dict[str, VerifierKey] = field(default_factory=dict)
    """By their name in the policy."""
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = _NONE
    """Name of the witness or group that must vouch; `none`: nobody need."""

    @implements("REQ-150")
    def met(self, vouching: Collection[str]) -> bool:
        """Whether the witnesses of these names are a quorum."""
        return self.quorum == _NONE or self._vouches(self.quorum, vouching)

    def _vouches(self, name: str, vouching: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in vouching
        return sum(self._vouches(member, vouching) for member in group.members) >= group.least


@implements("REQ-150")
def parse_policy(text: str) -> LogPolicy:
    """Read a policy, strictly.

    Args:
        text: lines, each ended by a newline: `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`,
            `group <name> all|any|<k> <name>...`, `quorum <name>|none`, empty ones, and comments that begin with `#`.

    Raises:
        InputError: it breaks a rule of the specification, or has a key that this version cannot check.
    """
    if len(text) > _LIMIT:
        raise InputError("the policy is longer than 64 KiB")
    if any((char < " " and char not in "\n\t") or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text):
        raise InputError("the policy holds control characters")
    if not text.endswith("\n"):
        raise InputError("the last line of the policy has no end")
    reader = _Reader()
    for number, line in enumerate(text[:-1].split("\n"), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except InputError as error:
            raise InputError(f"line {number} of the policy: {error.message}") from None
    return reader.policy()


@implements("REQ-150")
def policy_text(logs: Sequence[VerifierKey], witnesses: WitnessPolicy | None) -> str:
    """The text of a policy for these logs that asks for k of n witnesses, or for none."""
    lines = [f"log {log.text()}" for log in logs]
    if witnesses is None:
        return "".join(f"{line}\n" for line in (*lines, f"quorum {_NONE}"))
    names = [f"w{number}" for number in range(1, len(witnesses.witnesses) + 1)]
    lines += [f"witness {name} {one.key} {one.url}" for name, one in zip(names, witnesses.witnesses, strict=True)]
    lines += [f"group witnesses {witnesses.quorum} {' '.join(names)}", "quorum witnesses"]
    return "".join(f"{line}\n" for line in lines)


class _Reader:
    """What the lines so far say."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: dict[str, VerifierKey] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def read(self, words: list[str]) -> None:
        """Take in one line."""
        kinds = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._ask}
        if words[0] not in kinds:
            raise InputError("it is no log, witness, group, quorum or comment")
        kinds[words[0]](words[1:])
        if max(len(self._logs), len(self._witnesses), len(self._groups)) > _MOST:
            raise InputError(f"more than {_MOST} of a kind")

    def policy(self) -> LogPolicy:
        """All of it."""
        if self._quorum is None:
            raise InputError("the policy has no quorum line")
        return LogPolicy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _log(self, words: list[str]) -> None:
        key = _key(words, LOG, "a log has a verifier key, and perhaps a URL")
        if any(key.raw == other.raw for other in self._logs):
            raise InputError("two logs have one key")
        self._logs.append(key)

    def _witness(self, words: list[str]) -> None:
        name, *rest = words or [""]
        key = _key(rest, WITNESS, "a witness has a name, a verifier key, and perhaps a URL")
        self._new(name)
        if any(key.raw == other.raw for other in self._witnesses.values()):
            raise InputError("two witnesses have one key")
        self._witnesses[name] = key

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise InputError("a group has a name, a number and a member at least")
        name, number, *members = words
        self._new(name)
        for member in members:
            self._known(member)
            if member in self._members:
                raise InputError(f"{member} is a member twice")
            self._members.add(member)
        plain = number.isascii() and number.isdigit() and not number.startswith("0") and len(number) < 4
        least = {"all": len(members), "any": 1}.get(number, int(number) if plain else 0)
        if not 1 <= least <= len(members):
            raise InputError(f"{number} of {len(members)} members can never vouch")
        self._groups[name] = Group(least, tuple(members))

    def _ask(self, words: list[str]) -> None:
        if len(words) != 1 or self._quorum is not None:
            raise InputError("a policy has one quorum of one name")
        if words[0] != _NONE:
            self._known(words[0])
        self._quorum = words[0]

    def _new(self, name: str) -> None:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise InputError(f"{name} is defined already")

    def _known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise InputError(f"{name} is not defined before")


def _key(words: list[str], kind: int, form: str) -> VerifierKey:
    if not 1 <= len(words) <= 2:
        raise InputError(form)
    key = parse_verifier_key(words[0])
    if key.kind != kind:
        raise InputError(f"the key of {key.name} is of type {key.kind}, not of type {kind}")
    return key
