"""The yardstick of the log: every place is changed, and every check is taken out, to see whether that is noticed.

`python -m tests.yardstick` runs all of it; the normal tests run a seeded sample. RESULT.md holds the last whole run.
"""

from __future__ import annotations

import sys
from pathlib import Path

_BUILDERS = str(Path(__file__).parents[1] / "compliance")
if _BUILDERS not in sys.path:
    sys.path.append(_BUILDERS)
