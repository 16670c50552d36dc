"""MONAI's networks, without the optional packages that its other parts look for.

`import monai` imports all of MONAI, twice, and with it each optional package that is installed: MLflow, pandas, Matplotlib,
torchvision, scikit-learn, and by jsonschema a grammar that is built anew. They take half of the time (ADR 46). MONAI works
without them, and its networks use none of them, so they are hidden from MONAI while it is imported. Other parts of the program
import them as ever.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_OPTIONAL = frozenset({"jsonschema", "matplotlib", "mlflow", "nibabel", "pandas", "skimage", "sklearn", "torchvision"})
"""Packages that MONAI asks for through its `optional_import`."""


def monai_networks() -> ModuleType:
    """The package `monai.networks.nets`.

    Raises:
        ModuleNotFoundError: MONAI is not installed.
    """
    import torch  # noqa: F401  PyTorch itself may look for what is hidden

    with nullcontext() if "monai" in sys.modules else hidden(*_OPTIONAL):
        import monai.networks.nets as networks
    found: ModuleType = networks
    return found


class _Hiding(MetaPathFinder):
    """Refuses packages in the thread that made it; other threads import what they need."""

    def __init__(self, packages: Collection[str]) -> None:
        """Take the names of the packages."""
        self._packages = packages
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Leave every other module to the finders after this one.

        Raises:
            ModuleNotFoundError: it is of a hidden package.
        """
        if fullname.partition(".")[0] in self._packages and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)
        return None


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """While it is open, packages that were not imported before cannot be imported in this thread."""
    finder = _Hiding(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
