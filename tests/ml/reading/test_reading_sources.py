"""Cases from a table, and cases paired by the names of their files."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.reading import sources
from minivess.ml.reading.sources import case_sources, read_table
from minivess.records.data.source import Data
from minivess.records.lengths import parse_spacing

pytestmark = [pytest.mark.verifies("REQ-080", "SU-26")]
HEAD = "id,image,label,subject,acquisition,site,spacing_z_um,spacing_y_um,spacing_x_um,second_label\n"


def data(**given) -> Data:
    return Data.model_validate({"name": "d", "licence": "CC0", "source": "t", "root": "files", **given})


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "cases.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_a_table_gives_cases_and_empty_cells_say_nothing(tmp_path: Path) -> None:
    path = table(
        tmp_path, "\ufeff" + HEAD + 'a,i/a.tif,l/a.tif,s,,"Oslo, ward 3",5,1,1,\r\n\nb,b.png,c.png,s2,acq,,,,,d.png\n'
    )
    first, second = read_table(path, shown="cases.csv")
    assert (first.site, first.spacing, first.acquisition) == ("Oslo, ward 3", parse_spacing("5 x 1 x 1 µm"), None)
    assert (str(second.second_label), second.spacing, second.acquisition) == ("d.png", None, "acq")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("id,image,label\n", 1, "no column subject"),
        ("id,image,label,subject,Spacing\n", 1, "unknown column 'Spacing'"),
        ("id,image,label,subject,id\n", 1, "two columns"),
        (HEAD, None, "without cases"),
        (HEAD + "a,b\n", 2, "2 cells where the header has 10"),
        (HEAD + "a,i,l,s,,,,,,\na,i,l,s,,,,,,\n", 3, "two cases are called a"),
        (HEAD + "../a,i,l,s,,,,,,\n", 2, "id: "),
        (HEAD + "a,i,l,s,,,0,1,1,\n", 2, "spacing: must be two or three lengths with their unit"),
        (HEAD + "a,i,l,s,,,1,,,\n", 2, "spacing_z_um alone"),
        (HEAD + "a,i,l,s,,,5,,1,\n", 2, "spacing_z_um and spacing_x_um alone"),
        ("id,image,label,subject,spacing\na,i,l,s,5 x 1\n", 2, "for example 5 x 0.994 x 0.994 µm"),
        ("id,image,label,subject,spacing,spacing_y_um\na,i,l,s,1 x 1 um,1\n", 2, "are both stated"),
        (HEAD + 'a,"i,l,s\n', 2, "malformed CSV"),
        (b"\xff\xfe\x00", None, "UTF-8"),
        (b"", 1, "no column id"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path: Path, text: str | bytes, line: int | None, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_table(table(tmp_path, text), shown="cases.csv")
    assert caught.value.line == line
    assert caught.value.message.startswith("cases.csv")
    assert str(tmp_path) not in caught.value.message


@pytest.mark.verifies("REQ-078")
def test_a_table_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"c{n},i,l,s,,,,,,\n" for n in range(5))
    monkeypatch.setattr(sources, "TABLE_ROWS", 5)
    assert len(read_table(table(tmp_path, HEAD + rows), shown="cases.csv")) == 5
    with pytest.raises(InputError, match="more than 5 cases"):
        read_table(table(tmp_path, HEAD + rows + "z,i,l,s,,,,,,\n"), shown="cases.csv")
    monkeypatch.setattr(sources, "TABLE_BYTES", 20)
    with pytest.raises(InputError, match="allowed"):
        read_table(table(tmp_path, HEAD + rows), shown="cases.csv")
    with pytest.raises(InputError, match=r"cases\.csv: no such file"):
        read_table(tmp_path / "elsewhere" / "cases.csv", shown="cases.csv")


def test_a_table_is_ingested(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    image = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    for name, array in (("i", image), ("l", (image > 30).astype(np.uint8)), ("m", (image > 29).astype(np.uint8))):
        np.save(tmp_path / "files" / f"{name}.npy", array)
    table(tmp_path, HEAD + "a,i.npy,l.npy,s,,Oslo,2,1,1,m.npy\n")
    record = ingest(data(table="cases.csv"), tmp_path, tmp_path / "out").cases[0]
    assert (record.site, record.spacing) == ("Oslo", (2.0, 1.0, 1.0))
    assert record.reader_agreement == pytest.approx(2 * 29 / (29 + 30))


def test_files_are_paired_by_stem(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.nii.gz", "images/b 2.png", "images/.hidden.png", "labels/a.png", "labels/b 2.tif")
    plan = {"images": "images/*", "labels": "labels/*", "spacing": "1 x 1 um", "site": "Oslo"}
    first, second = case_sources(data(pairs=plan), tmp_path)
    assert (first.id, first.subject, str(first.label)) == ("a", "a", "labels/a.png")
    assert (second.id, str(second.image), second.site) == ("b-2", "images/b 2.png", "Oslo")
    assert first.spacing == parse_spacing("1 x 1 µm")


def test_a_regular_expression_names_case_subject_and_acquisition(tmp_path: Path) -> None:
    touch(tmp_path, "i/rat1_day2_raw.tif", "i/rat2_day1_raw.tif", "l/rat1_day2_mask.tif", "l/rat2_day1_mask.tif")
    touch(tmp_path, "m/rat1_day2_meta.xml", "s/rat2_day1_second.tif")
    plan = {
        "images": "i/*.tif",
        "labels": "l/*.tif",
        "second_labels": "s/*.tif",
        "metadata": "m/*.xml",
        "name": r"^(?P<case>(?P<subject>rat\d)_(?P<acquisition>day\d))_",
    }
    first, second = case_sources(data(pairs=plan), tmp_path)
    assert (first.id, first.subject, first.acquisition) == ("rat1_day2", "rat1", "day2")
    assert str(first.metadata) == "m/rat1_day2_meta.xml"
    assert first.second_label is None
    assert str(second.second_label) == "s/rat2_day1_second.tif"


@pytest.mark.parametrize(
    ("names", "plan", "says"),
    [
        (("i/a.png", "i/b.png", "l/a.png"), {}, r"l/\*: 1 images without a mask: i/b.png"),
        (("i/a.png", "l/a.png", "l/c.png"), {}, "1 masks without an image: l/c.png"),
        (("l/a.png",), {}, "no file is called so"),
        (("i/a.png", "i/a.tif", "l/a.png"), {}, "reads as 'a', and so does i/a.png"),
        (("i/a 1.png", "i/a-1.png", "l/a 1.png", "l/a-1.png"), {}, "'a 1' and 'a-1' both make the id 'a-1'"),
        (("i/a.png", "l/a.png"), {"name": r"\d"}, "does not fit"),
        (("i/a.png", "l/a.png", "m/b.xml"), {"metadata": "m/*"}, "m/b.xml: belongs to no image"),
        (("i/((.png", "l/((.png"), {}, "makes no id"),
    ],
)
def test_files_that_do_not_pair_are_named(
    tmp_path: Path, names: tuple[str, ...], plan: dict[str, str], says: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=says) as caught:
        case_sources(data(pairs={"images": "i/*", "labels": "l/*"} | plan), tmp_path)
    assert str(tmp_path) not in caught.value.message


@pytest.mark.verifies("REQ-252")
def test_names_that_are_composed_in_different_ways_are_one_name(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Möwe") for form in ("NFC", "NFD"))
    touch(tmp_path, f"i/{composed}_1.png", f"i/{decomposed}_2.png", f"l/{decomposed}_1.png", f"l/{composed}_2.png")
    plan = {"images": "i/*", "labels": "l/*", "name": r"^(?P<case>(?P<subject>[^_]+)_\d)"}

    first, second = case_sources(data(pairs=plan), tmp_path)

    assert (first.id, second.id) == ("M-we_1", "M-we_2")
    assert first.subject == second.subject == "M-we"


@pytest.mark.verifies("REQ-252")
@pytest.mark.parametrize("group", ["subject", "acquisition"])
def test_two_subjects_or_acquisitions_never_get_one_id(tmp_path: Path, group: str) -> None:
    touch(tmp_path, "i/1_Möller.png", "i/2_Müller.png", "l/1_Möller.png", "l/2_Müller.png")
    plan = {"images": "i/*", "labels": "l/*", "name": rf"^(?P<case>\d)_(?P<{group}>.+)"}

    with pytest.raises(InputError, match=f"the {group} names 'Möller' and 'Müller' both make the id 'M-ller'"):
        case_sources(data(pairs=plan), tmp_path)


def test_the_project_file_says_one_source_and_patterns_stay_below_the_root(tmp_path: Path) -> None:
    pairs = {"images": "i/*", "labels": "l/*"}
    for given in (
        {},
        {"table": "t.csv", "pairs": pairs},
        {"pairs": pairs | {"images": "../*"}},
        {"pairs": pairs | {"labels": "/etc/*"}},
        {"pairs": pairs | {"name": "("}},
        {"pairs": pairs | {"name": "(?P<person>x)"}},
        {"table": "t.csv", "classes": {"0": "background"}},
    ):
        with pytest.raises(ValidationError):
            data(**given)
    assert data(table="t.csv", classes={"2": "vein", "1": "artery"}).declared[0].name == "artery"
    with pytest.raises(InputError, match="no such folder"):
        case_sources(data(pairs=pairs), tmp_path)


@pytest.mark.verifies("REQ-278")
@pytest.mark.parametrize(
    ("pattern", "subjects"),
    [
        (r"^Image_(\d+)[LR]$", ["01", "01"]),
        (r"(?P<subject>rat\d)/", ["rat1", "rat2"]),
    ],
)
def test_the_subject_comes_from_the_name_or_with_a_slash_from_the_path(
    tmp_path: Path, pattern: str, subjects: list[str]
) -> None:
    touch(tmp_path, "i/rat1/Image_01L.png", "i/rat2/Image_01R.png", "l/Image_01L.png", "l/Image_01R.png")
    plan = {"images": "i/*/*", "labels": "l/*"}
    assert [case.subject for case in case_sources(data(pairs=plan, subject_from=pattern), tmp_path)] == subjects


@pytest.mark.verifies("REQ-278")
def test_a_table_needs_no_subjects_where_a_pattern_gives_them_and_another_one_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "id,image,label\na,01L.png,l\nb,01R.png,l\n")
    pattern = r"^(\d+)[LR]"
    assert {case.subject for case in read_table(path, shown="cases.csv", subject_from=pattern)} == {"01"}
    with pytest.raises(InputError, match="no column subject"):
        read_table(path, shown="cases.csv")
    stated = {"id": "a", "image": "01L.png", "label": "l", "subject": "02"}
    path = table(tmp_path, "id,image,label,subject\na,01L.png,l,02\n")
    touch(tmp_path, "01L.png")
    for read in (
        lambda: read_table(path, shown="cases.csv", subject_from=pattern),
        lambda: case_sources(data(cases=[stated], subject_from=pattern), tmp_path),
    ):
        with pytest.raises(InputError, match=r"01L\.png: its subject is stated as '02', and .* makes it '01'"):
            read()


@pytest.mark.verifies("REQ-277", "REQ-278")
def test_the_project_states_subjects_and_unit_once_and_not_for_the_generator() -> None:
    pairs = {"images": "i/*", "labels": "l/*"}
    refused: tuple[dict[str, object], ...] = (
        {"pairs": pairs | {"name": "(?P<subject>x)"}, "subject_from": "(x)"},
        {"pairs": pairs, "subject_from": "x"},
        {"pairs": pairs, "subject_from": "(x)(y)"},
        {"pairs": pairs, "subject_from": "(?P<case>x)"},
        {"pairs": pairs, "subject_from": "("},
        {"pairs": pairs, "unit": "inch"},
        {"synthetic": {}, "root": None, "unit": "mm"},
        {"synthetic": {}, "root": None, "subject_from": "(x)"},
    )
    for given in refused:
        with pytest.raises(ValidationError):
            data(**given)
