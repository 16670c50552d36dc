"""Hypothesis for all tests, without deadlines: no test judges time, and a noisy machine must not turn a property into a failure.

Import it from here, so that only tests of properties load it.
"""

from __future__ import annotations

from hypothesis import HealthCheck, assume, example, given, settings, strategies

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

__all__ = ["HealthCheck", "assume", "example", "given", "settings", "strategies"]
