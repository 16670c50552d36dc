"""Steps of features/sealed_test_set.feature."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keys import generate, wrap_for
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.paths import Workspace
from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.manifests import root_of, write_record
from minivess.ml.cases.prepared import load_case
from minivess.ml.sealed import sealing
from minivess.ml.sealed.plain_copies import search
from minivess.ml.sealed.sealed_cases import open_image, open_label, open_sealed
from minivess.ml.sealed.sealing import plain_copies, seal
from minivess.ml.splits.splits import split
from minivess.records.data.source import Data, Synthetic
from minivess.records.data.split import Split
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.sealed.key_release import custodian_keys
from minivess.workflows.session.workspace_files import SEAL_CONTEXT, seal_of
from tests.support import earlier

scenarios("sealed_test_set.feature")

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {}


@given("a data set of 4 subjects that was split into train, calibration and test")
def _data(facts: dict, tmp_path: Path) -> None:
    plan = Synthetic(subjects=4, seed=5, shape=(8, 24, 24))
    facts["data"] = Data(name="small", licence="CC0", source="generator", synthetic=plan)
    facts["prepared"], facts["sealed"] = tmp_path / "data" / "prepared", tmp_path / "data" / "sealed"
    manifest = ingest(facts["data"], tmp_path, facts["prepared"])
    write_record(tmp_path / "data" / "manifest.json", manifest)
    facts["dataset"] = manifest
    facts["split"] = split(manifest, Split(calibration=1, test=2))
    facts["cases"] = {case: load_case(facts["prepared"], case, memory_map=False) for case in facts["split"].test}
    facts["plain"] = [path.read_bytes() for case in facts["cases"] for path in (facts["prepared"] / case).glob("*.npy")]


@when("the test part is sealed")
def _seal(facts: dict) -> None:
    facts["manifest"] = seal(facts["prepared"], facts["split"], KEY, facts["sealed"], wrap={"reviewer": "d3JhcA=="})


@then("no file in the workspace holds a plain image or mask of the test part")
def _no_plain(facts: dict, tmp_path: Path) -> None:
    assert len(facts["plain"]) == 4
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(plain in content for plain in facts["plain"])
    assert plain_copies(tmp_path, facts["manifest"]) == ()


@then("a test case cannot be loaded as training data")
def _no_load(facts: dict) -> None:
    for case in facts["cases"]:
        with pytest.raises(RefusedError, match="sealed"):
            load_case(facts["prepared"], case)


@then("ingesting again does not bring its plain files back")
def _no_return(facts: dict, tmp_path: Path) -> None:
    ingest(facts["data"], tmp_path, facts["prepared"])
    _no_plain(facts, tmp_path)


@then("the data key gives back every image and every mask")
def _opens(facts: dict) -> None:
    opened = list(open_sealed(facts["sealed"], facts["manifest"], KEY))
    assert [case.id for case in opened] == list(facts["cases"])
    for case in opened:
        assert np.array_equal(open_image(case), facts["cases"][case.id].image)
        assert np.array_equal(open_label(case), facts["cases"][case.id].label)


@then("another key gives back nothing")
def _other_key(facts: dict) -> None:
    for case in open_sealed(facts["sealed"], facts["manifest"], bytes(32)):
        for attempt in (open_image, open_label):
            with pytest.raises(VerificationError):
                attempt(case)


@when("sealing is interrupted before the plain files are removed")
def _interrupted(facts: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "mark_sealed", stop)
        with pytest.raises(KeyboardInterrupt):
            _seal(facts)


@when("sealing breaks off after the first case")
def _breaks_off(facts: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    second = facts["split"].test[1]

    def stop(folder: Path, case: str, **options: Any) -> Any:
        if case == second:
            raise KeyboardInterrupt
        return load_case(folder, case, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "load_case", stop)
        patch.setattr(sealing, "_TOGETHER", 1)
        with pytest.raises(KeyboardInterrupt):
            _seal(facts)
    facts["first"] = (facts["sealed"] / f"{facts['split'].test[0]}.image.sealed").read_bytes()


@when("the test part is sealed with another key")
def _seal_on(facts: dict) -> None:
    facts["manifest"] = seal(
        facts["prepared"], facts["split"], OTHER, facts["sealed"], wrap={"reviewer": "YW5vdGhlcg=="}
    )


@then("the first case was not sealed again")
def _kept(facts: dict) -> None:
    assert (facts["sealed"] / f"{facts['split'].test[0]}.image.sealed").read_bytes() == facts["first"]


@then("both keys together give back every image and every mask")
def _opens_both(facts: dict) -> None:
    for case in open_sealed(facts["sealed"], facts["manifest"], KEY + OTHER):
        assert np.array_equal(open_image(case), facts["cases"][case.id].image)
        assert np.array_equal(open_label(case), facts["cases"][case.id].label)


@when(parsers.parse("a user has kept a test image as {form}"))
def _kept_copy(facts: dict, form: str, tmp_path: Path) -> None:
    case = facts["split"].test[0]
    source = facts["prepared"] / case / "image.npy"
    names = {"a file of DVC's cache": ".dvc/cache/files/md5/ab/cd", "a gzipped file": "notes.gz"}
    kept = tmp_path / names.get(form, "old.bin")
    kept.parent.mkdir(parents=True, exist_ok=True)
    if form == "a file of DVC's cache":
        shutil.copyfile(source, kept)
    elif form == "a gzipped file":
        kept.write_bytes(gzip.compress(source.read_bytes()))
    elif form == "a member of a zip archive":
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(source, "x/y")
    else:
        with tarfile.open(kept, "w:gz") as tape:
            tape.add(source, "x/y")
    facts["copy"], facts["copied"] = kept, case


@then("the search names that file, the case and its image")
def _named(facts: dict, tmp_path: Path) -> None:
    (copy,) = search((tmp_path,), facts["manifest"], facts["dataset"]).copies
    assert (copy.path, copy.case, copy.kind, copy.source) == (facts["copy"], facts["copied"], "image", False)


@when(parsers.parse("a sealed file is {change}"))
def _tamper(facts: dict, change: str) -> None:
    first, second = (facts["sealed"] / f"{case}.image.sealed" for case in facts["cases"])
    content = bytearray(first.read_bytes())
    if change == "changed in one byte":
        content[-100] ^= 1
        first.write_bytes(bytes(content))
    elif change == "cut short":
        first.write_bytes(bytes(content[:-20]))
    elif change == "removed":
        first.unlink()
    else:
        shutil.copyfile(second, first)
    facts["tampered"] = first.name


@then("opening the test part is refused and the file is named")
def _refused(facts: dict) -> None:
    with pytest.raises(VerificationError) as caught:
        open_sealed(facts["sealed"], facts["manifest"], KEY)
    assert facts["tampered"] in caught.value.message


@when("a sealed file and its digest in the manifest are both changed")
def _forge(facts: dict) -> None:
    _tamper(facts, "changed in one byte")
    manifest = facts["manifest"]
    digest = digest_file(facts["sealed"] / facts["tampered"])
    files = (manifest.files[0].model_copy(update={"sealed": digest}), *manifest.files[1:])
    forged = manifest.model_copy(update={"files": files})
    facts["manifest"] = forged.model_copy(update={"root": root_of(forged)})


@then("opening the test part is refused")
def _refused_inside(facts: dict) -> None:
    case = next(open_sealed(facts["sealed"], facts["manifest"], KEY))
    with pytest.raises(VerificationError, match=facts["tampered"]):
        open_image(case)


@when("a user has copied a test image within the workspace")
def _copy(facts: dict, tmp_path: Path) -> None:
    facts["copy"] = tmp_path / "notes" / "nice-example.npy"
    facts["copy"].parent.mkdir()
    shutil.copyfile(facts["prepared"] / next(iter(facts["cases"])) / "image.npy", facts["copy"])


@then("the copy is found, and versioning the data is refused and names it")
def _found(facts: dict, tmp_path: Path) -> None:
    from minivess.ml.versions.data_version import version

    assert plain_copies(tmp_path, facts["manifest"]) == (facts["copy"],)
    with pytest.raises(RefusedError, match=r"notes/nice-example\.npy"):
        version(tmp_path, [facts["prepared"], facts["sealed"]])


@when("a data key is wrapped for a holder to seal a test set")
def _(facts: dict) -> None:
    facts["holder"] = generate(KeyAlgorithm.X25519)
    facts["wrapped"] = wrap_for(facts["holder"].public, KEY, context=SEAL_CONTEXT)


@then("the holder unwraps it for this purpose and for no other")
def _(facts: dict) -> None:
    assert facts["wrapped"].startswith("hpke-1:")
    assert facts["holder"].unwrap(facts["wrapped"], SEAL_CONTEXT) == KEY
    with pytest.raises(RefusedError):
        facts["holder"].unwrap(facts["wrapped"], SEAL_CONTEXT + b"x")


@then("another person does not unwrap it")
def _(facts: dict) -> None:
    with pytest.raises(RefusedError):
        generate(KeyAlgorithm.X25519).unwrap(facts["wrapped"], SEAL_CONTEXT)


@when("the holder of the key of a test set of version 0.1.0 unwraps it")
def _(facts: dict, tmp_path: Path) -> None:
    workspace = Workspace(earlier.unpack(tmp_path / "workspace"))
    facts["folder"], facts["manifest"] = workspace.sealed, seal_of(workspace)
    [holder] = facts["manifest"].wrapped_keys
    facts["keys"] = custodian_keys(Keystore(workspace.keystore).unlock(holder, earlier.PASSPHRASE), facts["manifest"])


@then("the sealed files open with it")
def _(facts: dict) -> None:
    cases = list(open_sealed(facts["folder"], facts["manifest"], facts["keys"]))
    assert {case.id for case in cases} == {file.case for file in facts["manifest"].files}
    assert all(open_image(case).shape == open_label(case).shape for case in cases)
