"""A copy of the exported model, as packages have it."""

from __future__ import annotations

from pathlib import Path

from minivess.foundation.implements import implements
from minivess.ml.inference.exported_model import ExportedModel
from minivess.workflows.serving.answers import ServedModel


@implements("REQ-477", "RC-201")
def copied_model(folder: Path, served: ServedModel) -> ExportedModel:
    """Open a copy of the model in production.

    Args:
        folder: with the record of the export and its graphs.
        served: what is in production.

    Raises:
        InputError: a file is missing or malformed.
        VerificationError: it is a copy of another model, or a file of it was exchanged.
    """
    return ExportedModel.open(folder, expected=served.digest)
