"""MLflow's tracking store: how it is opened, and used by one process at a time where it is an SQLite file.

MLflow makes and migrates its tables, its default experiment and ours without a lock, so two processes that start at once
would fail. A lock of our own (`flock`, beside the database) is held for each request; PostgreSQL and servers need none.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.errors import CouldNotCheckError, MinivessError
from minivess.foundation.files import exclusive
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import for_mlflow, sqlite_file

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SERVERS = ("http://", "https://", "databricks", "uc:")
"""Beginnings of tracking URIs whose server decides where artifacts are."""
_OPT_OUT = "MLFLOW_DISABLE_TELEMETRY"
_ARTIFACTS = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Where MLflow puts the artifacts of its default experiment; without it, in the working folder of the process."""
_ACTIVE = "active"
_EXISTS = "RESOURCE_ALREADY_EXISTS"
_LONGEST = 300


class MlflowStore:
    """One tracking store, opened at the first request.

    Args:
        uri: MLflow tracking URI.
        artifacts: folder for the artifacts of new experiments; by default `mlflow/` beside an SQLite file. A server
            decides for itself.
    """

    def __init__(self, uri: str, *, artifacts: Path | None = None) -> None:
        self._uri = uri
        self._database = sqlite_file(uri)
        folder = self._database.parent / "mlflow" if artifacts is None and self._database is not None else artifacts
        self._artifacts = None if folder is None or uri.startswith(_SERVERS) else folder.absolute().as_uri()
        self._client: MlflowClient | None = None

    @contextmanager
    @implements("REQ-250")
    def asked(self, what: str) -> Iterator[MlflowClient]:
        """A client, for requests during which no other process of this package uses an SQLite store.

        Args:
            what: the requests do, for the error.

        Raises:
            CouldNotCheckError: MLflow is not installed or refuses; the message has its own reason.
        """
        try:
            import mlflow.tracking  # noqa: F401  takes seconds, and is done before the lock is held

            with self._turn():
                if self._client is None:
                    self._client = _quiet_client(self._handed_over(), self._artifacts)
                yield self._client
        except ImportError as error:
            raise CouldNotCheckError(
                "MLflow is not installed", hint="install the `ml` extra: pip install 'minivess[ml]'"
            ) from error
        except MinivessError:
            raise
        except Exception as error:
            raise CouldNotCheckError(
                f"MLflow could not {what}: {_reason(error)}", hint="check the tracking URI (mlflow_uri) and the disk"
            ) from error

    @implements("REQ-251")
    def experiment(self, client: MlflowClient, name: str) -> str:
        """The id of an experiment, which is made when it is missing.

        Raises:
            CouldNotCheckError: it was deleted.
        """
        from mlflow.exceptions import MlflowException

        known = client.get_experiment_by_name(name)
        if known is None:
            try:
                return str(client.create_experiment(name, artifact_location=self._artifacts))
            except MlflowException as error:  # where a server is asked, another process may be first
                if error.error_code != _EXISTS:
                    raise
                known = client.get_experiment_by_name(name)
        if known.lifecycle_stage != _ACTIVE:
            restore = f"mlflow experiments restore --experiment-id {known.experiment_id}"
            raise CouldNotCheckError(
                f"the MLflow experiment {name!r} (id {known.experiment_id}) is deleted, so no run can begin in it",
                hint=f"restore it: MLFLOW_TRACKING_URI={shlex.quote(self._uri)} {restore}",
            )
        return str(known.experiment_id)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._database is not None:
            self._database.parent.mkdir(parents=True, exist_ok=True)
        place = None if self._database is None else self._database.with_name(f".{self._database.name}.lock")
        with nullcontext() if place is None else exclusive(place, "the MLflow store"):
            yield

    @implements("REQ-248")
    def _handed_over(self) -> str:
        """The URI as MLflow takes it, after a look at whether it opens the same file."""
        from sqlalchemy import make_url

        uri = for_mlflow(self._uri)
        if self._database is not None and make_url(uri).database != str(self._database):  # before SQLAlchemy 2.1
            raise CouldNotCheckError(
                "this version of SQLAlchemy would open another file than the MLflow store of the project",
                hint="install SQLAlchemy 2.1 or newer, or move the project to a folder whose path needs no encoding",
            )
        return uri


def _quiet_client(uri: str, artifacts: str | None) -> MlflowClient:
    """An MLflow client, with telemetry and the notes of its database set-up switched off."""
    with _environment({_OPT_OUT: "true"} | ({} if artifacts is None else {_ARTIFACTS: artifacts})):
        from mlflow.telemetry import set_telemetry_client
        from mlflow.tracking import MlflowClient

        set_telemetry_client()
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=uri)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _reason(error: Exception) -> str:
    """The first line of what MLflow or its database says."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
