"""The service of a Bento, opened: the project's log and keys, the model in production, and the answers on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.models.exports.bento import BentoFacts
from minivess.serving.bento import facts
from minivess.serving.bento.remote_model import Batching, RemotePredictor
from minivess.serving.observing.observation import Observation, observation
from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
from minivess.workflows.serving.answers import OpenedModel
from minivess.workflows.serving.elsewhere import Elsewhere, opened_elsewhere
from minivess.workflows.serving.inference import InferenceService, open_model
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.serving.site import key_id_of, open_serving_log
from minivess.workflows.session.services import open_services


class Opened(NamedTuple):
    """What answers images, and what observes it."""

    engine: InferenceService
    watched: Observation


@contextmanager
@implements("REQ-471", "REQ-612", "RC-198")
def opened_engine(model: Batching, stated: BentoFacts) -> Iterator[Opened]:
    """Open the project that the environment names, as `minivess serve` does; the model runs in the other process.

    Args:
        model: the process with the model.
        stated: what the Bento was built of.

    Raises:
        VerificationError: the model in production is another one than that of the Bento, a file is not the one in the log, or
            the admission does not hold.
        RefusedError: a passphrase is wrong, or the site is served already.
        UsageError: project or passphrases are missing.
        CouldNotCheckError: a log is out of reach.
    """
    elsewhere = facts.elsewhere()
    with ExitStack() as stack:
        serving, opened = stack.enter_context(_beside_the_log(stated) if elsewhere is None else _distant(elsewhere))
        check_same_model(opened.served.digest, stated)
        watched = stack.enter_context(observation(opened.served))
        remote = replace(opened, predictor=RemotePredictor(model))
        yield Opened(InferenceService(serving.start(), remote, observer=watched.observer), watched)


@contextmanager
def _beside_the_log(stated: BentoFacts) -> Iterator[tuple[ServingLog, OpenedModel]]:
    """The serving log and the model of a project that has the device's log. A log is opened only for the model of the Bento."""
    with open_services(facts.project_folder(), log_passphrase=lambda: facts.passphrase("log")) as services:
        passphrase = facts.passphrase(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        opened = open_model(services)
        check_same_model(opened.served.digest, stated)
        site = facts.site()
        own = facts.held_passphrase(key_id_of(site))
        with open_serving_log(services, signer, passphrase=own or passphrase, site=site) as serving:
            yield serving, opened


@contextmanager
def _distant(elsewhere: Elsewhere) -> Iterator[tuple[ServingLog, OpenedModel]]:
    """The serving log and the model of a folder of `minivess model deploy`."""
    site, passphrase = facts.site(), facts.passphrase(INFERENCE_IDENTITY)
    own = facts.held_passphrase(key_id_of(site))
    with opened_elsewhere(facts.project_folder(), elsewhere, site=site, passphrase=passphrase, own=own) as opened:
        yield opened


@implements("REQ-471", "RC-198")
def check_same_model(production: str, stated: BentoFacts) -> None:
    """Refuse to serve a Bento of another model than the one in production.

    Raises:
        VerificationError: it is another model.
    """
    if production != stated.model:
        raise VerificationError(
            f"this Bento was built of the model {stated.model[:19]}…, and {production[:19]}… is in production",
            hint="`minivess model bento` builds a Bento of the model in production",
        )
