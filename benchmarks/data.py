"""Print the figures of the data rooms, measured in this run on this machine.

    uv run python benchmarks/data.py               (every part)
    uv run python benchmarks/data.py synthesise    (one part)

Times are CPU seconds where nothing else is said: single wall times on a shared machine are worth little.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import near_duplicates as searches  # of this folder
import numpy as np


def row(what: str, found: str, limit: str = "") -> None:
    """Print one figure."""
    print(f"{what:<58} {found:>18}  {limit}")


def synthesise() -> None:
    """The generator: default volumes, and one with every effect."""
    from minivess.ml.synthesis.parameters import parameters_of
    from minivess.ml.synthesis.volume import synthesise

    def cpu(make: Callable[[], object]) -> float:
        begun = time.process_time()
        make()
        return time.process_time() - begun

    usual = parameters_of()
    synthesise((7, 0), usual)
    times = [cpu(lambda n=number: synthesise((7, n), usual)) for number in range(1, 9)]
    row("synthesise: 48 × 96 × 96, median of 8", f"{statistics.median(times):.3f} s CPU", "at most 0.6 s")
    everything = parameters_of(tortuosity_um=4, stenoses=3, leaks=2, line_jitter_um=1, frame_shift_um=1)
    row("synthesise: the same with every effect", f"{cpu(lambda: synthesise((7, 1), everything)):.3f} s CPU")
    large = parameters_of(shape=(43, 512, 512), spacing_um=(5, 1, 1))
    row("synthesise: 43 × 512 × 512", f"{cpu(lambda: synthesise((7, 1), large)):.2f} s CPU")


def prepared(folder: Path, count: int, shape: tuple[int, ...]) -> Any:
    """Prepared cases of a smooth random structure in noise, uint8, and their manifest."""
    from scipy import ndimage

    from minivess.foundation.digests import digest_bytes
    from minivess.ml.cases.manifests import cases_root, write_record
    from minivess.ml.cases.prepared import CASE, IMAGE, LABEL, PreparedCase, npy_bytes
    from minivess.records.data.dataset import CaseRecord, DatasetManifest

    rng = np.random.default_rng(0)
    records = []
    for number in range(count):
        scene = ndimage.gaussian_filter(rng.normal(0, 1, shape).astype(np.float32), 3)
        scene = (scene - scene.min()) / np.ptp(scene)
        image = np.rint(np.clip(200 * scene + rng.normal(0, 8, shape), 0, 255)).astype("<f4")
        label = (scene > 0.62).astype(np.uint8)
        name = f"case-{number:03d}"
        arrays = npy_bytes(image), npy_bytes(label)
        facts: dict[str, Any] = {"axes": "zyx", "spacing": (5.0, 1.0, 1.0)} if len(shape) == 3 else {}
        record = CaseRecord(
            id=name,
            subject=name,
            acquisition=name,
            shape=shape,
            modality="benchmark",
            image=digest_bytes(arrays[0]),
            label=digest_bytes(arrays[1]),
            source_dtype="uint8",
            label_values=(0, 1),
            foreground_fraction=float(label.mean()),
            **(facts or {"axes": "yx", "spacing": (1.0, 1.0), "unit": "px"}),
        )
        (folder / name).mkdir(parents=True)
        (folder / name / IMAGE).write_bytes(arrays[0])
        (folder / name / LABEL).write_bytes(arrays[1])
        write_record(folder / name / CASE, PreparedCase(record=record, made_from=record.image))
        records.append(record)
    return DatasetManifest(
        name="benchmark", licence="CC0", source="noise", cases=tuple(records), root=cases_root(records)
    )


def validate() -> None:
    """Validation of 300 flat images and of one volume: files and measures, rules, near duplicates, page. Wall seconds."""
    from minivess.ml.quality import profile, survey, validation
    from minivess.ml.quality.pages import validation_page

    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    row("validate: load of the machine", load, f"{os.cpu_count()} cores; what follows is wall time")
    for what, count, shape, limit in (
        ("300 × 320 × 320", 300, (320, 320), "< 15 s"),
        ("43 × 512 × 512", 1, (43, 512, 512), "< 2 s"),
    ):
        with tempfile.TemporaryDirectory() as name:
            folder, memory = Path(name) / "prepared", Path(name) / "measures.jsonl"
            manifest = prepared(folder, count, shape)
            watch = [time.perf_counter()]
            surveyed = survey.survey(manifest, folder, memory=memory)
            watch.append(time.perf_counter())
            survey.survey(manifest, folder, memory=memory)
            watch.append(time.perf_counter())
            list(validation.lookalikes(surveyed))
            watch.append(time.perf_counter())
            found = validation.validate(manifest, folder, surveyed=surveyed)
            watch.append(time.perf_counter())
            page = validation_page.page(found, profile.summarise(surveyed), surveyed, when=datetime.now(UTC))
            watch.append(time.perf_counter())
        measured, again, alike, judged, drawn = (later - sooner for sooner, later in itertools.pairwise(watch))
        rules = max(0.0, judged - alike)
        row(f"validate: {what}, files, measures and rules", f"{measured + rules:.2f} s", limit)
        row(f"validate: {what}, files and remembered measures", f"{again:.2f} s")
        row(f"validate: {what}, near duplicates", f"{alike:.2f} s", "< 30 s")
        row(f"validate: {what}, page", f"{drawn:.2f} s", f"{len(found.findings)} findings, {len(page) / 1e6:.1f} MB")


def _written(folder: Path, count: int, shape: tuple[int, ...]) -> Any:
    """A project's data of `count` cases of NIfTI volumes with masks, written below `folder`."""
    import nibabel

    from minivess.records.data.source import Data

    rng = np.random.default_rng(0)
    lines = ["id,subject,image,label"]
    place = np.diag([1.0, 1.0, 2.0, 1.0])
    for number in range(count):
        image = rng.integers(0, 4000, shape[::-1]).astype(np.uint16)
        for kind, array in (("i", image), ("l", (image > 3000).astype(np.uint8))):
            made = nibabel.Nifti1Image(array, place)
            made.header.set_xyzt_units("mm")
            (folder / f"{kind}{number}.nii.gz").write_bytes(gzip.compress(made.to_bytes(), 1))
        lines.append(f"c{number:03d},s{number:03d},i{number}.nii.gz,l{number}.nii.gz")
    (folder / "cases.csv").write_text("\n".join(lines), encoding="utf-8")
    return Data.model_validate({"name": "many", "licence": "CC0", "source": "noise", "table": "cases.csv"})


