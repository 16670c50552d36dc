"""Build a Bento of the model in production, on the record.

A Bento (https://docs.bentoml.com/en/latest/reference/bentoml/bento-build-options.html) is a folder with the service, the
model, this software, the pinned packages and the Dockerfile of BentoML's template. BentoML builds it in a process of its
own, which sees the folder and no passphrase.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.provenance import UV_LOCK
from minivess.foundation.reading.json_records import RECORD_LIMIT
from minivess.foundation.serving_platform import PYTHON
from minivess.records.models.exports.bento import FACTS_FILE, MODEL_FOLDER, REQUIREMENTS_FILE, BentoFacts
from minivess.workflows.bento.content import copy_code, digest_of_folder, place
from minivess.workflows.bento.requirements import requirements_of
from minivess.workflows.serving.inference import open_model
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

ACTION = "model.bento"
NAME = "minivess"
_SERVICE_FILE = '''\
"""The service of this Bento. Its code is in `minivess.serving.bento`."""

from minivess.serving.bento.service import InferenceInterface, ModelService

__all__ = ["InferenceInterface", "ModelService"]
'''
_SERVICE = "minivess.serving.bento.service:InferenceInterface"
_SECONDS = 600
_LOCK_LIMIT = 16 * RECORD_LIMIT


@dataclass(frozen=True)
class BuiltBento:
    """A Bento.

    Attributes:
        tag: name and version, as BentoML writes them.
        facts: what it was built of.
        digest: of the names and digests of its files.
        files: how many.
    """

    tag: str
    facts: BentoFacts
    digest: Digest
    files: int


@implements("REQ-470", "REQ-474")
def build_bento(services: Services, signer: Signer, out: Path) -> BuiltBento:
    """Build a Bento of the model in production.

    Args:
        services: the workspace.
        signer: a developer or a release manager.
        out: folder of the Bento; it is made.

    Raises:
        UsageError: the folder exists, or a step before is missing.
        VerificationError: a file is not the one in the log, or the model was not evaluated or is not in production.
        InputError: the lock file lacks what the Bento needs.
        CouldNotCheckError: BentoML did not build it.
    """
    if out.exists():
        raise UsageError("the folder of the Bento exists", hint="name a new folder")
    served = open_model(services).served
    lock = read_limited(services.source / UV_LOCK, limit=_LOCK_LIMIT)
    requirements = requirements_of(lock)
    folder = BoundInputs.of(services).export_folder()
    with recorded(services, ACTION, signer, context=services.context(model=served.digest)) as record:
        record.input(served.name, served.digest)
        record.input(UV_LOCK, digest_bytes(lock))
        with tempfile.TemporaryDirectory() as name:
            context = Path(name) / "context"
            context.mkdir()
            stated = BentoFacts(
                device=served.device,
                version=served.version,
                model=served.digest,
                code=copy_code(context),
                requirements=digest_bytes(requirements.encode("utf-8")),
            )
            _write_context(context, stated, requirements, folder)
            tag, made = _built(Path(name), context, stated)
            digest, files = digest_of_folder(made)
            place(made, out)
        record.output(f"bento/{stated.model.removeprefix('sha256:')[:12]}", digest)
        record.payload(tag=tag, model=stated.model, code=stated.code, requirements=stated.requirements, files=files)
    return BuiltBento(tag, stated, digest, files)


def _write_context(context: Path, stated: BentoFacts, requirements: str, model: Path) -> None:
    """The folder that BentoML builds from."""
    shutil.copytree(model, context / MODEL_FOLDER)
    (context / "service.py").write_text(_SERVICE_FILE, encoding="utf-8")
    (context / FACTS_FILE).write_text(stated.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (context / REQUIREMENTS_FILE).write_text(requirements, encoding="utf-8")
    options = {
        "service": _SERVICE,
        "name": NAME,
        "description": f"{stated.device} {stated.version}, model {stated.model}. `minivess model bento` built it.",
        "include": ["*"],
        "python": {"requirements_txt": f"./{REQUIREMENTS_FILE}", "lock_packages": False},
        "envs": [{"name": "BENTOML_DO_NOT_TRACK", "value": "True"}],
        "docker": {"distro": "debian", "python_version": PYTHON},
    }
    (context / "bentofile.yaml").write_text(yaml.safe_dump(options, sort_keys=False), encoding="utf-8")


def _built(work: Path, context: Path, stated: BentoFacts) -> tuple[str, Path]:
    """Let BentoML build; returns the tag and the folder.

    Raises:
        CouldNotCheckError: it did not.
    """
    number = stated.model.removeprefix("sha256:")[:12]
    home = work / "home"
    environment = {
        **{
            name: os.environ[name]
            for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYENV_VERSION")
            if name in os.environ
        },
        "HOME": str(work),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "MINIVESS_BENTO": str(context),
    }
    command = [sys.executable, "-m", "bentoml", "build", "--version", number, "--output", "tag", "."]
    try:
        done = subprocess.run(
            command, cwd=context, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CouldNotCheckError(f"BentoML did not build the Bento in {_SECONDS} seconds") from None
    made = home / "bentos" / NAME / number
    if done.returncode != 0 or not made.is_dir():
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        last = lines[-1][:200] if lines else "it said nothing"
        raise CouldNotCheckError(f"BentoML did not build the Bento: {last}", hint="install minivess[serving,bento]")
    return f"{NAME}:{number}", made
