"""A small device of its own, in copies: a git repository, alone, below a root, or with its algorithm in a submodule."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.source_states import commit_all, git

DEVICE = Path(__file__).parents[1] / "fixtures" / "pumpseg"
IGNORED = "__pycache__/\n.pytest_cache/\nkeystore/\nignored/\n"


def copy_device(folder: Path) -> Path:
    """The files of the device in a folder, without a repository."""
    shutil.copytree(DEVICE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
    return folder


def committed_device(folder: Path) -> Path:
    """The device as a git repository without changes."""
    commit_all(copy_device(folder))
    return folder


def device_below_root(folder: Path) -> Path:
    """The device in a folder of a larger repository; returns the folder of the device."""
    device = copy_device(folder / "products" / "pump")
    (folder / "conftest.py").write_text("", encoding="utf-8")
    (folder / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    commit_all(folder)
    return device


def device_with_submodule(folder: Path) -> Path:
    """The device with `src/pumpseg` as a submodule at its recorded commit; returns the folder of the device."""
    origin = folder / "algorithm"
    shutil.copytree(DEVICE / "src" / "pumpseg", origin, ignore=shutil.ignore_patterns("__pycache__"))
    commit_all(origin)
    device = copy_device(folder / "device")
    shutil.rmtree(device / "src" / "pumpseg")
    git(device, "init", "-q")
    git(device, "submodule", "--quiet", "add", str(origin), "src/pumpseg")
    commit_all(device)
    return device
