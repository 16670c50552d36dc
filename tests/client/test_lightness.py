"""What a program loads with the client: neither the training stack nor the service."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.verifies("SU-178", "REQ-485")

HEAVY = (
    "torch",
    "monai",
    "mlflow",
    "fastapi",
    "uvicorn",
    "onnxruntime",
    "sqlalchemy",
    "scipy",
    "nibabel",
    "matplotlib",
)
PROGRAM = f"""
import sys
import minivess.client
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""


def test_the_client_loads_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
