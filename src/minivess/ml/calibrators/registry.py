"""The calibrators, by the words with which the record of a calibration names its method.

To add a calibrator, add its module and its rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from minivess.ml.calibrators.calibrator import Calibrator
from minivess.ml.calibrators.temperature import TemperatureScaling
from minivess.records.data.dataset import Capabilities

TEMPERATURE_SCALING = "temperature scaling"

CALIBRATORS: Mapping[str, Calibrator] = {TEMPERATURE_SCALING: TemperatureScaling()}

CAPABILITIES: Mapping[str, Capabilities] = {TEMPERATURE_SCALING: Capabilities()}
"""The cases that each calibrator can take."""
