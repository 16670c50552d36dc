"""An evaluation in MLflow: its figures as metrics, its files as artifacts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from minivess.foundation.implements import implements
from minivess.observability.tracking.mlflow_store import MlflowStore

_UNFIT = re.compile(r"[^A-Za-z0-9_./ -]")
"""Characters that MLflow does not take in the name of a metric."""


@implements("REQ-424")
def log_evaluation(
    store: MlflowStore, experiment: str, name: str, figures: Mapping[str, float], folder: Path, *, tags: dict[str, str]
) -> str:
    """Make a run with the figures and the files of an evaluation; returns its id.

    Args:
        store: the tracking store.
        experiment: its name, by custom the device's.
        name: of the run.
        figures: by name, for example `dice` or `dice of artery`.
        folder: its files become artifacts in `evaluation/`.
        tags: of the run.

    Raises:
        CouldNotCheckError: the tracking store cannot be written.
    """
    with store.asked("keep the evaluation") as client:
        run = str(client.create_run(store.experiment(client, experiment), run_name=name, tags=tags).info.run_id)
        for key, value in figures.items():
            client.log_metric(run, _UNFIT.sub("_", key), value)
        client.log_artifacts(run, str(folder), "evaluation")
        client.set_terminated(run, status="FINISHED")
    return run
