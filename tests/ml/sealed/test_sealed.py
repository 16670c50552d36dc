"""The sealed test part: closed to everybody without the key, and every change is named."""

from __future__ import annotations

import io
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import writing_atomic
from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.prepared import load_case
from minivess.ml.sealed import sealed_files, sealing
from minivess.ml.sealed.sealed_cases import ClosedFile, SealedCase, open_image, open_label, open_sealed
from minivess.ml.sealed.sealed_files import verify_sealed
from minivess.ml.sealed.sealing import finish, plain_copies, seal
from minivess.ml.sealed.stream_cipher import CHUNK, decrypt, encrypt
from minivess.ml.splits.splits import split
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import Split, SplitManifest
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-27")

KEY = bytes(range(32))
WRAP = {"bob": "d3JhcHBlZA=="}


def parts(workspace) -> SplitManifest:
    return split(workspace.manifest, Split(calibration=1, test=2))


def closed(plain: bytes, facts: dict[str, str | int]) -> bytes:
    """A sealed stream in memory."""
    out = io.BytesIO()
    encrypt(io.BytesIO(plain), len(plain), facts, KEY, out)
    return out.getvalue()


def close(workspace) -> SealManifest:
    return seal(workspace.prepared, parts(workspace), KEY, workspace.sealed, wrap=WRAP)


@pytest.mark.verifies("REQ-014", "RC-03")
def test_the_test_part_is_sealed_and_its_plain_files_are_gone(workspace) -> None:
    plan = parts(workspace)
    before = {case: load_case(workspace.prepared, case, memory_map=False) for case in plan.test}
    contents = {path.read_bytes() for case in plan.test for path in (workspace.prepared / case).glob("*.npy")}
    manifest = close(workspace)
    assert not [path for case in plan.test for path in (workspace.prepared / case).glob("*.npy")]
    for path in workspace.root.rglob("*"):
        if path.is_file():
            assert not any(plain in path.read_bytes() for plain in contents)
    assert plain_copies(workspace.root, manifest) == ()
    opened = list(open_sealed(workspace.sealed, manifest, KEY))
    assert [case.id for case in opened] == list(plan.test)
    for case in opened:
        assert np.array_equal(open_image(case), before[case.id].image)
        assert np.array_equal(open_label(case), before[case.id].label)
        assert KEY.hex() not in repr(case)
        assert repr(KEY) not in repr(case)
    assert ingest(workspace.data, workspace.root, workspace.prepared) == workspace.manifest
    assert plain_copies(workspace.root, manifest) == ()
    load_case(workspace.prepared, plan.train[0])


@pytest.mark.verifies("REQ-015")
def test_another_key_opens_nothing(workspace) -> None:
    manifest = close(workspace)
    case = next(open_sealed(workspace.sealed, manifest, bytes(32)))
    with pytest.raises(VerificationError, match=rf"{case.id}\.image\.sealed"):
        open_image(case)
    with pytest.raises(UsageError):
        open_sealed(workspace.sealed, manifest, b"short")


@pytest.mark.verifies("REQ-015", "RC-03")
@pytest.mark.parametrize("change", ["flip", "cut", "drop", "swap", "append"])
def test_a_changed_sealed_file_is_named(workspace, change: str) -> None:
    manifest = close(workspace)
    cases = list(open_sealed(workspace.sealed, manifest, KEY))
    path, other = (workspace.sealed / f"{case.id}.image.sealed" for case in cases)
    content = bytearray(path.read_bytes())
    if change == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    elif change == "cut":
        path.write_bytes(bytes(content[:-1]))
    elif change == "append":
        path.write_bytes(bytes(content) + b"x")
    elif change == "drop":
        path.unlink()
    else:
        shutil.copyfile(other, path)
    with pytest.raises(VerificationError, match=path.name):
        verify_sealed(workspace.sealed, manifest)
    with pytest.raises(VerificationError, match=path.name):
        open_sealed(workspace.sealed, manifest, KEY)
    with pytest.raises(VerificationError, match=path.name):
        open_image(cases[0])


@pytest.mark.verifies("REQ-015")
def test_a_changed_manifest_is_refused(workspace) -> None:
    manifest = close(workspace)
    with pytest.raises(VerificationError, match="root"):
        open_sealed(workspace.sealed, manifest.model_copy(update={"files": manifest.files[:2]}), KEY)


