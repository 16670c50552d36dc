"""Deterministic kernels for a while, and the names of operations that have none."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import torch

from minivess.foundation.implements import implements

_WARNED = re.compile(r"^(\S+) does not have a deterministic implementation")


@implements("REQ-048", "REQ-372")
@contextmanager
def repeatable(not_repeatable: set[str]) -> Iterator[None]:
    """Ask PyTorch for deterministic kernels; afterwards its settings and random state are as before.

    Args:
        not_repeatable: gets the names of operations that have no deterministic kernel on the device, as PyTorch warns.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("always", message=r".*does not have a deterministic implementation")
        show = warnings.showwarning

        def hear(  # noqa: PLR0917  the arguments are Python's
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if found := _WARNED.match(str(message)):
                not_repeatable.add(found[1])
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = hear
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)
            torch.backends.cudnn.benchmark = benchmark
