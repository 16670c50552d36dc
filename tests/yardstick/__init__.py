"""The yardstick of the log: every place is changed, and every check is taken out, to see whether that is noticed.

`python -m tests.yardstick` runs all of it; the normal tests run a seeded sample. RESULT.md holds the last whole run.
"""

from __future__ import annotations
