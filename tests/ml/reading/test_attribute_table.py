"""A table of attributes: what it adds to the cases, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading.attribute_table import with_attributes
from minivess.ml.reading.sources import case_sources
from minivess.records.data.source import CaseSource, Data

pytestmark = [pytest.mark.verifies("SU-25"), pytest.mark.verifies("REQ-421")]


def source(name: str, subject: str, **stated: object) -> CaseSource:
    fields = {"id": name, "subject": subject, "image": f"{name}.npy", "label": "l.npy", **stated}
    return CaseSource.model_validate(fields)


CASES = (source("a1", "a"), source("a2", "a"), source("b1", "b", site="Graz"), source("c1", "c"))


def table(folder: Path, text: str, name: str = "facts.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_of_subjects_are_those_of_all_their_cases(tmp_path: Path) -> None:
    path = table(tmp_path, "subject,age,sex,site,stage\na,71.5,F,,2\nb,,m,Graz,n/a\nz,1,f,Wien,1\n")
    first, second, other, last = with_attributes(CASES, path, shown="facts.csv")
    assert first.recorded == second.recorded == {"age": "70 to 79 years", "sex": "female", "stage": "2"}
    assert (other.site, other.recorded) == ("Graz", {"sex": "male"})
    assert last == CASES[3]


def test_a_table_of_participants_is_read_as_bids_writes_it(tmp_path: Path) -> None:
    path = table(tmp_path, "participant_id\tage\tsex\nsub-a\t30\tM\nsub-b\tn/a\tn/a\n", "participants.tsv")
    found = with_attributes(CASES, path, shown="participants.tsv")
    assert [one.recorded for one in found] == [{"age": "30 to 39 years", "sex": "male"}] * 2 + [{}, {}]
    assert found[2:] == CASES[2:]


def test_lines_of_cases_are_those_of_one_case(tmp_path: Path) -> None:
    path = table(tmp_path, "case,scanner,stain\na2,Olympus,DAPI\n")
    found = with_attributes(CASES, path, shown="facts.csv")
    assert (found[1].scanner, found[1].recorded, found[0]) == ("Olympus", {"stain": "DAPI"}, CASES[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("subject,site\nb,Wien\n", "facts.csv:2: case b1 has another site in the project"),
        ("subject,stage\nz,1\n", "names no subject of the project"),
        ("subject,stage\na,1\na,2\n", "facts.csv:3: names a case or subject twice"),
        ("subject,stage,stage\na,1,2\n", "no column is there twice"),
        ("name,stage\na,1\n", "the first column is one of"),
        ("", "the first column is one of"),
        ("subject,stage\na\n", "facts.csv:2: 1 cells where the header has 2"),
        ("subject,birth_date\na,1\n", "can say who is in an image"),
        ("subject,visit\n\na,2024-01-30\n", "facts.csv:3: .*no date"),
        ("subject,sex\na,x\n", "facts.csv:2: sex"),
        ("subject,age\na,old\n", "facts.csv:2: age"),
        ('subject,stage\na,"1\n', "malformed CSV"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_attributes(CASES, table(tmp_path, text), shown="facts.csv")


def test_another_attribute_than_that_of_the_project_is_refused(tmp_path: Path) -> None:
    stated = (source("a1", "a", attributes={"stage": "1", "arm": "left"}),)
    with pytest.raises(InputError, match="another stage"):
        with_attributes(stated, table(tmp_path, "case,stage\na1,2\n"), shown="facts.csv")
    [found] = with_attributes(stated, table(tmp_path, "case,stage,zone\na1,1,3\n"), shown="facts.csv")
    assert found.attributes == {"arm": "left", "stage": "1", "zone": "3"}


def test_bytes_that_are_no_text_and_a_missing_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_bytes(b"subject,stage\na,\xff\n")
    with pytest.raises(InputError, match="not UTF-8"):
        with_attributes(CASES, tmp_path / "facts.csv", shown="facts.csv")
    with pytest.raises(InputError, match=r"none\.csv"):
        with_attributes(CASES, tmp_path / "none.csv", shown="none.csv")


def test_a_project_with_pairs_takes_its_attributes_from_the_table(tmp_path: Path) -> None:
    for name in ("i/a.npy", "i/b.npy", "l/a.npy", "l/b.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    table(tmp_path, "subject,disease\nb,stroke\n")
    stated = {"name": "d", "licence": "x", "source": "y", "root": ".", "attributes": "facts.csv"}
    data = Data.model_validate({**stated, "pairs": {"images": "i/*.npy", "labels": "l/*.npy"}})
    assert [one.disease for one in case_sources(data, tmp_path)] == [None, "stroke"]
    table(tmp_path, "subject,disease\nz,stroke\n")
    refused: list[InputError] = []
    assert len(case_sources(data, tmp_path, refused=refused)) == 2
    assert [one.message for one in refused] == ["facts.csv: names no subject of the project"]
    assert "attributes" not in Data.model_validate(
        {"name": "d", "licence": "x", "source": "y", "table": "t.csv"}
    ).model_dump(mode="json")
