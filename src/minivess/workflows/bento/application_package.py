"""Lay out a MONAI Application Package of the model in production, on the record.

Format: MONAI Application Package 1.0.0
(https://github.com/Project-MONAI/monai-deploy/blob/main/guidelines/monai-application-package.md): manifests in /etc/holoscan, the
application in /opt/holoscan/app, models in /opt/holoscan/models, and /var/holoscan to work in. The layout is a folder with these
paths and a Dockerfile that puts them into an image.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.provenance import UV_LOCK
from minivess.foundation.reading.json_records import RECORD_LIMIT
from minivess.foundation.serving_platform import PYTHON
from minivess.workflows.bento.content import copy_code, digest_of_folder, place
from minivess.workflows.bento.requirements import OWN, requirements_of
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.inference import open_model
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

ACTION = "model.map"
API_VERSION = "1.0.0"
"""Of the specification whose field names the manifests have."""
EXTRAS = ("dicom",)
MODEL = "minivess"
_LOCK_LIMIT = 16 * RECORD_LIMIT
_SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_MAIN = '''\
"""The application of this package: segments the DICOM series of a folder, each answer on the record."""

import os
import sys

from minivess.cli.main import main

if __name__ == "__main__":
    source, out = (os.environ[f"HOLOSCAN_{kind}_PATH"] for kind in ("INPUT", "OUTPUT"))
    model = os.path.join(os.environ["HOLOSCAN_MODEL_PATH"], "minivess")
    sys.argv[1:] = ["-C", os.environ["MINIVESS_PROJECT"], "dicom", "segment", source, out, "--model", model]
    main()
'''
_DOCKERFILE = """\
FROM python:{python}-slim
COPY etc/ /etc/
COPY opt/ /opt/
COPY var/ /var/
RUN ln -s /etc/holoscan /etc/monai \\
    && pip install --no-cache-dir --require-hashes -r /opt/holoscan/app/requirements.txt
ENV {environment}
WORKDIR /var/holoscan
USER 1000
ENTRYPOINT ["python", "/opt/holoscan/app"]
"""
_README = """\
# {device} {version}

{statement}

Segments the DICOM series of a folder. Each answer is an entry of the log of the project folder, which is mounted at
/var/holoscan/project. The passphrases of the log and of the service are in MINIVESS_PASSPHRASE_LOG and
MINIVESS_PASSPHRASE_INFERENCE. Not for clinical use without an expert who looks at image and mask together.

Where the device's log is elsewhere, a folder of `minivess model deploy` is mounted in its place, and MINIVESS_ADMISSION and
MINIVESS_TRUST name the admission and the trust file.

