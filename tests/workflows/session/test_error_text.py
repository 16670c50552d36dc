"""Errors as they may stand in the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import InputError
from minivess.workflows.session.error_text import describe

pytestmark = pytest.mark.verifies("SU-37")

WORKSPACE = Path("/home/ada/device")


@pytest.mark.verifies("RC-14", "REQ-004")
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("shape (3, 4) is not 1/2 of (6, 8)"), "ValueError: shape (3, 4) is not 1/2 of (6, 8)"),
        (KeyError(), "KeyError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("first\nsecond: Jane Doe"), "ValueError: first"),
        (ValueError("cannot open /home/Jane/scan.tif: no"), "ValueError: cannot open <path>: no"),
        (ValueError("/home/Jane Mary Doe/scan.tif is empty"), "ValueError: <path> is empty"),
        (ValueError("cannot open '/home/Jane Doe/scan.tif'"), "ValueError: cannot open <path>"),
        (ValueError(r"cannot open C:\Users\Jane\scan.tif"), "ValueError: cannot open <path>"),
        (ValueError("see file:///home/jane/x and ~/x"), "ValueError: see <path> and <path>"),
        (
            FileNotFoundError(2, "No such file", "/mnt/Jane Doe/scan 1.tif"),
            "FileNotFoundError: [Errno 2] No such file: '<path>'",
        ),
        (InputError("not a volume", path="/mnt/Jane Doe/1.tif"), "InputError: <path>: not a volume"),
        (
            InputError("not a volume", path=WORKSPACE / "data" / "a.npy", line=3),
            "InputError: data/a.npy:3: not a volume",
        ),
        (ValueError(f"{WORKSPACE}/data/a.npy is empty"), "ValueError: data/a.npy is empty"),
        (ValueError("tab\tand\x00null"), "ValueError: tab and null"),
    ],
)
def test_paths_do_not_reach_the_log(error: BaseException, text: str) -> None:
    assert describe(error, WORKSPACE) == text


@pytest.mark.verifies("RC-14")
def test_it_fits_on_a_line() -> None:
    text = describe(ValueError("x" * 5000), WORKSPACE)
    assert len(text) == 200
    assert text.endswith("…")