@pytest.mark.verifies("REQ-014", "RC-03")
@pytest.mark.parametrize("stop", ["write_record", "mark_sealed", "_remove"])
def test_interrupted_sealing_loses_nothing_and_is_finished_by_calling_again(workspace, monkeypatch, stop: str) -> None:
    before = {case: load_case(workspace.prepared, case, memory_map=False).image for case in parts(workspace).test}
    with monkeypatch.context() as patch:
        patch.setattr(sealing, stop, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            close(workspace)
    manifest = close(workspace)
    assert plain_copies(workspace.root, manifest) == ()
    for case in open_sealed(workspace.sealed, manifest, KEY):
        assert np.array_equal(open_image(case), before[case.id])


@pytest.mark.verifies("REQ-090", "RC-03")
def test_sealing_goes_on_under_another_key_and_keeps_what_was_compared(workspace, monkeypatch) -> None:
    plan, said = parts(workspace), []
    other = bytes(range(1, 33))
    before = {case: load_case(workspace.prepared, case, memory_map=False) for case in plan.test}
    monkeypatch.setattr(sealing, "_TOGETHER", 1)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "load_case", stopping_at(plan.test[1]))
        with pytest.raises(KeyboardInterrupt):
            close(workspace)
    first = (workspace.sealed / f"{plan.test[0]}.image.sealed").read_bytes()
    manifest = seal(
        workspace.prepared,
        plan,
        other,
        workspace.sealed,
        wrap={"bob": "bmV4dA=="},
        progress=lambda *now: said.append(now),
    )

    assert said == [("sealing", 1, 2), ("sealing", 2, 2)]
    assert (workspace.sealed / f"{plan.test[0]}.image.sealed").read_bytes() == first
    assert [file.session for file in manifest.files] == [0, 0, 1, 1]
    assert manifest.wrapped_keys == {"bob": (WRAP["bob"], "bmV4dA==")}
    for case in open_sealed(workspace.sealed, manifest, KEY + other):
        assert np.array_equal(open_image(case), before[case.id].image)
        assert np.array_equal(open_label(case), before[case.id].label)
    with pytest.raises(UsageError):
        open_sealed(workspace.sealed, manifest, KEY)
    assert not (workspace.sealed / "progress.json").exists()


@pytest.mark.verifies("REQ-090", "RC-03")
@pytest.mark.parametrize("change", ["another approver", "a damaged sealed file", "a damaged record"])
def test_what_an_interrupted_sealing_left_counts_only_while_it_holds(workspace, monkeypatch, change: str) -> None:
    plan = parts(workspace)
    monkeypatch.setattr(sealing, "_TOGETHER", 1)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "load_case", stopping_at(plan.test[1]))
        with pytest.raises(KeyboardInterrupt):
            close(workspace)
    wrap = WRAP
    if change == "another approver":
        wrap = {"eve": "x"}
    elif change == "a damaged sealed file":
        (workspace.sealed / f"{plan.test[0]}.image.sealed").write_bytes(b"")
    else:
        (workspace.sealed / "progress.json").write_text("{", encoding="utf-8")
    manifest = seal(workspace.prepared, plan, KEY, workspace.sealed, wrap=wrap)
    assert len({file.session for file in manifest.files}) == 1
    assert set(manifest.wrapped_keys) == set(wrap)
    keys = KEY * len(next(iter(manifest.wrapped_keys.values())))
    assert len([open_image(case) for case in open_sealed(workspace.sealed, manifest, keys)]) == 2


def stopping_at(stop: str):
    """`load_case`, interrupted when a case's turn comes."""

    def load(folder, case, **options):
        if case == stop:
            raise KeyboardInterrupt
        return load_case(folder, case, **options)

    return load


@pytest.mark.verifies("REQ-093", "RC-03")
def test_the_key_of_the_images_opens_no_label(workspace) -> None:
    manifest = close(workspace)
    case = next(open_sealed(workspace.sealed, manifest, KEY))
    assert case.image.key != case.label.key != KEY
    crossed = SealedCase(case.id, case.image, replace(case.label, key=case.image.key))
    with pytest.raises(VerificationError, match=r"label\.sealed does not open"):
        open_label(crossed)


@pytest.mark.verifies("REQ-090")
def test_flat_and_coloured_cases_are_sealed_byte_for_byte(tmp_path) -> None:
    image = np.arange(5 * 7 * 3, dtype="<f4").reshape(5, 7, 3)
    np.save(tmp_path / "image.npy", image)
    split_root = "sha256:" + "0" * 64
    file = sealed_files.write_sealed(
        tmp_path / "image.npy", digest_file(tmp_path / "image.npy"), ("photo", "image", split_root, 0), KEY, tmp_path
    )
    closed_file = ClosedFile(tmp_path / "photo.image.sealed", file, split_root, sealed_files.kind_key(KEY, "image"))
    assert np.array_equal(open_image(SealedCase("photo", closed_file, closed_file)), image)
    with pytest.raises(VerificationError, match="changed after it was ingested"):
        sealed_files.write_sealed(tmp_path / "image.npy", split_root, ("photo", "image", split_root, 0), KEY, tmp_path)


