"""Stages of a DVC pipeline: writing them into `dvc.yaml`, recording that one was run, and telling which are stale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError
from minivess.foundation.implements import implements
from minivess.ml.versions.dvc_folder import muted, opened

PIPELINE, LOCK = "dvc.yaml", "dvc.lock"


@implements("REQ-099")
def write_stages(root: Path, stages: Mapping[str, dict[str, Any]]) -> bool:
    """Write stages into `dvc.yaml`, and see that DVC knows the folder. Other stages, sections and comments stay.

    Args:
        root: the project folder.
        stages: what `dvc.yaml` shall say under each name.

    Returns:
        Whether anything had to be changed.

    Raises:
        InputError: the file that is there is no pipeline.
    """
    from dvc.utils.serialize import load_yaml, modify_yaml

    path = root / PIPELINE
    try:
        before = load_yaml(str(path)) if path.is_file() else {}
        known = (before or {}).get("stages") or {}
        if all(known.get(name) == stage for name, stage in stages.items()):
            return False
        with opened(root), modify_yaml(str(path)) as content:
            content.setdefault("stages", {})
            for name, stage in stages.items():
                if known.get(name) != stage:
                    content["stages"][name] = stage
    except MinivessError:
        raise
    except Exception as error:
        # the YAML library and DVC have error classes of their own
        raise InputError(
            f"is no DVC pipeline: {type(error).__name__}", path=PIPELINE, hint="correct it, or remove it"
        ) from None
    return True


@implements("REQ-099", "REQ-248")
def record_stage(root: Path, name: str) -> None:
    """Write into `dvc.lock` that a stage was run with its dependencies, parameters and outputs as they are now.

    Raises:
        CouldNotCheckError: DVC cannot; the stage stays stale.
    """
    try:
        with opened(root) as repo, muted(), repo.lock:
            # as `dvc commit --force` does, but without a target as text, which must not have `@` in it
            stage = repo.stage.load_one(str(root.resolve() / PIPELINE), name)
            stage.save()
            stage.commit(relink=False)
            stage.dump(update_pipeline=False)
    except MinivessError:
        raise
    except Exception as error:
        raise CouldNotCheckError(
            f"DVC could not note the stage {name}: {type(error).__name__}", hint=f"`dvc commit {name}` does it by hand"
        ) from error


@implements("REQ-099")
def stale_stages(root: Path) -> dict[str, tuple[str, ...]]:
    """Stages and versioned folders that are not what `dvc.lock` and the `.dvc` files say, each with what changed.

    Raises:
        CouldNotCheckError: DVC cannot tell.
    """
    try:
        with opened(root) as repo, muted(), repo.lock:
            status = {_name(root.resolve(), stage): stage.status() for stage in repo.index.stages}
    except MinivessError:
        raise
    except Exception as error:
        raise CouldNotCheckError(f"DVC could not compare the stages: {type(error).__name__}") from error
    return {name: tuple(_reasons(root, *found.values())) for name, found in status.items() if found}


def recorded_stages(root: Path) -> frozenset[str]:
    """The stages that `dvc.lock` knows: those that were run.

    Raises:
        InputError: the file is malformed.
    """
    from dvc.utils.serialize import load_yaml

    path = root / LOCK
    try:
        return frozenset(load_yaml(str(path))["stages"]) if path.is_file() else frozenset()
    except Exception as error:
        raise InputError(
            f"is no lock of a DVC pipeline: {type(error).__name__}", path=LOCK, hint="put it back as git has it"
        ) from None


def _name(root: Path, stage: Any) -> str:
    """What a stage is called in `dvc.yaml`; of a `.dvc` file its path, which DVC gives relative to the current folder."""
    return str(getattr(stage, "name", None) or Path(stage.path).resolve().relative_to(root).as_posix())


def _reasons(root: Path, parts: list[Any]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append("the stage itself" if part == "changed checksum" else part)
            continue
        for changes in part.values():
            for what, how in changes.items():
                said = ", ".join(f"{key} {way}" for key, way in how.items()) if isinstance(how, dict) else how
                path = Path(what).resolve()
                name = path.relative_to(root.resolve()).as_posix() if path.is_relative_to(root.resolve()) else what
                found.append(f"{name}: {said}")
    return found
