"""Threads of ONNX Runtime: those of one graph, or one pool for all graphs of a process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors

if TYPE_CHECKING:
    import onnxruntime

_making = threading.Lock()
_made: list[int] = []


@implements("REQ-435")
def session_options(*, threads: int = 0, shared: bool = False) -> onnxruntime.SessionOptions:
    """How a graph is run.

    Args:
        threads: that work on one graph; 0: as many as the process has processors.
        shared: whether the graph uses the one pool of the process, so that several graphs have no more threads than one. The pool
            is made when it is first asked for, and its size stays. From then on every graph uses it: ONNX Runtime takes no other.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if shared or _made:
        _make_pool(threads or usable_processors())
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = threads or usable_processors()
    return options


def _make_pool(threads: int) -> None:
    import onnxruntime

    with _making:
        if not _made:
            onnxruntime.set_global_thread_pool_sizes(threads, 1)
            _made.append(threads)
