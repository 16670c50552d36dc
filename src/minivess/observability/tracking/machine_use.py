"""How much of the machine is used, measured by MLflow's own monitors and named as MLflow shows it (`system/…`)."""

from __future__ import annotations

from typing import Any

from minivess.foundation.implements import implements


@implements("REQ-362")
class MachineUse:
    """Measures the use of CPU and memory, and of NVIDIA GPUs where `nvidia-ml-py` is installed.

    MLflow's thread is not used: it would write to an SQLite store beside the training, and neither waits for the other.
    """

    def __init__(self) -> None:
        self._monitors: list[Any] | None = None

    def __call__(self) -> dict[str, float]:
        """The use of CPU in percent since the last call, of memory in MB, and of each GPU, by the name of the metric."""
        if self._monitors is None:
            self._monitors = _monitors()
        measured: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            measured |= {f"system/{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return measured


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    found: list[Any] = [CPUMonitor()]
    try:
        found.append(GPUMonitor())
    except (ImportError, RuntimeError):  # nvidia-ml-py is not installed, or there is no GPU
        return found
    return found
