"""Preprocessed cases on the disk: whole or made again, shared, and nothing else."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, InputError, UsageError
from minivess.ml.sampling import case_store
from minivess.ml.sampling.case_store import TrainingCase, cases_digest, store_cases
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from tests.support.builders.training_cases import stored, training_case

pytestmark = pytest.mark.verifies("SU-31", "REQ-356")

ONE, TWO = training_case(share=0.1, name="one"), training_case((6, 30, 8), seed=1, share=0.2, name="two")


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Files of a store with what changes when one is written again."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != ".lock":
            found[path.relative_to(folder).as_posix()] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def test_copies_are_what_a_network_gets_with_places_and_counts(tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(stored([ONE, TWO], tmp_path)))  # noqa: S301
    assert (store.digest, store.names) == (cases_digest([ONE, TWO]), ("one", "two"))
    assert store.voxels[1] == ONE.label.sum() + TWO.label.sum()
    assert sum(store.voxels) == ONE.label.size + TWO.label.size
    image, label, places = store.arrays(0)
    assert (image.shape, image.dtype, label.dtype) == ((1, 10, 20, 20), np.float32, np.uint8)
    assert image.mean() == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(label, ONE.label)
    np.testing.assert_array_equal(places, np.flatnonzero(ONE.label))
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0, 0, 0] = 1
    padded = store.arrays(1)
    assert padded.label.shape == store.cases[1].grid == (8, 30, 8)
    np.testing.assert_array_equal(padded.places, np.flatnonzero(padded.label))


@pytest.mark.parametrize(
    ("spacings", "target", "expected"),
    [
        ([(5, 1, 1), (5, 2, 2), (4, 2, 3)], None, (5, 2, 2)),
        ([(5, 1, 1), None, (5, 1, 1)], None, None),
        ([(5, 1, 1), (5, 2, 2), (4, 2, 3)], (2.0, 2.0, 2.0), (2, 2, 2)),
    ],
)
def test_the_spacing_of_a_store_is_what_the_network_gets(
    spacings: list[tuple[float, ...] | None], target: tuple[float, ...] | None, expected: object, tmp_path: Path
) -> None:
    """Augmentation turns volumes by it: without it each volume counts as one of thick slices."""
    cases = [ONE._replace(spacing=spacing, name=str(number)) for number, spacing in enumerate(spacings)]
    assert stored(cases, tmp_path, preprocessing=Preprocessing(spacing=target)).spacing == expected


def test_one_case_is_in_memory_at_a_time(tmp_path: Path) -> None:
    made: list[weakref.ref[object]] = []

    def cases() -> Iterator[TrainingCase]:
        for number in range(4):
            assert [ref() for ref in made] == [None] * len(made)
            case = training_case(seed=number, share=0.1, name=str(number))
            made.extend([weakref.ref(case.image), weakref.ref(case.label)])
            yield case
            del case

    assert stored(cases(), tmp_path).names == ("0", "1", "2", "3")


def test_copies_are_kept_for_the_next_member_and_made_again_for_another_preprocessing(tmp_path: Path) -> None:
    first = stored([ONE, TWO], tmp_path)
    before = _files(tmp_path)
    assert stored([ONE, TWO], tmp_path) == first
    assert stored([ONE, TWO], tmp_path, (4, 4, 4)).cases[0] == first.cases[0]
    assert {name: state for name, state in _files(tmp_path).items() if name.startswith("one/")} == {
        name: state for name, state in before.items() if name.startswith("one/")
    }
    coarse = Preprocessing(spacing=(2.0, 2.0, 2.0))
    spaced = [case._replace(spacing=(1.0, 1.0, 1.0)) for case in (ONE, TWO)]
    del first
    other = stored(spaced, tmp_path, preprocessing=coarse)
    assert other.cases[0].grid == (8, 10, 10)
    assert other.digest == cases_digest([ONE, TWO])
    assert not set(_files(tmp_path)) & set(before)


@pytest.mark.parametrize("name", [case_store.IMAGE, case_store.LABEL, case_store.PLACES, case_store.STORED])
@pytest.mark.parametrize("harm", ["changed", "missing", "cut"])
def test_a_changed_copy_is_made_again(tmp_path: Path, name: str, harm: str) -> None:
    store = stored([ONE], tmp_path)
    path = tmp_path / store.cases[0].folder / name
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-2] if harm == "cut" else whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    stored([ONE], tmp_path)
    assert path.read_bytes() == whole


def test_a_record_with_another_number_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / stored([ONE], tmp_path).cases[0].folder / case_store.STORED
    whole = path.read_text(encoding="utf-8")
    digits = [at for at, char in enumerate(whole) if char.isdigit() and at > whole.index("grid")]
    for at in digits[:20]:
        path.write_text(whole[:at] + str((int(whole[at]) + 1) % 10) + whole[at + 1 :], encoding="utf-8")
        stored([ONE], tmp_path)
        assert path.read_text(encoding="utf-8") == whole


def test_a_preparation_that_is_cut_anywhere_goes_on_and_is_never_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored([ONE, TWO], tmp_path / "whole")
    saved, left = np.save, [0]

    def save(*arguments: object, **more: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        saved(*arguments, **more)

    monkeypatch.setattr(np, "save", save)
    for cut in range(6):
        left[0] = cut
        folder = tmp_path / f"cut-{cut}"
        with pytest.raises(KeyboardInterrupt):
            stored([ONE, TWO], folder)
        assert len(list(folder.glob("*/*/stored.json"))) == cut // 3
        left[0] = 6 - 3 * (cut // 3)  # the files of cases that were not whole
        assert stored([ONE, TWO], folder).cases == whole.cases
        assert left[0] == 0
        assert {name: (folder / name).read_bytes() for name in _files(folder)} == {
            name: (tmp_path / "whole" / name).read_bytes() for name in _files(tmp_path / "whole")
        }


@pytest.mark.verifies("RC-148")
def test_copies_of_cases_that_no_longer_belong_to_the_training_part_are_removed(tmp_path: Path) -> None:
    store = stored([ONE, TWO], tmp_path)
    (tmp_path / "two" / ".begun-by-a-killed-run").mkdir()
    (tmp_path / "notes" / "of-a-person").mkdir(parents=True)
    assert stored([ONE], tmp_path).names == ("one",)
    assert (tmp_path / store.cases[1].folder).is_dir()  # the first run still uses them
    del store
    stored([ONE], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes", "one"]


@pytest.mark.parametrize("name", ["lock", "stored.json", "image.npy", "é" * 60, "a b"])
def test_any_name_of_a_case_can_be_stored(tmp_path: Path, name: str) -> None:
    for cases in ([ONE], [ONE, TWO._replace(name=name)]):
        store = stored(cases, tmp_path)
    assert store.names == ("one", name)
    np.testing.assert_array_equal(store.arrays(1).label[1:7], TWO.label)


def test_a_case_without_foreground_is_stored_and_unusable_cases_are_refused_by_name(tmp_path: Path) -> None:
    assert stored([ONE, ONE._replace(label=ONE.label * 0, name="none")], tmp_path).arrays(1).places.shape == (0,)
    with pytest.raises(UsageError, match="needs cases"):
        stored([], tmp_path)
    for case, why in (
        (TrainingCase(ONE.image, ONE.label[:-1], name="short"), "training case short: an image of shape"),
        (TrainingCase(ONE.image * np.nan, ONE.label, name="empty"), "training case empty: the image holds NaN"),
        (TrainingCase(ONE.image, ONE.label * 0), "no training case has foreground"),
    ):
        with pytest.raises(InputError, match=why):
            stored([case], tmp_path)
    with pytest.raises(UsageError, match=r"'\.\./up' cannot be the name"):
        stored([ONE._replace(name="../up")], tmp_path)


def test_a_copy_that_disappears_or_is_another_is_an_error_that_names_the_case(tmp_path: Path) -> None:
    store = stored([ONE, TWO], tmp_path)
    folder = tmp_path / store.cases[1].folder
    np.save(folder / case_store.LABEL, np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(CouldNotCheckError, match=r"copy of case two cannot be read: label\.npy was changed"):
        store.arrays(1)
    (folder / case_store.IMAGE).unlink()
    with pytest.raises(CouldNotCheckError, match="copy of case two cannot be read"):
        store.arrays(1)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cases").write_text("in the way", encoding="utf-8")
    with pytest.raises(CannotWriteError, match=r"cases: File exists") as caught:
        store_cases(
            [ONE],
            tmp_path / "cases",
            patch=(8, 8, 8),
            task=ONE_CLASS_OF_VOLUMES,
            preprocessing=Preprocessing.of(ONE_CLASS_OF_VOLUMES),
        )
    assert "5 bytes a voxel" in caught.value.hint


def test_the_digest_of_cases_sees_values_types_shapes_and_order() -> None:
    one, two = training_case(), training_case(seed=1)
    digests = {
        cases_digest(cases)
        for cases in (
            [one, two],
            [two, one],
            [one],
            [TrainingCase(one[0].astype(np.float64), one[1]), two],
            [TrainingCase(one[0].reshape(20, 10, 20), one[1]), two],
        )
    }
    assert len(digests) == 5
    assert cases_digest([one, two]) == cases_digest([training_case(), training_case(seed=1)])
