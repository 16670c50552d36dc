"""Many synthetic cases in one folder, with a manifest that says how each was made.

`synthesis.json` is written after every case and states the generator, the parameters, the seeds, what was made and two kinds of
digest: of arrays (shape, type and little-endian bytes), which are the same on every machine, and of files, whose bytes
also depend on the version of the library that wrote them. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from minivess.foundation.digests import Digest, digest_bytes, digest_file
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import read_json_record
from minivess.ml.synthesis.case_files import Voxels, nifti, ome_tiff, swc, truth
from minivess.ml.synthesis.exact import length
from minivess.ml.synthesis.parameters import GENERATOR, SynthesisParameters
from minivess.ml.synthesis.vasculature import Centreline
from minivess.ml.synthesis.volume import synthesise
from minivess.records.base import Record, Slug
from minivess.records.data.dataset import LabelClass
from minivess.records.data.source import GENERATED_CLASSES
from minivess.records.sinks import Progress

MANIFEST = "synthesis.json"
_LIMIT = 64 << 20
Format = Literal["ome-tiff", "nifti"]
_SUFFIX: dict[str, str] = {"ome-tiff": ".ome.tif", "nifti": ".nii.gz"}


class MadeFile(Record):
    """One file of a case; `array` is missing where the file holds no voxels."""

    path: str
    file: Digest
    array: Digest | None = None


class MadeCase(Record):
    """One synthetic case: its seed, what is in it, and its files."""

    id: Slug
    seed: tuple[int, int]
    image: MadeFile
    mask: MadeFile
    leaked: MadeFile | None
    centreline: MadeFile
    truth: MadeFile
    foreground_fraction: float
    class_fractions: dict[str, float] = Field(default={}, exclude_if=lambda shares: not shares)
    """Share of the voxels of each class by name; left out of the JSON for one class."""
    branches: int
    loops: int
    length_um: float
    tortuosity: float
    """Mean ratio of the length of a branch to the distance of its ends."""
    stenoses: int
    leaks: int

    @property
    def files(self) -> tuple[MadeFile, ...]:
        """All files, in order of writing."""
        return tuple(item for item in (self.image, self.mask, self.leaked, self.centreline, self.truth) if item)


class SynthesisManifest(Record):
    """What `synthesis.json` says."""

    generator: str
    seed: int
    count: Annotated[int, Field(ge=1)]
    format: Format
    projection: bool
    """Whether images and masks are maximum projections along z."""
    classes: Annotated[tuple[LabelClass, ...], Field(exclude_if=lambda classes: len(classes) < 2)] = GENERATED_CLASSES[
        "vessel"
    ]
    """What the values of the masks mean; left out of the JSON for one class."""
    parameters: SynthesisParameters
    cases: tuple[MadeCase, ...]


@implements("REQ-101")
def write_collection(
    out: Path,
    settings: SynthesisParameters,
    *,
    seed: int,
    count: int,
    kind: Format = "ome-tiff",
    projection: bool = False,
    progress: Progress | None = None,
) -> SynthesisManifest:
    """Write `count` cases; case n has the seed (`seed`, n), as `minivess data ingest` gives its synthetic subjects.

    Args:
        out: a folder that is new, empty, or holds the same set, whole or in part.
        settings: what all volumes have in common.
        seed: what they do not.
        count: how many.
        kind: format of images and masks.
        projection: write maximum projections along z (two axes) instead of volumes, where `settings` make volumes.
        progress: hears about each case.

    Raises:
        UsageError: the folder holds something else.
        CouldNotCheckError: the disk refuses.
    """
    before = _before(out)
    if projection and settings.axes == "yx":
        raise UsageError("--projection is for volumes, and axes yx makes pictures", hint="leave out one of them")
    wanted = SynthesisManifest(
        generator=GENERATOR,
        seed=seed,
        count=count,
        format=kind,
        projection=projection,
        classes=GENERATED_CLASSES[settings.classes],
        parameters=settings,
        cases=(),
    )
    if before is not None and _plan(before) != _plan(wanted):
        raise UsageError(
            f"{out.name} holds a set made with another seed, format or parameters", hint="choose another folder"
        )
    made = {case.id: case for case in before.cases} if before is not None else {}
    cases: list[MadeCase] = []
    for number in range(1, count + 1):
        if progress is not None:
            progress("synthesise", number - 1, count)
        name = f"synthetic-{number:04d}"
        case = made.get(name)
        if case is None or not all(_whole(out, item) for item in case.files):
            case = _make(out, name, (seed, number), wanted)
            _write(out, wanted.model_copy(update={"cases": (*cases, case)}))
        cases.append(case)
    manifest = wanted.model_copy(update={"cases": tuple(cases)})
    _write(out, manifest)
    if progress is not None:
        progress("synthesise", count, count)
    return manifest


def array_digest(array: npt.NDArray[np.generic]) -> str:
    """Digest of type, shape and little-endian bytes in C order: `uint16 (48, 96, 96)`, a zero byte, the bytes."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return digest_bytes(f"{plain.dtype.name} {plain.shape}".encode("ascii") + b"\0" + plain.tobytes())


