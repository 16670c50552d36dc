"""The rules of ensembles, by the words with which the record of an ensemble names them.

To add a rule, add its module and its row.
"""

from __future__ import annotations

from collections.abc import Mapping

from minivess.ml.ensembles.mean import Mean
from minivess.ml.ensembles.rule import EnsembleRule
from minivess.records.models.ensemble import MEAN

RULES: Mapping[str, EnsembleRule] = {MEAN: Mean()}
