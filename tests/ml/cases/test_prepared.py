"""Ingest: whole cases or none, done once, and nothing brought back that was sealed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.ml.cases import recipes
from minivess.ml.cases.ingestion import ingest, read_cases, take_cases
from minivess.ml.cases.manifests import cases_root, read_manifest, write_record
from minivess.ml.cases.prepared import PreparedCase, load_case, mark_sealed, state_of
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.findings import CasesRefusedError
from minivess.records.data.groups import group
from minivess.records.data.source import CaseSource, Data
from tests.support.builders import specimens

pytestmark = pytest.mark.verifies("SU-26")

IMAGE = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
LABEL = (IMAGE > 40).astype(np.uint16) * 254


@pytest.mark.verifies("REQ-010")
def test_synthetic_cases_are_named_measured_and_repeatable(workspace, tmp_path: Path) -> None:
    assert [case.id for case in workspace.manifest.cases] == ["mouse-01", "mouse-02", "mouse-03", "mouse-04"]
    assert len({case.subject for case in workspace.manifest.cases}) == 4
    case = workspace.manifest.cases[0]
    assert case.shape == (12, 40, 40)
    assert case.spacing == (2.0, 1.0, 1.0)
    assert ingest(workspace.data, tmp_path, tmp_path / "elsewhere") == workspace.manifest


@pytest.mark.verifies("REQ-011")
def test_files_become_float32_and_binary_masks(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    manifest = ingest(data, base, tmp_path / "out")
    record = manifest.cases[0]
    assert record.label_values == (0, 254)
    assert record.source_dtype == "uint16"
    assert record.foreground_fraction == pytest.approx(19 / 60)
    assert record.image == digest_file(tmp_path / "out" / "a" / "image.npy")
    assert manifest.root == cases_root(manifest.cases)
    for memory_map in (True, False):
        case = load_case(tmp_path / "out", "a", memory_map=memory_map, verify=True)
        assert case.image.dtype == np.float32
        assert np.array_equal(case.image, IMAGE)
        assert np.array_equal(case.label, LABEL > 0)


def test_finished_cases_are_left_alone_and_unfinished_ones_made(workspace) -> None:
    done, broken = workspace.prepared / "mouse-01", workspace.prepared / "mouse-02"
    before = (done / "image.npy").stat().st_mtime_ns
    (broken / "case.json").unlink()
    (broken / "image.npy").write_bytes(b"half")
    assert ingest(workspace.data, workspace.root, workspace.prepared) == workspace.manifest
    assert (done / "image.npy").stat().st_mtime_ns == before
    load_case(workspace.prepared, "mouse-02", verify=True)


def test_a_changed_source_is_read_again(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    first = ingest(data, base, tmp_path / "out")
    from_arrays({"a": ("s", IMAGE + 1, LABEL)})
    assert ingest(data, base, tmp_path / "out").root != first.root


@pytest.mark.verifies("REQ-012")
def test_a_malformed_source_leaves_no_case_and_names_no_folder_of_the_machine(
    from_arrays: Callable, tmp_path: Path
) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL[:2])})
    with pytest.raises(CasesRefusedError) as caught:
        ingest(data, base, tmp_path / "out")
    assert str(tmp_path) not in caught.value.message
    assert "a-label.npy" in caught.value.message
    assert not (tmp_path / "out" / "a").exists()
    (tmp_path / "files" / "a-label.npy").unlink()
    with pytest.raises(CasesRefusedError, match=r"a-label\.npy"):
        ingest(data, base, tmp_path / "out")


def test_two_cases_of_one_name_are_refused(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    with pytest.raises(CasesRefusedError, match="2 cases are called a"):
        ingest(data.model_copy(update={"cases": data.cases * 2}), base, tmp_path / "out")


def test_changed_arrays_are_noticed(workspace) -> None:
    path = workspace.prepared / "mouse-01" / "image.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    load_case(workspace.prepared, "mouse-01")
    with pytest.raises(VerificationError, match=r"mouse-01/image\.npy"):
        load_case(workspace.prepared, "mouse-01", verify=True)
    np.save(path, np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InputError, match="expected"):
        load_case(workspace.prepared, "mouse-01")
    path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00\0\0\0\0")
    with pytest.raises(InputError, match="cannot be read"):
        load_case(workspace.prepared, "mouse-01")
    with pytest.raises(InputError, match="no such case"):
        load_case(workspace.prepared, "mouse-99")


@pytest.mark.verifies("REQ-014", "RC-03")
def test_a_sealed_case_is_neither_loaded_nor_made_again(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    out = tmp_path / "out"
    manifest = ingest(data, base, out)
    mark_sealed(out, "a")
    (out / "a" / "image.npy").unlink()
    (out / "a" / "label.npy").unlink()
    assert ingest(data, base, out) == manifest
    assert not (out / "a" / "image.npy").exists()
    with pytest.raises(RefusedError, match="sealed"):
        load_case(out, "a")
    from_arrays({"a": ("s", IMAGE + 1, LABEL)})
    with pytest.raises(RefusedError, match="changed since"):
        ingest(data, base, out)


@pytest.mark.verifies("REQ-014")
def test_a_sealed_case_stays_when_its_sources_went_into_custody(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL), "b": ("t", IMAGE + 1, LABEL)})
    out = tmp_path / "out"
    manifest = ingest(data, base, out)
    mark_sealed(out, "b")
    (base / "files" / "b-image.npy").unlink()
    with pytest.raises(CasesRefusedError, match="no such file"):
        ingest(data, base, out)
    (base / "files" / "b-label.npy").unlink()
    assert ingest(data, base, out) == manifest
    assert ingest(data.model_copy(update={"cases": data.cases[:1]}), base, out) == manifest
    (base / "files" / "a-image.npy").unlink()
    (base / "files" / "a-label.npy").unlink()
    with pytest.raises(CasesRefusedError, match="no such file"):
        ingest(data, base, out)


def test_a_manifest_reads_back_and_a_changed_one_is_refused(workspace, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_record(path, workspace.manifest)
    assert read_manifest(path, DatasetManifest) == workspace.manifest
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cases"][0]["subject"] = "mouse-04"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(VerificationError, match=r"m\.json"):
        read_manifest(path, DatasetManifest)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.json"):
        read_manifest(path, DatasetManifest)


@pytest.mark.verifies("REQ-076", "REQ-077")
def test_pictures_colours_and_classes_pass_through(tmp_path: Path) -> None:
    colour = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    values = (colour[..., 0] % 3).astype(np.uint8)
    np.save(tmp_path / "i.npy", colour)
    np.save(tmp_path / "l.npy", values)
    plan = {
        "name": "flat",
        "licence": "CC0",
        "source": "test",
        "root": ".",
        "modality": "photograph",
        "classes": {1: "artery", 2: "vein"},
        "cases": [{"id": "a", "subject": "s", "image": "i.npy", "label": "l.npy", "site": "Oslo", "scanner": "One"}],
    }
    manifest = ingest(Data.model_validate(plan), tmp_path, tmp_path / "out")
    record = manifest.cases[0]
    assert (record.axes, record.grid, record.unit, record.spacing) == ("yxc", (6, 7), "px", (1.0, 1.0))
    assert (record.site, record.scanner, record.modality, record.source_format) == (
        "Oslo",
        "One",
        "photograph",
        "NumPy",
    )
    assert [one.name for one in record.classes] == ["artery", "vein"]
    for memory_map in (True, False):
        case = load_case(tmp_path / "out", "a", memory_map=memory_map, verify=True)
        assert np.array_equal(case.image, colour)
        assert np.array_equal(case.label, values)
    again = ingest(Data.model_validate(plan | {"classes": {1: "artery", 2: "capillary"}}), tmp_path, tmp_path / "out")
    assert again.cases[0].classes[1].name == "capillary"


@pytest.mark.verifies("REQ-076")
def test_a_series_says_its_modality_place_and_origin_and_a_new_slice_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    for dataset in specimens.series():
        (tmp_path / "ct" / f"{dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    np.save(tmp_path / "l.npy", np.tile(np.arange(2, dtype=np.uint8), (4, 5, 4))[..., :7])
    case = {"id": "a", "subject": "s", "image": "ct", "label": "l.npy"}
    data = Data.model_validate({"name": "d", "licence": "x", "source": "y", "root": ".", "cases": [case]})
    record = ingest(data, tmp_path, tmp_path / "out").cases[0]
    assert (record.modality, record.scanner, record.orientation) == ("CT", "Maker One", "SPL")
    assert record.acquisition.startswith("series-")
    assert record.origin is not None
    assert record.affine is not None
    assert record.affine[2] == (2000.0, 0.0, 0.0, 0.0)
    changed = specimens.slice_of(6.0, specimens.GREY[1], number=4)
    (tmp_path / "ct" / "4.dcm").write_bytes(specimens.dicom_bytes(changed))
    assert ingest(data, tmp_path, tmp_path / "out").cases[0].image != record.image


@pytest.mark.verifies("REQ-300")
def test_two_processes_read_the_same_as_one(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL), "b": ("t", IMAGE + 1, LABEL), "c": ("u", IMAGE, LABEL[:2])})
    one, two = (
        read_cases(data, base, tmp_path / "out", tmp_path / f"staged-{number}", processes=number) for number in (1, 2)
    )
    assert (one.records, one.faults, one.cases) == (two.records, two.faults, two.cases)
    assert [record.id for record in two.records] == ["a", "b"]
    assert [(found.rule, found.case) for found in two.faults] == [("shape-differs", "c")]
    assert [load_case(tmp_path / "staged-2", name, verify=True).record for name in "ab"] == list(one.records)


@pytest.mark.verifies("REQ-300", "RC-131")
def test_a_prepared_case_is_read_again_where_its_record_is_not_that_of_the_log(
    from_arrays: Callable, tmp_path: Path
) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    out, path = tmp_path / "out", tmp_path / "out" / "a" / "case.json"
    (known,) = ingest(data, base, out).cases
    forged = known.model_copy(update={"spacing": (9.0, 9.0, 9.0)})
    write_record(path, PreparedCase.of(forged, state_of(path.parent).made_from))
    assert read_cases(data, base, out, tmp_path / "s", known={"a": known}).records == (known,)
    mark_sealed(out, "a")
    (fault,) = read_cases(data, base, out, tmp_path / "s", known={"a": known}).faults
    assert fault.rule == "sealed-changed"


@pytest.mark.verifies("REQ-300")
def test_a_library_that_fails_is_a_finding_of_its_case_alone(
    from_arrays: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL), "b": ("t", IMAGE, LABEL)})
    failed = {"a-image.npy": TypeError("unhashable"), "b-image.npy": MemoryError()}

    def fail(source: CaseSource, *arguments: object, **settings: object) -> object:
        raise failed[source.image.name]

    with monkeypatch.context() as patched:
        patched.setattr(recipes, "read_case", fail)
        found = read_cases(data, base, tmp_path / "out", tmp_path / "s").faults
    assert [(one.rule, one.case) for one in found] == [("reader-failed", "a"), ("reader-failed", "b")]
    assert len(ingest(data, base, tmp_path / "out").cases) == 2


@pytest.mark.verifies("REQ-300")
def test_a_pipe_and_an_unreadable_place_are_findings_and_nothing_waits(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL), "b": ("t", IMAGE, LABEL)})
    for name in ("a-image.npy", "b-label.npy"):
        (base / "files" / name).unlink()
    os.mkfifo(base / "files" / "a-image.npy")
    (base / "files" / "b-label.npy").symlink_to("/dev/zero")
    found = read_cases(data, base, tmp_path / "out", tmp_path / "s").faults
    assert [(one.rule, one.case, one.file) for one in found] == [
        ("file-missing", "a", "a-image.npy"),
        ("file-missing", "b", "b-label.npy"),
    ]


@pytest.mark.verifies("REQ-300")
def test_a_case_that_another_command_changes_meanwhile_is_not_taken(from_arrays: Callable, tmp_path: Path) -> None:
    data, base = from_arrays({"a": ("s", IMAGE, LABEL)})
    out, staged = tmp_path / "out", tmp_path / "staged"
    reading = read_cases(data, base, out, staged)
    from_arrays({"a": ("s", IMAGE + 1, LABEL)})
    read_cases(data, base, out, staged)
    with pytest.raises(RefusedError, match="case a was changed while the cases were taken"):
        take_cases(reading)
    assert not out.exists()


@pytest.mark.verifies("REQ-086", "RC-02")
def test_images_of_one_frame_of_reference_belong_together(tmp_path: Path) -> None:
    studies = {"a": (".1", ".3"), "b": (".7", ".3"), "c": (".8", ".9")}
    for brighter, (name, (study, frame)) in enumerate(studies.items()):
        (tmp_path / name).mkdir()
        for number, plane in enumerate(specimens.GREY, start=1):
            dataset = specimens.slice_of(
                2.0 * number, plane + brighter, number=number, series=f"{specimens.UID}.2{study}"
            )
            dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = specimens.UID + study, specimens.UID + frame
            (tmp_path / name / f"{number}.dcm").write_bytes(specimens.dicom_bytes(dataset))
        np.save(tmp_path / f"{name}.npy", np.greater(specimens.GREY, brighter + 1).astype(np.uint8))
    cases = tuple(CaseSource(id=name, subject=name, image=name, label=f"{name}.npy") for name in studies)
    found = ingest(Data(name="d", licence="l", source="s", cases=cases), tmp_path, tmp_path / "out")
    assert [[case.id for case in together] for together in group(found)] == [["a", "b"], ["c"]]
    assert specimens.UID not in found.model_dump_json()
