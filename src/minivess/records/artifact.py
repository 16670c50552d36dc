"""A thing made or used: its name in the workspace and the digest of its bytes; and the program that made something."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

ArtifactName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]
"""A relative, slash-separated name: no spaces, no parent steps, nothing about the machine."""


class Artifact(Record):
    """A named digest, for example `models/model.onnx`."""

    name: ArtifactName
    digest: Digest


class Tool(Record):
    """The program that made something."""

    name: ShortText
    version: ShortText
