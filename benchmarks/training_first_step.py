"""Time from the start of a process to the end of its first step, with and without worker processes.

The cases were preprocessed before; the process compares the copies.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import training_cases as shared  # of this folder
import training_memory

WORKERS = (0, 1, 2)


def measure() -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory() as folder:
        shared.store_of(Path(folder) / "cases", training_memory.FEW, training_memory.SHAPE)
        for workers in WORKERS:
            begun = str(time.time())
            command = [sys.executable, training_memory.__file__, folder, str(training_memory.FEW), str(workers), begun]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            print(f"{workers} workers: {found}", flush=True)