@pytest.mark.verifies("REQ-014", "RC-03")
def test_plain_files_stay_when_a_sealed_file_does_not_read_back(workspace, monkeypatch) -> None:
    honest = writing_atomic

    @contextmanager
    def damaged(path):
        with honest(path) as stream:
            yield stream
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    monkeypatch.setattr(sealed_files, "writing_atomic", damaged)
    with pytest.raises(VerificationError):
        close(workspace)
    for case in parts(workspace).test:
        load_case(workspace.prepared, case, verify=True)
    assert not (workspace.sealed / "manifest.json").exists()


@pytest.mark.verifies("REQ-014")
def test_sealing_something_else_over_a_seal_is_refused(workspace) -> None:
    close(workspace)
    other = parts(workspace).model_copy(update={"root": "sha256:" + "0" * 64})
    with pytest.raises(RefusedError, match="another split"):
        seal(workspace.prepared, other, KEY, workspace.sealed, wrap=WRAP)
    with pytest.raises(RefusedError, match="for bob"):
        seal(workspace.prepared, parts(workspace), KEY, workspace.sealed, wrap={"eve": "x"})
    with pytest.raises(UsageError):
        seal(workspace.prepared, parts(workspace), KEY, workspace.sealed, wrap={})


@pytest.mark.verifies("REQ-014", "RC-03")
def test_copies_under_another_name_are_found(workspace) -> None:
    case = parts(workspace).test[0]
    hidden = workspace.root / ".dvc" / "cache" / "files" / "md5" / "ab" / "cdef"
    hidden.parent.mkdir(parents=True)
    shutil.copyfile(workspace.prepared / case / "label.npy", hidden)
    manifest = close(workspace)
    assert plain_copies(workspace.root, manifest) == (hidden,)
    (workspace.root / "data" / "manifest.json").unlink()
    with pytest.raises(CouldNotCheckError):
        plain_copies(workspace.root, manifest)


@pytest.mark.verifies("REQ-014", "REQ-015")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_stream_is_noticed(tmp_path, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5]))
    plain, facts = os.urandom(size), {"case": "a", "size": size}
    content = closed(plain, facts)
    path = tmp_path / "x.sealed"
    path.write_bytes(content)
    assert decrypt(path, facts, KEY) == plain
    kind = data.draw(st.sampled_from(["flip", "cut", "facts"]))
    if kind == "flip":
        at = data.draw(st.integers(0, min(len(content), 400) - 1) | st.integers(0, len(content) - 1))
        path.write_bytes(content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :])
    elif kind == "cut":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(VerificationError, match=r"x\.sealed"):
        decrypt(path, facts | ({"case": "b"} if kind == "facts" else {}), KEY)


@pytest.mark.verifies("REQ-015")
def test_dropped_and_reordered_chunks_are_noticed(tmp_path) -> None:
    plain, facts = os.urandom(3 * CHUNK), {"case": "a"}
    content = closed(plain, facts)
    step = CHUNK + 16
    start, chunks = content[: -3 * step], [content[-3 * step :][at : at + step] for at in range(0, 3 * step, step)]
    path = tmp_path / "x.sealed"
    for order in ((0, 1), (0, 2), (1, 0, 2), (0, 1, 2, 2), (0, 0, 2), (2,)):
        path.write_bytes(start + b"".join(chunks[index] for index in order))
        with pytest.raises(VerificationError):
            decrypt(path, facts, KEY)


def test_sealing_twice_gives_other_bytes_and_commitments(workspace, tmp_path) -> None:
    first = close(workspace)
    second_root = tmp_path / "again"
    manifest = ingest(workspace.data, tmp_path, second_root / "prepared")
    plan = split(manifest, Split(calibration=1, test=2))
    second = seal(second_root / "prepared", plan, KEY, second_root / "sealed", wrap=WRAP)
    assert first.split == second.split
    for one, other in zip(first.files, second.files, strict=True):
        assert one.commitment != other.commitment
        assert one.sealed != other.sealed


@pytest.mark.verifies("REQ-014", "RC-03")
def test_what_is_left_is_removed_without_the_key(workspace, monkeypatch) -> None:
    plan = parts(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_remove", lambda *_: None)
        manifest = close(workspace)
    assert len(plain_copies(workspace.root, manifest)) == 4
    assert finish(workspace.prepared, plan, workspace.sealed) == manifest
    assert plain_copies(workspace.root, manifest) == ()


@pytest.mark.verifies("REQ-014", "RC-03")
def test_plain_files_stay_when_a_sealed_file_was_damaged_meanwhile(workspace, monkeypatch) -> None:
    plan = parts(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_remove", lambda *_: None)
        manifest = close(workspace)
    (workspace.sealed / f"{plan.test[0]}.label.sealed").write_bytes(b"")
    with pytest.raises(VerificationError):
        finish(workspace.prepared, plan, workspace.sealed)
    assert len(plain_copies(workspace.root, manifest)) == 4
