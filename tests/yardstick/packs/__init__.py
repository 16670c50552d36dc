"""The yardstick of evidence packs: every kind of place is changed and both verifiers judge, and every check is taken out.

`python -m tests.yardstick --only packs` runs all of it; the normal tests run a seeded sample. RESULT.md holds the last run.
"""

from __future__ import annotations
