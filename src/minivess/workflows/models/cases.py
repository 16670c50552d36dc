"""The cases that a step of the pipeline may learn from."""

from __future__ import annotations

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import LoadedCase
from minivess.records.data.split import Part
from minivess.workflows.session.bound_inputs import BoundInputs


@implements("REQ-180")
def cases_of(inputs: BoundInputs, part: Part) -> list[LoadedCase]:
    """Every case of a part, in order of id. The test part is sealed and never among them.

    Raises:
        UsageError: the test part was asked for.
        VerificationError: a file is not the one the log names; the message names it.
    """
    if part is Part.TEST:
        raise UsageError("the test part is sealed", hint="minivess test-set request")
    return list(inputs.cases(part))
