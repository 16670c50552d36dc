"""Closing what may not cross a fork: every open database is told before the process forks, and after it on both sides."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forking(Protocol):
    """What has to know of a fork."""

    def before_fork(self) -> None:
        """Close what may not cross it."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin again."""


making = threading.RLock()
"""Held while connections are set up, and while the process forks."""
_forking = threading.RLock()
_watched: weakref.WeakSet[Forking] = weakref.WeakSet()
_held: list[Forking] = []
"""What a fork under way has closed."""


def watch(one: Forking) -> None:
    """Tell it of every fork from now on, as long as it lives."""
    _watched.add(one)


def _before() -> None:
    _forking.acquire()
    making.acquire()
    _held.extend(_watched)
    for one in _held:
        one.before_fork()


def _after_in_parent() -> None:
    for one in _held:
        one.after_fork_in_parent()
    _release()


def _after_in_child() -> None:
    for one in _held:
        one.after_fork_in_child()
    _release()


def _release() -> None:
    _held.clear()
    making.release()
    _forking.release()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
