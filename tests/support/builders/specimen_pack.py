"""The small pack that `minivess qualify` tampers with: `python -m tests.support.builders.specimen_pack` writes it again.

It has to be written again when packs of the newest layout change, until the layout is released.
"""

from __future__ import annotations

import lzma
from pathlib import Path

from minivess.compliance.proofs.archive import write_archive
from minivess.workflows import qualification
from minivess.workflows.qualification.tampering import SPECIMEN
from tests.support.builders.layout2_pack import small_pack


def main() -> None:
    """Write the pack beside the code that reads it."""
    out = Path(str(qualification.__path__[0])) / SPECIMEN
    out.write_bytes(lzma.compress(write_archive(small_pack().signed()), preset=9 | lzma.PRESET_EXTREME))
    print(f"{out.name}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
