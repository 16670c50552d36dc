"""Plain copies of sealed cases are found by content, wherever they lie and whatever they are called."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.manifests import write_record
from minivess.ml.sealed.plain_copies import dvc_stores, search, sources_of
from minivess.ml.sealed.sealing import seal
from minivess.ml.splits.splits import split
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import Split

pytestmark = pytest.mark.verifies("REQ-091", "RC-03", "SU-27")
KEY = bytes(range(32))


class Sealed:
    """A sealed project of files, with one plain image of a sealed case kept aside, outside of it."""

    def __init__(self, from_arrays, root: Path) -> None:
        rng = np.random.default_rng(1)
        cases = {
            f"case-{n}": (f"mouse-{n}", rng.normal(size=(8, 20, 20)).astype(np.float32), rng.random((8, 20, 20)) > 0.7)
            for n in range(4)
        }
        self.root = root
        self.data, _ = from_arrays(
            {name: (s, image, label.astype(np.int16)) for name, (s, image, label) in cases.items()}
        )
        self.dataset: DatasetManifest = ingest(self.data, root, root / "data" / "prepared")
        write_record(root / "data" / "manifest.json", self.dataset)
        plan = split(self.dataset, Split(calibration=1, test=2))
        self.case = plan.test[0]
        self.aside = root.parent / f"{root.name}-aside.npy"
        shutil.copyfile(root / "data" / "prepared" / self.case / "image.npy", self.aside)
        self.sources = sources_of(self.data, root, plan.test)
        self.manifest: SealManifest = seal(
            root / "data" / "prepared", plan, KEY, root / "data" / "sealed", wrap={"rosa": "x"}, sources=self.sources
        )

    def found(self, *places: Path) -> list[tuple[str, str, bool]]:
        copies = search(places or (self.root / "hidden",), self.manifest, self.dataset).copies
        return [(copy.path.name, copy.member, copy.source) for copy in copies]

    def hide(self, name: str) -> Path:
        path = self.root / "hidden" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def sealed(from_arrays, tmp_path: Path) -> Sealed:
    return Sealed(from_arrays, tmp_path)


def test_copies_are_found_under_other_names_packed_and_linked(sealed: Sealed) -> None:
    plain = sealed.aside.read_bytes()
    sealed.hide(".dvc/cache/files/md5/ab/cdef").write_bytes(plain)
    os.link(sealed.root / "hidden" / ".dvc/cache/files/md5/ab/cdef", sealed.hide("hard-link.bin"))
    sealed.hide("link.npy").symlink_to(sealed.aside)
    sealed.hide("notes.txt.gz").write_bytes(gzip.compress(plain))
    with zipfile.ZipFile(sealed.hide("figures.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/down.bin", plain)
    np.savez_compressed(sealed.hide("arrays.npz"), volume=np.load(sealed.aside))
    for name, mode in (("old.tar", "w"), ("old.tgz", "w:gz")):
        with tarfile.open(sealed.hide(name), mode) as tape:
            tape.add(sealed.aside, arcname="a/b.npy")

    assert sealed.found() == [
        ("cdef", "", False),
        ("arrays.npz", "volume.npy", False),
        ("figures.zip", "deep/down.bin", False),
        ("hard-link.bin", "", False),
        ("link.npy", "", False),
        ("notes.txt.gz", "gzip", False),
        ("old.tar", "a/b.npy", False),
        ("old.tgz", "a/b.npy", False),
    ]


@pytest.mark.verifies("REQ-356", "RC-148")
@pytest.mark.parametrize("kept", ["cases", "smoke/cases"])
def test_preprocessed_copies_of_sealed_cases_are_found_where_training_keeps_copies(sealed: Sealed, kept: str) -> None:
    for name in ("image.npy", "label.npy", "places.npy", "stored.json"):
        for case in (sealed.case, "case-of-training"):
            sealed.hide(f"models/{kept}/{case}/0123/{name}").write_bytes(b"other voxels")
    assert sealed.found() == [("image.npy", "", False), ("label.npy", "", False), ("places.npy", "", False)]


def test_source_files_are_found_where_they_are_and_as_copies(sealed: Sealed) -> None:
    image, label = sealed.sources[sealed.case, "image"][0], sealed.sources[sealed.case, "label"][0]
    shutil.copyfile(label, sealed.hide("innocent.bin"))
    assert sealed.found() == [("innocent.bin", "", True)]
    names = [name for name, _, _ in sealed.found(sealed.root)]
    assert {image.name, label.name, "innocent.bin"} <= set(names)
    assert len(names) == 5
    assert all(one.digest != case.image for one in sealed.manifest.sources for case in sealed.dataset.cases)


def test_other_files_of_the_same_size_and_broken_archives_are_no_copies(sealed: Sealed) -> None:
    plain = sealed.aside.read_bytes()
    sealed.hide("other.npy").write_bytes(plain[:-1] + bytes([plain[-1] ^ 1]))
    sealed.hide("cut.gz").write_bytes(gzip.compress(plain)[:-40] + len(plain).to_bytes(4, "little"))
    sealed.hide("broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    found = search((sealed.root / "hidden",), sealed.manifest, sealed.dataset)
    assert found.copies == ()
    assert {path.name for path in found.closed} == {"broken.zip", "cut.gz"}
    assert found.files == 3


def test_dvc_stores_beyond_the_workspace_are_searched(sealed: Sealed, tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    store = tmp_path / "store"
    (store / "ab").mkdir(parents=True)
    shutil.copyfile(sealed.aside, store / "ab" / "cd")
    (root / ".dvc" / "config").write_text(
        "[core]\n    no_scm = True\n['remote \"backup\"']\n    url = ../../store\n['remote \"far\"']\n    url = s3://bucket\n"
        "[cache]\n    dir = cache-inside\n",
        encoding="utf-8",
    )
    assert dvc_stores(root) == (store,)
    assert sealed.found(*dvc_stores(root)) == [("cd", "", False)]


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize("name", ["a#b", "a, b", "it's", 'say "so"', "a?b", "c%41d", "%s(x)", " lead"])
def test_a_dvc_store_is_searched_whatever_its_name(tmp_path: Path, name: str) -> None:
    from dvc.config import Config

    root, store, cache = tmp_path / "project", tmp_path / name, tmp_path / "cache" / name
    for folder in (root / ".dvc", store, cache):
        folder.mkdir(parents=True)
    with Config(str(root / ".dvc"), validate=False).edit() as config:
        config["remote"]["backup"] = {"url": str(store)}
        config["cache"]["dir"] = str(cache)

    assert set(dvc_stores(root)) == {store, cache}


@pytest.mark.verifies("REQ-248")
def test_a_dvc_store_that_was_named_by_hand_is_searched(tmp_path: Path) -> None:
    root, store = tmp_path / "project", tmp_path / "größe #1"
    (root / ".dvc").mkdir(parents=True)
    store.mkdir()
    (root / ".dvc" / "config").write_text(f"['remote \"backup\"']\nurl = '{store}'\n", encoding="utf-8")

    assert dvc_stores(root) == (store,)


@pytest.mark.parametrize("text", ["['remote \"backup\"'\nurl = x\n", "['remote \"backup\"']\nurl = /%(x)s\n"])
def test_a_malformed_configuration_of_dvc_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(text, encoding="utf-8")

    with pytest.raises(CouldNotCheckError, match="configuration of DVC"):
        dvc_stores(tmp_path)
