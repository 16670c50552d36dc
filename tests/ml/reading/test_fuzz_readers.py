"""Damaged and hostile files end in a volume or in one clear error, with little memory and in little time."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_image
from minivess.ml.reading.volume import Volume
from tests.support.builders import specimens
from tests.support.builders.specimens import KINDS, LIMITS, damage, read, valid
from tests.support.lazy_modules import lazily
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st

with lazily("nibabel"):
    import nibabel

pytestmark = [pytest.mark.verifies("REQ-078", "RC-10", "SU-25")]
QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def judge(kind: str, content: bytes, folder: Path) -> None:
    """Read a file: what comes out is within the limits, or an error of one line that names it."""
    path = folder / f"v.{kind}"
    path.write_bytes(content)
    (folder / "series").mkdir(exist_ok=True)
    said, found = f"{path.name}: fine", None
    try:
        found = read(kind, path, folder / "series")
    except InputError as error:
        said = error.message
    assert path.name in said
    assert "\n" not in said
    assert len(said) < 400 + len(str(folder))
    if isinstance(found, Volume):
        assert 2 <= found.array.ndim <= 4
        assert found.array.size <= LIMITS.voxels


@pytest.mark.parametrize("kind", KINDS)
def test_the_specimens_are_valid(tmp_path: Path, kind: str) -> None:
    (tmp_path / "v").mkdir()
    path = tmp_path / f"v.{kind}"
    path.write_bytes(valid(kind))
    read(kind, path, tmp_path / "v")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    chance = random.Random(sum(kind.encode()))  # noqa: S311 - damage need not be secret
    for _ in range(25):
        judge(kind, damage(valid(kind), chance), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_anywhere_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    content = valid(kind)
    for end in sorted({*range(1, 40, 6), *range(1, len(content), max(1, len(content) // 8))}):
        judge(kind, content[:end], tmp_path)


numbers = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, 2, -1, 32767, 65535, 2**31 - 1])
reals = st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0, 352.0, float("nan"), float("inf"), 1e38])


@QUIET
@given(
    dims=st.lists(st.integers(-(2**15), 2**15 - 1) | st.integers(0, 8), min_size=8, max_size=8),
    codes=st.tuples(*[st.integers(0, 2**15 - 1) | st.sampled_from([2, 4, 16, 64, 128, 512, 2304])] * 2),
    floats=st.lists(reals, min_size=14, max_size=14),
    places=st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 255)),
)
def test_nifti_headers(tmp_path: Path, dims: list[int], codes: tuple[int, int], floats: list[float], places) -> None:
    header = bytearray(nibabel.Nifti1Header().binaryblock)
    struct.pack_into("<8h", header, 40, *dims)
    struct.pack_into("<2h", header, 70, *codes)
    struct.pack_into("<8f", header, 76, *floats[:8])
    struct.pack_into("<3f", header, 108, *floats[8:11])
    header[123] = places[2]
    struct.pack_into("<2h", header, 252, *places[:2])
    struct.pack_into("<3f", header, 256, *floats[11:])
    header[344:348] = b"n+1\0"
    judge("nii", bytes(header) + bytes(2000), tmp_path)


FIELDS = (
    *("type", "dimension", "sizes", "endian", "encoding", "space", "space directions", "space origin", "content"),
    *("spacings", "units", "space units", "kinds", "byte skip", "line skip", "data file"),
)
VALUES = (
    *("uint8", "float", "3", "2 2 2", "1e9 1 1", "-1 2 3", "raw", "gzip", "little", "none", "(1,0,0) (0,1,0)", "LIST"),
    *("(1,0,0) (0,1,0) (0,0,1)", "(nan,0,0) none (0,0,1)", "mm mm mm", '"um" "um"', "RGB-color domain"),
)
free_text = st.text(st.characters(max_codepoint=255), max_size=30)


@QUIET
@given(lines=st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(VALUES) | free_text), max_size=12))
def test_nrrd_headers(tmp_path: Path, lines: list[tuple[str, str]]) -> None:
    head = "NRRD0004\n" + "".join(f"{key}: {value}\n" for key, value in lines)
    judge("nrrd", head.encode("latin-1") + b"\n" + bytes(64), tmp_path)


@QUIET
@given(
    header=st.fixed_dictionaries(
        {},
        optional={
            "descr": st.sampled_from(["<u2", "|u1", "|O", "V99999", "<f4", "<c16", "nonsense", [("a", "<u2")]])
            | st.text(max_size=8),
            "fortran_order": st.booleans() | st.none(),
            "shape": st.lists(numbers, max_size=5).map(tuple) | st.text(max_size=5),
        },
    ),
    version=st.sampled_from([b"\1\0", b"\2\0", b"\3\0", b"\4\0"]),
    length=st.integers(0, 2**16 - 1) | st.none(),
)
def test_npy_headers(tmp_path: Path, header: dict, version: bytes, length: int | None) -> None:
    text = repr(header).encode("utf-8") + b"\n"
    form = "<H" if version == b"\1\0" else "<I"
    judge(
        "npy",
        b"\x93NUMPY" + version + struct.pack(form, len(text) if length is None else length) + text + bytes(99),
        tmp_path,
    )


@QUIET
@given(
    tags=st.lists(
        st.tuples(
            st.sampled_from([256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 339, 700]),
            st.integers(0, 20),
            st.integers(0, 2**32 - 1) | st.integers(0, 4),
            st.integers(0, 2**32 - 1) | st.integers(0, 300),
        ),
        max_size=14,
    ),
    following=st.integers(0, 2**32 - 1) | st.sampled_from([0, 8]),
)
def test_tiff_tags(tmp_path: Path, tags: list[tuple[int, int, int, int]], following: int) -> None:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following)
    judge("tif", head + bytes(500), tmp_path)


@QUIET
@given(
    elements=st.lists(
        st.tuples(
            st.sampled_from(
                [(0x0028, n) for n in (2, 4, 6, 8, 0x10, 0x11, 0x30, 0x100, 0x101, 0x102, 0x103, 0x1052, 0x1053)]
                + [
                    (0x0020, 0x32),
                    (0x0020, 0x37),
                    (0x0020, 0xD),
                    (0x0008, 0x16),
                    (0x5200, 0x9230),
                    (0x7FE0, 0x10),
                    (0x0009, 1),
                ]
            ),
            st.sampled_from([b"US", b"DS", b"IS", b"CS", b"UI", b"LO", b"SQ", b"UN", b"OW", b"PN", b"XX"]),
            st.binary(max_size=24),
            st.integers(0, 2**32 - 1) | st.none(),
        ),
        max_size=16,
    )
)
def test_dicom_elements(tmp_path: Path, elements: list[tuple[tuple[int, int], bytes, bytes, int | None]]) -> None:
    body = b""
    for (group, element), kind, value, length in elements:
        size = len(value) if length is None else length
        long = kind in (b"SQ", b"UN", b"OW")
        body += struct.pack("<HH", group, element) + kind
        body += (b"\0\0" + struct.pack("<I", size)) if long else struct.pack("<H", size % 65536)
        body += value
    original = valid("dcm")
    start = original.index(struct.pack("<HH", 0x0008, 0x0016))
    judge("dcm", original[:start] + body + original[start:], tmp_path)
    judge("dcm", original[:start] + body, tmp_path)


@QUIET
@given(
    size=st.tuples(numbers, numbers),
    kind=st.tuples(st.integers(0, 255) | st.sampled_from([1, 8, 16]), st.integers(0, 7)),
    rest=st.binary(max_size=80),
)
def test_png_headers(tmp_path: Path, size: tuple[int, int], kind: tuple[int, int], rest: bytes) -> None:
    head = struct.pack(">IIBBBBB", size[0] % 2**32, size[1] % 2**32, *kind, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    judge("png", b"\x89PNG\r\n\x1a\n" + chunk + rest, tmp_path)


CHILD = """
import random, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from minivess.foundation.errors import InputError
from tests.support.builders.specimens import damage, read, valid
folder = Path(sys.argv[1])
(folder / "series").mkdir()
kinds = ("nii.gz", "npy", "lzw.tif", "gz.nrrd", "png", "rgb.jpg", "dcm", "rle.dcm", "j2k.dcm")
for kind in kinds:  # libraries are loaded before the limit is set
    path = folder / f"v.{kind}"
    path.write_bytes(valid(kind))
    read(kind, path, folder / "series")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 192 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
chance, told = random.Random(0), 0
for kind in kinds:
    path = folder / f"v.{kind}"
    for _ in range(40):
        path.write_bytes(damage(valid(kind), chance))
        try:
            read(kind, path, folder / "series")
        except InputError as error:
            told += 1
            assert "memory" not in error.message.lower(), error.message
print(told)
"""


def test_damaged_files_take_little_memory(tmp_path: Path) -> None:
    root = Path(specimens.__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(root)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) > 100


def test_a_gzip_bomb_is_unpacked_only_as_far_as_its_header_announces(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((64, 64, 64))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "v.nii.gz"
    path.write_bytes(gzip.compress(bytes(header.binaryblock) + bytes(60_000_000), 1, mtime=0))
    tracemalloc.start()
    volume = read_image(path, limits=LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert volume.array.size == 64**3
    assert peak < 8 * 2**20