Model: {model}
"""


@dataclass(frozen=True)
class LaidOut:
    """A package.

    Attributes:
        tag: name and version of the image that the Dockerfile is for.
        model: digest of the model.
        digest: of the names and digests of its files.
        files: how many.
    """

    tag: str
    model: Digest
    digest: Digest
    files: int


@implements("REQ-477")
def lay_out_package(services: Services, signer: Signer, out: Path) -> LaidOut:
    """Lay out a package of the model in production.

    Args:
        services: the workspace.
        signer: a developer or a release manager.
        out: folder of the package; it is made.

    Raises:
        UsageError: the folder exists, the model is for pictures, or a step before is missing.
        VerificationError: a file is not the one in the log, or the model was not evaluated or is not in production.
        InputError: the lock file lacks what the package needs.
    """
    if out.exists():
        raise UsageError("the folder of the package exists", hint="name a new folder")
    served = open_model(services).served
    if len(served.task.axes) != 3:
        raise UsageError("the model is for pictures, and the application segments series", hint="minivess model bento")
    lock = read_limited(services.source / UV_LOCK, limit=_LOCK_LIMIT)
    requirements = requirements_of(lock, extras=EXTRAS)
    folder = BoundInputs.of(services).export_folder()
    tag = f"minivess-map:{served.digest.removeprefix('sha256:')[:12]}"
    with recorded(services, ACTION, signer, context=services.context(model=served.digest)) as record:
        record.input(served.name, served.digest)
        record.input(UV_LOCK, digest_bytes(lock))
        with tempfile.TemporaryDirectory() as name:
            made = Path(name) / "package"
            code = _fill(made, served, requirements, folder)
            digest, files = digest_of_folder(made)
            place(made, out)
        record.output(f"map/{tag.partition(':')[2]}", digest)
        packages = digest_bytes(requirements.encode("utf-8"))
        record.payload(tag=tag, model=served.digest, code=code, requirements=packages, files=files)
    return LaidOut(tag, served.digest, digest, files)


def _fill(package: Path, served: ServedModel, requirements: str, model: Path) -> Digest:
    """Write all files; returns the digest of the code."""
    holoscan = package / "opt" / "holoscan"
    app, docs = holoscan / "app", holoscan / "docs"
    for folder in (app, docs, package / "etc" / "holoscan", package / "var" / "holoscan" / "input"):
        folder.mkdir(parents=True)
    (package / "var" / "holoscan" / "input" / ".keep").touch()
    code = copy_code(app)
    (app / "__main__.py").write_text(_MAIN, encoding="utf-8")
    (app / "requirements.txt").write_text(requirements, encoding="utf-8")
    shutil.copytree(model, holoscan / "models" / MODEL)
    told = {"device": served.device, "version": served.version, "statement": served.statement, "model": served.digest}
    (docs / "README.md").write_text(_README.format(**told), encoding="utf-8")
    for name, manifest in manifests(served).items():
        (package / "etc" / "holoscan" / name).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    environment = " ".join(f"{name}={value}" for name, value in sorted(ENVIRONMENT.items()))
    (package / "Dockerfile").write_text(_DOCKERFILE.format(python=PYTHON, environment=environment), encoding="utf-8")
    return code


ENVIRONMENT = {
    "HOLOSCAN_INPUT_PATH": "/var/holoscan/input/",
    "HOLOSCAN_OUTPUT_PATH": "/var/holoscan/output/",
    "HOLOSCAN_WORKDIR": "/var/holoscan/",
    "HOLOSCAN_MODEL_PATH": "/opt/holoscan/models/",
    "HOLOSCAN_APP_MANIFEST_PATH": "/etc/holoscan/app.json",
    "HOLOSCAN_PKG_MANIFEST_PATH": "/etc/holoscan/pkg.json",
    "HOLOSCAN_DOCS": "/opt/holoscan/docs/",
    "MINIVESS_PROJECT": "/var/holoscan/project",
}
"""What the application finds in its environment. A runner can set other paths for input and output."""


@implements("REQ-477")
def manifests(served: ServedModel) -> dict[str, dict[str, Any]]:
    """The two manifests by the names of their files."""
    number = _semantic(served.version)
    application = {
        "apiVersion": API_VERSION,
        "type": "application",
        "command": "python /opt/holoscan/app",
        "environment": ENVIRONMENT,
        "input": {"formats": [{"type": "file", "data": "DICOM"}], "path": "input/"},
        "output": {"format": {"type": "file", "data": "DICOM-SEG, JSON"}, "path": "output/"},
        "sdk": "minivess",
        "sdkVersion": _semantic(version(OWN)),
        "timeout": 0,
        "version": number,
        "workingDirectory": "/var/holoscan/",
    }
    package = {
        "apiVersion": API_VERSION,
        "applicationRoot": "/opt/holoscan/app/",
        "modelRoot": "/opt/holoscan/models/",
        "models": [{"name": MODEL, "path": MODEL}],
        "resources": {"cpu": 2, "gpu": 0, "memory": "4Gi", "sharedMemory": "1Gi"},
        "version": number,
    }
    return {"app.json": application, "pkg.json": package}


def _semantic(number: str) -> str:
    """A version if it is a semantic one; else the one that the specification assumes."""
    return number if _SEMANTIC.fullmatch(number) else "0.0.0"
