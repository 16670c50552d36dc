"""A process that counts cases as the product's does, and is killed by the system at the first case named `killer`."""

from __future__ import annotations

import os
import signal
import sys
from unittest.mock import patch

from minivess.ml.evaluation import counting_process
from minivess.ml.evaluation.counting import PredictedCase
from minivess.ml.evaluation.evaluate import count_case
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationPlan


def count(case: PredictedCase, plan: EvaluationPlan) -> list[CaseCounts]:
    """The rows of the case."""
    if case.record.id == "killer":
        os.kill(os.getpid(), signal.SIGKILL)
    return count_case(case, plan)


if __name__ == "__main__":
    with patch.object(counting_process, "count_case", count):
        counting_process.serve(sys.stdin.buffer, sys.stdout.buffer)
