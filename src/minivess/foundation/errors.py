"""One tree of errors, branching by who must act.

    MinivessError
    ├── UsageError          exit 2   the caller asked for something that cannot be asked
    ├── InputError          exit 2   a file or record handed to us is malformed: what, where, and how to mend it
    ├── RefusedError        exit 1   the answer is no: a rule, a gate, a signature or a policy says so
    │   └── VerificationError        evidence does not hold
    └── CouldNotCheckError  exit 3   nothing can be said: a store, a key or a disk is out of reach
        └── CannotWriteError exit 1  the disk is full or read-only, so the action is refused; nothing is half-written

Every error carries one line for the person and, where there is one, a hint that mends it. Doors render them; libraries
never print and never exit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

CORRECT = "correct or replace the file and start again; nothing was written"
"""What to do about a malformed file where nothing better is known."""


class Reason(NamedTuple):
    """One of the reasons for an error."""

    message: str
    hint: str = ""


class MinivessError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        message: one line, naming what is wrong; never holds a secret.
        hint: one line, naming what would mend it.
        reasons: every reason with its own hint, where there are several; by default the message is the only one.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", reasons: Iterable[Reason] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self._reasons = tuple(reasons)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason with its own hint; where there is one, the message and the hint."""
        return self._reasons or (Reason(self.message, self.hint),)

    def with_reasons(self, reasons: Iterable[Reason]) -> Self:
        """This error, with all its reasons."""
        self._reasons = tuple(reasons)
        return self


class UsageError(MinivessError):
    """The caller asked for something that does not exist or does not fit together."""

    exit_code = 2


class InputError(MinivessError):
    """A file or a record is malformed.

    Args:
        message: what is wrong, in one line.
        path: the file at fault, when there is one.
        line: its line (from 1), when it is text.
        hint: what would mend it.
        reasons: as for `MinivessError`.
        rule: the rule of data validation that the file breaks, when there is one.

    Attributes:
        found: what is wrong, without the place.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        hint: str = "",
        reasons: Iterable[Reason] = (),
        rule: str | None = None,
    ) -> None:
        where = "" if path is None else f"{path}{f':{line}' if line else ''}: "
        self.rule = rule
        self.found = message
        super().__init__(f"{where}{message}", hint=hint, reasons=reasons)
        self.path = None if path is None else Path(path)
        self.line = line

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """As for every error; a reason without a hint gets the one that holds for every file."""
        return tuple(one if one.hint else one._replace(hint=CORRECT) for one in super().reasons)


class RefusedError(MinivessError):
    """A rule, a policy or a gate says no."""

    exit_code = 1


class VerificationError(RefusedError):
    """Evidence does not hold: a digest, a proof or a signature is wrong."""


class CouldNotCheckError(MinivessError):
    """Neither yes nor no can be said: a store, a key or a disk is out of reach."""

    exit_code = 3


class CannotWriteError(CouldNotCheckError):
    """A disk or a store takes nothing more, so the action does not happen; what was there before is untouched."""

    exit_code = 1
