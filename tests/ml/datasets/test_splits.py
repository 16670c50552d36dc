"""Splits: nothing that belongs together is ever apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError
from minivess.ml.datasets.manifests import cases_root, root_of
from minivess.ml.datasets.splits import check_leakage, group, split
from minivess.records.dataset import CaseRecord, DatasetManifest
from minivess.records.split import Part, Split


def manifest(*cases: tuple[str, str, str]) -> DatasetManifest:
    """Cases of (subject, acquisition, image)."""
    records = tuple(
        CaseRecord(
            id=f"c{number:02d}",
            subject=subject,
            acquisition=acquisition,
            shape=(2, 2, 2),
            spacing=(1, 1, 1),
            modality="m",
            image=digest_bytes(image.encode()),
            label=digest_bytes(b"label"),
            source_dtype="uint8",
            label_values=(0, 1),
            foreground_fraction=0.5,
        )
        for number, (subject, acquisition, image) in enumerate(cases)
    )
    return DatasetManifest(name="m", licence="x", source="y", cases=records, root=cases_root(records))


SIMPLE = manifest(*((f"s{n}", f"a{n}", f"i{n}") for n in range(8)))


@pytest.mark.verifies("REQ-013", "RC-02")
@settings(max_examples=200, deadline=None)
@given(
    cases=st.lists(
        st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from("abcdefghij"), st.sampled_from("0123456789")),
        min_size=3,
        max_size=14,
    ),
    seed=st.integers(0, 5),
)
def test_no_split_ever_leaks(cases: list[tuple[str, str, str]], seed: int) -> None:
    data = manifest(*cases)
    try:
        result = split(data, Split(seed=seed, calibration=1, test=1))
    except UsageError:
        assert len(group(data)) < 3
        return
    place = {case: part for part in Part for case in result.part(part)}
    assert sorted(place) == [case.id for case in data.cases]
    for one in data.cases:
        for other in data.cases:
            if one.subject == other.subject or one.acquisition == other.acquisition or one.image == other.image:
                assert place[one.id] is place[other.id]
    assert result.root == root_of(result)


@pytest.mark.verifies("REQ-013")
def test_a_seed_decides_and_counts_are_kept() -> None:
    plan = Split(seed=1, calibration=2, test=3)
    first = split(SIMPLE, plan)
    assert first == split(SIMPLE, plan)
    assert (len(first.train), len(first.calibration), len(first.test)) == (3, 2, 3)
    assert len({split(SIMPLE, Split(seed=seed, calibration=2, test=3)).test for seed in range(6)}) > 1


@pytest.mark.verifies("REQ-013")
def test_named_subjects_go_where_they_are_named() -> None:
    result = split(SIMPLE, Split(calibration=("s1", "s2"), test=("s0",)))
    assert result.calibration == ("c01", "c02")
    assert result.test == ("c00",)
    mixed = split(SIMPLE, Split(calibration=1, test=("s0",)))
    assert mixed.test == ("c00",)
    assert "c00" not in mixed.calibration


@pytest.mark.verifies("REQ-013", "RC-02")
@pytest.mark.parametrize("shared", ["acquisition", "image"])
def test_naming_apart_what_belongs_together_is_refused(shared: str) -> None:
    a, b = ("x", "x2") if shared == "image" else ("x", "x")
    one, other = ("p", "p") if shared == "image" else ("p", "q")
    data = manifest(("A", a, one), ("B", b, other), ("C", "c", "r"), ("D", "d", "t"))
    with pytest.raises(RefusedError, match=r"c00 \(test\) and c01 \(train\)"):
        split(data, Split(calibration=("C",), test=("A",)))


@pytest.mark.verifies("REQ-013", "RC-02")
def test_a_split_by_hand_that_leaks_is_refused() -> None:
    data = manifest(("A", "a", "1"), ("A", "b", "2"), ("B", "c", "3"), ("C", "d", "4"))
    good = split(data, Split(calibration=("B",), test=("C",)))
    check_leakage(data, good)
    with pytest.raises(RefusedError, match=r"c00 \(train\) and c01 \(test\) share subject A"):
        check_leakage(data, good.model_copy(update={"train": ("c00",), "test": ("c01", "c03")}))
    with pytest.raises(RefusedError, match="exactly once"):
        check_leakage(data, good.model_copy(update={"train": ("c00", "c01", "c03")}))
    with pytest.raises(RefusedError, match="another version"):
        check_leakage(SIMPLE, good)


@pytest.mark.parametrize(
    "plan",
    [
        Split(calibration=("s9",), test=1),
        Split(calibration=("s1",), test=("s1",)),
        Split(calibration=4, test=4),
        Split(calibration=0, test=4),
        Split(calibration=(), test=4),
        Split(calibration=1, test=9),
    ],
)
def test_plans_that_cannot_be_met_are_refused(plan: Split) -> None:
    with pytest.raises(UsageError):
        split(SIMPLE, plan)
