"""The service of a Bento, opened: the project's log and keys, the model in production, and the answers on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.models.exports.bento import BentoFacts
from minivess.serving.bento import facts
from minivess.serving.bento.remote_model import Batching, RemotePredictor
from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
from minivess.workflows.serving.inference import InferenceService, open_model
from minivess.workflows.serving.site import key_id_of, open_serving_log
from minivess.workflows.session.services import open_services


@contextmanager
@implements("REQ-471", "RC-198")
def opened_engine(model: Batching, stated: BentoFacts) -> Iterator[InferenceService]:
    """Open the project that the environment names, as `minivess serve` does; the model runs in the other process.

    Args:
        model: the process with the model.
        stated: what the Bento was built of.

    Raises:
        VerificationError: the model in production is another one than that of the Bento, or a file is not the one in the log.
        RefusedError: a passphrase is wrong, or the site is served already.
        UsageError: project or passphrases are missing.
        CouldNotCheckError: a log is out of reach.
    """
    with open_services(facts.project_folder(), log_passphrase=lambda: facts.passphrase("log")) as services:
        passphrase = facts.passphrase(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        opened = open_model(services)
        check_same_model(opened.served.digest, stated)
        site = facts.site()
        own = facts.held_passphrase(key_id_of(site))
        with open_serving_log(services, signer, passphrase=own or passphrase, site=site) as serving:
            yield InferenceService(serving.start(), replace(opened, predictor=RemotePredictor(model)))


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
