"""Splits: nothing that belongs together is ever apart."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.cases.manifests import cases_root, root_of
from minivess.ml.splits.leakage import leaks
from minivess.ml.splits.published import read_published
from minivess.ml.splits.splits import assign, check_leakage, shares, split
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import group
from minivess.records.data.leakage import Bond
from minivess.records.data.likeness import Likeness, NearDuplicate
from minivess.records.data.split import Part, Split, Stratum
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-26")


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


def twins(a: str, b: str) -> NearDuplicate:
    return NearDuplicate(cases=(a, b), kind=Likeness.CROPPED, score=0.98, detail="in the same place")


def remade(data: DatasetManifest, **changes: list[object]) -> DatasetManifest:
    """The same cases with other values of some fields, one a case."""
    cases = tuple(
        case.model_copy(update={field: values[number] for field, values in changes.items()})
        for number, case in enumerate(data.cases)
    )
    return data.model_copy(update={"cases": cases, "root": cases_root(cases)})


LARGE = remade(
    manifest(*((f"s{n // 2}", f"a{n}", f"i{n}") for n in range(48))),
    site=["north" if n < 24 else "south" if n < 40 else None for n in range(48)],
    foreground_fraction=[0.01 * (1 + n * 7 % 48) for n in range(48)],
)
PLAN = Split(seed=3, calibration=3, test=6, stratify_by=(Stratum.SITE,), folds=5, inner_folds=3)


@pytest.mark.verifies("REQ-087")
def test_parts_get_their_share_of_every_stratum() -> None:
    rows = {share.name: share for share in shares(LARGE, split(LARGE, PLAN), PLAN.stratify_by)}
    assert rows["test"].strata == {"north": 6, "site unknown": 2, "south": 4}
    assert rows["calibration"].strata == {"north": 4, "site unknown": 0, "south": 2}
    assert (rows["test"].subjects, rows["test"].cases) == (6, 12)
    for number in range(1, 6):
        assert 2 <= rows[f"fold {number}"].strata["north"] <= 4
    bins = shares(LARGE, split(LARGE, PLAN), (Stratum.FOREGROUND,))
    assert sum(share.strata["low foreground"] for share in bins[:3]) == 16


@pytest.mark.verifies("REQ-087", "REQ-414")
def test_parts_get_their_share_of_each_stated_attribute() -> None:
    stated = [{} if n >= 40 else {"sex": "female" if n < 24 else "male", "age": "60 to 69 years"} for n in range(48)]
    data = remade(LARGE, attributes=stated)
    plan = PLAN.model_copy(update={"stratify_by": (Stratum.SEX, Stratum.AGE)})
    rows = {share.name: share for share in shares(data, split(data, plan), plan.stratify_by)}
    assert rows["test"].strata == {
        "female, 60 to 69 years": 6,
        "male, 60 to 69 years": 4,
        "sex unknown, age unknown": 2,
    }


@pytest.mark.verifies("REQ-087", "REQ-086")
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.integers(2, 6), inner=st.sampled_from([0, 2, 3]), near=st.integers(0, 40))
def test_folds_hold_every_training_case_once_and_groups_whole(seed: int, folds: int, inner: int, near: int) -> None:
    pairs = (twins(f"c{near:02d}", "c47"),)
    made = split(LARGE, PLAN.model_copy(update={"seed": seed, "folds": folds, "inner_folds": inner}), near=pairs)
    assert sorted(case for fold in made.folds for case in fold.held_out) == sorted(made.train)
    subject = {case.id: case.subject for case in LARGE.cases}
    for fold in made.folds:
        rest = set(made.train) - set(fold.held_out)
        assert not {subject[case] for case in rest} & {subject[case] for case in fold.held_out}
        if inner:
            assert sorted(case for one in fold.inner for case in one) == sorted(rest)
            for one in fold.inner:
                assert not {subject[case] for case in one} & {subject[case] for case in rest - set(one)}
    place = {case: part for part in Part for case in made.part(part)}
    assert place["c47"] is place[f"c{near:02d}"]
    assert made.root == root_of(made)


@pytest.mark.verifies("REQ-087")
def test_a_split_is_the_same_on_every_machine() -> None:
    made = split(LARGE, PLAN)
    assert made.test == ("c06", "c07", "c16", "c17", "c18", "c19", "c36", "c37", "c38", "c39", "c44", "c45")
    assert made.folds[0].held_out == ("c02", "c03", "c22", "c23", "c30", "c31")
    assert [case.id for case in made.cases] == [case.id for case in LARGE.cases]
    assert {case.image for case in made.cases} == {case.image for case in LARGE.cases}


@pytest.mark.parametrize("plan", [{"folds": 1}, {"inner_folds": 3}, {"folds": 2, "inner_folds": 1}])
def test_plans_of_folds_that_make_no_sense_are_refused(plan: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="fold"):
        Split.model_validate(plan)


def test_more_folds_than_subjects_are_refused() -> None:
    with pytest.raises(UsageError, match="5 folds of 4"):
        split(SIMPLE, Split(calibration=2, test=2, folds=5))
    with pytest.raises(UsageError, match="4 inner folds of 2"):
        split(SIMPLE, Split(calibration=2, test=2, folds=2, inner_folds=4))


@pytest.mark.verifies("REQ-086", "RC-02")
def test_every_leak_is_named_and_copies_within_a_part_are_told() -> None:
    data = remade(
        manifest(("A", "a", "1"), ("A", "b", "2"), ("B", "c", "2"), ("C", "d", "4"), ("D", "e", "5"), ("E", "f", "6")),
        origin=["one.oib", None, None, "one.oib", None, None],
        frame_of_reference=[None, "abc", None, None, None, "abc"],
    )
    good = assign(data, Split(calibration=("D",), test=("E",)))
    bad = good.model_copy(update={"train": ("c00", "c02", "c04"), "calibration": ("c01",), "test": ("c03", "c05")})
    report = leaks(data, bad, [twins("c05", "c00"), twins("c02", "c04")])
    assert [(leak.cases, leak.bonds) for leak in report.across] == [
        (("c00", "c01"), (Bond.SUBJECT,)),
        (("c00", "c03"), (Bond.ORIGIN,)),
        (("c00", "c05"), (Bond.NEAR,)),
        (("c01", "c02"), (Bond.IMAGE,)),
        (("c01", "c05"), (Bond.FRAME,)),
    ]
    assert [leak.cases for leak in report.within] == [("c02", "c04")]
    assert report.blocked
    with pytest.raises(RefusedError) as caught:
        check_leakage(data, bad)
    for words in ("share subject A", "share origin one.oib", "share frame of reference abc", "share one image"):
        assert words in caught.value.message


@pytest.mark.verifies("REQ-086")
def test_folds_that_leak_are_refused() -> None:
    made = split(LARGE, PLAN)
    one, other = made.folds[0], made.folds[1]
    swapped = (
        one.model_copy(update={"held_out": (*one.held_out[1:], other.held_out[0])}),
        other.model_copy(update={"held_out": (*other.held_out[1:], one.held_out[0])}),
        *made.folds[2:],
    )
    with pytest.raises(RefusedError, match=r"\(train, fold 1\) and c\d\d \(train, fold 2\) share subject"):
        check_leakage(LARGE, made.model_copy(update={"folds": swapped}))
    with pytest.raises(RefusedError, match="every training case"):
        check_leakage(LARGE, made.model_copy(update={"folds": made.folds[1:]}))


def publish(folder: Path, name: str, text: str) -> PurePosixPath:
    (folder / name).write_text(text, encoding="utf-8")
    return PurePosixPath(name)


@pytest.mark.verifies("REQ-088")
def test_published_splits_are_taken_over(tmp_path: Path) -> None:
    parts = ["training", "Train", "train", "train", "train", "VAL", "test", "test"]
    table = "case,part\n" + "".join(f"c{n:02d},{part}\n" for n, part in enumerate(parts))
    listed = '[{"case": "c00", "part": "train"}' + "".join(
        f', {{"case": "c{n:02d}", "part": "{part}"}}' for n, part in enumerate(parts) if n
    )
    by_part = '{"train": ["c00","c01","c02","c03","c04"], "val": ["c05"], "test": ["c06","c07"]}'
    by_case = "{" + ", ".join(f'"c{n:02d}": "{part}"' for n, part in enumerate(parts)) + "}"
    files = {"a.csv": table, "b.json": listed + "]", "c.json": by_part, "d.json": by_case}
    for name, text in files.items():
        published = read_published(tmp_path, publish(tmp_path, name, text), SIMPLE)
        made = split(SIMPLE, Split(published=PurePosixPath(name)), published=published)
        assert (made.calibration, made.test) == (("c05",), ("c06", "c07"))
    two = publish(tmp_path, "two.csv", table.replace("VAL", "test"))
    made = split(SIMPLE, Split(calibration=1), published=read_published(tmp_path, two, SIMPLE))
    assert made.test == ("c05", "c06", "c07")
    assert len(made.calibration) == 1


@pytest.mark.verifies("REQ-088")
def test_published_folds_are_taken_over_and_audited(tmp_path: Path) -> None:
    rows = [
        "c00,train,1",
        "c01,train,1",
        "c02,train,2",
        "c03,train,2",
        "c04,train,3",
        "c05,val,",
        "c06,test,",
        "c07,test,",
    ]
    name = publish(tmp_path, "folds.csv", "case,part,fold\n" + "\n".join(rows))
    published = read_published(tmp_path, name, SIMPLE)
    made = split(SIMPLE, Split(published=name, inner_folds=2), published=published)
    assert [fold.held_out for fold in made.folds] == [("c00", "c01"), ("c02", "c03"), ("c04",)]
    assert all(len(fold.inner) == 2 for fold in made.folds)
    with pytest.raises(RefusedError, match=r"c01 \(train, fold 1\) and c02 \(train, fold 2\) show the same structure"):
        split(SIMPLE, Split(published=name), near=[twins("c01", "c02")], published=published)
    with pytest.raises(UsageError, match="has 3 folds, and 4"):
        split(SIMPLE, Split(published=name, folds=4), published=published)


@pytest.mark.verifies("REQ-088")
def test_published_splits_that_do_not_fit_are_refused_with_all_names(tmp_path: Path) -> None:
    name = publish(tmp_path, "bad.csv", "case,part\nc00,train\nc00,test\nc01,train\nghost,test\nc02,val\n")
    with pytest.raises(RefusedError) as caught:
        read_published(tmp_path, name, SIMPLE)
    for words in ("not in the data: ghost", "not name: c03, c04, c05, c06, c07", "twice: c00"):
        assert words in caught.value.message
    whole = [f"c{n:02d},train" for n in range(6)]
    for folds, words in ((["1"] * 5 + [""], "no fold for c05"), (["1", "1", "1", "3", "3", "3"], "numbered 1, 2, 3")):
        rows = [f"{row},{fold}" for row, fold in zip(whole, folds, strict=True)] + ["c06,val,", "c07,test,"]
        with pytest.raises(RefusedError, match=words):
            read_published(tmp_path, publish(tmp_path, "f.csv", "case,part,fold\n" + "\n".join(rows)), SIMPLE)


@pytest.mark.verifies("REQ-088")
@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "id,part\nc00,train\n", "no columns"),
        ("a.csv", "", "no columns"),
        ("a.csv", "case,part\nc00,holdout\n", "a.csv:2: 'holdout' is no part"),
        ("a.csv", "case,part\nc00\n", "'None' is no part"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", "7", "not a list"),
        ("a.json", '[{"case": "c00"}]', "is no part"),
        ("a.csv", "case,part\n\udcff\n", "UTF-8"),
    ],
)
def test_malformed_published_splits_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=says) as caught:
        read_published(tmp_path, PurePosixPath(name), SIMPLE)
    assert str(tmp_path) not in caught.value.message
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        read_published(tmp_path, PurePosixPath("gone.csv"), SIMPLE)


@pytest.mark.verifies("REQ-088")
@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=200), kind=st.sampled_from(["csv", "json"]))
def test_any_bytes_give_a_named_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / f"any.{kind}").write_bytes(data)
    with pytest.raises((InputError, RefusedError)):
        read_published(folder, PurePosixPath(f"any.{kind}"), SIMPLE)
