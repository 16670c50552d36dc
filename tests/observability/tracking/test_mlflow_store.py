"""MLflow's store in a folder whose name has characters of URLs, begun by many processes at once."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.settings import load_settings
from minivess.observability.tracking.mlflow_listener import MlflowListener
from minivess.observability.tracking.mlflow_store import MlflowStore
from tests.support.beats import beat
from tests.support.processes import Ended, at_once

pytestmark = [
    pytest.mark.slow,
    pytest.mark.verifies("SU-36"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

NAME = "a?b c%41d größe #1 'x' \"y\" & z"
COUNT = 16


@dataclass
class Begun:
    """A project folder in which many processes began a run each, as the first ones."""

    folder: Path
    uri: str
    ended: list[Ended]

    def client(self) -> Any:
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.uri)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    import mlflow.store.tracking.sqlalchemy_store  # which each process would load
    import mlflow.tracking  # noqa: F401

    folder = tmp_path_factory.mktemp("place") / NAME / "project"
    folder.mkdir(parents=True)
    uri = load_settings(folder).mlflow_uri

    def work(number: int) -> str:
        os.chdir(folder.parent)
        listener = MlflowListener(uri, experiment="toy", artifacts=folder / "evidence" / "mlflow")
        listener.started(f"seed-{number}", {"steps": 1})
        listener.beat(beat(0))
        listener.finished({"final_loss": 0.5})
        return ""

    return Begun(folder, uri, at_once(COUNT, work))


@pytest.mark.verifies("REQ-250")
def test_sixteen_processes_begin_a_run_each(begun: Begun) -> None:
    assert [one.fault for one in begun.ended if one.fault] == []
    assert max(one.seconds for one in begun.ended) <= 5 + 10 * sum(one.cpu_s for one in begun.ended)
    client = begun.client()
    assert sorted(one.name for one in client.search_experiments()) == ["Default", "toy"]
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    assert sorted(run.info.run_name for run in runs) == sorted(f"seed-{number}" for number in range(COUNT))
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.metrics["final_loss"] for run in runs} == {0.5}


@pytest.mark.verifies("REQ-248")
def test_store_and_artifacts_are_in_the_project_alone(begun: Begun) -> None:
    top = begun.folder.parents[1]
    assert {path.relative_to(top).as_posix() for path in top.rglob("*")} == {
        NAME,
        f"{NAME}/project",
        f"{NAME}/project/evidence",
        f"{NAME}/project/evidence/mlflow.db",
        f"{NAME}/project/evidence/.mlflow.db.lock",
    }
    client = begun.client()
    inside = (begun.folder / "evidence" / "mlflow").as_uri()
    assert all(one.artifact_location.startswith(inside) for one in client.search_experiments())
    run = client.search_runs([client.get_experiment_by_name("toy").experiment_id])[0]
    client.log_text(run.info.run_id, json.dumps("kept"), "note.json")
    [kept] = (begun.folder / "evidence" / "mlflow").rglob("note.json")
    assert json.loads(kept.read_text(encoding="utf-8")) == "kept"
    assert [path.name for path in top.iterdir()] == [NAME]


@pytest.mark.verifies("REQ-251")
def test_a_deleted_experiment_is_named_with_the_way_back(begun: Begun) -> None:
    client = begun.client()
    number = client.create_experiment("gone")
    client.delete_experiment(number)
    listener = MlflowListener(begun.uri, experiment="gone")

    with pytest.raises(CouldNotCheckError, match=rf"'gone' \(id {number}\) is deleted") as refused:
        listener.started("seed-0", {})

    assert f"mlflow experiments restore --experiment-id {number}" in refused.value.hint
    client.restore_experiment(number)
    listener.started("seed-0", {})
    listener.failed()


@pytest.mark.verifies("REQ-251")
def test_the_reason_of_mlflow_is_shown(begun: Begun) -> None:
    listener = MlflowListener(begun.uri, experiment="toy")
    listener.started("seed-0", {"steps": 1})

    with pytest.raises(CouldNotCheckError, match="MLflow could not end a run: 'Metric name' exceeds"):
        listener.finished({"x" * 300: 1.0})


@pytest.mark.verifies("REQ-250")
def test_an_experiment_that_another_process_makes_meanwhile_is_used(begun: Begun) -> None:
    store = MlflowStore(begun.uri)

    class Late:
        """A client that does not see the experiment at first, as with a server that another process asks too."""

        asked = 0

        def __init__(self, client: Any) -> None:
            self.client = client

        def get_experiment_by_name(self, name: str) -> Any:
            self.asked += 1
            return None if self.asked == 1 else self.client.get_experiment_by_name(name)

        def create_experiment(self, *arguments: Any, **named: Any) -> Any:
            return self.client.create_experiment(*arguments, **named)

    with store.asked("look") as client:
        assert store.experiment(Late(client), "toy") == client.get_experiment_by_name("toy").experiment_id
