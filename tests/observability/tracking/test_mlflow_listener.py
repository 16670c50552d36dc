"""MLflow hears about a run: a real tracking store on SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.observability.tracking.machine_use import MachineUse
from minivess.observability.tracking.mlflow_listener import MlflowListener
from minivess.observability.tracking.mlflow_store import MlflowStore
from minivess.observability.tracking.onnx_model import log_onnx
from minivess.records.data.version import TrainedOn
from minivess.records.models.training_run import Beat, ValidationPoint
from tests.support.beats import beat

pytestmark = pytest.mark.verifies("SU-36")


def _validated(one: Beat) -> Beat:
    point = ValidationPoint(step=one.step, dice={"left lobe": 0.75, "größe (µm)": 0.5, "none": None}, mean=0.625)
    return one.model_copy(update={"validation": point})


@pytest.mark.slow
@pytest.mark.verifies("REQ-362")
def test_a_long_run_has_a_curve_of_500_points_its_circumstances_and_goes_on(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    uri, file, now = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "minivess.yaml", [0.0]
    file.write_text("device: {}", encoding="utf-8")
    listener = MlflowListener(
        uri,
        experiment="toy",
        files=[file],
        machine=MachineUse(),
        seconds=lambda: now[0],
    )
    run = listener.started("member-1", {"seed": 7, "loss": "tversky"})
    for step in range(1, 1201):
        now[0] += 0.1
        one = beat(step, float(step), steps=1200)
        listener.beat(_validated(one) if step == 600 else one)
    client = MlflowClient(tracking_uri=uri)
    before = client.get_metric_history(run, "loss")
    assert 350 < len(before) < 400, "it was written every 15 seconds"
    listener.phase("save")
    losses = client.get_metric_history(run, "loss")
    assert [(one.step, one.value) for one in losses[:2]] == [(3, 2.0), (6, 5.0)]
    assert len(losses) == 400
    data = client.get_run(run).data
    assert data.params == {"loss": "tversky", "seed": "7"}
    assert (data.metrics["validation_dice/left lobe"], data.metrics["validation_dice/größe _µm_"]) == (0.75, 0.5)
    assert (data.metrics["validation_dice_mean"], "validation_dice/none" in data.metrics) == (0.625, False)
    assert data.metrics["system/system_memory_usage_percentage"] > 0
    assert data.metrics["system/training_memory_megabytes"] == pytest.approx(1.048576)
    assert [one.path for one in client.list_artifacts(run)] == ["minivess.yaml"]

    later = MlflowListener(uri, experiment="toy")
    assert later.started("member-1", {}, resumes=run) == run
    assert client.get_run(run).info.status == "RUNNING"
    later.finished({"final_loss": 1.0})
    assert client.get_run(run).info.status == "FINISHED"
    client.delete_run(run)
    assert {later.started("member-1", {}, resumes=gone) for gone in (run, "0" * 32)}.isdisjoint({run, "0" * 32})


@pytest.mark.slow
@pytest.mark.verifies("REQ-362")
def test_an_exported_model_is_kept_with_signature_and_example(tmp_path: Path) -> None:
    import mlflow.onnx
    import numpy as np
    from onnx import TensorProto, helper, save

    sides = [1, 2, 8, 8]
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("image", "logits"))
    graph = helper.make_graph([helper.make_node("Neg", ["image"], ["logits"])], "negative", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    save(model, str(tmp_path / "model.onnx"))
    store = MlflowStore(f"sqlite:///{tmp_path / 'mlflow.db'}")
    run = log_onnx(store, "toy", {"model": tmp_path / "model.onnx"}, tags={"model": "sha256:1"})
    with store.asked("read") as client:
        kept = Path(client.download_artifacts(run, "model", str(tmp_path)))
        assert client.get_run(run).data.tags["model"] == "sha256:1"
    flavour = mlflow.models.Model.load(str(kept))
    assert flavour.signature.inputs.input_names() == ["image"]
    assert [tuple(one.shape) for one in flavour.signature.outputs.inputs] == [tuple(sides)]
    example = flavour.load_input_example(str(kept))["image"]
    answer = mlflow.pyfunc.load_model(str(kept)).predict({"image": example.astype(np.float32)})
    assert np.array_equal(answer["logits"], -example)


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
