"""Where the embedded stores of a workspace live, read once.

Four values, from the environment (`MINIVESS_DATABASE_URL`, `MINIVESS_LINEAGE_FILE`, `MINIVESS_LINEAGE_URL`,
`MINIVESS_MLFLOW_URI`), else from `minivess.settings.toml` in the workspace, else the embedded defaults under `evidence/`.
Settings hold no secret: a URL with a password in it is refused. A relative SQLite file starts at the workspace.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import check_options, for_mlflow, sqlite_file, sqlite_url
from minivess.foundation.paths import check_project_path

SETTINGS_FILE = "minivess.settings.toml"
_LIMIT = 64 * 1024
_INSTEAD = {
    "database_url": "leave it out of the URL; use a password file (PGPASSFILE) instead",
    "lineage_url": "leave it out of the URL; put a token into the environment variable MINIVESS_LINEAGE_TOKEN instead",
    "mlflow_uri": "leave it out of the URL; MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
}
_KEYS = ("database_url", "lineage_file", "lineage_url", "mlflow_uri")
_VARIABLES = frozenset(f"MINIVESS_{key.upper()}" for key in _KEYS)


class Settings(BaseModel):
    """The settings of one workspace; made by `load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str
    """SQLAlchemy URL of the audit log's database."""
    lineage_file: Path
    """JSON-lines file that OpenLineage events are delivered to."""
    lineage_url: str
    """OpenLineage endpoint that events are delivered to instead; empty: to the file."""
    mlflow_uri: str
    """MLflow tracking URI."""


def load_settings(workspace: Path) -> Settings:
    """Read the settings of a workspace.

    Raises:
        InputError: the settings file is malformed, too large, or holds a name that is no setting.
        UsageError: a URL carries a password, or the lineage URL a name; an SQLite URL has options that do not exist; or
            the path cannot be that of a project.
    """
    root = workspace.absolute()
    check_project_path(root)
    evidence = root / "evidence"
    file = root / SETTINGS_FILE
    written = _read_file(file) if file.exists() else {}
    defaults = {
        "database_url": sqlite_url(evidence / "audit.db"),
        "lineage_file": "evidence/lineage/events.jsonl",
        "lineage_url": "",
        "mlflow_uri": for_mlflow(sqlite_url(evidence / "mlflow.db")),
    }
    stated = file.exists() or any(name.upper() in _VARIABLES for name in os.environ)
    values: Mapping[str, object] = _stated({**defaults, **written}) if stated else defaults
    for key, value in values.items():
        if not isinstance(value, str) or not (value.strip() or key == "lineage_url"):
            raise InputError(f"setting {key!r} must be a non-empty text", path=SETTINGS_FILE)
    for key in ("database_url", "lineage_url", "mlflow_uri"):
        _refuse_password(key, str(values[key]))
    return Settings(
        database_url=_from(root, "database_url", str(values["database_url"])),
        lineage_file=root / str(values["lineage_file"]),
        lineage_url=str(values["lineage_url"]),
        mlflow_uri=for_mlflow(_from(root, "mlflow_uri", str(values["mlflow_uri"]))),
    )


def _stated(written: Mapping[str, object]) -> dict[str, object]:
    """The settings that the environment states, else those written in the file, else the defaults.

    Dynaconf gets no name of a file: it reads `[` and `*` in one as a pattern, and may find the file of another project.
    """
    from dynaconf import Dynaconf  # a third of a second that a workspace with the defaults does not need

    source = Dynaconf(
        envvar_prefix="MINIVESS",
        settings_files=[],
        environments=False,
        load_dotenv=False,
        ignore_unknown_envvars=True,
        auto_cast=False,
        **written,
    )
    return {key: source.get(key) for key in _KEYS}


def _read_file(file: Path) -> dict[str, object]:
    import tomllib

    try:
        content = tomllib.loads(read_limited(file, limit=_LIMIT).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML: {error}", path=file, hint="correct it or remove it") from error
    for key in content:
        if key.lower() not in _KEYS:
            raise InputError(f"{key!r} is no setting", path=file, hint=f"settings are: {', '.join(_KEYS)}")
    return {key.lower(): value for key, value in content.items()}


@implements("REQ-248")
def _from(root: Path, key: str, url: str) -> str:
    """A URL whose SQLite file is absolute, as the working folder of a process does not matter."""
    check_options(url, f"setting {key!r}")
    file = sqlite_file(url)
    return url if file is None else sqlite_url(root / file)


def _refuse_password(key: str, url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"setting {key!r} is no URL") from error
    if parts.password is not None or (key == "lineage_url" and parts.username is not None):
        raise UsageError(f"setting {key!r} carries a password, and settings hold no secrets", hint=_INSTEAD[key])