def _make(out: Path, name: str, seed: tuple[int, int], plan: SynthesisManifest) -> MadeCase:
    made = synthesise(seed, plan.parameters)
    spacing = plan.parameters.spacing
    image, label, leaked = made.image, made.label, made.leaked
    if plan.projection:
        image, label, spacing = image.max(axis=0), _shadow(label), spacing[1:]
        leaked = None if leaked is None else _shadow(leaked)

    def voxels(part: str, array: Voxels) -> MadeFile:
        title = f"{name}_{part}"
        data = ome_tiff(array, spacing, title) if plan.format == "ome-tiff" else nifti(array, spacing)
        path = title + _SUFFIX[plan.format]
        write_atomic(out / path, data)
        return MadeFile(path=path, file=digest_bytes(data), array=array_digest(array))

    def text(path: str, content: str) -> MadeFile:
        data = content.encode("utf-8")
        write_atomic(out / path, data)
        return MadeFile(path=path, file=digest_bytes(data))

    branches, total, tortuosity = measure(made.centreline)
    facts: dict[str, object] = {"generator": GENERATOR, "seed": list(seed), "case": name}
    return MadeCase(
        id=name,
        seed=seed,
        image=voxels("image", image),
        mask=voxels("mask", label),
        leaked=None if leaked is None else voxels("leaked", leaked),
        centreline=text(f"{name}.swc", swc(made.centreline)),
        truth=text(f"{name}.json", truth(made, facts)),
        foreground_fraction=np.count_nonzero(label) / label.size,
        class_fractions={
            one.name: np.count_nonzero(label == one.value) / label.size for one in plan.classes if len(plan.classes) > 1
        },
        branches=branches,
        loops=made.centreline.loops,
        length_um=round(total, 3),
        tortuosity=round(tortuosity, 4),
        stenoses=len(made.stenoses),
        leaks=len(made.leaks),
    )


def _shadow(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A mask seen along z; where classes lie behind each other, the one with the lowest value is seen: an artery, a lumen."""
    made: npt.NDArray[np.uint8] = (np.where(mask, mask, 255).min(axis=0) % 255).astype(np.uint8)
    return made


def measure(line: Centreline) -> tuple[int, float, float]:
    """Branches of a network, their length in micrometres, and their mean tortuosity (length over distance of ends).

    A branch goes from one node that is an end or a branching to the next; the piece that closes a loop belongs to the
    branch before it. A branch whose ends are less than 1 µm apart has no tortuosity.
    """
    children, parents = line.children.tolist(), line.parents.tolist()
    steps = length(line.nodes - line.nodes[np.maximum(line.parents, 0)]).tolist()
    closing = {a: (b, float(length(line.nodes[a] - line.nodes[b]))) for a, b in line.closures.tolist()}
    branches, total, ratios = 0, 0.0, []
    for node, parent in enumerate(parents):
        if parent < 0 or children[node] == 1:
            continue
        end, way = closing.get(node, (node, 0.0))
        start = node
        while parents[start] >= 0:
            way += steps[start]
            start = parents[start]
            if children[start] != 1:
                break
        branches, total = branches + 1, total + way
        apart = float(length(line.nodes[end] - line.nodes[start]))
        if apart >= 1.0:
            ratios.append(way / apart)
    mean = 0.0
    for ratio in ratios:
        mean += ratio
    return branches, total, mean / max(len(ratios), 1)


def _before(out: Path) -> SynthesisManifest | None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out.name} holds something that is no synthetic set", hint="choose another folder")
    return read_json_record(
        out / MANIFEST,
        SynthesisManifest,
        shown=MANIFEST,
        wrong="is not a manifest of this generator",
        hint="choose another folder",
        limit=_LIMIT,
    )


def _plan(manifest: SynthesisManifest) -> SynthesisManifest:
    return manifest.model_copy(update={"cases": (), "count": 1})


def _whole(out: Path, item: MadeFile) -> bool:
    return (out / item.path).is_file() and digest_file(out / item.path) == item.file


def _write(out: Path, manifest: SynthesisManifest) -> None:
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    write_text_atomic(out / MANIFEST, text + "\n")
