"""A Bento of a model: what it states of itself."""

from __future__ import annotations

from typing import Literal

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

FACTS_FILE, MODEL_FOLDER, REQUIREMENTS_FILE = "bento.json", "model", "requirements.txt"


class BentoFacts(Record):
    """What a Bento was built of. The file is in its source folder, beside the code."""

    format: Literal["minivess-bento/1"] = "minivess-bento/1"
    device: ShortText
    version: ShortText
    model: Digest
    """Of the record of the exported model."""
    code: Digest
    """Of the copy of this software in the Bento: of its files' names and digests."""
    requirements: Digest
    """Of the file of pinned packages."""
