"""`minivess serve`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import say
from minivess.cli.serving.places import ADMISSION, ADMISSION_DAYS, TRUST, own_passphrase
from minivess.cli.session import passphrase_for, services_of
from minivess.foundation.errors import UsageError

if TYPE_CHECKING:
    from minivess.workflows.log.verification import Trust
    from minivess.workflows.serving.answers import OpenedModel
    from minivess.workflows.serving.elsewhere import Elsewhere
    from minivess.workflows.serving.serving_log import Pace, ServingLog


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--site", default="main", show_default=True, help="Names the log that the answers are recorded in.")
@click.option(
    "--anchor-every",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="Answers after which the device's log takes a checkpoint of that log; it takes one every hour as well.",
)
@click.option(
    "--refusals-a-minute",
    default=60,
    show_default=True,
    type=click.IntRange(0),
    help="Refused volumes that get an entry of their own; further ones are counted.",
)
@TRUST
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MINIVESS_TLS_CERTIFICATE",
    help="Certificate with those of its issuers, PEM: answers over TLS, 1.2 at least.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MINIVESS_TLS_KEY",
    help="The private key of the certificate, PEM, without a passphrase.",
)
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="A proxy in front of the service encrypts. Its headers say nothing of who calls: keys do.",
)
@ADMISSION
@ADMISSION_DAYS
@click.option(
    "--shadow",
    metavar="FOLDER|DIGEST",
    help="An exported model that judges the same images and gives no answer; compared in the log.",
)
@click.option("--json-logs", is_flag=True, help="Log as JSON, with one line for each answer.")
@click.pass_obj
def serve(
    project: Path,
    *,
    host: str,
    port: int,
    site: str,
    anchor_every: int,
    refusals_a_minute: int,
    trust: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
    admission: Path | None,
    admission_days: int,
    json_logs: bool,
    shadow: str | None,
) -> None:
    """Answer inference requests, each with a receipt.

    Each answer is recorded before it is sent. The command acts as the service identity `inference`, which must be
    enrolled in the log. Answers are recorded in the service's own log, evidence/serving/SITE.db. The first `serve` of a
    site makes this log. The passphrase that `inference` has at that time encrypts the key of this log.

    On loopback callers need no key until the log names one (`minivess caller create`). Other addresses need keys, and TLS
    or a proxy that encrypts.
    """
    from minivess.serving.inference.access import exposure
    from minivess.serving.inference.access.gate import Exposure
    from minivess.serving.inference.app import create_app
    from minivess.serving.inference.server import serve as run_server
    from minivess.serving.observing.observation import observation
    from minivess.workflows.log.verification import read_trust
    from minivess.workflows.serving.elsewhere import Elsewhere
    from minivess.workflows.serving.inference import InferenceService
    from minivess.workflows.serving.serving_log import Pace
    from minivess.workflows.serving.shadowing.candidates import shadowing

    keys, tls = None if trust is None else read_trust(trust), exposure.tls_of(tls_certificate, tls_key)
    pace = Pace(anchor_entries=anchor_every, refusals_a_minute=refusals_a_minute)
    local = exposure.is_loopback(host)

    def check(opened: OpenedModel) -> None:
        known = opened.in_use is not None and bool(opened.in_use.callers())
        exposure.check_address(host, keys=known, tls=tls is not None, proxy=behind_proxy)
        if not known:
            say("callers need no key: for trying on this machine alone; `minivess caller create` ends that")

    if admission is None:
        started = _beside_the_log(project, keys, site=site, pace=pace, check=check)
    else:
        elsewhere = Elsewhere.of(admission, keys, admission_days)
        started = _elsewhere(project, elsewhere, site=site, pace=pace, check=check)
    if shadow is not None and admission is not None:
        raise UsageError("a candidate needs the device's log", hint="leave out --admission or --shadow")
    with (
        started as (serving, opened),
        observation(opened.served, json_logs=json_logs) as watched,
        shadowing(serving, opened.served, shadow, notify=watched.metrics.compared) as beside,
    ):
        reached = Exposure(keys_needed=not local, tls=tls is not None, hosts=exposure.LOCAL_NAMES if local else None)
        say(f"http{'s' if tls else ''}://{host}:{port}/ shows what is served and how to ask; Ctrl-C ends it")
        engine = InferenceService(serving.start(), opened, observer=watched.observer, beside=beside)
        app = watched.attach(create_app(engine, exposure=reached))
        run_server(app, host=host, port=port, tls=tls)


@contextmanager
def _beside_the_log(
    project: Path, keys: Trust | None, *, site: str, pace: Pace, check: Callable[[OpenedModel], None]
) -> Iterator[tuple[ServingLog, OpenedModel]]:
    """The serving log and the model of a workspace that has the device's log."""
    from minivess.workflows.log.inspection import require_trusted
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY, unlock
    from minivess.workflows.serving.inference import open_model
    from minivess.workflows.serving.site import open_serving_log

    with services_of(project) as services:
        if keys is not None:
            require_trusted(services, keys)
        passphrase = passphrase_for(INFERENCE_IDENTITY)
        signer = unlock(services, INFERENCE_IDENTITY, passphrase)
        opened = open_model(services)
        check(opened)
        with open_serving_log(
            services, signer, passphrase=own_passphrase(site) or passphrase, site=site, pace=pace
        ) as serving:
            yield serving, opened


@contextmanager
def _elsewhere(
    project: Path, elsewhere: Elsewhere, *, site: str, pace: Pace, check: Callable[[OpenedModel], None]
) -> Iterator[tuple[ServingLog, OpenedModel]]:
    """The serving log and the model of a folder of `minivess model deploy`, with a file in place of the device's log."""
    from minivess.workflows.people.accounts import INFERENCE_IDENTITY
    from minivess.workflows.serving.elsewhere import opened_elsewhere

    passphrase, own = passphrase_for(INFERENCE_IDENTITY), own_passphrase(site)
    with opened_elsewhere(project, elsewhere, site=site, passphrase=passphrase, own=own, pace=pace) as (
        serving,
        opened,
    ):
        check(opened)
        yield serving, opened