def _ingested(data: Any, folder: Path, *, processes: int) -> tuple[float, float, Any]:
    """Seconds by the clock and of the processors that reading the cases of a project takes, and what was read."""
    import resource

    from minivess.ml.cases.ingestion import read_cases

    def used() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    begun, before = time.perf_counter(), used()
    found = read_cases(data, folder, folder / "prepared", folder / "staged", processes=processes)
    taken = time.perf_counter() - begun, used() - before
    shutil.rmtree(folder / "staged", ignore_errors=True)
    return *taken, found


def ingest() -> None:
    """Ingest with one process and with two, and its memory."""
    row("ingest: load of the machine", ", ".join(f"{one:.1f}" for one in os.getloadavg()), f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _written(folder, 260, (16, 256, 256))
        alone, alone_cpu, _ = _ingested(data, folder, processes=1)
        both, both_cpu, _ = _ingested(data, folder, processes=2)
        row("ingest: 260 cases of 16 × 256 × 256, one process", f"{alone:.1f} s", f"{alone_cpu:.1f} s CPU")
        row("ingest: the same, two processes", f"{both:.1f} s", f"{both_cpu:.1f} s CPU")
        row("ingest: times faster", f"{alone / both:.2f}", "at least 1.7")
    for count in (65, 260):
        program = f"import benchmarks.data as one; one.ingest_memory({count})"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        row(f"ingest: largest process, {count} cases of 16 × 256 × 256", done.stdout.strip())


def ingest_faults() -> None:
    """One run over 600 files with 200 faults: wrong checksums, empty files and files that are cut short."""
    row("ingest: load of the machine", ", ".join(f"{one:.1f}" for one in os.getloadavg()), f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _written(folder, 300, (24, 128, 128))
        for number in range(200):
            path = folder / f"{'il'[number % 2]}{number}.nii.gz"
            content = bytearray(path.read_bytes())
            if number % 3 == 0:
                content[-8] ^= 1
            path.write_bytes(
                b"" if number % 3 == 1 else bytes(content[: len(content) // 2] if number % 3 == 2 else content)
            )
        taken, cpu, found = _ingested(data, folder, processes=2)
        what = f"{len(found.faults)} findings, {len(found.records)} cases read, {cpu:.1f} s CPU; less than 60 s"
        row("ingest: 600 files with 200 faults, one run", f"{taken:.1f} s", what)


def ingest_memory(count: int) -> None:
    """Print the largest memory of any process of an ingest of so many cases."""
    import resource

    from minivess.ml.cases.ingestion import read_cases

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _written(folder, count, (16, 256, 256))
        read_cases(data, folder, folder / "p", folder / "s", processes=2)
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{largest / 1024:.0f} MiB")


def read() -> None:
    """Readers beside the libraries' own reading of the same files, in turns; every voxel is touched."""
    with tempfile.TemporaryDirectory() as name:
        for what, ours, theirs in _reading(Path(name)):
            mine, library = [], []
            for _ in range(3):
                mine.append(_cpu(ours))
                library.append(_cpu(theirs))
            best, floor = min(mine), min(library)
            row(f"read: {what}", f"{best:.3f} s CPU", f"the library alone {floor:.3f} s: {best / floor:.2f} times")


def _cpu(make: Callable[[], object]) -> float:
    begun = time.process_time()
    make()
    return time.process_time() - begun


def _reading(folder: Path) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What is read, by us and by a library."""
    import nibabel
    import nrrd
    import pydicom
    import tifffile
    from PIL import Image

    from minivess.ml.reading.case import read_case, read_image
    from minivess.records.data.source import CaseSource

    sys.path.insert(0, str(Path(__file__).parents[1]))  # the slices are made as the tests make them
    from tests.support.builders.specimens import dicom_bytes, slice_of

    def ours(path: Path) -> Callable[[], object]:
        return lambda: np.array(read_image(path).array)

    noise = np.random.default_rng(0)
    volume = noise.integers(0, 4000, (43, 512, 512)).astype(np.uint16)
    size = "43 × 512 × 512 uint16,"
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4))
    for name in ("v.nii", "v.nii.gz"):
        nibabel.save(image, folder / name)
        path = str(folder / name)
        yield f"{size} {name[1:]}", ours(folder / name), lambda p=path: np.asanyarray(nibabel.load(p).dataobj).copy()
    for name, encoding in (("raw.nrrd", "raw"), ("gz.nrrd", "gzip")):
        path = str(folder / name)
        nrrd.write(path, volume, {"encoding": encoding}, index_order="C")
        yield f"{size} .nrrd {encoding}", ours(folder / name), lambda p=path: nrrd.read(p, index_order="C")
    for name, method in (("raw.tif", None), ("zlib.tif", "zlib")):
        tifffile.imwrite(folder / name, volume, photometric="minisblack", compression=method)
        yield f"{size} .tif {method or 'stored'}", ours(folder / name), lambda p=folder / name: tifffile.imread(p)
    (folder / "ct").mkdir()
    for number, plane in enumerate(volume, start=1):
        content = dicom_bytes(slice_of(2.0 * number, plane, number=number))
        (folder / "ct" / f"{number:02d}.dcm").write_bytes(content)
    files = sorted((folder / "ct").iterdir())
    yield (
        f"{size} DICOM, 43 files",
        ours(folder / "ct"),
        lambda: np.stack([pydicom.dcmread(file).pixel_array for file in files]),
    )
    for number in range(300):
        flat = noise.integers(0, 256, (320, 320)).astype(np.uint8)
        Image.fromarray(flat).save(folder / f"i{number}.png")
        Image.fromarray((flat > 200).astype(np.uint8) * 255).save(folder / f"l{number}.png")
    pictures = [folder / f"{kind}{number}.png" for number in range(300) for kind in "il"]

    def cases() -> None:
        for number in range(300):
            pair = {"image": f"i{number}.png", "label": f"l{number}.png"}
            read_case(CaseSource.model_validate({"id": "a", "subject": "s", **pair}), folder)

    yield "300 cases of 320 × 320, PNG with mask", cases, lambda: [np.asarray(Image.open(path)) for path in pictures]


def seal() -> None:
    """Sealing and opening, in turns with the library's AES-256-GCM and SHA-256 and with a copy by the disk."""
    with tempfile.TemporaryDirectory(prefix="minivess-seal-") as folder:
        _sealing(Path(folder), size=128 << 20, rounds=5)


def _sealing(folder: Path, *, size: int, rounds: int) -> None:
    import hashlib

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from minivess.foundation.files import writing_atomic
    from minivess.ml.sealed import stream_cipher
    from minivess.ml.sealed.sealed_files import kind_key, read_sealed, sealed_path, write_sealed

    split, key, chunk = f"sha256:{'0' * 64}", os.urandom(32), stream_cipher.CHUNK
    plain = folder / "image.npy"
    content = os.urandom(size)
    plain.write_bytes(content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    cipher, nonce = AESGCM(os.urandom(32)), os.urandom(12)
    block, closed, opened = bytes(chunk), bytearray(chunk + 16), bytearray(chunk)
    cipher.encrypt_into(nonce, block, b"", closed)

    def each(act: Callable[[], object]) -> Callable[[], object]:
        return lambda: [act() for _ in range(size // chunk)]

    def disk() -> None:
        with plain.open("rb") as source, writing_atomic(folder / "copy") as target:
            while piece := source.read(chunk):
                target.write(piece)

    def encrypt() -> None:
        with plain.open("rb", buffering=0) as source, Path(os.devnull).open("wb", buffering=0) as nowhere:
            stream_cipher.encrypt(source, size, {"case": "a"}, key, nowhere)

    file = write_sealed(plain, digest, ("a", "image", split, 0), key, folder)
    acts: dict[str, Callable[[], object]] = {
        "library: AES-256-GCM, encrypt": each(lambda: cipher.encrypt_into(nonce, block, b"", closed)),
        "library: AES-256-GCM, decrypt": each(lambda: cipher.decrypt_into(nonce, closed, b"", opened)),
        "library: SHA-256": each(lambda: hashlib.sha256(block)),
        "disk: copy and flush": disk,
        "seal: read, hash twice, encrypt": encrypt,
        "seal: the same, write, flush, read back, decrypt, compare": lambda: write_sealed(
            plain, digest, ("b", "image", split, 0), key, folder
        ),
        "open: read, decrypt, hash": lambda: read_sealed(
            sealed_path(folder, file), file, split, kind_key(key, "image")
        ),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            cpu, wall = time.process_time(), time.perf_counter()
            act()
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    for name, taken in times.items():
        cpu, wall = (statistics.median(one[at] for one in taken) for at in (0, 1))
        limit = "at least 300 MB/s" if name.startswith(("seal: read", "open")) else ""
        row(name, f"{size / 1e6 / cpu:.0f} MB/s CPU", f"{size / 1e6 / wall:.0f} MB/s by the clock  {limit}")


def _scene(seed: int, side: int = 320) -> Any:
    """A grey image with structure of several sizes, uint8."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    total = sum(ndimage.gaussian_filter(rng.normal(size=(side, side)), sigma) * sigma for sigma in (2.0, 4.0, 10.0))
    return np.rint(255 * (total - total.min()) / np.ptp(total)).astype(np.uint8)


def _copies() -> dict[str, Callable[[Any], Any]]:
    """What is done to an image (uint8) to make a near duplicate of it."""
    import io

    from PIL import Image
    from scipy import ndimage

    rng = np.random.default_rng(1)

    def jpeg(image: Any) -> Any:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=50)
        return np.array(Image.open(stream))

    def resized(image: Any, rows: int, columns: int) -> Any:
        return np.array(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))

    def cut(image: Any, top: float, left: float, share: float = 0.8) -> Any:
        rows, columns = image.shape
        y, x = round(top * (1 - share) * rows), round(left * (1 - share) * columns)
        return image[y : y + round(share * rows), x : x + round(share * columns)]

    def shifted(image: Any, share: float) -> Any:
        by = max(1, round(share * image.shape[1]))
        return np.pad(image, ((0, by), (by, 0)))[by:, : image.shape[1]]

    return {
        "shifted by 1 %": lambda image: shifted(image, 0.01),
        "shifted by 10 %": lambda image: shifted(image, 0.1),
        "cropped to 80 %, centre": lambda image: cut(image, 0.5, 0.5),
        "cropped to 80 %, corner": lambda image: cut(image, 0.0, 1.0),
        "cropped to 90 %, corner, enlarged": lambda image: resized(cut(image, 1.0, 0.0, 0.9), *image.shape),
        "cropped to 80 %, corner, enlarged": lambda image: resized(cut(image, 1.0, 1.0), *image.shape),
        "resized to a half": lambda image: resized(image, image.shape[0] // 2, image.shape[1] // 2),
        "JPEG of quality 50": jpeg,
        "brighter by 30 %, clipped": lambda image: np.clip(1.3 * image + 20, 0, 255),
        "gamma 2": lambda image: 255 * (image / 255.0) ** 2,
        "gamma 0.5": lambda image: 255 * (image / 255.0) ** 0.5,
        "noise of 10 greys": lambda image: image + rng.normal(0, 10, image.shape),
        "smoothed by 1.5 pixels": lambda image: ndimage.gaussian_filter(image.astype(float), 1.5),
        "turned by 90°": np.rot90,
        "mirrored": lambda image: image[:, ::-1],
        "cropped, enlarged, mirrored, brighter, noised, JPEG": lambda image: jpeg(
            np.clip(
                1.2 * resized(cut(image, 0.0, 0.0), *image.shape)[::-1].astype(float) + rng.normal(0, 6, image.shape),
                0,
                255,
            ).astype(np.uint8)
        ),
        "turned by 3°": lambda image: np.array(Image.fromarray(image).rotate(3, Image.Resampling.BICUBIC)),
    }


def near_duplicates() -> None:
    """Recall by transformation and false alarms; the folder MINIVESS_IMAGES of PNG files instead of made images."""
    from PIL import Image

    from minivess.ml.quality.duplicates.near_duplicates import find

    folder = os.environ.get("MINIVESS_IMAGES")
    paths = sorted(Path(folder).rglob("*.png")) if folder else []
    originals = [np.array(Image.open(path).convert("L")) for path in paths] or [_scene(n) for n in range(60)]
    named = [(f"{number}", image.astype(np.float32)) for number, image in enumerate(originals)]
    row("near duplicates: pairs among the originals", f"{len(find(named))}", f"of {len(named)} images")
    for what, change in _copies().items():
        copies = [(f"{number}-copy", np.asarray(change(image), np.float32)) for number, image in enumerate(originals)]
        right, wrong, scores = set(), 0, [1.0]
        for pair in find([*named, *copies]):
            one, other = (name.removesuffix("-copy") for name in pair.cases)
            if one == other:
                right.add(one)
                scores.append(pair.score)
            else:
                wrong += 1
        row(f"near duplicates: {what}", f"{len(right)} of {len(named)}", f"lowest fit {min(scores):.2f}, {wrong} false")


PARTS: dict[str, Callable[[], None]] = {
    "validate": validate,
    "synthesise": synthesise,
    "seal": seal,
    "read": read,
    "ingest": ingest,
    "ingest-faults": ingest_faults,
    "near-duplicates": near_duplicates,
    **searches.PARTS,
}


def main() -> None:
    """Run the parts named, or all."""
    parser = argparse.ArgumentParser(description="Measure the data rooms.")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    chosen = parser.parse_args().parts or list(PARTS)
    if strange := set(chosen) - set(PARTS):
        parser.error(f"no part is called {min(strange)}")
    for name in chosen:
        PARTS[name]()


if __name__ == "__main__":
    main()
