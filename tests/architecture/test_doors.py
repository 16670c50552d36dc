"""What each door loads, asked of a fresh interpreter: lint sees imports, this sees what really happened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.verifies("SU-45")

FIXTURE = Path(__file__).parents[1] / "fixtures" / "0.1.0" / "evidence.zip"
HEAVY = ("torch", "monai", "mlflow", "sqlalchemy", "sqlmodel", "alembic", "numpy", "openlineage", "dvc", "matplotlib")

PROBE = """
import sys
sys.argv = {argv!r}
from minivess.cli.main import main
try:
    main()
except SystemExit:
    pass
print("LOADED", ",".join(name for name in {heavy!r} if name in sys.modules))
"""


def loaded_by(*arguments: str, cwd: Path) -> str:
    """The heavy libraries a command loaded, in a fresh interpreter."""
    script = PROBE.format(argv=["minivess", *arguments], heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd)
    return next(line for line in done.stdout.splitlines() if line.startswith("LOADED")).removeprefix("LOADED").strip()


@pytest.mark.verifies("REQ-042")
@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("release", "--help"), ("release", "verify", "--help"), ("trace", "check", "--help")],
    ids=" ".join,
)
def test_help_loads_no_heavy_library(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_by(*arguments, cwd=tmp_path) == ""


@pytest.mark.verifies("REQ-042")
def test_release_verify_loads_no_heavy_library_while_it_judges(tmp_path: Path) -> None:
    no_pack = tmp_path / "no-pack.zip"
    no_pack.write_bytes(b"this is no zip")
    for pack in (no_pack, FIXTURE):
        assert loaded_by("release", "verify", str(pack), cwd=tmp_path) == ""


WITHOUT_ML = """
import importlib, importlib.abc, pkgutil, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import minivess
light = ("minivess.foundation", "minivess.records", "minivess.compliance", "minivess.observability.lineage", "minivess.cli")
for module in pkgutil.walk_packages(minivess.__path__, "minivess."):
    light_one = module.name.startswith(light) and module.name.split(".")[1] != "client"
    if light_one and not module.name.endswith((".env", ".pytest_plugin")):
        importlib.import_module(module.name)
print("OK")
"""
EXTRAS = (
    "torch", "monai", "lightning", "mlflow", "dvc", "numpy", "scipy", "sklearn", "skimage", "mapie", "matplotlib", "onnx",
    "onnxruntime", "onnxscript", "nibabel", "tifffile", "fastapi", "uvicorn", "pytest",
)  # fmt: skip


@pytest.mark.verifies("REQ-042")
def test_the_core_imports_without_the_extras(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ML.format(names=set(EXTRAS))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "OK", done.stderr
