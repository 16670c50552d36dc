"""The payload about the qualification of this software. It is apart, because it loads the records of the project file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.artifact import Tool
from minivess.records.base import Record


class ToolQualified(Record):
    """This software was checked on a machine of the project: phantoms, known answers and tampering (ISO 13485 4.1.6)."""

    tool: Tool
    code: Digest
    """Of the installed files of the package."""
    passed: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]
