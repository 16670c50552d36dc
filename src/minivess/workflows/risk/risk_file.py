"""The risk file of a source tree, computed from its plan."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.risk.risk_file import OverallRisk, RiskFile

__all__ = ["OverallRisk", "RiskFile", "risk_file_of"]


def risk_file_of(tree: Path) -> RiskFile:
    """Read and compute the risk file.

    Raises:
        InputError: a file is missing or malformed, with file and line.
    """
    return RiskFile.load(tree)
