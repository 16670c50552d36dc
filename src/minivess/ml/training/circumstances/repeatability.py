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

    PyTorch would also fill each new tensor before it is written, so that a kernel that reads what nobody wrote is found. That
    takes about 3 % of a step and changes no weight: it is switched off.

    Args:
        not_repeatable: gets the names of operations that have no deterministic kernel on the device, as PyTorch warns.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, fills = torch.backends.cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory
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
        torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)
            torch.backends.cudnn.benchmark = benchmark
            torch.utils.deterministic.fill_uninitialized_memory = fills
