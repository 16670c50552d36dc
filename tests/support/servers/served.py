"""A project whose toy model is served: the real service, log and keys; only the network is a toy graph."""

from __future__ import annotations

import base64
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_bytes
from minivess.ml.cases.prepared import load_case
from minivess.records.data.split import Part
from minivess.records.data.version import DataVersion
from minivess.records.device.workspace_files import SEALED, SPLIT
from minivess.records.log.entry import Entry
from minivess.records.models.model import CalibrationRecord
from minivess.records.people.roles import IdentityKind, Role
from minivess.serving.inference.volumes import Limits
from minivess.workflows.data import ingestion, splitting, validation
from minivess.workflows.data.seal_terms import terms_of
from minivess.workflows.people import accounts
from minivess.workflows.serving.inference import InferenceService, open_model
from minivess.workflows.serving.serving_log import Pace, ServingLog
from minivess.workflows.serving.site import SITE, open_serving_log
from minivess.workflows.session import workspace_files
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.lazy_modules import lazily
from tests.support.projects import PASSPHRASE, ProjectFolder, export_toy_model, put_into_use

with lazily("fastapi", "httpx", "minivess.serving.inference.app"):
    import httpx
    from fastapi import testclient

    from minivess.serving.inference import app

LIMITS = Limits(body_bytes=1 << 20, voxels=100_000)
PACE = Pace(refusals_a_minute=1_000_000)


def prepare(project: ProjectFolder, *, threshold: float | None = 0.3) -> None:
    """Bring a started project to where it can be served: cases, split, toy model, calibration, enrolled service."""
    ada = project.signers["ada"]
    with project.services() as services:
        ingestion.ingest(services, ada)
        validation.validate(services, ada)
        split = splitting.split(services, ada)
        version = DataVersion(dvc=f"md5:{'0' * 32}", split=split.root)
        with recorded(services, "data.seal", ada, context=services.context(data=split.root)) as record:
            workspace_files.write_json(project.workspace, "data/version.json", version)
            held = BoundInputs.of(services)
            record.context(dvc=version.dvc)
            record.input(SPLIT, held.recorded(SPLIT).digest)
            record.output(SEALED, digest_bytes(b"toy manifest"))
            terms = terms_of(services.project, held.manifest, split)
            record.payload(files=0, approvers=["rosa"], root=digest_bytes(b"toy data"), terms=terms)
    calibration = CalibrationRecord(
        temperature=1.0,
        ece_before=0.02,
        ece_after=0.01,
        band_ece_before=0.02,
        band_ece_after=0.01,
        threshold=threshold,
        target_recall=0.9,
        achieved_recall=None if threshold is None else 0.93,
        cases=("case-0",),
        method="a scenario's own",
        note="",
    )
    with project.services() as services, recorded(services, "calibration", ada, context=services.context()) as record:
        workspace_files.write_json(project.workspace, "models/calibration.json", calibration)
        record.output("models/calibration.json", project.workspace.models / "calibration.json")
        record.payload(temperature=1.0, threshold=threshold, target_recall=0.9, cases=1)
    export_toy_model(project)
    put_into_use(project)
    keystore = Keystore(project.workspace.keystore)
    keystore.create(accounts.INFERENCE_IDENTITY, "Inference", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
    signer = keystore.unlock(accounts.INFERENCE_IDENTITY, PASSPHRASE)
    project.signers = {**project.signers, accounts.INFERENCE_IDENTITY: signer}
    with project.services() as services:
        accounts.enrol(services, project.signers["max"], accounts.INFERENCE_IDENTITY)


@dataclass
class Service:
    """The running service as a client sees it, with its log beside it."""

    project: ProjectFolder
    services: Services
    """The workspace, with the device's log."""
    serving: ServingLog
    engine: InferenceService
    client: testclient.TestClient

    @property
    def signer(self) -> Signer:
        return self.project.signers[accounts.INFERENCE_IDENTITY]

    def volume(self) -> tuple[np.ndarray, tuple[float, ...]]:
        """Image and spacing of a case the model knows."""
        return known_volume(self.project)

    def send(
        self, volume: bytes | np.ndarray, spacing: Any = (2.0, 1.0, 1.0), *, name: str = "scan.npy"
    ) -> httpx.Response:
        """Send a file with its spacing in micrometres."""
        text = spacing if isinstance(spacing, str) else f"{' x '.join(str(step) for step in spacing)} um"
        return self.post(volume, {"spacing": text}, name=name)

    def post(self, image: bytes | np.ndarray, parts: dict[str, Any], *, name: str = "scan.npy") -> httpx.Response:
        """Send a file with other parts of the form."""
        body = image if isinstance(image, bytes) else npy(image)
        answer: Any = self.client.post("/v1/segment", files={"volume": (name, body)}, data=parts)
        return cast("httpx.Response", answer)

    def entries(self) -> list[Entry]:
        """The entries about single answers, oldest first."""
        return [entry for entry in self.serving.services.log.entries() if entry.body.action == "inference"]

    def counts(self) -> dict[str, int]:
        """Requests that were turned away so far and counted, by reason, once they are recorded."""
        self.serving.record_counts()
        log, found = self.serving.services.log, Counter[str]()
        for entry in log.entries(actions={"inference.refusals"}):
            told = log.details(entry.body.index)
            assert told is not None
            found.update(told.payload["counts"])
        return dict(found)

    @property
    def database(self) -> Path:
        return self.project.workspace.serving / f"{SITE}.db"

    def break_log(self) -> None:
        """Take the serving log's database away, as a lost disk would."""
        self.serving.services.log.close()
        self.database.rename(self.database.with_suffix(".gone"))
        self.database.mkdir()

    def mend_log(self) -> None:
        """Bring the database back."""
        if self.database.is_dir():
            self.database.rmdir()
            self.database.with_suffix(".gone").rename(self.database)


def known_volume(project: ProjectFolder) -> tuple[np.ndarray, tuple[float, ...]]:
    """Image and spacing of a case the model knows."""
    workspace = project.workspace
    case = load_case(workspace.prepared, workspace_files.split_of(workspace).part(Part.CALIBRATION)[0])
    return np.asarray(case.image), case.record.spacing


@contextmanager
def running(project: ProjectFolder, *, pace: Pace = PACE) -> Iterator[Service]:
    """Serve a prepared project."""
    with project.services() as services, opened(project, services, pace=pace) as serving:
        engine = InferenceService(serving, open_model(services))
        with testclient.TestClient(app.create_app(engine, limits=LIMITS), raise_server_exceptions=False) as client:
            yield Service(project, services, serving, engine, client)


def opened(project: ProjectFolder, services: Services, *, site: str = SITE, pace: Pace = PACE) -> ServingLog:
    """The serving log of a prepared project, without its work in the background."""
    signer = project.signers[accounts.INFERENCE_IDENTITY]
    return open_serving_log(services, signer, passphrase=PASSPHRASE, site=site, pace=pace)


@contextmanager
def engine_of(project: ProjectFolder, **how: Any) -> Iterator[tuple[InferenceService, ServingLog]]:
    """The service below HTTP, without its work in the background."""
    with project.services() as services, opened(project, services, **how) as serving:
        yield InferenceService(serving, open_model(services)), serving


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    """The `.npy` bytes of an array."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def unpack_mask(text: str) -> np.ndarray:
    """The mask of an answer."""
    mask: np.ndarray = np.load(io.BytesIO(gzip.decompress(base64.b64decode(text))), allow_pickle=False)
    return mask
