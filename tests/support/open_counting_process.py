"""A process that counts cases as the product's does, except that other processes of the user can read its memory."""

from __future__ import annotations

import sys
from unittest.mock import patch

from minivess.ml.evaluation import counting_process

if __name__ == "__main__":
    with patch.object(counting_process, "keep_memory_private", lambda: None):
        counting_process.serve(sys.stdin.buffer, sys.stdout.buffer)
