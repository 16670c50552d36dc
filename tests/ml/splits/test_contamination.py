"""Names and accessions of data sets are recognised however they are written, and others are not."""

from __future__ import annotations

import pytest

from minivess.ml.splits.contamination import contaminations
from minivess.records.data.card import DataCardFacts
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.source import Data, Synthetic
from minivess.records.data.split import SplitManifest
from minivess.records.models.start import PretrainingData, PretrainingSet
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-331", "RC-139", "SU-62")

DIGEST = "sha256:" + "1" * 64
CASE = CaseRecord(
    id="case-1",
    subject="one",
    acquisition="one",
    shape=(4, 8, 8),
    spacing=(1.0, 1.0, 1.0),
    modality="MR",
    origin="series 1.2.840.1",
    image=DIGEST,
    label=DIGEST.replace("1", "2"),
    source_dtype="uint8",
    label_values=(0, 1),
    foreground_fraction=0.1,
)
SPLIT = SplitManifest(dataset=DIGEST, seed=0, train=(), calibration=(), test=("case-1",), root=DIGEST)


def rules(
    name: str,
    *accessions: str,
    data: str = "MiniVess",
    source: str = "our laboratory",
    card: DataCardFacts | None = None,
) -> set[str]:
    """The rules by which a declared set has seen the test part."""
    manifest = DatasetManifest(name=data, licence="CC0", source=source, cases=(CASE,), root=DIGEST)
    stated = Data(name=data, licence="CC0", source=source, synthetic=Synthetic(), card=card)
    declared = PretrainingData(status="declared", sets=(PretrainingSet(name=name, accessions=accessions),))
    return {one.rule for one in contaminations(declared, stated, manifest, SPLIT)}


@pytest.mark.parametrize(
    "name", ["minivess", "Mini Vess", "MINI-VESS", "mini_vess v2", "MiniVess version 1.0", "ＭiniVess"]
)
def test_the_name_of_the_data_set_in_any_writing(name: str) -> None:
    assert rules(name) == {"name"}


@pytest.mark.parametrize("name", ["MiniVess-extra", "Vess", "mini", "MiniVessel", "DRIVE", "???"])
def test_other_names(name: str) -> None:
    assert rules(name) == set()


@pytest.mark.parametrize("digit", ["4", "8"])
def test_a_number_is_part_of_a_name(digit: str) -> None:
    assert (rules("MSD Task 4", data=f"msd-task{digit}") == {"name"}) is (digit == "4")


def test_a_set_that_the_source_names() -> None:
    assert rules("MiniVess", data="vessels", source="MiniVess (EBRAINS), release 1") == {"name"}
    assert rules("MiniVess", data="vessels", source="MiniVessels of our own") == set()


@pytest.mark.parametrize(
    "accession",
    ["10.25493/HPBE-YHK", "doi:10.25493/hpbe-yhk", "https://doi.org/10.25493/HPBE-YHK/", "DOI.org/10.25493/hpbe-yhk"],
)
def test_an_accession_in_source_address_or_citation(accession: str) -> None:
    url, words = "https://doi.org/10.25493/HPBE-YHK", "Poon et al. (2023), doi 10.25493/HPBE-YHK."
    assert rules("Other", accession, source=words) == {"accession"}
    assert rules("Other", accession, card=DataCardFacts(url=url)) == {"accession"}
    assert rules("Other", accession, card=DataCardFacts(citation=words)) == {"accession"}
    assert rules("Other", accession, source=words.replace("YHK", "YHK2")) == set()


def test_an_accession_of_a_case_is_a_whole_number() -> None:
    assert rules("Other", "1.2.840.1") == {"accession"}
    assert rules("Other", "1.2.840") == rules("Other", "2.840.1") == rules("Other", " ") == set()


@settings(max_examples=40)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_compared_without_an_error(name: str, accession: str) -> None:
    assert rules(name or "-", accession or "-") <= {"name", "accession"}
