"""What a process that counts does: answer the rows of one predicted case after the other, until its input is closed.

    to the process:   {"plan"}
                      then for each case {"case", "probabilities", "grid", "baselines"} and the bytes of the probabilities
                      (float32), the prediction, the reference and each baseline (one byte a voxel)
    from the process: {"private"} then for each case {"rows"} or {"error", "message", "hint"}

It cannot write a byte to any file, leaves no core dump, and no other process of the same user reads its memory.
"""

from __future__ import annotations

import sys
from typing import IO, Any

import numpy as np

from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.foundation.processes.piped import fill, read_message, write_message
from minivess.foundation.processes.private_memory import keep_memory_private, memory_is_private, write_no_file
from minivess.ml.evaluation.counting import PredictedCase, bytes_of
from minivess.ml.evaluation.evaluate import count_case
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import EvaluationPlan


@implements("REQ-385", "REQ-386")
def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Count case after case. What goes wrong is answered, and the next case is taken."""
    write_no_file()
    keep_memory_private()
    said = read_message(asked)
    if said is None:
        return
    plan = EvaluationPlan.model_validate(said["plan"])
    write_message(answers, {"private": memory_is_private()})
    while (message := read_message(asked)) is not None:
        arrays = _received(asked, message)
        try:
            rows = count_case(PredictedCase(CaseRecord.model_validate(message["case"]), *arrays), plan)
            answer: dict[str, Any] = {"rows": [row.model_dump(mode="json") for row in rows]}
        except MinivessError as error:
            answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        except Exception as error:  # it has no other way to say what is wrong
            answer = {"error": type(error).__name__, "message": f"{type(error).__name__}: {error}"[:500], "hint": ""}
        write_message(answers, answer)


def _received(asked: IO[bytes], message: dict[str, Any]) -> tuple[Any, ...]:
    """The arrays of a case. Its image is not sent, because nothing of it is counted."""
    grid = tuple(message["grid"])
    probabilities = np.empty(tuple(message["probabilities"]), np.float32)
    masks = np.empty((2 + message["baselines"], *grid), np.uint8)
    fill(asked, bytes_of(probabilities))
    fill(asked, bytes_of(masks))
    return np.empty(0), probabilities, masks[0], masks[1], list(masks[2:].view(np.bool_))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
