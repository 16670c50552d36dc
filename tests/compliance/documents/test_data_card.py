"""The content of the data card, from records alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.documents.croissant import croissant
from minivess.compliance.documents.data_card import QUESTIONS, data_card
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.records.data.card import DataCard, DataCardFacts
from minivess.records.data.dataset import CaseRecord, DatasetManifest, LabelClass
from minivess.records.data.profile import CaseProfile, DatasetProfile, GroupProfile, Histogram, Quantiles, Spread
from minivess.records.data.seal import SealedFile, SealManifest
from minivess.records.data.source import CaseSource, Data
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import Finding, Severity, ValidationReport

pytestmark = pytest.mark.verifies("SU-24")

ROOT = digest_bytes(b"cases")


def case(name: str, **facts: Any) -> CaseRecord:
    known: dict[str, Any] = {
        "id": name,
        "subject": name,
        "acquisition": name,
        "shape": (8, 16, 16),
        "spacing": (5.0, 1.0, 1.0),
        "modality": "two-photon microscopy",
        "image": digest_bytes(f"{name} image".encode()),
        "label": digest_bytes(f"{name} label".encode()),
        "source_dtype": "uint8",
        "label_values": (0, 1),
        "foreground_fraction": 0.1,
    }
    return CaseRecord(**{**known, **facts})


def source(**facts: Any) -> Data:
    one = CaseSource(id="a", subject="a", image="a.tif", label="b.tif")
    return Data(name="set", licence="CC BY 4.0", source="a shelf", root=".", cases=(one,), **facts)


def build(cases: list[CaseRecord], *, test: tuple[str, ...] = ("d",), **more: Any) -> DataCard:
    manifest = DatasetManifest(name="set", licence="CC BY 4.0", source="a shelf", cases=tuple(cases), root=ROOT)
    names = [one.id for one in cases if one.id not in test]
    split = SplitManifest(
        dataset=ROOT,
        seed=5,
        train=tuple(names[:-1]),
        calibration=tuple(names[-1:]),
        test=test,
        root=digest_bytes(b"split"),
    )
    validation = more.pop("validation", ValidationReport(dataset=ROOT, rules=("shape",), findings=()))
    return data_card(more.pop("data", source()), manifest, validation, split, **more)


def profiled(values: dict[str, float], dataset: str = ROOT) -> DatasetProfile:
    quantiles = Quantiles(p01=0, p05=1, p25=2, p50=3, p75=4, p95=5, p99=6)
    spread = Spread(cases=1, minimum=0, p05=0, median=0, p95=0, maximum=0)
    whole = GroupProfile(
        kind="set", name="set", cases=len(values), subjects=1, voxels=1,
        histogram=Histogram(first=0, width=1.0, counts=(1,)), intensity={}, sizes={}, spacing={}, foreground=spread,
        classes={}, noise=spread, snr=None, cnr=None, sharpness=None,
    )  # fmt: skip
    made = tuple(
        CaseProfile(
            case=name, quantiles=quantiles, mean=value, deviation=1, noise=1, snr=None, cnr=None, sharpness=None,
            foreground=0.1,
        )
        for name, value in values.items()
    )  # fmt: skip
    return DatasetProfile(dataset=dataset, formulas={}, groups=(whole,), cases=made)


FOUR = [case(name) for name in "abcd"]


@pytest.mark.verifies("REQ-103")
def test_figures_and_agreement_leave_the_test_part_out() -> None:
    cases = [case(name, reader_agreement=value) for name, value in zip("abcd", (0.8, 0.9, 0.7, 0.123), strict=True)]
    card = build(cases, profile=profiled({"a": 10, "b": 20, "c": 30, "d": 4567}))
    means = next(figure for figure in card.figures if figure.name == "mean intensity")
    assert (means.cases, means.minimum, means.median, means.maximum) == (3, 10, 20, 30)
    assert card.agreement is not None
    assert (card.agreement.cases, card.agreement.median) == (3, 0.8)
    text = card.model_dump_json() + json.dumps(croissant(card))
    assert "4567" not in text
    assert "0.123" not in text


@pytest.mark.verifies("REQ-103")
def test_findings_that_could_tell_of_a_test_case_are_withheld() -> None:
    def finding(name: str | None, *others: str) -> Finding:
        return Finding(rule="shape", severity=Severity.WARNING, case=name, message=f"of {name} {others}", others=others)

    report = ValidationReport(
        dataset=ROOT, rules=("shape",), findings=(finding("a"), finding("d"), finding(None), finding("b", "d"))
    )
    card = build(FOUR, validation=report)
    assert [one.message for one in card.findings] == ["of a ()"]
    assert card.withheld == 3


@pytest.mark.verifies("REQ-103")
def test_an_unsealed_test_case_has_no_file_and_a_sealed_one_its_encrypted_file() -> None:
    files = tuple(
        SealedFile(case="d", kind=kind, commitment=digest_bytes(b"c"), sealed=digest_bytes(kind.encode()), size=9)
        for kind in ("image", "label")
    )
    sealed = SealManifest(split=digest_bytes(b"split"), files=files, wrapped_keys={}, root=digest_bytes(b"seal"))
    for card, names in (
        (build(FOUR), []),
        (build(FOUR, sealed=sealed), ["sealed/d.image.sealed", "sealed/d.label.sealed"]),
    ):
        urls = [item["contentUrl"] for item in croissant(card)["distribution"]]
        assert [url for url in urls if "d." in url or "/d/" in url] == names
        plain = FOUR[3].image.removeprefix("sha256:")
        assert plain not in json.dumps(croissant(card)) + card.model_dump_json()


@pytest.mark.verifies("REQ-102")
def test_the_records_say_what_to_watch() -> None:
    cases = [
        case("a", subject="rat-1", acquisition="file-1", notes=("mask cut at 127.",)),
        case("b", subject="rat-1", acquisition="file-1", spacing=(5.0, 0.6, 0.6)),
        case("c", axes="yx", shape=(16, 16), spacing=(1.0, 1.0), unit="px", site="Basel"),
        case("d", notes=("a secret of the test part",)),
    ]
    card = build(cases)
    text = " ".join(card.traps + card.gaps)
    for words in (
        "1 subject with more than one case (rat-1)",
        "1 acquisition with more than one case (file-1)",
        "2 different spacings, from 5 × 0.6 × 0.6 µm to 5 × 1 × 1 µm",
        "1 case (c) without a known physical size",
        "3 cases (a, b, d) without a stated site or scanner",
        "No case has a second reader's mask",
        "mask cut at 127.",
    ):
        assert words in text
    assert "secret" not in text
    assert "without a known physical size" in croissant(card)["rai:dataCollectionMissingData"]


@pytest.mark.verifies("REQ-279")
def test_a_set_in_which_every_case_is_its_own_subject_is_named_unless_the_generator_made_it() -> None:
    sentence = "Every case is its own subject (4 cases): cases of one animal or patient can be in different parts"
    made = [case(name, source_format="generator") for name in "abcd"]
    shared = [case(name, subject=who) for name, who in zip("abcd", "aabc", strict=True)]
    assert any(gap.startswith(sentence) for gap in build([case(name) for name in "abcd"]).gaps)
    assert any(gap.startswith(sentence) for gap in build([*made[:3], case("d")]).gaps)
    for known in (made, shared):
        assert "its own subject" not in " ".join(build(known).gaps)


@pytest.mark.verifies("REQ-102")
def test_every_question_is_a_field_and_every_field_is_asked_or_optional() -> None:
    assert set(QUESTIONS) == set(DataCardFacts.model_fields) - {"licence_url", "collected_until"}
    assert build(FOUR).missing == tuple(QUESTIONS.values())
    stated = DataCardFacts(demographics="Sex is not known.")
    assert "demographics" not in build(FOUR, data=source(card=stated)).missing


@pytest.mark.verifies("REQ-102")
def test_acquisition_classes_and_identifiers_come_from_the_cases() -> None:
    classes = (LabelClass(value=2, name="vein"), LabelClass(value=1, name="artery"))
    cases = [
        case("a", site="Basel", scanner="Scope 1", orientation="SPL", classes=classes),
        case("b", site="Basel", scanner="Scope 1", orientation="SPL", classes=classes, identifiers=("(0010,0010)",)),
        case("c", modality="CT", classes=classes),
        case("d", modality="CT", classes=classes),
    ]
    card = build(cases, data=source(accept_identifiers="made-up names"))
    assert [(one.site, one.scanner, one.orientation, one.cases) for one in card.acquisitions] == [
        (None, None, None, 2),
        ("Basel", "Scope 1", "SPL", 2),
    ]
    assert [one.name for one in card.classes] == ["artery", "vein"]
    told = croissant(card)["rai:personalSensitiveInformation"]
    assert "(0010,0010)" in told
    assert "made-up names" in told


@pytest.mark.verifies("REQ-414")
def test_subgroups_are_counted_in_independent_groups_of_each_part() -> None:
    cases = [
        case("a", attributes={"sex": "male"}),
        case("b", attributes={"sex": "female"}),
        case("b2", subject="b", attributes={"sex": "female"}),
        case("c", attributes={"sex": "male", "disease": "stroke"}),
        case("d", attributes={"sex": "female"}),
        case("e"),
    ]
    card = build(cases, test=("d", "e"))
    found = [(one.attribute, one.value, one.train, one.calibration, one.test) for one in card.subgroups]
    assert found == [
        ("disease", "not stated", 2, 0, 2),
        ("disease", "stroke", 0, 1, 0),
        ("sex", "female", 1, 0, 1),
        ("sex", "male", 1, 1, 0),
        ("sex", "not stated", 0, 0, 1),
    ]
    assert "subgroups" not in build(FOUR).model_dump(mode="json")


@pytest.mark.verifies("REQ-102")
@pytest.mark.parametrize("what", ["validation", "profile"])
def test_records_of_other_cases_are_refused(what: str) -> None:
    other = digest_bytes(b"other")
    records = {
        "validation": ValidationReport(dataset=other, rules=(), findings=()),
        "profile": profiled({"a": 1}, other),
    }
    with pytest.raises(RefusedError, match="other cases"):
        build(FOUR, **{what: records[what]})


@pytest.mark.verifies("REQ-104")
def test_flat_colour_pictures_without_a_size_are_croissant_too(tmp_path: Path) -> None:
    import mlcroissant

    cases = [case(name, axes="yxc", shape=(16, 16, 3), spacing=(1.0, 1.0), unit="px") for name in "abcd"]
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant(build(cases))), encoding="utf-8")
    dataset = mlcroissant.Dataset(jsonld=path)
    assert not dataset.metadata.ctx.issues.errors
    rows = list(dataset.records("cases"))
    assert {(row["cases/axes"], row["cases/unit"], row["cases/shape"]) for row in rows} == {("yxc", "px", "16 16 3")}
