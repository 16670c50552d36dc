"""DVC versions: digests that anyone can compute again, and no plain test case in the cache."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.sealed.sealing import seal
from minivess.ml.splits.splits import split
from minivess.ml.versions.data_version import version
from minivess.records.data.split import Split

pytestmark = pytest.mark.verifies("SU-61")


@pytest.mark.verifies("REQ-016")
def test_one_folder_has_the_digest_of_its_dvc_file(workspace, capfd) -> None:
    digest = version(workspace.root, [workspace.prepared])
    stage = yaml.safe_load((workspace.root / "data" / "prepared.dvc").read_text(encoding="utf-8"))
    assert digest == f"md5:{stage['outs'][0]['md5']}"
    assert re.fullmatch(r"md5:[0-9a-f]{32}\.dir", digest)
    assert version(workspace.root, [workspace.prepared]) == digest
    path = workspace.prepared / "mouse-01" / "label.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert version(workspace.root, [workspace.prepared]) != digest
    assert capfd.readouterr() == ("", "")


@pytest.mark.verifies("REQ-016")
def test_several_folders_have_the_digest_dvc_gives_to_their_parent(workspace) -> None:
    plan = split(workspace.manifest, Split(calibration=1, test=2))
    seal(workspace.prepared, plan, bytes(32), workspace.sealed, wrap={"bob": "x"})
    digest = version(workspace.root, [workspace.prepared, workspace.sealed])
    alone = workspace.root / "elsewhere"
    for folder in (workspace.prepared, workspace.sealed):
        shutil.copytree(folder, alone / "parent" / folder.name)
    assert version(alone, [alone / "parent"]) == digest


@pytest.mark.verifies("REQ-016", "RC-03")
def test_plain_test_cases_never_enter_the_cache(workspace) -> None:
    plan = split(workspace.manifest, Split(calibration=1, test=2))
    copy = workspace.root / "copy.npy"
    shutil.copyfile(workspace.prepared / plan.test[0] / "image.npy", copy)
    seal(workspace.prepared, plan, bytes(32), workspace.sealed, wrap={"bob": "x"})
    with pytest.raises(RefusedError, match=r"copy\.npy"):
        version(workspace.root, [workspace.prepared])
    assert not (workspace.root / ".dvc").exists()


def test_folders_that_are_missing_or_outside_are_refused(workspace, tmp_path_factory) -> None:
    with pytest.raises(InputError):
        version(workspace.root, [workspace.root / "data" / "absent"])
    with pytest.raises(UsageError):
        version(workspace.root, [tmp_path_factory.mktemp("outside")])
    with pytest.raises(UsageError):
        version(workspace.root, [])
