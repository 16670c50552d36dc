"""Cases of the training and calibration parts, as networks learn from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.data.split import Part
from minivess.workflows.session.bound_inputs import BoundInputs

Array = np.ndarray[Any, np.dtype[Any]]


@implements("REQ-180")
def cases_of(inputs: BoundInputs, part: Part) -> list[tuple[str, Array, Array]]:
    """Id, image and mask of every case of a part, in order of id. The test part is sealed and never among them.

    Raises:
        UsageError: the test part was asked for, or a case is no grey volume of known size with one class.
        VerificationError: a file is not the one the log names; the message names it.
    """
    if part is Part.TEST:
        raise UsageError("the test part is sealed", hint="minivess test-set request")
    loaded = list(inputs.cases(part))
    for record in (case.record for case in loaded):
        if record.axes != "zyx" or record.unit != "um" or [one.value for one in record.classes] != [1]:
            raise UsageError(
                f"case {record.id} has axes {record.axes}, unit {record.unit} and {len(record.classes)} classes",
                hint="networks learn from grey volumes (zyx, µm) with one class of value 1 so far",
            )
    return [(case.record.id, np.asarray(case.image, np.float32), np.asarray(case.label, np.uint8)) for case in loaded]
