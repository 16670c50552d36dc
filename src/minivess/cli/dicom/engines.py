"""The model in production, opened to answer series on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.cli.serving.places import own_passphrase
from minivess.cli.session import passphrase_for, services_of

if TYPE_CHECKING:
    from minivess.workflows.serving.answers import OpenedModel
    from minivess.workflows.serving.inference import InferenceService
    from minivess.workflows.serving.serving_log import ServingLog

SITE = "dicom"
"""The usual site: `minivess serve` can answer beside it, in the log of another site."""


@dataclass(frozen=True)
class Place:
    """Where the answers are recorded.

    Attributes:
        project: the project folder, or one of `minivess model deploy`.
        site: names the log.
        admission: file that takes the place of the device's log, where that is elsewhere.
        trust: a trust file; the device's log must agree with it, or the admission is judged by it.
        days: greatest age of the checkpoint in an admission.
    """

    project: Path
    site: str
    admission: Path | None = None
    trust: Path | None = None
    days: int = 7


@contextmanager
def opened_engine(place: Place, model: Path | None = None) -> Iterator[InferenceService]:
    """Open the folder as `minivess serve` does.

    Args:
        place: where the answers are recorded.
        model: folder with a copy of the exported model, which answers in its place; it has to be the model in production.
    """
    from minivess.workflows.dicom.model_copies import copied_model
    from minivess.workflows.serving.inference import InferenceService

    with ExitStack() as stack:
        serving, opened = stack.enter_context(
            _beside_the_log(place) if place.admission is None else _elsewhere(place, place.admission)
        )
        if model is not None:
            opened = replace(opened, predictor=copied_model(model, opened.served))
        yield InferenceService(serving.start(), opened)


@contextmanager
def _beside_the_log(place: Place) -> Iterator[tuple[ServingLog, OpenedModel]]:
    from minivess.workflows.log.inspection import require_trusted
    from minivess.workflows.log.verification import read_trust
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
    from minivess.workflows.serving.inference import open_model
    from minivess.workflows.serving.site import open_serving_log

    with services_of(place.project) as services:
        if place.trust is not None:
            require_trusted(services, read_trust(place.trust))
        passphrase = passphrase_for(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        opened = open_model(services)
        own = own_passphrase(place.site) or passphrase
        with open_serving_log(services, signer, passphrase=own, site=place.site) as serving:
            yield serving, opened


@contextmanager
def _elsewhere(place: Place, admission: Path) -> Iterator[tuple[ServingLog, OpenedModel]]:
    from minivess.workflows.log.verification import read_trust
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY
    from minivess.workflows.serving.elsewhere import Elsewhere, opened_elsewhere

    keys = None if place.trust is None else read_trust(place.trust)
    elsewhere, passphrase = Elsewhere.of(admission, keys, place.days), passphrase_for(INFERENCE_IDENTITY)
    with opened_elsewhere(
        place.project, elsewhere, site=place.site, passphrase=passphrase, own=own_passphrase(place.site)
    ) as opened:
        yield opened
