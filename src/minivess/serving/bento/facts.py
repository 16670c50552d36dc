"""What a Bento states of itself, and where it is."""

from __future__ import annotations

import os
from pathlib import Path

import minivess
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.models.exports.bento import FACTS_FILE, MODEL_FOLDER, BentoFacts
from minivess.serving.inference.access.exposure import LOCAL_NAMES
from minivess.serving.inference.access.gate import Exposure
from minivess.workflows.log.verification import read_trust
from minivess.workflows.serving.elsewhere import DAYS, Elsewhere

_FOLDER = "MINIVESS_BENTO"
_PROJECT = "MINIVESS_PROJECT"
_SITE = "MINIVESS_SITE"
_ADMISSION, _TRUST, _DAYS = "MINIVESS_ADMISSION", "MINIVESS_TRUST", "MINIVESS_ADMISSION_DAYS"
_LOOPBACK = "MINIVESS_LOOPBACK"
_UNTRACKED = "BENTOML_DO_NOT_TRACK"


def bento_folder() -> Path:
    """The source folder of the Bento that this code runs in; the environment can name another (MINIVESS_BENTO)."""
    named = os.environ.get(_FOLDER)
    return Path(named) if named else Path(str(minivess.__path__[0])).parent


def read_facts(folder: Path) -> BentoFacts:
    """What the Bento was built of.

    Raises:
        InputError: the file is missing or malformed.
    """
    hint = "`minivess model bento` builds a Bento"
    return read_json_record(folder / FACTS_FILE, BentoFacts, shown=FACTS_FILE, hint=hint)


def model_folder(folder: Path) -> Path:
    """The exported model of a Bento."""
    return folder / MODEL_FOLDER


def exposure() -> Exposure:
    """How the service is reached: with keys, unless the environment states loopback (MINIVESS_LOOPBACK=True)."""
    local = os.environ.get(_LOOPBACK, "").lower() == "true"
    return Exposure(keys_needed=not local, hosts=LOCAL_NAMES if local else None)


@implements("REQ-471")
def check_untracked() -> None:
    """Refuse to start where BentoML reports its use to its makers.

    Raises:
        UsageError: BENTOML_DO_NOT_TRACK is not set.
    """
    if os.environ.get(_UNTRACKED, "").lower() != "true":
        raise UsageError(
            "BentoML reports its use to its makers, and this service sends nothing out", hint=f"set {_UNTRACKED}=True"
        )


def project_folder() -> Path:
    """The project folder with the log of the device, which the environment names (MINIVESS_PROJECT).

    Raises:
        UsageError: it names none.
    """
    named = os.environ.get(_PROJECT)
    if not named:
        raise UsageError(
            f"{_PROJECT} is not set", hint="name the project folder: the service records its answers in it"
        )
    return Path(named)


def site() -> str:
    """The site whose log takes the answers (MINIVESS_SITE)."""
    return os.environ.get(_SITE) or "main"


@implements("REQ-612")
def elsewhere() -> Elsewhere | None:
    """What takes the place of the device's log, which the environment names; None: that log is there.

    Raises:
        UsageError: there is no trust file, or the days are no number from 1 to 90.
        InputError: the trust file is missing or malformed.
    """
    admission, trust, days = (os.environ.get(name) or None for name in (_ADMISSION, _TRUST, _DAYS))
    if admission is None:
        return None
    if days is not None and not (days.isdecimal() and 1 <= int(days) <= 90):
        raise UsageError(f"{_DAYS} is no number from 1 to 90", hint="leave it out for 7 days")
    keys = None if trust is None else read_trust(Path(trust))
    return Elsewhere.of(Path(admission), keys, DAYS if days is None else int(days))


def passphrase(identity: str) -> str:
    """The passphrase of an identity, from MINIVESS_PASSPHRASE_<ID>.

    Raises:
        UsageError: the environment does not have it.
    """
    held = held_passphrase(identity)
    if not held:
        raise UsageError(f"the passphrase of {identity} is needed", hint=f"set {_variable(identity)}")
    return held


def held_passphrase(identity: str) -> str | None:
    """The passphrase of an identity, if the environment has it."""
    return os.environ.get(_variable(identity)) or None


def _variable(identity: str) -> str:
    return "MINIVESS_PASSPHRASE_" + identity.upper().replace("-", "_").replace(".", "_")
