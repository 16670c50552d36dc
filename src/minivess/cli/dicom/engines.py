"""The model in production, opened to answer series on the record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.cli.session import passphrase_for, services_of

if TYPE_CHECKING:
    from minivess.workflows.serving.inference import InferenceService

SITE = "dicom"
"""The usual site: `minivess serve` can answer beside it, in the log of another site."""


@contextmanager
def opened_engine(project: Path, site: str, model: Path | None = None) -> Iterator[InferenceService]:
    """Open the workspace as `minivess serve` does.

    Args:
        project: the project folder.
        site: names the log that the answers are recorded in.
        model: folder with a copy of the exported model, which answers in its place; it has to be the model in production.
    """
    from dataclasses import replace

    from minivess.workflows.dicom.model_copies import copied_model
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
    from minivess.workflows.serving.inference import InferenceService, open_model
    from minivess.workflows.serving.site import key_id_of, open_serving_log

    with services_of(project) as services:
        passphrase = passphrase_for(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        opened = open_model(services)
        if model is not None:
            opened = replace(opened, predictor=copied_model(model, opened.served))
        own = os.environ.get(f"MINIVESS_PASSPHRASE_{key_id_of(site).upper().replace('-', '_').replace('.', '_')}")
        with open_serving_log(services, signer, passphrase=own or passphrase, site=site) as serving:
            yield InferenceService(serving.start(), opened)
