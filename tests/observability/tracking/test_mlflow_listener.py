"""MLflow hears about a run: a real tracking store on SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.observability.tracking.mlflow_listener import MlflowListener
from minivess.records.data.version import TrainedOn
from tests.support.beats import beat

pytestmark = pytest.mark.verifies("SU-36")


@pytest.mark.slow
@pytest.mark.verifies("REQ-017", "REQ-096")
def test_runs_are_tracked_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'evidence' / 'mlflow.db'}"
    data = TrainedOn(name="volumes", dvc=f"md5:{'1' * 32}.dir", split=f"sha256:{'2' * 64}")
    listener = MlflowListener(uri, experiment="toy", tags={"entry": "4"}, data=data)

    good = listener.started("seed-0", {"steps": 150, "learning_rate": 0.004, "architecture": "segresnet"})
    for step in range(150):
        listener.beat(beat(step, 1.0 / (step + 1)))
    listener.finished({"final_loss": 0.01})
    bad = listener.started("seed-1", {"steps": 1})
    listener.beat(beat(0))
    listener.failed()
    listener.failed()

    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(good)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "seed-0")
    assert run.data.params == {"steps": "150", "learning_rate": "0.004", "architecture": "segresnet"}
    assert run.data.metrics["final_loss"] == 0.01
    assert run.data.tags["entry"] == "4"
    assert (run.data.tags["dvc"], run.data.tags["data"]) == (data.dvc, data.split)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.source_type) == ("volumes", "dvc")
    assert used.dataset.digest == data.dvc.removeprefix("md5:")
    assert json.loads(used.dataset.source) == {"dvc": data.dvc, "split": data.split}
    assert [metric.step for metric in client.get_metric_history(good, "loss")] == list(range(150))
    assert client.get_run(bad).info.status == "FAILED"
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "toy"
    assert experiment.artifact_location.startswith((tmp_path / "evidence").as_uri())
    assert {path.name for path in tmp_path.iterdir()} == {"evidence"}


_CHILD = """
import os, socket, sys
from pathlib import Path
def refuse(*arguments):
    print("the network was used:", arguments, file=sys.stderr)
    os._exit(9)
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse
before = dict(os.environ)
from minivess.observability.tracking.mlflow_listener import MlflowListener
listener = MlflowListener("sqlite:///" + sys.argv[1], experiment="toy")
listener.started("seed-0", {"steps": 1})
listener.finished({"loss": 0.5})
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
assert dict(os.environ) == before, set(os.environ) ^ set(before)
"""


@pytest.mark.slow
@pytest.mark.verifies("REQ-017")
def test_mlflow_sends_nothing_and_leaves_the_environment_alone(tmp_path: Path) -> None:
    keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}  # no CI, no pytest
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / "mlflow.db")],
        env=keep,
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_a_store_out_of_reach_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database " * 1000, encoding="utf-8")
    listener = MlflowListener(f"sqlite:///{tmp_path / 'mlflow.db'}", experiment="toy")
    with pytest.raises(CouldNotCheckError, match="MLflow could not") as caught:
        listener.started("seed-0", {})
    assert str(tmp_path) not in caught.value.message


def test_a_step_needs_a_run() -> None:
    with pytest.raises(UsageError, match="no MLflow run"):
        MlflowListener("sqlite:///none.db", experiment="toy").beat(beat(0))
