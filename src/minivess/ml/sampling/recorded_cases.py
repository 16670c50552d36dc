"""Cases of the log, read one at a time and compared with their records; a process can be given them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minivess.ml.cases.prepared import load_recorded
from minivess.ml.sampling.case_store import TrainingCase
from minivess.records.data.dataset import CaseRecord


@dataclass(frozen=True)
class RecordedCases:
    """Gives the cases, each time anew.

    Attributes:
        folder: `data/prepared`.
        records: what the log says of the cases.
    """

    folder: Path
    records: tuple[CaseRecord, ...]

    def __call__(self) -> Iterator[TrainingCase]:
        """Each case in order, one in memory at a time.

        Raises:
            VerificationError: a file is not the one that the log names.
        """
        return map(self._case, self.records)  # which keeps no case while the next one is read

    def _case(self, record: CaseRecord) -> TrainingCase:
        case = load_recorded(self.folder, record)
        return TrainingCase(case.image, case.label, record.physical_spacing, record.id)
