"""Work for processes in tests; light to import, because each process imports it."""

from __future__ import annotations

import os
import signal


def doubled(number: int) -> int:
    """Twice a number; 3 ends the process by a signal, 5 by an exit code, and 7 is refused."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        os._exit(4)
    if number == 7:
        raise ValueError("seven")
    return 2 * number
